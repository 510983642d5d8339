"""The base class of both managers, with their settings, and the entries of session lists."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, cast

from sojourn._cookies import Headers
from sojourn._lifecycle import Lifecycle
from sojourn._session.state import SessionState
from sojourn._unread import UnreadState
from sojourn.config import Config
from sojourn.errors import ConfigError
from sojourn.record import Record
from sojourn.release import Release
from sojourn.session import Session

GC_BATCH = 1000
"""The largest number of records that one call of a provider's `gc` deletes."""


class SessionInfo(NamedTuple):
    """An entry in a list of live sessions.  Times are seconds since the epoch."""

    id: str
    user: str | None
    created_at: float
    seen_at: float
    expires_at: float
    about: Mapping[str, str]
    authenticated_at: float | None
    """When the user last signed in; None for an anonymous visitor."""

    @classmethod
    def of(cls, record: Record) -> SessionInfo:
        """Return the entry for the session of a record."""
        times = record.created, record.seen, record.expires
        return cls(record.id, record.user, *times, record.about or {}, record.authenticated)


def _now() -> float:
    """Return the time in seconds since the epoch."""
    # A reference to `time.time` itself, kept from the start, would escape freezegun.
    return time.time()


class ManagerBase:
    """The part of a manager that needs no store: its settings and its lifecycle."""

    _provider: object
    _reader: Any
    """A Reader, or an AsyncReader."""

    def __init__(self, config: Config, clock: Callable[[], float] | None) -> None:
        # Only an AsyncManager has an async `release`; it alone can await functions of `on_release`.
        awaits = iscoroutinefunction(getattr(self, "release", None))
        self._life = Lifecycle(config, clock or _now, awaits=awaits)
        self._started = False

    @property
    def config(self) -> Config:
        """The current settings, which are immutable."""
        return self._life.config

    def start_lazily(self, headers: Headers, *, https: bool = False) -> Session:
        """Return the session of the request with these headers, which is read when it is first used.

        A request that never uses it costs no round trip, unless its "last seen" has to be stored.
        Under a Manager, the first use reads the session, and raises StoreError if the store fails.
        Under an AsyncManager, `await session.load()` reads it, and a use before that raises
        NotLoaded.  If the session could not be read, its release raises the same StoreError.

        The arguments are those of `start`.
        """
        self._started = self._life.seen.used = True
        openings = self._life.openings
        arrival = openings.arrive(headers, https=https)
        del headers  # they contain the token, and a traceback may show local variables
        reader = self._reader
        # An AsyncManager asks for `load` in any case: a test of the application may send no token.
        if arrival.tokens or openings.context.awaits:
            state = UnreadState(openings, arrival, reader.find, can_assign=reader.can_assign)
            return Session(state)
        return Session(SessionState(openings.context, arrival))

    def ddl(self) -> str:
        """Return the statements that `init` runs, for an administrator to run; "" if none."""
        ddl = getattr(self._provider, "ddl", None)
        return "" if ddl is None else cast("str", ddl())

    def discard(self, session: Session) -> Release:
        """Seal a session without storing the changes of this request; its cookie is left alone.

        Raises SessionReleased if it was released before.
        """
        return self._life.discard(session)

    def set_secure(self, value: Any) -> None:
        """Set the cookie's Secure attribute: True, False, or "auto" for requests over https."""
        self._set(secure=value)

    def set_hash_func(self, name: str, key: str | bytes = "") -> None:
        """Set the hash function, by its name in hashlib, and the key that derive ids from tokens.

        Raises ConfigError once a session was started: with other ids, no token of a client would
        find its session any more.
        """
        if self._started:
            raise ConfigError(
                "set_hash_func: sessions were started already, and no token would find its "
                "session any more. Set hash_func and hash_key before the first start"
            )
        self._set(hash_func=name, hash_key=key)

    def _set(self, **settings: Any) -> None:
        self._life.configure(self.config.replace(**settings))
