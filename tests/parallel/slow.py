"""A hundred requests that load one session together and are released later, each in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sojourn import Manager, Release, ReleaseOutcome, Session
from tests.parallel.visits import Jar, at_once

SLOW = 100

Work = Callable[[Session, int], object]


def put(session: Session, number: int) -> None:
    session[f"key-{number}"] = number


def append(session: Session, number: int) -> None:
    session["list"].append(number)


def apply(session: Session, number: int) -> None:
    session.apply("count", lambda count: count + 1, 0)


def only_read(session: Session, number: int) -> None:
    """Change nothing; where `touch_interval` is 0, a touch is due all the same."""
    assert session["list"] == []


def regenerate(session: Session, number: int) -> None:
    session.regenerate_id()


HARMLESS: Sequence[Work] = (put, append, apply, only_read)
EVERYTHING: Sequence[Work] = (*HARMLESS, regenerate)


def visitor(manager: Manager, user: str | None = None) -> Jar:
    """The browser of a visitor whose session is stored, signed in or not."""
    jar = Jar()
    session = manager.start({})
    session["list"] = []
    if user is not None:
        session.login(user)
    jar.take(manager.release(session).headers)
    return jar


def started(manager: Manager, jar: Jar, works: Sequence[Work]) -> list[Session]:
    """A hundred requests of this browser, which take turns in what they do."""

    def request(number: int) -> Session:
        session = manager.start(jar.headers)
        works[number % len(works)](session, number)
        return session

    return at_once(request, SLOW)


def released(manager: Manager, sessions: Sequence[Session]) -> list[Release]:
    return at_once(lambda number: manager.release(sessions[number]), len(sessions))


def outcomes(answers: Sequence[Release]) -> set[ReleaseOutcome]:
    return {answer.outcome for answer in answers}
