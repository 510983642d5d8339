"""Beside pytest-django: each test, and each class of tests, leaves the sessions of the tests as
they were when it began.

pytest finds this module by the entry point of the package.  Without pytest-django it adds nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext

import pytest


def _undone() -> Iterator[None]:
    testing = sys.modules.get("sojourn.web.django._testing")
    with nullcontext() if testing is None else testing.undone():
        yield


class _Fixtures:
    _of_class = staticmethod(
        pytest.fixture(autouse=True, scope="class", name="_sojourn_of_class")(_undone)
    )
    _of_test = staticmethod(pytest.fixture(autouse=True, name="_sojourn_of_test")(_undone))


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixtures where pytest-django is at work."""
    if config.pluginmanager.has_plugin("django"):
        config.pluginmanager.register(_Fixtures(), "sojourn of django")
