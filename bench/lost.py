"""Lost updates: requests of one session that all load it before any of them saves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from bench.overlap import Visit, overlap
from bench.subject import Answer, Subject, cookie_of
from bench.visits import begin, look


class Lost(NamedTuple):
    """The number of updates that were acknowledged, and of those that are missing."""

    missing: int
    made: int
    failed: int
    """The number of requests that ended in an error."""


Way = Callable[[Subject, str, int], Visit]
There = Callable[[Subject, str, int], int]


def lost(subject: Subject, rounds: int, kind: str) -> Lost:
    """Overlap 2 to 8 requests of one session, `rounds` times; `kind` is one of `KINDS`."""
    way, there = KINDS[kind]
    missing = made = failed = 0
    for number in range(rounds):
        several = 2 + number % 7
        cookie: str | None = begin(subject, start=1, items=[], n=0)
        assert cookie is not None
        answers = overlap(subject, [way(subject, cookie, place) for place in range(several)])
        good = [answer for answer in answers if isinstance(answer, Answer) and answer.status < 400]
        for answer in good:
            cookie = cookie_of(answer, cookie)
        failed += several - len(good)
        made += len(good)
        missing += max(0, len(good) - there(subject, cookie or "", several))
    return Lost(missing, made, failed)


def _one_key(_subject: Subject, cookie: str, place: int) -> Visit:
    def change(session: Any, _: Any) -> None:
        session[f"key{place}"] = place

    return Visit(cookie, lambda session: session.get("start"), change)


def _keys_there(subject: Subject, cookie: str, several: int) -> int:
    found = look(subject, cookie, *(f"key{place}" for place in range(several)))
    return sum(value is not None for value in found)


def _one_item(_subject: Subject, cookie: str, place: int) -> Visit:
    return Visit(cookie, lambda session: session["items"], lambda _, items: items.append(place))


def _items_there(subject: Subject, cookie: str, _several: int) -> int:
    return len(look(subject, cookie, "items")[0])


def _one_count(subject: Subject, cookie: str, _place: int) -> Visit:
    return Visit(cookie, lambda session: session["n"], subject.increment)


def _one_more(_subject: Subject, cookie: str, _place: int) -> Visit:
    def change(session: Any, seen: int) -> None:
        session["n"] = seen + 1

    return Visit(cookie, lambda session: session["n"], change)


def _count_there(subject: Subject, cookie: str, _several: int) -> int:
    count: int = look(subject, cookie, "n")[0]
    return count


KINDS: dict[str, tuple[Way, There]] = {
    "keys": (_one_key, _keys_there),
    "items": (_one_item, _items_there),
    "counts": (_one_count, _count_there),
    "plain": (_one_more, _count_there),
}
