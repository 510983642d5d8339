"""The common base of all contract tests: a provider over an empty store, a manager, and clients.

Overlapping requests are simulated without threads: several sessions are started before the first
of them is released.  This way each test fixes the order of events, and a failure is reproducible.
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
"""A function that does the work of one request; it gets the session."""

UNKNOWN = [f"{letter * 42}A" for letter in "ABCDEFGHIJ"]
"""Tokens that have a valid shape, but that no manager issued."""

both_orders = pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in-turn", "crossed"])
"""Run a test twice: two requests are released in the order of their start, and in reverse order."""


class Client:
    """A minimal browser: it stores the session cookie that it receives, and sends it back."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self.token: str | None = None
        self.id = ""
        """The id of its session after the last release that set a cookie."""

    @property
    def headers(self) -> dict[str, str]:
        """The request headers: the session cookie, or nothing if it has none."""
        name = self.manager.config.cookie_name
        return {} if self.token is None else {"Cookie": f"{name}={self.token}"}

    def start(self) -> Session:
        """Begin a request: return the session for the cookie of this client."""
        return self.manager.start(self.headers)

    def release(self, session: Session) -> Release:
        """End a request: release the session, and store the cookie that the response sets."""
        release = self.manager.release(session)
        cookie = cookie_of(release)
        if cookie is not None:
            value = cookie.partition("=")[2].partition(";")[0]
            # The cookie of a persistent session is sent again, with the same token.
            if value != self.token:
                self.token = value or None
                self.id = session.id
        return release

    def pass_by(self) -> Release:
        """Run a whole request that never uses its session, and that put off reading it."""
        return self.release(self.manager.start_lazily(self.headers))

    @contextmanager
    def visit(self) -> Iterator[Session]:
        """Run one whole request: start a session, yield it, and release it unless it raised."""
        session = self.start()
        yield session
        self.release(session)

    def twin(self) -> Client:
        """Return another client with the same cookie, such as a second tab or a thief.

        It keeps that cookie when this client receives a new one.
        """
        twin = Client(self.manager)
        twin.token, twin.id = self.token, self.id
        return twin

    def overlap(self, *works: Work, order: Sequence[int]) -> list[Release]:
        """Run several requests that overlap, and return their releases in the order of release.

        One session is started for each of `works`; then all works are done; then the sessions are
        released in `order`, a sequence of indexes into `works`.  A session not listed is not
        released.
        """
        sessions = [self.start() for _ in works]
        for session, work in zip(sessions, works, strict=True):
            work(session)
        return [self.release(sessions[number]) for number in order]


def cookie_of(release: Release | None) -> str | None:
    """Return the value of the Set-Cookie header of a release; None if it sets no cookie."""
    assert release is not None
    cookies = [value for name, value in release.headers if name == "Set-Cookie"]
    return cookies[0] if cookies else None


