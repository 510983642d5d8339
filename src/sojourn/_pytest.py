"""A pytest plugin for pytest-django: it restores the sessions after each test and each test class.

pytest finds this module by the entry point of the package.  Without pytest-django it adds nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest


@contextmanager
def _restored() -> Iterator[None]:
    # Not imported here: if the project's settings do not use Sojourn, nothing has to be restored.
    testing = sys.modules.get("sojourn.web.django._testing")
    with nullcontext() if testing is None else testing.undone():
        yield


class _Fixtures:
    """The fixtures.  They are autouse, so they are registered only if pytest-django is there."""

    # This one is for sessions that are created once, for all tests of a class.
    @pytest.fixture(autouse=True, scope="class", name="_sojourn_of_class")
    def _of_class(self) -> Iterator[None]:
        with _restored():
            yield

    @pytest.fixture(autouse=True, name="_sojourn_of_test")
    def _of_test(self) -> Iterator[None]:
        with _restored():
            yield


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures if pytest-django is active."""
    if config.pluginmanager.has_plugin("django"):
        config.pluginmanager.register(_Fixtures(), "sojourn of django")
