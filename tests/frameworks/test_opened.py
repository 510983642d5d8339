"""Applications that are told to go on while their store is down, each where it can run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.frameworks.behaviour.opened import SETTINGS, Opened
from tests.frameworks.frameworks import FRAMEWORKS
from tests.frameworks.servers import USUAL
from tests.frameworks.site import Site, in_process, on_a_server
from tests.frameworks.stores import file_store


@pytest.fixture(scope="module", params=FRAMEWORKS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    name, framework = request.param, FRAMEWORKS[request.param]
    with file_store(tmp_path_factory.mktemp("store")) as store:
        if framework.settings_of_the_process:
            there = on_a_server(USUAL[framework.kind], name, store, **SETTINGS)
        else:
            there = in_process(name, store, **SETTINGS)
        with there as site:
            yield site


class TestOpened(Opened):
    """All of it."""
