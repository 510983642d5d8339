"""What both managers share: the settings, the lifecycle made of them, and what lists show."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, cast

from sojourn._lifecycle import Lifecycle
from sojourn.config import Config
from sojourn.errors import ConfigError
from sojourn.record import Record
from sojourn.release import Release
from sojourn.session import Session

GC_BATCH = 1000
"""How many records one call of a provider takes away at most."""


class SessionInfo(NamedTuple):
    """A living session as lists show it; times are seconds since the epoch."""

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
        """Return what a record says of its session."""
        times = record.created, record.seen, record.expires
        return cls(record.id, record.user, *times, record.about or {}, record.authenticated)


def _now() -> float:
    """Return the time.  The name is looked up at each call, so that freezegun can hold it."""
    return time.time()


class Policy:
    """The settings of a manager."""

    _provider: object

    def __init__(self, config: Config, clock: Callable[[], float] | None) -> None:
        awaits = iscoroutinefunction(getattr(self, "release", None))
        self._life = Lifecycle(config, clock or _now, awaits=awaits)
        self._started = False

    @property
    def config(self) -> Config:
        """The settings in force; immutable."""
        return self._life.config

    def ddl(self) -> str:
        """Return the statements that `init` runs, for somebody else to run them; "" if none."""
        ddl = getattr(self._provider, "ddl", None)
        return "" if ddl is None else cast("str", ddl())

    def discard(self, session: Session) -> Release:
        """Give a session up: nothing of this request is stored, and its cookie is left alone.

        Raises SessionReleased if it was released before.
        """
        return self._life.discard(session)

    def set_secure(self, value: Any) -> None:
        """Set the cookie's Secure attribute: True, False, or "auto" as the request came."""
        self._set(secure=value)

    def set_hash_func(self, name: str, key: str | bytes = "") -> None:
        """Set what ids are derived from tokens with: a hash function of hashlib, and a key.

        Raises ConfigError once a session was started: every id would change under the clients.
        """
        if self._started:
            raise ConfigError(
                "set_hash_func: sessions were started already, and no token would find its "
                "session any more. Set hash_func and hash_key before the first start"
            )
        self._set(hash_func=name, hash_key=key)

    def _set(self, **settings: Any) -> None:
        self._life.configure(self.config.replace(**settings))
