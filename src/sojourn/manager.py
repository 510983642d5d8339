"""The managers: where a decision meets a provider.

`Manager` and `AsyncManager` are written twice and read the same.  What they share stands in
`_policy`, every decision in `_lifecycle`, and what has to do with threads and tasks in
`_background`.
"""

from __future__ import annotations

import time
from asyncio import sleep as async_sleep
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from time import sleep
from typing import Any, TypeVar, cast

from sojourn._background import AsyncBackground, Background
from sojourn._calls import Call, Create, Destroy, Update
from sojourn._context import Standing
from sojourn._cookies import Headers
from sojourn._policy import GC_BATCH, Policy, SessionInfo
from sojourn._tokens import is_id
from sojourn.config import Config
from sojourn.errors import CorruptRecord, SessionGone, StoreError
from sojourn.providers.base import AsyncProvider, Provider
from sojourn.providers.registry import AsyncGiven, Given, async_provider_for, provider_for
from sojourn.release import Release, ReleaseOutcome
from sojourn.session import Session

T = TypeVar("T")
ANYONE: Any = object()
"""Stands for "whosever it is" where None is nobody."""


class Manager(Policy):
    """Starts sessions from requests and releases them into responses."""

    def __init__(
        self,
        provider: Given,
        config: str | Mapping[str, Any] | Config | None = None,
        /,
        *,
        clock: Callable[[], float] = time.time,
        **settings: Any,
    ) -> None:
        """Manage the sessions of `provider`: one of its own, or the name of a registered one.

        config: JSON text, a mapping or a `Config`; `settings` are its keys and override it.
            See `Config` for every key.  Raises ConfigError for what is wrong with any of them.
        clock: returns the seconds since the epoch; for tests.
        """
        super().__init__(Config.load(config, **settings), clock)
        self._provider: Provider = provider_for(provider, self.config.provider_config)
        self._gc: Background | None = None

    def start(self, headers: Headers, *, https: bool = False) -> Session:
        """Return the session of a request with these headers; a new one if it has none.

        headers: a mapping or pairs; names in any case, str or bytes.
        https: whether the request came over https; proxies' headers are heeded besides.
        """
        self._started = True
        life = self._life
        arrival = life.arrive(headers, https=https)
        del headers  # they hold the token, and a traceback may show local variables
        retired: Session | None = None
        for token in arrival.tokens:
            id = life.id_of(token)
            try:
                record = self._provider.read(id)
            except CorruptRecord:
                life.report("corrupt", id)
                continue
            except StoreError:
                if self.config.on_outage == "error":
                    raise
                return life.fresh(arrival, Standing.OUTAGE)
            session = life.open(arrival, token, id, record)
            if session is not None and not session.is_retired:
                return session
            retired = retired if session is None else session
        return life.fresh(arrival) if retired is None else retired

    def release(self, session: Session) -> Release:
        """Store what the request did; return the outcome, and headers to add to the response.

        Raises EncodeError or SessionTooLarge, and stores nothing, if the session holds what
        cannot be stored.  Unless `on_outage` is "anonymous", StoreUnavailable if the store is
        down, and OutcomeUnknown if it does not say whether it has stored what it was sent.
        """
        steps = self._life.close(session)
        if isinstance(steps, Release):
            return steps
        try:
            return self._run(steps)
        except StoreError:
            if self.config.on_outage == "error":
                raise
            return self._life.answer.seal(session, ReleaseOutcome.OUTAGE)

    @contextmanager
    def open(self, headers: Headers, *, https: bool = False) -> Iterator[Session]:
        """Start a session, and release it at the end of the block unless that raises.

        The headers to add to the response are in `session.released.headers` then.
        """
        session = self.start(headers, https=https)
        yield session
        self.release(session)

    @contextmanager
    def open_id(self, id: str) -> Iterator[Session]:
        """Work on a session without a request: in a job, or behind an open WebSocket.

        It gets no cookie, no new id, and does not count as seen.  Raises SessionGone if there
        is no living session, on leaving too if it ended meanwhile: then nothing was stored.
        """
        try:
            record = self._provider.read(id) if is_id(id) else None
        except CorruptRecord:
            self._life.report("corrupt", id)
            record = None
        session = self._life.resume(record)
        if session is None:
            raise SessionGone(f"no living session has the id {id!r}")
        yield session
        release = self.release(session)
        if release.outcome is ReleaseOutcome.LATE:
            raise SessionGone(f"no living session has the id {id!r}")

    def destroy(self, id: str, *, user: str | None = ANYONE) -> bool:
        """End a session now, and where it went if its id was regenerated; whether one stood.

        user: end it only if it is one of theirs, as where somebody signs out elsewhere; None,
            an anonymous visitor, has none.
        """
        if user is not ANYONE and id not in self._ids_of(user):
            return False
        return self._run(self._life.end(id))

    def destroy_user(self, user: str | None, *, keep: str | None = None) -> int:
        """End every session of a user but the one with the id `keep`; return how many.

        Looks again until it ends none, so that one that got a new id meanwhile does not slip by.
        """
        ended, before = 0, -1
        while ended > before:
            before = ended
            for id in self._ids_of(user):
                ended += id != keep and self.destroy(id)
        return ended

    def sessions(self, user: str | None = None) -> Iterator[SessionInfo]:
        """Yield the living sessions of a user, or all, in no order."""
        for record in self._provider.find(user, self._life.now()):
            yield SessionInfo.of(record)

    def active_count(self) -> int:
        """Return how many sessions live."""
        return self._provider.count(self._life.now())

    def gc(self) -> int:
        """Take away everything that has expired, in batches; return how much it was."""
        now, removed = self._life.now(), 0
        while True:
            batch = self._provider.gc(now, GC_BATCH)
            removed += batch
            if batch < GC_BATCH:
                return removed

    def check(self) -> list[str]:
        """Ask the store whether it answers; return what is unsafe about it, in sentences.

        Raises StoreError if it does not answer.
        """
        self._provider.read(self._life.unused_id())
        check = getattr(self._provider, "check", None)
        return [] if check is None else check()

    def init(self) -> None:
        """Make what the store needs before its first session: in a database, the table."""
        init = getattr(self._provider, "init", None)
        if init is not None:
            init()

    def close(self) -> None:
        """Stop the background and close the provider; the sessions stay."""
        if self._gc is not None:
            self._gc.stop()
            self._gc = None
        self._provider.close()

    def start_gc(self) -> None:
        """Sweep in the background every `gc_interval`, until `close`."""
        if self._gc is None or not self._gc.runs:
            self._gc = Background(self.gc, self.config.gc_interval)

    def _ids_of(self, user: str | None) -> list[str]:
        """The sessions of a user; an anonymous visitor has none to end."""
        return [] if user is None else [info.id for info in self.sessions(user)]

    def _run(self, steps: Generator[Call, Any, T]) -> T:
        """Carry the calls of a decision to the provider, and its answers back."""
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as end:
                return cast("T", end.value)
            if isinstance(call, Update):
                answer = self._provider.update(call.record, call.changes)
            elif isinstance(call, Create):
                answer = self._provider.create(call.record)
            elif isinstance(call, Destroy):
                answer = self._provider.destroy(call.id)
            else:
                sleep(call.seconds)


