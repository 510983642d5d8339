"""The two managers of a process, one sync and one async, over the same store.

They are made when Django starts, or when first used, and made again after a setting has changed, as
in tests.  Each store is opened only once, so that data which a test has stored is still there under
other settings.  Under a test runner the managers have another store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.core.signals import setting_changed
from django.http import HttpRequest

from sojourn._cookies import Headers
from sojourn._processes import PerProcess
from sojourn.manager import AsyncManager, Manager
from sojourn.web._headers import reader
from sojourn.web.django import _settings, _testing
from sojourn.web.django._masking import conceal
from sojourn.web.django._own import AsyncDjangoManager, DjangoManager


class _Store(NamedTuple):
    """A store's sync and its async provider."""

    sync: Any
    asynchronous: Any


class _Made(NamedTuple):
    """The managers, and a function that reads the headers they start a session from."""

    sync: Manager
    asynchronous: AsyncManager
    read: Callable[[Mapping[str, Any]], dict[str, str]]
    testing: bool
    """Whether a test runner was active when they were made."""


_lock = PerProcess(Lock)
_made: list[_Made] = []
_stores: list[tuple[object, _Store]] = []
"""The stores opened so far, each with the settings that name it."""


def manager() -> Manager:
    """Return the manager of this process.  Raises ConfigError for a wrong setting."""
    return _both().sync


def async_manager() -> AsyncManager:
    """Return the async manager of this process.  Raises ConfigError for a wrong setting."""
    return _both().asynchronous


def headers_of(request: HttpRequest) -> Headers:
    """Return the headers of a request from which its session is started.

    In ASGI the original headers are used: META joins several Cookie headers, which HTTP/2 clients
    may send, with commas, and RFC 9113 §8.2.3 requires semicolons.
    """
    scope = getattr(request, "scope", None)
    return _both().read(request.META) if scope is None else cast("Headers", scope["headers"])


def headers_of_token(token: str | None) -> Headers:
    """Return the headers of a request that sends this token in its cookie."""
    return {} if token is None else {"Cookie": f"{manager().config.cookie_name}={token}"}


def _both() -> _Made:
    testing = _testing.is_testing()
    made = _fitting(testing=testing)
    if made is None:
        with _lock():
            made = _fitting(testing=testing)
            if made is None:
                made = _make(_settings.read(testing=testing), testing=testing)
                _made[:] = [made]
                conceal(settings.SOJOURN)
    return made


def _fitting(*, testing: bool) -> _Made | None:
    return next((made for made in _made if made.testing is testing), None)


def _make(given: _settings.Given, *, testing: bool) -> _Made:
    origin = given.provider, given.config.provider_config, given.own
    if (store := next((store for known, store in _stores if known == origin), None)) is None:
        store = _open(given)
        _stores.append((origin, store))
        if given.own:
            _testing.take(store.sync)
    return _Made(
        DjangoManager(store.sync, given.config),
        AsyncDjangoManager(store.asynchronous, given.config),
        reader(given.config),
        testing,
    )


def _open(given: _settings.Given) -> _Store:
    """Open a store for both managers; if its provider is sync only, they share that one."""
    asynchronous: Any = AsyncManager(given.provider, given.config)._provider
    sync = getattr(asynchronous, "provider", given.provider)
    return _Store(Manager(sync, given.config)._provider, asynchronous)


def _forget(*, setting: str, **_: object) -> None:
    """Drop the managers after a setting has changed; the next use makes new ones."""
    if setting == "SOJOURN" or setting.startswith("SESSION_"):
        _made.clear()


setting_changed.connect(_forget)
