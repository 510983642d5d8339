"""A separate store for sessions under a test runner, which is restored after each test.

`manage.py test` and pytest-django both call Django's `setup_test_environment`; from then on the
managers use this store.  At the end of a test the store holds the same sessions as at its start,
among them those that a test class created for all of its tests.  A store that is named in
SOJOURN["TEST"] belongs to the application and is not restored.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from sojourn._events import logger
from sojourn.errors import ConfigError
from sojourn.record import Record

OWN = {"provider": "memory"}
"""The settings of the tests' store, unless SOJOURN["TEST"] names another."""
NEVER = 0.0
"""A time at which no session has expired, so that `find` returns all of them."""

_own: list[Any] = []


def is_testing() -> bool:
    """Whether a test runner is active.  Does not import Django's test modules."""
    # `setup_test_environment` sets `saved_data`, and `teardown_test_environment` deletes it.
    utils = sys.modules.get("django.test.utils")
    return utils is not None and hasattr(utils._TestState, "saved_data")


def named(given: Any) -> Mapping[str, Any] | None:
    """Return the value of SOJOURN["TEST"].  Raises ConfigError if it does not name a store."""
    if given is None or (isinstance(given, Mapping) and given.get("provider")):
        return given
    raise ConfigError(
        "SOJOURN['TEST']: it must be a dict that names the provider of the tests, such as "
        "{'provider': 'file', 'provider_config': './sessions-of-tests'}; without it they have "
        "one in memory"
    )


def take(provider: Any) -> None:
    """Register the store of the tests, and patch Django's SimpleTestCase to restore it."""
    _own[:] = [provider]
    logger.info("under a test runner sessions are kept in memory, not in SOJOURN['provider']")
    from django.test import SimpleTestCase  # noqa: PLC0415 - not imported outside of tests

    # `wraps` sets `__wrapped__`: it shows that the class is already patched.
    if not hasattr(SimpleTestCase.__call__, "__wrapped__"):
        SimpleTestCase.__call__ = _undoing(SimpleTestCase.__call__)  # type: ignore[method-assign]
        SimpleTestCase.setUpClass = classmethod(_undone_with_class(SimpleTestCase.setUpClass))  # type: ignore[assignment,method-assign]


@contextmanager
def undone() -> Iterator[None]:
    """Restore, at the end of the block, the sessions that were stored at its beginning."""
    stood = _sessions()
    try:
        yield
    finally:
        _give_back(stood)


def _sessions() -> list[Record]:
    return [record for provider in _own for record in provider.find(None, NEVER)]


def _give_back(stood: list[Record]) -> None:
    for provider in _own:
        # Records of the test are deleted, and so are the old ones, which it may have changed.
        for record in [*provider.find(None, NEVER), *stood]:
            provider.destroy(record.id)
        for record in stood:
            provider.create(record)


def _undoing(call: Callable[..., None]) -> Callable[..., None]:
    @wraps(call)
    def run(*args: Any, **kwargs: Any) -> None:
        with undone():
            call(*args, **kwargs)

    return run


def _undone_with_class(set_up: Callable[[], None]) -> Callable[[Any], None]:
    """Return a `setUpClass` that restores the store when the tests of the class are done.

    A subclass that overrides `setUpClass` must call it through `super`.
    """
    inner: Any = set_up

    @wraps(inner.__func__)
    def set_up_class(cls: Any) -> None:
        cls.addClassCleanup(_give_back, _sessions())
        inner.__func__(cls)  # a bound classmethod: its function is called with the subclass

    return set_up_class