class AsyncManager(Policy):
    """Starts sessions from requests and releases them into responses."""

    def __init__(
        self,
        provider: AsyncGiven,
        config: str | Mapping[str, Any] | Config | None = None,
        /,
        *,
        clock: Callable[[], float] = time.time,
        **settings: Any,
    ) -> None:
        """Manage the sessions of `provider`: one of its own, or the name of a registered one.

        config: JSON text, a mapping or a `Config`; `settings` are its keys and override it.
            See `Config` for every key.  Raises ConfigError for what is wrong with any of them.
        clock: returns the seconds since the epoch; for tests.
        """
        super().__init__(Config.load(config, **settings), clock)
        self._provider: AsyncProvider = async_provider_for(provider, self.config.provider_config)
        self._gc: AsyncBackground | None = None

    async def start(self, headers: Headers, *, https: bool = False) -> Session:
        """Return the session of a request with these headers; a new one if it has none.

        headers: a mapping or pairs; names in any case, str or bytes.
        https: whether the request came over https; proxies' headers are heeded besides.
        """
        self._started = True
        life = self._life
        arrival = life.arrive(headers, https=https)
        del headers  # they hold the token, and a traceback may show local variables
        retired: Session | None = None
        for token in arrival.tokens:
            id = life.id_of(token)
            try:
                record = await self._provider.read(id)
            except CorruptRecord:
                life.report("corrupt", id)
                continue
            except StoreError:
                if self.config.on_outage == "error":
                    raise
                return life.fresh(arrival, Standing.OUTAGE)
            session = life.open(arrival, token, id, record)
            if session is not None and not session.is_retired:
                return session
            retired = retired if session is None else session
        return life.fresh(arrival) if retired is None else retired

    async def release(self, session: Session) -> Release:
        """Store what the request did; return the outcome, and headers to add to the response.

        Raises EncodeError or SessionTooLarge, and stores nothing, if the session holds what
        cannot be stored.  Unless `on_outage` is "anonymous", StoreUnavailable if the store is
        down, and OutcomeUnknown if it does not say whether it has stored what it was sent.
        """
        steps = self._life.close(session)
        if isinstance(steps, Release):
            return steps
        try:
            return await self._run(steps)
        except StoreError:
            if self.config.on_outage == "error":
                raise
            return self._life.answer.seal(session, ReleaseOutcome.OUTAGE)

    @asynccontextmanager
    async def open(self, headers: Headers, *, https: bool = False) -> AsyncIterator[Session]:
        """Start a session, and release it at the end of the block unless that raises.

        The headers to add to the response are in `session.released.headers` then.
        """
        session = await self.start(headers, https=https)
        yield session
        await self.release(session)

    @asynccontextmanager
    async def open_id(self, id: str) -> AsyncIterator[Session]:
        """Work on a session without a request: in a job, or behind an open WebSocket.

        It gets no cookie, no new id, and does not count as seen.  Raises SessionGone if there
        is no living session, on leaving too if it ended meanwhile: then nothing was stored.
        """
        try:
            record = await self._provider.read(id) if is_id(id) else None
        except CorruptRecord:
            self._life.report("corrupt", id)
            record = None
        session = self._life.resume(record)
        if session is None:
            raise SessionGone(f"no living session has the id {id!r}")
        yield session
        release = await self.release(session)
        if release.outcome is ReleaseOutcome.LATE:
            raise SessionGone(f"no living session has the id {id!r}")

    async def destroy(self, id: str, *, user: str | None = ANYONE) -> bool:
        """End a session now, and where it went if its id was regenerated; whether one stood.

        user: end it only if it is one of theirs, as where somebody signs out elsewhere; None,
            an anonymous visitor, has none.
        """
        if user is not ANYONE and id not in await self._ids_of(user):
            return False
        return await self._run(self._life.end(id))

    async def destroy_user(self, user: str | None, *, keep: str | None = None) -> int:
        """End every session of a user but the one with the id `keep`; return how many.

        Looks again until it ends none, so that one that got a new id meanwhile does not slip by.
        """
        ended, before = 0, -1
        while ended > before:
            before = ended
            for id in await self._ids_of(user):
                ended += id != keep and await self.destroy(id)
        return ended

    async def sessions(self, user: str | None = None) -> AsyncIterator[SessionInfo]:
        """Yield the living sessions of a user, or all, in no order."""
        async for record in self._provider.find(user, self._life.now()):
            yield SessionInfo.of(record)

    async def active_count(self) -> int:
        """Return how many sessions live."""
        return await self._provider.count(self._life.now())

    async def gc(self) -> int:
        """Take away everything that has expired, in batches; return how much it was."""
        now, removed = self._life.now(), 0
        while True:
            batch = await self._provider.gc(now, GC_BATCH)
            removed += batch
            if batch < GC_BATCH:
                return removed

    async def check(self) -> list[str]:
        """Ask the store whether it answers; return what is unsafe about it, in sentences.

        Raises StoreError if it does not answer.
        """
        await self._provider.read(self._life.unused_id())
        check = getattr(self._provider, "check", None)
        return [] if check is None else await check()

    async def init(self) -> None:
        """Make what the store needs before its first session: in a database, the table."""
        init = getattr(self._provider, "init", None)
        if init is not None:
            await init()

    async def close(self) -> None:
        """Stop the background and close the provider; the sessions stay."""
        if self._gc is not None:
            await self._gc.stop()
            self._gc = None
        await self._provider.close()

    def start_gc(self) -> None:
        """Sweep in the background every `gc_interval`, until `close`."""
        if self._gc is None or not self._gc.runs:
            self._gc = AsyncBackground(self.gc, self.config.gc_interval)

    async def _ids_of(self, user: str | None) -> list[str]:
        """The sessions of a user; an anonymous visitor has none to end."""
        return [] if user is None else [info.id async for info in self.sessions(user)]

    async def _run(self, steps: Generator[Call, Any, T]) -> T:
        """Carry the calls of a decision to the provider, and its answers back."""
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as end:
                return cast("T", end.value)
            if isinstance(call, Update):
                answer = await self._provider.update(call.record, call.changes)
            elif isinstance(call, Create):
                answer = await self._provider.create(call.record)
            elif isinstance(call, Destroy):
                answer = await self._provider.destroy(call.id)
            else:
                await async_sleep(call.seconds)
