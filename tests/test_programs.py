"""Random programs: what requests do to a session, alone and overlapping, by every way there is.

`SOJOURN_SEARCH` multiplies how long it searches; a failure names the seed.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from itertools import count, product
from random import Random
from typing import Any

import pytest

from sojourn import Manager, Release, Session
from sojourn.codec import Codec
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock

FACTOR = int(os.environ.get("SOJOURN_SEARCH", "1"))
CODEC = Codec()


class Site:
    """A manager over a store of its own, and the events that it reports."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.manager = Manager(
            MemoryProvider(), clock=FakeClock(), on_event=lambda name, _: self.events.append(name)
        )

    def visitor(self, fields: dict[str, Any]) -> dict[str, str]:
        """Return the headers of a visitor whose session holds these fields."""
        session = self.manager.start({})
        session.update(copy.deepcopy(fields))
        return cookie(self.manager.release(session))


def cookie(release: Release) -> dict[str, str]:
    return {"Cookie": dict(release.headers)["Set-Cookie"].partition(";")[0]}


def seen(session: Session) -> dict[str, bytes]:
    """What the session holds, exactly: 1, True and 1.0 are three things, and so are two orders."""
    return {key: CODEC.encode(session[key]) for key in session}


# -- what a request does ---------------------------------------------------------------------------


class Author:
    """Writes to a session at random; the same seed writes the same."""

    def __init__(self, seed: object) -> None:
        self.random = Random(seed)  # type: ignore[arg-type]
        self.numbers = count(1000)

    def value(self) -> Any:
        number = next(self.numbers)
        return self.random.choice(
            [number, [number], {"a": number}, {number}, [], None, str(number)]
        )

    def edit(self, value: Any) -> None:
        """Change a container in place."""
        number, way = next(self.numbers), self.random.randrange(4)
        if isinstance(value, list):
            if way == 0 and value:
                value.pop()
            elif way == 1 and value:
                value[0] = number
            else:
                value.append(number if way == 2 else [number])
        elif isinstance(value, dict):
            if way == 0 and value:
                value.popitem()
            else:
                value[self.random.choice(["a", "b", number])] = number
        elif isinstance(value, set):
            if way == 0 and value:
                value.pop()
            else:
                value.add(number)

    def act(self, session: Session, keys: str) -> None:
        """Do one thing to one of the keys."""
        key = self.random.choice(keys)
        number = next(self.numbers)
        deeds: list[Callable[[], object]] = [
            lambda: session.__setitem__(key, self.value()),
            lambda: session.pop(key, None),
            lambda: session.setdefault(key, self.random.choice([[], {}, 0])),
            lambda: self.edit(session.setdefault(key, self.random.choice([[], {}]))),
            lambda: session.apply(key, lambda value: added(value, number), []),
            lambda: session.apply(key, lambda value: value, []),
            lambda: self.edit(session.get(key)),
            lambda: self.edit(session.get(key)),
            lambda: session.get(key),
            lambda: session.update({key: copy.deepcopy(session.get(key))}),
            lambda: session.update({key: session.get(key)}),
        ]
        self.random.choice(deeds)()
        if self.random.random() < 0.02:
            session.clear()


def added(value: Any, number: int) -> list[Any]:
    return [*value, number] if isinstance(value, list) else [number]


QUESTIONS = [
    "id",
    "is_new",
    "is_retired",
    "user",
    "authenticated_at",
    "created_at",
    "seen_at",
    "expires_at",
    "lifetime",
    "persistent",
    "accessed",
    "modified",
    "released",
]


def ask(session: Session) -> None:
    """Ask everything that can be asked of a session."""
    for name in QUESTIONS:
        getattr(session, name)
    repr(session)
    len(session)
    "a" in session  # noqa: B015
    list(session)
    list(session.items())
    session.get("b")
    bool(session)
    session == {}  # noqa: B015


# -- alone -----------------------------------------------------------------------------------------


