"""What every law has at hand: one provider in an empty store, a manager over it, and clients.

Requests that overlap are sessions started before the first of them is released; so every order
of events can be written down, and comes out the same each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from sojourn.manager import Manager
from sojourn.providers.base import Provider
from sojourn.record import Record
from sojourn.release import Release
from sojourn.session import Session
from sojourn.testing._tools import AsyncTrips, FakeClock, Trips

Work = Callable[[Any], object]
"""What one request does with its session."""

UNKNOWN = ["A" * 43, "B" * 42 + "A", "C" * 42 + "A", "D" * 42 + "A"]
"""Shaped as tokens are; nobody issued them."""

both_orders = pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in-turn", "crossed"])
"""Two requests, released as they began or the other way round."""


class Client:
    """A browser, as far as a session needs one: it keeps the cookie that it is given."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self.token: str | None = None
        self.id = ""
        """The id of its session as of the last release."""

    @property
    def headers(self) -> dict[str, str]:
        """What it sends with a request."""
        name = self.manager.config.cookie_name
        return {} if self.token is None else {"Cookie": f"{name}={self.token}"}

    def start(self) -> Session:
        """Begin a request."""
        return self.manager.start(self.headers)

    def release(self, session: Session) -> Release:
        """End a request, and take the cookie of its response."""
        release = self.manager.release(session)
        cookie = cookie_of(release)
        if cookie is not None:
            value = cookie.partition("=")[2].partition(";")[0]
            self.token = value or None
            self.id = session.id
        return release

    @contextmanager
    def visit(self) -> Iterator[Session]:
        """One request from beginning to end."""
        session = self.start()
        yield session
        self.release(session)

    def twin(self) -> Client:
        """Another client with the same cookie: one that missed the newer one, or a thief."""
        twin = Client(self.manager)
        twin.token, twin.id = self.token, self.id
        return twin

    def overlap(self, *works: Work, order: Sequence[int]) -> list[Release]:
        """Start a request for each, do all works, then release in that order."""
        sessions = [self.start() for _ in works]
        for session, work in zip(sessions, works, strict=True):
            work(session)
        return [self.release(sessions[number]) for number in order]


def cookie_of(release: Release | None) -> str | None:
    """The Set-Cookie of a release, None if it has none."""
    assert release is not None
    cookies = [value for name, value in release.headers if name == "Set-Cookie"]
    return cookies[0] if cookies else None


class Subject:
    """A provider under test.  What a subclass gives is described in `ProviderContract`."""

    folder: Path
    """Empty, and taken away later: for a store that needs a place."""
    clock: FakeClock
    events: list[tuple[str, str | None]]
    """What the managers reported."""
    store: Provider
    """What `make` returned, without a manager."""
    trips: Trips | AsyncTrips
    """The way of the managers to the store."""
    manager: Manager

    def make(self) -> Any:
        """Return the provider, over an empty store."""
        raise NotImplementedError

    def again(self) -> Any:
        """Return a second provider over the same store, as another process would have."""
        self.not_applicable("again()")

    def break_store(self) -> Any:
        """Make the store unavailable, to all handles."""
        self.not_applicable("break_store()")

    def corrupt(self, id: str, field: bytes | None = None) -> Any:  # noqa: ARG002 - for others
        """Make what stands under `id` unreadable: the whole frame, or the value of one field."""
        self.not_applicable("corrupt()")

    def not_applicable(self, hook: str) -> NoReturn:
        """Report the running test by name: it needs what the subclass does not give."""
        pytest.skip(f"not applicable: {type(self).__name__} gives no {hook}")

    # -- the two colours -----------------------------------------------------------------------

    @contextmanager
    def bridged(self) -> Iterator[None]:
        """Last as long as one test."""
        yield

    def call(self, hook: Callable[..., Any], *args: Any) -> Any:
        """Call a hook of the subclass."""
        return hook(*args)

    def opened(self, made: Any) -> tuple[Provider, Trips | AsyncTrips]:
        """Return the sync interface of a provider, and what a manager shall use of it."""
        return made, Trips(made)

    def managed(self, **settings: Any) -> Manager:
        """Return one more manager over the same store."""
        assert isinstance(self.trips, Trips)
        return Manager(self.trips, clock=self.clock, on_event=self.note, **settings)

    # -- at hand -------------------------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def _subject(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        self.clock = FakeClock()
        self.events = []
        with self.bridged():
            self.store, self.trips = self.opened(self.call(self.make))
            self.manager = self.managed()
            yield
            self.store.close()

    def note(self, name: str, id: str | None) -> None:
        """Keep an event."""
        self.events.append((name, id))

    def client(self, manager: Manager | None = None) -> Client:
        """Return a client without a cookie."""
        return Client(manager or self.manager)

    def visitor(self, fields: dict[Any, Any], manager: Manager | None = None) -> Client:
        """Return a client whose session holds these fields; its trips are forgotten."""
        client = self.client(manager)
        with client.visit() as session:
            session.update(fields)
        self.trips.taken()
        self.events.clear()
        return client

    def member(self, user: str = "ada", manager: Manager | None = None) -> Client:
        """Return a client that is signed in, and for whom nothing else is stored."""
        client = self.client(manager)
        with client.visit() as session:
            session.login(user)
        self.trips.taken()
        self.events.clear()
        return client

    def stored(self, client: Client) -> dict[Any, Any]:
        """Return what the next request of a client would see."""
        return dict(client.start())

    def record(self, name: str = "one", user: str | None = None, **more: Any) -> Record:
        """Return a record that lives for an hour, of which no store knows yet."""
        now = self.clock()
        fields = {b"a": b"1", b"b": b"2"}
        record = Record(id_of(name), fields, created=now, seen=now, expires=now + 3600, user=user)
        return record._replace(**more)

    def created(self, name: str = "one", user: str | None = None, **more: Any) -> Record:
        """Return such a record, stored."""
        record = self.record(name, user, **more)
        assert self.store.create(record)
        return record

    def stands(self, id: str) -> Record | None:
        """Return what stands there, but for what is private to the store."""
        return bare(self.store.read(id))


def bare(record: Any) -> Record | None:
    """A record as all stores must return it, without their own version."""
    if record is None:
        return None
    assert type(record) is Record
    about = None if record.about is None else dict(record.about)
    return record._replace(version=0, fields=dict(record.fields), about=about)


def id_of(name: str, like: str = "ab") -> str:
    """An id, with the first two digits of another."""
    return like[:2] + hashlib.sha256(name.encode()).hexdigest()[2:]
