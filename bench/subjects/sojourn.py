"""Sojourn: its managers called directly, and once more through its middleware."""

# ruff: noqa: D102 - what a method does stands once, in `Subject`

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

from bench.asgi import Asgi, asgi_view, done, plain_asgi
from bench.subject import HEADERS, WORK, Answer, Subject, Work
from bench.values import Color
from bench.wsgi import Wsgi, plain_wsgi
from sojourn import AsyncManager, Manager
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.whole import WholeRecords
from sojourn.record import Record
from sojourn.web import asgi, wsgi

TYPES = {"color": Color}
"""The one type of the application's own in `bench.values`."""


class OwnProvider(WholeRecords):
    """What an application may write itself: four methods over a dictionary of records."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._lock = Lock()

    def read(self, id: str) -> Record | None:
        return self._records.get(id)

    def create(self, record: Record) -> bool:
        return self._records.setdefault(record.id, record) is record

    def swap(self, old: Record, new: Record | None) -> bool:
        with self._lock:
            stands = self._records.get(old.id)
            if stands is None or stands.version != old.version:
                return False
            if new is None:
                del self._records[old.id]
            else:
                self._records[old.id] = new
            return True

    def scan(self) -> Iterator[Record]:
        yield from list(self._records.values())


def provider(store: str, folder: Path) -> Any:
    """Return an empty provider."""
    return MemoryProvider() if store == "memory" else FileProvider(folder)


class _Ours(Subject):
    ours = True
    manager: Any

    def leave(self, session: Any) -> None:
        session.logout()

    def increment(self, session: Any, seen: int) -> None:  # noqa: ARG002 - `apply` looks itself
        session.apply("n", lambda n: n + 1, 0)


class Direct(_Ours):
    """`manager.start(headers)`, the work, `manager.release(session)`."""

    name = "Sojourn, Manager"
    settings = 'types={"color": Color}, for the one Enum in the table of values'

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = Manager(provider(self.store, folder), types=TYPES)

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


class DirectAsync(_Ours, Asgi):
    """The same with `await`."""

    name = "Sojourn, AsyncManager"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = AsyncManager(provider(self.store, folder), types=TYPES)

    def close(self) -> None:
        self.loop.run(self.manager.close())
        super().close()

    def request(self, cookie: str | None) -> Any:
        return HEADERS if cookie is None else {**HEADERS, "Cookie": cookie}

    async def answer(self, request: Any, work: Work) -> Answer:
        session = await self.manager.start(request)
        await done(work(session))
        return Answer(200, list((await self.manager.release(session)).headers))

    def time(self, request: Any, work: Work, times: int, *, bare: bool) -> float:
        one = _nothing_async if bare else self.once

        async def run() -> float:
            begin = perf_counter()
            for _ in repeat(None, times):
                await one(request, work)
            return perf_counter() - begin

        return self.loop.run(run())

    async def once(self, request: Any, work: Work) -> Any:
        """Serve one request, as an application without a middleware would."""
        session = await self.manager.start(request)
        work(session)
        return await self.manager.release(session)

    def stored(self) -> int:
        return int(self.loop.run(self.manager.active_count()))


async def _nothing_async(_request: Any, _work: Work) -> None:
    pass


class Memory(Direct):
    """A record is one bytes object."""

    store = "memory"


class Own(Direct):
    """Over a provider of the application's own."""

    name = "Sojourn, own provider"
    store = "memory"
    weighed = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = Manager(OwnProvider(), types=TYPES)


class AsyncMemory(DirectAsync):
    """Called inline: nothing blocks."""

    store = "memory"
    weighed = False


class File(Direct):
    """A record is a file."""

    store = "file"


class AsyncFile(DirectAsync):
    """Each call goes through a thread."""

    store = "file"


class WsgiMemory(_Ours, Wsgi):
    """Through `sojourn.web.wsgi`."""

    name = "Sojourn, WSGI middleware"
    store = "memory"
    weighed = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = Manager(provider(self.store, folder), types=TYPES)
        self.with_session = wsgi.SessionMiddleware(_view, self.manager)
        self.without = plain_wsgi

    def stored(self) -> int:
        return int(self.manager.active_count())


def _view(environ: Any, start_response: Any) -> list[bytes]:
    environ[WORK](environ["sojourn.session"])
    return plain_wsgi(environ, start_response)


class WsgiFile(WsgiMemory):
    """The same over files."""

    store = "file"


class AsgiMemory(_Ours, Asgi):
    """Through `sojourn.web.asgi`."""

    name = "Sojourn, ASGI middleware"
    store = "memory"
    weighed = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = AsyncManager(provider(self.store, folder), types=TYPES)
        self.with_session = asgi.SessionMiddleware(asgi_view, self.manager)
        self.without = plain_asgi

    def stored(self) -> int:
        return int(self.loop.run(self.manager.active_count()))


class AsgiFile(AsgiMemory):
    """The same over files, through threads."""

    store = "file"