def run_alone(seed: int, *, asking: bool) -> tuple[str, list[str], dict[str, bytes]]:
    """Return the outcome, the events, and what is stored in the end."""
    site, author = Site(), Author(seed)
    fields = {key: author.value() for key in "abc" if author.random.random() < 0.7}
    visitor = site.visitor({**fields, "keep": 1})
    session = site.manager.start(visitor)
    for _ in range(author.random.randrange(1, 7)):
        author.act(session, "abcd")
        if asking:
            ask(session)
    intent = author.random.choice(["", "", "", "login", "regenerate_id", "set_lifetime"])
    if intent:
        getattr(session, intent)(*{"login": ("ada",), "set_lifetime": (60,)}.get(intent, ()))
    if asking:
        ask(session)
    release = site.manager.release(session)
    if "Set-Cookie" in dict(release.headers):
        visitor = cookie(release)
    return release.outcome.value, site.events, seen(site.manager.start(visitor))


def test_questions_change_nothing() -> None:
    """Law 3: whatever is asked at whatever point, the release does what it would have done."""
    for seed in range(500 * FACTOR):
        assert run_alone(seed, asking=True) == run_alone(seed, asking=False), f"seed {seed}"


def test_what_a_request_sees_at_its_end_is_stored() -> None:
    for seed in range(500 * FACTOR):
        site, author = Site(), Author(seed)
        fields = {key: author.value() for key in "abc" if author.random.random() < 0.7}
        visitor = site.visitor({**fields, "keep": 1})
        session = site.manager.start(visitor)
        for _ in range(author.random.randrange(1, 7)):
            author.act(session, "abcd")
        wanted = seen(session)
        site.manager.release(session)
        assert seen(site.manager.start(visitor)) == wanted, f"seed {seed}"


# -- overlapping -----------------------------------------------------------------------------------


def test_changes_to_keys_apart_all_stand() -> None:
    """Law 4, by random programs."""
    for seed in range(500 * FACTOR):
        site, chance = Site(), Random(seed)
        fields = {key: Author(f"{seed} {key}").value() for key in "abcd" if chance.random() < 0.7}
        visitor = site.visitor({**fields, "keep": 1})
        sessions = [site.manager.start(visitor) for _ in range(2)]
        wanted = {"keep": CODEC.encode(1)}
        for number, keys in enumerate(("ab", "cd")):
            author = Author(f"{seed} {number}")
            author.random.random = lambda: 1.0  # type: ignore[method-assign]  # no clear()
            for _ in range(chance.randrange(1, 6)):
                author.act(sessions[number], keys)
            wanted |= {key: value for key, value in seen(sessions[number]).items() if key in keys}
        for session in chance.sample(sessions, 2):
            site.manager.release(session)
        assert seen(site.manager.start(visitor)) == wanted, f"seed {seed}"


Append = Callable[[Session, int], object]

APPENDS: dict[str, Append] = {
    "apply": lambda s, n: s.apply("list", lambda value: [*(value or []), n], []),
    "setdefault": lambda s, n: s.setdefault("list", []).append(n),
    "in place": lambda s, n: s["list"].append(n) if "list" in s else s.update(list=[n]),
    "+=": lambda s, n: s.__setitem__("list", s.setdefault("list", []).__iadd__([n])),
    "question": lambda s, _: s.modified,
}


@pytest.mark.parametrize("begun", [False, True], ids=["first", "later"])
def test_whatever_both_append_to_one_list_stands(begun: bool) -> None:
    """Law 4: by every mixture of the ways to append, in both orders."""
    programs = [program for size in (1, 2, 3) for program in product(APPENDS, repeat=size)]
    others = [program for size in (1, 2) for program in product(list(APPENDS)[:4], repeat=size)]
    pairs = [(program, other) for program in programs for other in others]
    for program, other in Random(1).sample(pairs, min(len(pairs), 800 * FACTOR)):
        for order in (0, 1):
            site, numbers = Site(), count(100)
            visitor = site.visitor({"other": 1, **({"list": [0]} if begun else {})})
            sessions = [site.manager.start(visitor) for _ in range(2)]
            wanted = {0} if begun else set[int]()
            for session, ways in zip(sessions, (program, other), strict=True):
                for way in ways:
                    number = next(numbers)
                    APPENDS[way](session, number)
                    wanted |= {number} if way != "question" else set()
            for session in sessions if order == 0 else sessions[::-1]:
                site.manager.release(session)
            stored = site.manager.start(visitor).get("list", [])
            assert sorted(stored) == sorted(wanted), (program, other, order)
            assert "collided" not in site.events
