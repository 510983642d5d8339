"""A pytest plugin for pytest-django: it restores the sessions after each test and each test class.

pytest finds this module by the entry point of the package.  Without pytest-django it adds nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext

import pytest


def _undone() -> Iterator[None]:
    # Not imported here: if the project's settings do not use Sojourn, nothing has to be restored.
    testing = sys.modules.get("sojourn.web.django._testing")
    with nullcontext() if testing is None else testing.undone():
        yield


# The fixtures are autouse, so they are registered only if pytest-django is there.  The one of a class
# is for sessions that are created once, for all tests of the class.
class _Fixtures:
    _of_class = staticmethod(
        pytest.fixture(autouse=True, scope="class", name="_sojourn_of_class")(_undone)
    )
    _of_test = staticmethod(pytest.fixture(autouse=True, name="_sojourn_of_test")(_undone))


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures if pytest-django is active."""
    if config.pluginmanager.has_plugin("django"):
        config.pluginmanager.register(_Fixtures(), "sojourn of django")
