"""The behavior of session libraries with overlapping, late and harmless requests.

Every subject gets the same requests from the same code, through its own middleware.  Nothing is
simulated: requests overlap in threads or tasks, and a later request shows the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bench import values
from bench.lost import Lost, lost
from bench.overlap import Visit, overlap
from bench.subject import Answer, Subject, cookie_of
from bench.visits import begin, look

T = TypeVar("T")


class Conduct(NamedTuple):
    """The observed behavior of one subject."""

    keys: Lost
    """Lost updates if each request sets a key of its own."""
    items: Lost
    """Lost updates if each request appends to one list, in place."""
    counts: Lost
    """Lost updates if each request increments a counter as the library recommends it."""
    plain: Lost
    """Lost updates if each request increments a counter by `session["n"] += 1`."""
    back: int
    """The number of sessions, of `trials` that were logged out, that a late request restored."""
    trials: int
    replayed: bool
    """Whether the cookie from before a logout still opens the session."""
    appended: bool
    """Whether a change in place is visible in the next request."""
    adopted: bool
    """Whether an id that the server never issued becomes the id of a session."""
    visitors: int
    records: int | None
    """The number of records stored for `visitors` who only read."""
    cookies: int
    """The number of these visitors who were sent a cookie."""
    values: dict[str, str]
    """By the name of each value: kept, altered or error, with details."""


def examine(
    subjects: Iterable[type[Subject]], folder: Path, share: float, say: Callable[[str], None]
) -> dict[tuple[str, str], Conduct]:
    """Examine each subject; `share` scales the number of repetitions and is at most 1."""
    seen = {}
    for kind in subjects:
        say(f"correctness: {kind.name}, {kind.store}")
        seen[kind.name, kind.store] = _conduct(_opener(kind, folder), share)
    return seen


def _opener(kind: type[Subject], folder: Path) -> Callable[[], Subject]:
    def opened() -> Subject:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return kind(folder)

    return opened


def _conduct(opened: Callable[[], Subject], share: float) -> Conduct:
    rounds, trials, visitors = int(200 * share), max(3, int(20 * share)), int(10_000 * share)
    records, cookies = _ask(opened, lambda subject: _left_behind(subject, visitors))
    return _ask(
        opened,
        lambda subject: Conduct(
            keys=lost(subject, rounds, "keys"),
            items=lost(subject, rounds, "items"),
            counts=lost(subject, rounds, "counts"),
            plain=lost(subject, rounds, "plain"),
            back=sum(_comes_back(subject) for _ in range(trials)),
            trials=trials,
            replayed=_replayed(subject),
            appended=_appended(subject),
            adopted=_adopted(subject),
            visitors=visitors,
            records=records,
            cookies=cookies,
            values={name: _kept(subject, value) for name, value in values.VALUES.items()},
        ),
    )


def _ask(opened: Callable[[], Subject], question: Callable[[Subject], T]) -> T:
    subject = opened()
    try:
        return question(subject)
    finally:
        subject.close()


# -- life and death ----------------------------------------------------------------------------


def _comes_back(subject: Subject) -> bool:
    """Load a session, log out by another request, save late; return whether old data is back."""
    cookie = begin(subject, secret="old", other=1)

    def late(session: Any, _: Any) -> None:
        session["other"] = 2

    visit = Visit(cookie, lambda session: session.get("secret"), late)
    (answer,) = overlap(subject, [visit], between=_leaving(subject))
    kept = cookie_of(answer, cookie) if isinstance(answer, Answer) else cookie
    return look(subject, kept, "secret") == ["old"]


def _leaving(subject: Subject) -> Callable[[Any], None]:
    def leave(session: Any) -> None:
        session.get("secret")
        subject.leave(session)

    return leave


def _replayed(subject: Subject) -> bool:
    cookie = begin(subject, secret="old")
    subject.serve(subject.request(cookie), _leaving(subject))
    return look(subject, cookie, "secret") == ["old"]


def _appended(subject: Subject) -> bool:
    cookie: str | None = begin(subject, items=[1])

    def append(session: Any) -> None:
        session["items"].append(2)

    cookie = cookie_of(subject.serve(subject.request(cookie), append), cookie)
    return look(subject, cookie, "items") == [[1, 2]]


def _adopted(subject: Subject) -> bool:
    """Send a made-up id of valid shape; return whether it becomes the id of the new session."""
    name, _, genuine = begin(subject, a=1).partition("=")
    changed = "".join("2" if letter == "1" else letter for letter in genuine)
    forged = f"{name}={changed if changed != genuine else _turned(genuine)}"

    def put(session: Any) -> bool:
        session["planted"] = True
        return True

    subject.serve(subject.request(forged), put)
    return look(subject, forged, "planted") == [True]


def _turned(text: str) -> str:
    """Return the id with its first few characters in another order."""
    return text[1] + text[0] + text[3] + text[2] + text[4:]


def _left_behind(subject: Subject, visitors: int) -> tuple[int | None, int]:
    """Serve visitors without a cookie who only read; count their records and cookies."""
    request = subject.request(None)
    cookies = 0
    for _ in range(visitors):
        answer = subject.serve(request, lambda session: session.get("cart"))
        cookies += cookie_of(answer, None) is not None
    return subject.stored(), cookies


# -- types -------------------------------------------------------------------------------------


def _kept(subject: Subject, value: Any) -> str:
    try:
        cookie = begin(subject, value=value)
        (found,) = look(subject, cookie, "value")
    except Exception as error:  # noqa: BLE001 - that is the result
        return f"{values.ERROR}: {type(error).__name__}"
    if values.same(value, found):
        return values.KEPT
    return f"{values.ALTERED}: {found!r}"
