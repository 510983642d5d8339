"""Visitors of a store that fails, and what each of them was told.

A visitor sends one request after the other: begins a session, saves an item in it, changes its
token, ends it, looks whether a dead token opens anything.  Each session is named, and each request
looks at the name first.  What came of it is written down in the `Story` of the session: it was
acknowledged, it was refused (StoreUnavailable: it must not stand), or it is in doubt
(OutcomeUnknown: it may stand).  After a beginning, a new token or an end in doubt nobody knows how
to go on, so that another story begins.
"""

from __future__ import annotations

import random
import time
from typing import NamedTuple

from sojourn import Release, ReleaseOutcome, Session
from sojourn.errors import OutcomeUnknown, StoreError, StoreUnavailable

IN_A_HUNDRED = {"save": 45, "append": 15, "look": 10, "renew": 15, "end": 15}
"""How many requests do what, once a session has begun."""
ITEMS = ("save", "append")
TOO_LATE = (ReleaseOutcome.LATE, ReleaseOutcome.RETIRED)
LOOKED_BACK = 5
"""How many stories back a visitor tries dead tokens."""


class Story:
    """What a visitor knows of one session."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tokens = list[str]()
        """Those that were handed out, in order: only the last one may open it."""
        self.handed_out = list[float]()
        """When that was."""
        self.saved = dict[int, float]()
        """The items that were acknowledged, and when."""
        self.refused = set[int]()
        self.doubtful = set[int]()
        self.close: str | None = None
        """How it came to its end: "ended" as asked for, "vanished" though nobody had ended it,
        "refused" before it began, or the verb of a request in doubt."""
        self.closed = 0.0

    @property
    def dead(self) -> dict[str, float]:
        """The tokens that shall never open anything again, and since when."""
        ends = [self.closed] if self.close == "ended" else []
        return dict(zip(self.tokens, [*self.handed_out[1:], *ends], strict=False))


class Deed(NamedTuple):
    """What one request is to do."""

    verb: str
    story: Story
    token: str
    item: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": f"session={self.token}"} if self.token else {}


class Vanished(Exception):
    """The session that a request asked for is not there."""


class Visitor:
    """Does as the dice fall.  filler: bytes that make answers long."""

    def __init__(self, name: str, *, filler: int = 0) -> None:
        self.name = name
        self.stories = [Story(f"{name}.0")]
        self.faults = list[str]()
        """What must never be, whatever fails."""
        self.risen = set[str]()
        """Dead tokens that opened something."""
        self._filler = filler
        self._dice = random.Random(name)
        self._item = 0

    def plan(self) -> Deed:
        """Decide what comes next."""
        self._item += 1
        if self.stories[-1].close:
            self.stories.append(Story(f"{self.name}.{len(self.stories)}"))
        story = self.stories[-1]
        if not story.tokens:
            return Deed("begin", story, "", self._item)
        [verb] = self._dice.choices([*IN_A_HUNDRED], [*IN_A_HUNDRED.values()])
        dead = [token for each in self.stories[-LOOKED_BACK:] for token in each.dead]
        if verb == "look" and dead:
            return Deed("look", story, self._dice.choice(dead), self._item)
        return Deed("save" if verb == "look" else verb, story, story.tokens[-1], self._item)

    def act(self, deed: Deed, session: Session) -> None:
        """Do it to the session that was started for it."""
        if deed.verb == "look":
            self.risen |= set() if session.is_new else {deed.token}
        elif deed.verb == "begin":
            session.login(deed.story.name)
            session["name"] = deed.story.name
            session["list"] = []
            session["filler"] = self._dice.randbytes(self._filler)
        else:
            self._enter(deed.story, session)
            change(session, deed.verb, deed.item)

    def _enter(self, story: Story, session: Session) -> None:
        if session.is_new:
            raise Vanished
        if session["name"] != story.name or session.user != story.name:
            self.faults.append(f"{story.name} was shown the session of {session.user}")

    def succeeded(self, deed: Deed, release: Release) -> None:
        """It was acknowledged, or came too late."""
        if deed.verb != "look" and release.outcome in TOO_LATE:
            deed.story.close = "vanished"
        elif deed.verb in ("begin", "renew"):
            assert release.token is not None
            deed.story.tokens.append(release.token)
            deed.story.handed_out.append(time.monotonic())
        elif deed.verb in ITEMS:
            deed.story.saved[deed.item] = time.monotonic()
        elif deed.verb == "end":
            deed.story.close = "ended"
            deed.story.closed = time.monotonic()

    def failed(self, deed: Deed, error: StoreError | Vanished) -> None:
        """It raised."""
        if isinstance(error, Vanished):
            deed.story.close = "vanished"
        elif isinstance(error, OutcomeUnknown):
            self._doubt(deed)
        elif not isinstance(error, StoreUnavailable):
            self.faults.append(f"{deed.story.name}: {deed.verb} raised {error!r}")
        elif deed.verb in ITEMS:
            deed.story.refused.add(deed.item)
        elif deed.verb == "begin":
            deed.story.close = "refused"

    def _doubt(self, deed: Deed) -> None:
        if deed.verb in ITEMS:
            deed.story.doubtful.add(deed.item)
        elif deed.verb != "look":
            deed.story.close = deed.verb


def change(session: Session, verb: str, item: int) -> None:
    """Change a session that is there."""
    if verb == "save":
        session["item", item] = True
    elif verb == "append":
        session["list"].append(item)
        session.apply("count", lambda count: count + 1, 0)
    elif verb == "renew":
        session.regenerate_id()
    else:
        session.logout()


def items_of(session: Session) -> list[int]:
    """What was saved in a session, each as often as it stands there."""
    return [*session["list"], *(key[1] for key in session if isinstance(key, tuple))]
