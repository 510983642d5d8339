"""What the tests of every framework share."""

from __future__ import annotations

import pytest

from tests.frameworks.site import Site
from tests.frameworks.visitor import Visitor

pytest.register_assert_rewrite("tests.frameworks.behaviour")


@pytest.fixture
def visitor(site: Site) -> Visitor:
    """Somebody who comes for the first time."""
    return Visitor(site)
