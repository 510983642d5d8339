"""Visitors of a database that fails, in both colours, and what stands there afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple, Self

from sojourn import AsyncManager, Manager
from tests.redis.faults.load import COLOURS
from tests.redis.faults.load import Load as RedisLoad
from tests.redis.faults.verdict import Verdict as RedisVerdict
from tests.sql.stores import KINDS
from tests.sql_servers import MariaDB, Postgres, fresh_table

LOG = logging.getLogger(__name__)
TIMEOUT = 1.0
CONNECTING = 2.0
"""Seconds that psycopg waits for a connection at least."""
SLACK = 1.0
"""Seconds that a busy machine may add."""


class Pair(NamedTuple):
    """The ways of threads and of tasks into a database, and what serves it."""

    sync: str
    tasks: str
    server: Callable[..., Any]


MYSQL = Pair("mysqlclient", "asyncmy", MariaDB)
POSTGRES = Pair("psycopg", "async psycopg", Postgres)


class Load(RedisLoad):
    """Visitors who come from the beginning of a block to its end."""

    def __init__(self, pair: Pair, url: str, **settings: Any) -> None:
        super().__init__(url, timeout=TIMEOUT, table=fresh_table(), **settings)
        self.pair = pair
        self.bound = max(TIMEOUT + 1.0, CONNECTING) + SLACK
        """One answer that does not come, or one connection: after a silence nobody asks again."""

    def __enter__(self) -> Self:
        self.provider = KINDS[self.pair.sync](self.url, **self.settings)
        manager = Manager(self.provider)
        self._work = [self._pool.submit(self._visits, manager, each) for each in self.threads]
        self._work.append(self._pool.submit(asyncio.run, self._all_tasks()))
        self.go_on(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.provider.close()

    async def _all_tasks(self) -> None:
        manager = AsyncManager(KINDS[self.pair.tasks](self.url, **self.settings))
        await asyncio.gather(*(self._async_visits(manager, visitor) for visitor in self.tasks))
        await manager.close()


class Verdict(RedisVerdict):
    """What differs from what was acknowledged: all of it is a fault."""

    def __init__(self, load: Load) -> None:
        self._provider = KINDS[load.pair.sync](load.url, table=load.settings["table"])
        self._manager = Manager(self._provider)
        self.close = self._manager.close
        self._users = Counter(info.user for info in self._manager.sessions())
        self._risen = {token for visitor in load.visitors for token in visitor.risen}
        self._since = float("inf")
        self.faults = [fault for visitor in load.visitors for fault in visitor.faults]
        self.missing, self.undone = list[str](), list[str]()
        for story in load.stories:
            self._judge(story)

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
