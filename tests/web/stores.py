"""Stores for the tests of the web: one that can be down, and what an answer says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sojourn import OutcomeUnknown, Session, StoreError, StoreUnavailable
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Changes, Outcome, Record

Pairs = list[tuple[str, str]]


FAULTS = (StoreUnavailable, OutcomeUnknown)
"""Nothing was written, or nobody knows whether it was."""


class Failing(MemoryProvider):
    """A store of which some verbs fail."""

    def __init__(self, fault: type[StoreError] = StoreUnavailable) -> None:
        super().__init__()
        self.fault = fault
        self.down: set[str] = set()

    def read(self, id: str) -> Record | None:
        self._answer("read")
        return super().read(id)

    def create(self, record: Record) -> bool:
        self._answer("create")
        return super().create(record)

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        self._answer("update")
        return super().update(record, changes)

    def _answer(self, verb: str) -> None:
        if verb in self.down:
            raise self.fault(f"no {verb} today")


def values(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    """What every header of that name says."""
    return [value for found, value in headers if found.lower() == name.lower()]


def cookie(headers: Iterable[tuple[str, str]]) -> str:
    """The one cookie that was set, as a browser sends it back."""
    [line] = values(headers, "Set-Cookie")
    return line.partition(";")[0]


def note_into(events: list[str]) -> Callable[[str, str | None], Any]:
    """An `on_event` that keeps the names in their order."""
    return lambda name, id: events.append(name)


# Headers of an application, and what has to stand beside a cookie: Vary, then Cache-Control,
# of which every directive stays that permits no cache anything.
OURS = ["no-store, private"]
MERGED: list[tuple[Pairs, list[str], list[str]]] = [
    ([], ["Cookie"], OURS),
    ([("Vary", "Accept")], ["Accept, Cookie"], OURS),
    ([("vary", "accept, COOKIE")], ["accept, COOKIE"], OURS),
    ([("Vary", "Accept"), ("VARY", "Accept , Origin")], ["Accept, Origin, Cookie"], OURS),
    ([("Vary", "*")], ["*"], OURS),
    ([("Vary", "Accept"), ("Vary", "*")], ["*"], OURS),
    ([("Vary", "")], ["Cookie"], OURS),
    ([("Cache-Control", "public, max-age=3600")], ["Cookie"], OURS),
    ([("cache-control", "no-store")], ["Cookie"], OURS),
    ([("Cache-Control", "private"), ("Cache-Control", "immutable")], ["Cookie"], OURS),
    (
        [("Cache-Control", "max-age=0, no-cache, no-store, must-revalidate, private")],
        ["Cookie"],
        ["no-store, private, max-age=0, no-cache, must-revalidate"],
    ),
    (
        [("Cache-Control", 'S-MaxAge="0", Private="x, public", no-cache="a, b", must-understand')],
        ["Cookie"],
        ['no-store, private, S-MaxAge="0", no-cache="a, b"'],
    ),
    (
        [("Cache-Control", "max-age=600, s-maxage=00, no-transform , stale-if-error=9, own=1")],
        ["Cookie"],
        ["no-store, private, no-transform, own=1"],
    ),
]

# What a handler may do without changing anything, and whether the response depends on it.
READS: list[tuple[Callable[[Session], object], bool]] = [
    (lambda session: None, False),
    (lambda session: session.get("name"), True),
    (lambda session: "name" in session, True),
    (len, True),
    (list, True),
    (lambda session: session.user, True),
]
