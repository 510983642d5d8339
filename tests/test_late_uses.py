"""Law 5: first uses of a session that has ended since the request began, at awkward moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sojourn import Manager, Record, Session
from sojourn._session import seen as memory_of_seen
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Changes, Outcome
from sojourn.release import ReleaseOutcome
from sojourn.testing import FakeClock

RETIRED = ReleaseOutcome.RETIRED


class Store(MemoryProvider):
    """Calls a function before a change is made, and one before an answer is given, each once."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], object] = bool
        self.after: Callable[[], object] = bool

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        before, self.before = self.before, bool
        before()
        answer = super().update(record, changes)
        self.answers()
        return answer

    def destroy(self, id: str) -> Record | None:
        record = super().destroy(id)
        self.answers()
        return record

    def answers(self) -> None:
        after, self.after = self.after, bool
        after()


class Site:
    """A manager, and a visitor with a session."""

    def __init__(self) -> None:
        self.store, self.clock = Store(), FakeClock()
        self.manager = Manager(self.store, clock=self.clock)
        self.headers: dict[str, str] = {}
        session = self.manager.start({})
        session["a"] = 1
        self.release(session)
        self.id = session.id

    def release(self, session: Session) -> ReleaseOutcome:
        released = self.manager.release(session)
        if released.token is not None:
            self.headers = {"Cookie": f"session={released.token}"}
        return released.outcome

    def begin(self) -> Session:
        """Begin a request that has not used its session yet."""
        return self.manager.start_lazily(self.headers)

    def use(self, session: Session) -> ReleaseOutcome:
        session["b"] = 2
        return self.release(session)

    def visit(self, work: Callable[[Session], object]) -> None:
        session = self.manager.start(self.headers)
        work(session)
        self.release(session)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.mark.parametrize(
    "end",
    [
        lambda site: site.manager.destroy(site.id),
        lambda site: site.visit(lambda s: s.destroy()),
        lambda site: site.visit(lambda s: s.clear()),
        lambda site: site.visit(lambda s: s.pop("a")),
    ],
    ids=["destroyed", "signed-out", "cleared", "emptied"],
)
def test_a_use_while_the_store_has_not_yet_answered_is_late(
    site: Site, end: Callable[[Site], Any]
) -> None:
    """With `wait`, Redis answers only once the replicas know."""
    session, outcomes = site.begin(), list[ReleaseOutcome]()
    site.store.after = lambda: outcomes.append(site.use(session))
    end(site)
    assert outcomes == [RETIRED]


def test_a_session_may_move_while_a_request_begins(site: Site) -> None:
    """The tombstone counts from the moment when the move was decided, a second before."""
    sessions = list[Session]()

    def slow() -> None:
        site.clock.advance(1)
        sessions.append(site.begin())

    site.store.before = slow
    site.visit(lambda s: s.regenerate_id())
    site.clock.advance(9.5)
    assert site.use(sessions[0]) is RETIRED


def test_a_session_may_be_replaced_while_a_request_begins(site: Site) -> None:
    first, second = site.manager.start(site.headers), site.manager.start(site.headers)
    first.login("ada")
    site.release(first)
    second.login("ada")
    sessions = list[Session]()

    def slow() -> None:
        site.store.before = late

    def late() -> None:
        site.clock.advance(1)
        sessions.append(site.begin())

    site.store.before = slow
    site.release(second)
    site.clock.advance(9.5)
    assert site.use(sessions[0]) is RETIRED


def test_a_tombstone_may_expire_at_the_moment_of_the_use(site: Site) -> None:
    session = site.begin()
    other = Manager(site.store, clock=site.clock)  # of another process
    moved = other.start(site.headers)
    moved.regenerate_id()
    other.release(moved)
    site.clock.advance(10)
    assert site.use(session) is RETIRED


def test_a_session_may_expire_before_its_first_use(site: Site) -> None:
    site.clock.advance(3599)
    session = site.begin()
    site.clock.advance(1)
    later = site.begin()
    assert site.use(session) is RETIRED
    assert site.use(later) is ReleaseOutcome.CREATED


def test_the_ends_are_remembered_when_a_setting_changes(site: Site) -> None:
    session = site.begin()
    site.manager.set_secure(True)
    site.manager.destroy(site.id)
    assert site.use(session) is RETIRED


def test_an_end_that_was_forgotten_is_assumed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_of_seen, "ENDS", 10)
    session, headers, id = site.begin(), site.headers, site.id
    for _ in range(20):
        site.manager.destroy(id)
        other = site.manager.start({})
        other["a"] = 1
        site.release(other)
        id = other.id
    assert len(site.manager._life.seen._ended) <= 10
    assert site.use(session) is RETIRED
    site.headers = headers
    assert site.use(site.begin()) is ReleaseOutcome.CREATED


def test_the_memory_of_expired_sessions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_of_seen, "ENDS", 10)
    memory = memory_of_seen.Seen(60.0)
    for number in range(25):
        memory.note_expiry(str(number), 5.0)
        assert memory.expired_since(str(number), 4.0)
        assert not memory.expired_since(str(number), 5.0)
    assert len(memory._expired) <= 10
