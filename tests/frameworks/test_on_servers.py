"""The suite on real servers: every framework on every store, and on the other servers too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.frameworks.behaviour.suite import Behaviour
from tests.frameworks.frameworks import FRAMEWORKS
from tests.frameworks.servers import USUAL
from tests.frameworks.site import Site, on_a_server
from tests.frameworks.stores import STORES

USUALLY = [
    (USUAL[framework.kind], name, store)
    for store in STORES
    for name, framework in FRAMEWORKS.items()
]
BESIDES = [
    ("hypercorn", "starlette", "redis"),
    ("hypercorn", "quart", "file"),
    ("hypercorn", "django-asgi", "mysql"),
    ("granian", "fastapi", "redis"),
    ("granian", "litestar", "file"),
    ("granian", "falcon-asgi", "mysql"),
    ("granian-wsgi", "flask", "file"),
    ("granian-wsgi", "bottle", "redis"),
    ("gunicorn-aiohttp", "aiohttp", "mysql"),
]


@pytest.fixture(scope="module", params=[*USUALLY, *BESIDES], ids="-".join)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    server, name, store = request.param
    with ExitStack() as stack:
        opened = stack.enter_context(STORES[store](request, tmp_path_factory))
        yield stack.enter_context(on_a_server(server, name, opened))


class TestOnServers(Behaviour):
    """All of it."""
