"""A process that writes sessions until it is killed, and the journal that it keeps of it.

Before each request it says what it will do, after the answer that it was done: what was said to
be done was acknowledged by the store.  The journal is a pipe, into which a line goes whole or not
at all.  One session is shared by all writers, and named so; the others belong to one writer,
are signed in, and are named by their user.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping

from sojourn import Manager, Session
from sojourn.providers.file import FileProvider
from tests.parallel.processes import tell

SHARED = "shared"
FILLER = 50_000
"""Bytes that make a record large, so that it takes its time to write."""
MOST = 4
"""How many sessions of its own a writer keeps at a time."""


class Story:
    """What the journal says of one session."""

    def __init__(self) -> None:
        self.tokens = list[str]()
        """Those that were handed out, in order."""
        self.saved = set[str]()
        self.ended = False
        self.under_way = dict[str, str]()
        """What was not acknowledged any more when its writer was killed: the verb and the item."""

    def go_on(self, tense: str, verb: str, item: str) -> None:
        if tense == "will":
            self.under_way = {verb: item}
            return
        self.under_way = {}
        if verb in ("begin", "renew"):
            self.tokens.append(item)
        elif verb == "save":
            self.saved.add(item)
        else:
            self.ended = True


def stories_of(journal: Iterable[str]) -> Mapping[str, Story]:
    """The story of each session in the journal of one writer."""
    stories: dict[str, Story] = defaultdict(Story)
    for line in journal:
        tense, verb, name, item = line.split(" ")
        stories[name].go_on(tense, verb, item)
    return stories


class Writer:
    """Works on the shared session and on its own, as the dice fall."""

    def __init__(self, manager: Manager, number: str, shared: str) -> None:
        self._manager = manager
        self._number = number
        self._shared = shared
        self._own = dict[str, str]()
        self._dice = random.Random(number)

    def run(self) -> None:
        for turn in itertools.count():
            item = f"{self._number}-{turn}"
            if not self._own or self._dice.random() < 0.3:
                self._save(SHARED, self._shared, item)
            elif self._dice.random() < 0.3:
                self._save(*self._any(), item)
            elif self._dice.random() < 0.8:
                self._renew(*self._any())
            else:
                self._end(*self._any())
            if len(self._own) < MOST:
                self._begin(f"user-{item}")

    def _any(self) -> tuple[str, str]:
        return self._dice.choice(list(self._own.items()))

    def _say(self, tense: str, verb: str, name: str, item: str) -> None:
        tell(f"{tense} {verb} {name} {item}")

    def _start(self, token: str) -> Session:
        return self._manager.start({"Cookie": f"session={token}"})

    def _release(self, session: Session) -> str:
        token = self._manager.release(session).token
        assert token is not None
        return token

    def _begin(self, name: str) -> None:
        self._say("will", "begin", name, "-")
        session = self._manager.start({})
        session.login(name)
        session["name"] = name
        self._own[name] = self._release(session)
        self._say("did", "begin", name, self._own[name])

    def _save(self, name: str, token: str, item: str) -> None:
        self._say("will", "save", name, item)
        session = self._start(token)
        session["item", item] = True
        session["filler"] = self._dice.randbytes(FILLER)
        session.apply("count", lambda count: count + 1, 0)
        self._manager.release(session)
        self._say("did", "save", name, item)

    def _renew(self, name: str, token: str) -> None:
        self._say("will", "renew", name, "-")
        session = self._start(token)
        session.regenerate_id()
        self._own[name] = self._release(session)
        self._say("did", "renew", name, self._own[name])

    def _end(self, name: str, token: str) -> None:
        self._say("will", "end", name, "-")
        session = self._start(token)
        session.destroy()
        self._manager.release(session)
        del self._own[name]
        self._say("did", "end", name, "-")


def items_of(session: Session) -> set[str]:
    """What was saved in a session; that it stands there whole is checked with it."""
    items = {key[1] for key in session if isinstance(key, tuple)}
    assert session.get("count", 0) == len(items)
    return items


def main(folder: str, number: str) -> None:
    manager = Manager(FileProvider(folder))
    tell("ready")
    Writer(manager, number, sys.stdin.readline().strip()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