class Subject:
    """The provider under test.  `ProviderContract` describes the hooks that a subclass defines."""

    folder: Path
    """An empty temporary folder for the store; pytest removes it later."""
    clock: FakeClock
    events: list[tuple[str, str | None]]
    """The events that the managers reported, each as a pair of name and session id."""
    store: Provider
    """The provider that `make` returned, to be called directly."""
    trips: Trips | AsyncTrips
    """The wrapped provider that the managers use; it logs each of their calls."""
    manager: Manager

    def make(self) -> Any:
        """Return the provider under test, connected to an empty store."""
        raise NotImplementedError

    def again(self) -> Any:
        """Return a second provider over the same store, as another process would have."""
        self.not_applicable("again()")

    def break_store(self) -> Any:
        """Make the store unavailable to every provider that is connected to it."""
        self.not_applicable("break_store()")

    def corrupt(self, id: str, field: bytes | None = None) -> Any:  # noqa: ARG002 - for others
        """Make stored data unreadable: the whole record under `id`, or the value of one `field`."""
        self.not_applicable("corrupt()")

    def not_applicable(self, hook: str) -> NoReturn:
        """Skip the running test, and name the hook that the subclass does not define."""
        pytest.skip(f"not applicable: {type(self).__name__} gives no {hook}")

    # -- overridden by the async contract ------------------------------------------------------

    @contextmanager
    def bridged(self) -> Iterator[None]:
        """Wrap one test.  The async contract runs an event loop here."""
        yield

    def call(self, hook: Callable[..., Any], *args: Any) -> Any:
        """Call a hook of the subclass and return its result."""
        return hook(*args)

    def opened(self, made: Any) -> tuple[Provider, Trips | AsyncTrips]:
        """Return a sync interface to the provider, and the call log to give to a manager."""
        return made, Trips(made)

    @contextmanager
    def simulated(self) -> Iterator[Provider]:
        """Yield the provider for code that runs an event loop of its own."""
        yield self.store

    def managed(self, **settings: Any) -> Manager:
        """Return another manager over the same store, with these settings."""
        assert isinstance(self.trips, Trips)
        return Manager(self.trips, clock=self.clock, on_event=self.note, **settings)

    # -- helpers for the tests -----------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def _subject(self, tmp_path: Path) -> Iterator[None]:
        """Open the provider and a manager for one test, and close the provider afterwards."""
        self.folder = tmp_path
        self.clock = FakeClock()
        self.events = []
        with self.bridged():
            self.store, self.trips = self.opened(self.call(self.make))
            self.manager = self.managed()
            yield
            self.store.close()

    def note(self, name: str, id: str | None) -> None:
        """Record an event of a manager."""
        self.events.append((name, id))

    def client(self, manager: Manager | None = None) -> Client:
        """Return a client without a cookie."""
        return Client(manager or self.manager)

    def visitor(self, fields: dict[Any, Any], manager: Manager | None = None) -> Client:
        """Return a client with a stored session that holds `fields`.

        The log of calls and the events of this setup are cleared.
        """
        client = self.client(manager)
        with client.visit() as session:
            session.update(fields)
        self.trips.taken()
        self.events.clear()
        return client

    def member(self, user: str = "ada", manager: Manager | None = None) -> Client:
        """Return a client with a stored session in which `user` is signed in, without any data.

        The log of calls and the events of this setup are cleared.
        """
        client = self.client(manager)
        with client.visit() as session:
            session.login(user)
        self.trips.taken()
        self.events.clear()
        return client

    def stored(self, client: Client) -> dict[Any, Any]:
        """Return the data that the next request of this client would read."""
        return dict(client.start())

    def record(self, name: str = "one", user: str | None = None, **more: Any) -> Record:
        """Return a record that is not stored yet and expires in an hour.

        `more` replaces attributes of the record.
        """
        now = self.clock()
        fields = {b"a": b"1", b"b": b"2"}
        record = Record(id_of(name), fields, created=now, seen=now, expires=now + 3600, user=user)
        return record._replace(**more)

    def created(self, name: str = "one", user: str | None = None, **more: Any) -> Record:
        """Create such a record in the store, and return it."""
        record = self.record(name, user, **more)
        assert self.store.create(record)
        return record

    def stands(self, id: str) -> Record | None:
        """Return the record stored under `id`, without `version`, which each store numbers for itself; None if absent."""
        return bare(self.store.read(id))


def bare(record: Any) -> Record | None:
    """Return a record without the version, which is private to each store; None stays None.

    The mappings are copied into plain dicts, so that records of different stores compare equal.
    """
    if record is None:
        return None
    assert type(record) is Record
    about = None if record.about is None else dict(record.about)
    return record._replace(version=0, fields=dict(record.fields), about=about)


def id_of(name: str, like: str = "ab") -> str:
    """Return an id made from `name`, whose first two digits are those of `like`.

    Related ids share their first two digits, because a session that moves keeps them.
    """
    return like[:2] + hashlib.sha256(name.encode()).hexdigest()[2:]
