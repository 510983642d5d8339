"""Visitors of a database that fails, in both colours, and what stands there afterwards."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

from tests.faults import load, verdict
from tests.faults.load import COLOURS
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.process import BUSY
from tests.servers.sql import fresh_table
from tests.sql.stores import KINDS

LOG = logging.getLogger(__name__)
TIMEOUT = 1.0
CONNECTING = 2.0
"""Seconds that psycopg waits for a connection at least."""


class Pair(NamedTuple):
    """The ways of threads and of tasks into a database, and what serves it."""

    sync: str
    tasks: str
    server: Callable[..., Any]


MYSQL = Pair("mysqlclient", "asyncmy", MariaDB)
POSTGRES = Pair("psycopg", "async psycopg", Postgres)


class Load(load.Load):
    """Visitors who come from the beginning of a block to its end."""

    def __init__(self, pair: Pair, url: str, *, filler: int = 0) -> None:
        super().__init__(filler=filler)
        self.settings = {"timeout": TIMEOUT, "table": fresh_table()}
        self.pair, self.url = pair, url
        self.bound = max(TIMEOUT + 1.0, CONNECTING) + BUSY
        """One answer that does not come, or one connection: after a silence nobody asks again."""

    def provider(self) -> Any:
        return KINDS[self.pair.sync](self.url, **self.settings)

    def async_provider(self) -> Any:
        return KINDS[self.pair.tasks](self.url, **self.settings)


class Verdict(verdict.Verdict):
    """What differs from what was acknowledged: all of it is a fault."""

    def check_lists(self) -> None:
        """See that the lists of all and of each user say the same, and that all can be read."""
        living = {info.id: info.user for info in self._manager.sessions()}
        assert len(living) == self._manager.active_count()
        for user, number in Counter(living.values()).items():
            found = {info.id for info in self._manager.sessions(user)}
            assert found == {id for id, of in living.items() if of == user}
            assert len(found) == number
        assert all(map(self._provider.read, living))


def nothing_is_lost(load: Load) -> None:
    """Everything is as it was acknowledged, and each request answered in time."""
    with closing(Verdict(load)) as verdict:
        LOG.info("%s: %s", load, verdict)
        assert not verdict.faults, f"{load}: {verdict}"
        verdict.check_lists()
    for colour in COLOURS:
        assert load.slowest(colour) < load.bound, load
