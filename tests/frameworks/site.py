"""A site: an application that runs, and its store."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sojourn import Manager
from sojourn.record import Record
from tests.frameworks.client import Direct, Door, Wire
from tests.frameworks.frameworks import FRAMEWORKS, Framework, Kind
from tests.frameworks.looped import Looped, aiohttp_wire, loop_in_a_thread
from tests.frameworks.probe import Plan
from tests.frameworks.servers import served
from tests.frameworks.stores import Store

SETTINGS = {
    "cookie_name": "sid",
    "same_site": "Strict",
    "max_lifetime": 3600,
    "absolute_lifetime": 7200,
}


@dataclass
class Site:
    """An application that runs."""

    framework: Framework
    store: Store
    door: Door
    log: Callable[[], str]
    manager: Manager
    """The test's own, on the same store."""
    server: str | None = None
    """What serves it, if it is not in this process."""
    tokens: set[str] = field(default_factory=set)
    """All that its visitors were given."""

    def needs(self, given: object, otherwise: str) -> None:
        """Leave a test that makes no sense here, saying why."""
        if not given:
            pytest.skip(f"not applicable: {otherwise}")

    def id_of(self, token: str) -> str:
        return self.manager._life.id_of(token)

    def record(self, token: str) -> Record | None:
        """What stands in the store for a token."""
        return self.manager._provider.read(self.id_of(token))

    def age(self, token: str, *, created: float, seen: float, expires: float) -> None:
        """Let a session have begun, and been seen, so many seconds ago; and end in so many."""
        record = self.record(token)
        assert record is not None
        self.manager._provider.destroy(record.id)
        now = time.time()
        aged = record._replace(created=now - created, seen=now - seen, expires=now + expires)
        assert self.manager._provider.create(aged)


# -- where they run ---------------------------------------------------------------------------


@contextmanager
def site_of(
    name: str, store: Store, door: Door, log: Callable[[], str], server: str | None = None
) -> Iterator[Site]:
    plan = Plan(store.provider, store.witness, SETTINGS)
    with closing(plan.manager(short_ids=FRAMEWORKS[name].short_ids)) as manager:
        yield Site(FRAMEWORKS[name], store, door, log, manager, server)


@contextmanager
def on_a_server(server: str, name: str, store: Store, **settings: Any) -> Iterator[Site]:
    plan = Plan(store.provider, store.config, {**SETTINGS, **settings})
    with (
        served(server, name, plan) as process,
        site_of(name, store, Wire(process.port), process.whole_log, server) as site,
    ):
        yield site


@contextmanager
def in_process(name: str, store: Store, **settings: Any) -> Iterator[Site]:
    plan = Plan(store.provider, store.config, {**SETTINGS, **settings})
    framework = FRAMEWORKS[name]
    with (
        _heard() as log,
        _door(framework, framework.application(plan)) as door,
        site_of(name, store, door, log) as site,
    ):
        yield site


@contextmanager
def _heard() -> Iterator[Callable[[], str]]:
    """What is logged within the block."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    logging.getLogger("sojourn").setLevel(logging.DEBUG)
    try:
        yield log.getvalue
    finally:
        logging.getLogger("sojourn").setLevel(logging.NOTSET)
        logging.getLogger().removeHandler(handler)


@contextmanager
def _door(framework: Framework, application: Any) -> Iterator[Door]:
    if framework.kind is Kind.WSGI:
        yield Direct(application)
        return
    with loop_in_a_thread() as loop:
        if framework.kind is Kind.ASGI:
            looped = Looped(loop, application)
            with looped.lifespan():
                yield looped
        else:
            with aiohttp_wire(loop, application) as wire:
                yield wire
