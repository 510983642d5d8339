"""A Django project in the process of the tests.

Each test has a store of its own, and is run once for each way in which Django comes to its
sessions: with our middleware, and with ours as the store beneath Django's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import django
import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.test.utils import override_settings

from sojourn import Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock, Trips
from sojourn.web.django import _managers, manager
from tests.web.django import settings as project
from tests.web.django.pages import to
from tests.web.django.settings import DJANGOS, OTHERS, OURS

# Not by the environment, which every server would inherit that a test starts.
settings.configure(**{name: said for name, said in vars(project).items() if name.isupper()})
django.setup()

MIDDLEWARES = {"middleware": OURS, "engine": DJANGOS}


@dataclass
class Site:
    """The project as one test has it."""

    mode: str
    store: MemoryProvider

    @property
    def manager(self) -> Manager:
        return manager()

    def client(self) -> Client:
        return Client()

    def visitor(self) -> Client:
        """Somebody of whom something is stored."""
        client = Client()
        client.get("/count")
        return client

    def async_client(self) -> AsyncClient:
        return AsyncClient()


@pytest.fixture(scope="module")
def database() -> Iterator[None]:
    """Django's own database, with its tables; the fixtures of async tests ask it as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "yes")
        connection.creation.create_test_db(verbosity=0)
        yield
        connection.creation.destroy_test_db(":memory:", verbosity=0)


def site_of(mode: str) -> Iterator[Site]:
    store = MemoryProvider()
    middleware = [MIDDLEWARES[mode], *OTHERS]
    with override_settings(MIDDLEWARE=middleware, SOJOURN={"provider": store}):
        yield Site(mode, store)


@pytest.fixture(params=MIDDLEWARES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    yield from site_of(request.param)


@pytest.fixture
def under_ours() -> Iterator[Site]:
    yield from site_of("middleware")


@pytest.fixture
def under_djangos() -> Iterator[Site]:
    yield from site_of("engine")


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """A clock for the managers of this process, once `set_clock` was called with it."""
    yield FakeClock()
    _managers._made.clear()


def set_clock(clock: FakeClock) -> None:
    """Let the managers of the settings in force go by this clock."""
    made = _managers._both()
    sync = type(made.sync)(made.sync._provider, made.sync.config, clock=clock)
    asynchronous = type(made.asynchronous)(
        made.asynchronous._provider, made.sync.config, clock=clock
    )
    _managers._made[:] = [made._replace(sync=sync, asynchronous=asynchronous)]


def verbs_of(deed: Callable[[HttpRequest], object], *, known: bool = True) -> list[str]:
    """What the store is asked for one request that does this, by a visitor who is known or not."""
    trips = Trips(MemoryProvider())
    with override_settings(SOJOURN={"provider": trips}):
        client = Client()
        if known:
            client.get("/count")
        trips.taken()
        client.get(to(deed))
        return trips.taken()
