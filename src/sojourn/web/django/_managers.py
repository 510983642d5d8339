"""The managers of a process, one of each colour, over one store.

They are made when Django starts, or when they are first asked for, and anew once a setting
changes, as a test may do.  A store is opened once: what a test has put into it is there
under other settings too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.core.signals import setting_changed
from django.http import HttpRequest

from sojourn._cookies import Headers
from sojourn.manager import AsyncManager, Manager
from sojourn.web._headers import reader
from sojourn.web.django import _settings
from sojourn.web.django._hidden import conceal


class _Store(NamedTuple):
    """One store in both colours."""

    sync: Any
    asynchronous: Any


class _Made(NamedTuple):
    """The managers, and what reads the headers that they start a session from."""

    sync: Manager
    asynchronous: AsyncManager
    read: Callable[[Mapping[str, Any]], dict[str, str]]


_lock = Lock()
_made: list[_Made] = []
_stores: list[tuple[object, _Store]] = []
"""What was opened, by what it was named."""


def manager() -> Manager:
    """Return the manager of this process.  Raises ConfigError for a wrong setting."""
    return _both().sync


def async_manager() -> AsyncManager:
    """Return the async manager of this process.  Raises ConfigError for a wrong setting."""
    return _both().asynchronous


def headers_of(request: HttpRequest) -> Headers:
    """Return the headers of a request that a session is started from.

    In ASGI they are as they came: META joins several Cookie headers, which HTTP/2 may send, by
    commas (RFC 9113 §8.2.3 wants semicolons).
    """
    scope = getattr(request, "scope", None)
    return _both().read(request.META) if scope is None else cast("Headers", scope["headers"])


def headers_of_token(token: str | None) -> Headers:
    """Return the headers of a request that brings this token along."""
    return {} if token is None else {"Cookie": f"{manager().config.cookie_name}={token}"}


def _both() -> _Made:
    if not _made:
        with _lock:
            if not _made:
                _made.append(_make(_settings.read()))
                conceal(settings.SOJOURN)
    return _made[0]


def _make(given: _settings.Given) -> _Made:
    origin = given.provider, given.config.provider_config
    store = next((store for known, store in _stores if known == origin), None)
    if store is None:
        store = _open(given)
        _stores.append((origin, store))
    return _Made(
        Manager(store.sync, given.config),
        AsyncManager(store.asynchronous, given.config),
        reader(given.config),
    )


def _open(given: _settings.Given) -> _Store:
    """Open the store in both colours; where only a sync one is made, both have the same."""
    asynchronous: Any = AsyncManager(given.provider, given.config)._provider
    sync = getattr(asynchronous, "provider", given.provider)
    return _Store(Manager(sync, given.config)._provider, asynchronous)


def _forget(*, setting: str, **_: object) -> None:
    """Make the managers anew when they are next asked for."""
    if setting == "SOJOURN" or setting.startswith("SESSION_"):
        _made.clear()


setting_changed.connect(_forget)
