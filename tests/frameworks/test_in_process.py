"""The suite in this process, without a server between: files are the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.frameworks.behaviour.suite import Behaviour
from tests.frameworks.frameworks import FRAMEWORKS
from tests.frameworks.site import Site, in_process
from tests.frameworks.stores import file_store

HERE = [name for name, framework in FRAMEWORKS.items() if not framework.settings_of_the_process]


@pytest.fixture(scope="module", params=HERE)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with (
        file_store(tmp_path_factory.mktemp("store")) as store,
        in_process(request.param, store) as site,
    ):
        yield site


class TestInProcess(Behaviour):
    """All of it."""
