"""Sojourn: its managers called directly, and once more through its middleware."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.asgi import Asgi, done
from bench.stores import OwnProvider, managed
from bench.subject import HEADERS, Answer, Subject, Work
from bench.values import Color
from sojourn import AsyncManager, Manager

TYPES = {"color": Color}
"""The only application type in `bench.values`, by its registered name."""


class Ours(Subject):
    """The parts of an application that depend on Sojourn."""

    ours = True
    manager: Any

    def leave(self, session: Any) -> None:
        session.logout()

    def increment(self, session: Any, seen: int) -> None:  # noqa: ARG002 - `apply` looks itself
        session.apply("n", lambda n: n + 1, 0)


class Direct(Ours):
    """`manager.start(headers)`, the work, `manager.release(session)`."""

    name = "Sojourn, Manager"
    settings = 'types={"color": Color}, for the one Enum in the table of values'

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = managed(Manager, self.store, folder, types=TYPES)

    def close(self) -> None:
        self.manager.close()

    def request(self, cookie: str | None) -> dict[str, str]:
        return HEADERS if cookie is None else {**HEADERS, "Cookie": cookie}

    def serve(self, request: Any, work: Work) -> Answer:
        session = self.manager.start(request)
        work(session)
        return Answer(200, list(self.manager.release(session).headers))

    def time(self, request: Any, work: Work, times: int, *, bare: bool) -> float:
        one: Callable[[Any, Work], Any] = _nothing if bare else self.once
        begin = perf_counter()
        for _ in repeat(None, times):
            one(request, work)
        return perf_counter() - begin

    def once(self, request: Any, work: Work) -> Any:
        """Serve one request, as an application without a middleware would."""
        session = self.manager.start(request)
        work(session)
        return self.manager.release(session)

    def stored(self) -> int:
        return int(self.manager.active_count())


def _nothing(_request: Any, _work: Work) -> None:
    pass


class DirectAsync(Ours, Asgi):
    """The same calls, awaited on an AsyncManager."""

    name = "Sojourn, AsyncManager"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = managed(AsyncManager, self.store, folder, types=TYPES)

    def close(self) -> None:
        self.loop.run(self.manager.close())
        super().close()

    def request(self, cookie: str | None) -> Any:
        return HEADERS if cookie is None else {**HEADERS, "Cookie": cookie}

    async def answer(self, request: Any, work: Work) -> Answer:
        session = await self.manager.start(request)
        await done(work(session))
        return Answer(200, list((await self.manager.release(session)).headers))

    async def once(self, request: Any, work: Work) -> Any:
        """Serve one request, as an application without a middleware would."""
        session = await self.manager.start(request)
        work(session)
        return await self.manager.release(session)

    async def bare(self, request: Any, work: Work) -> None:
        """Do nothing."""

    def stored(self) -> int:
        return int(self.loop.run(self.manager.active_count()))


class Lazy(Direct):
    """`manager.start_lazily(headers)`, so that a write alone does not read the session."""

    name = "Sojourn, start_lazily"
    store = "redis"
    weighed = False

    def serve(self, request: Any, work: Work) -> Answer:
        session = self.manager.start_lazily(request)
        work(session)
        return Answer(200, list(self.manager.release(session).headers))

    def once(self, request: Any, work: Work) -> Any:
        session = self.manager.start_lazily(request)
        work(session)
        return self.manager.release(session)


class Memory(Direct):
    """Each record is stored as one bytes object."""

    store = "memory"


class Own(Direct):
    """Sojourn over a provider that the application defines."""

    name = "Sojourn, own provider"
    store = "memory"
    weighed = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = Manager(OwnProvider(), types=TYPES)


class AsyncMemory(DirectAsync):
    """Memory, called on the event loop because no call blocks."""

    store = "memory"
    weighed = False


class File(Direct):
    """Each record is stored as a file."""

    store = "file"


class AsyncFile(DirectAsync):
    """The same store; each call runs in a thread."""

    store = "file"


class Redis(Direct):
    """Each record is stored as a Redis hash."""

    store = "redis"


class AsyncRedis(DirectAsync):
    """The same store, through asyncio."""

    store = "redis"
    weighed = False


class Mysql(Direct):
    """Each record is stored as a row, by the fastest driver that is installed."""

    store = "mysql"


class AsyncMysql(DirectAsync):
    """The same store, through asyncmy."""

    store = "mysql"


class Postgres(Direct):
    """Each record is stored as a row of a table."""

    store = "postgres"


class AsyncPostgres(DirectAsync):
    """The same store, through asyncio."""

    store = "postgres"


class Sqlite(Direct):
    """Each record is stored as a row in an SQLite file."""

    store = "sqlite"


class AsyncSqlite(DirectAsync):
    """The same store; each call runs in a thread."""

    store = "sqlite"
