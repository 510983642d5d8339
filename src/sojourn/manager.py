"""The managers, which carry the decisions of `_lifecycle` to a provider, and its answers back.

`Manager` and `AsyncManager` have the same text, except for `async` and `await`; a test compares
them.  Their common base class is in `_manager_base`, and the order of colliding releases in `_queue`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sojourn._after_release import async_run, run
from sojourn._cookies import Headers
from sojourn._manager_base import GC_BATCH, ManagerBase, SessionInfo
from sojourn._openings import opened, refuse_late
from sojourn._queue.runner import AsyncRunner, Runner
from sojourn._reading import AsyncReader, Reader
from sojourn._session.signin import text_of
from sojourn._session.state import NOBODY, SessionState
from sojourn._sweeper import AsyncLease, AsyncSweeper, Lease, Sweeper
from sojourn.config import Config
from sojourn.errors import CorruptRecord, StoreError
from sojourn.providers.base import AsyncProvider, Provider
from sojourn.providers.registry import AsyncGiven, Given, async_provider_for, provider_for
from sojourn.record import is_id
from sojourn.release import Release
from sojourn.session import Session

ANYONE: Any = object()
"""The default of `destroy(user=...)`, for a session of any user; None is an anonymous visitor."""


class Manager(ManagerBase):
    """Starts a session from the headers of a request, and releases it into the response."""

    def __init__(
        self,
        provider: Given,
        config: str | Mapping[str, Any] | Config | None = None,
        /,
        *,
        clock: Callable[[], float] | None = None,
        **settings: Any,
    ) -> None:
        """Manage the sessions of a provider: an instance, a registered name, or the URL of a store.

        config: JSON text, a mapping or a `Config`; `settings` are its keys and override it.
            See `Config` for every key.  Raises ConfigError for an invalid one.
        clock: returns the seconds since the epoch, for tests; None is `time.time`.
        """
        super().__init__(Config.load(config, **settings), clock)
        self._provider: Provider = provider_for(provider, self.config.provider_config)
        self._gc: Sweeper | None = None
        self._reader: Reader = Reader(self._provider, self._life)
        self._runner = Runner(self._provider, self._reader)

    def start(self, headers: Headers, *, https: bool = False) -> Session:
        """Read and return the session of the request with these headers; a new one if it has none.

        headers: a mapping or pairs; names in any case, str or bytes.
        https: whether the connection used https; headers of a proxy can only add that.

        Raises StoreError if the store fails, unless `on_outage` is "anonymous".
        """
        self._started = True
        openings = self._life.openings
        arrival = openings.arrive(headers, https=https)
        del headers  # they contain the token, and a traceback may show local variables
        found = self._reader.find(arrival) if arrival.tokens else NOBODY
        return Session(SessionState(openings.context, arrival, found))

    def release(self, session: Session, *, headers: bool = True) -> Release:
        """Store the request's changes, and return the outcome and the headers for the response.

        Then call the functions given to `Session.on_release`.

        headers: False if the response can carry none, as that of a refused WebSocket.  Then no new
            session and no new id is stored, since the client could not be given the token.

        Raises SessionReleased after an earlier release, and EncodeError or SessionTooLarge if the
        session cannot be stored; nothing is stored then.  Unless `on_outage` is "anonymous", also
        StoreUnavailable if the store is down, and OutcomeUnknown if its answer was lost, so that
        the changes may have been stored.
        """
        try:
            steps = self._life.close(session, headers=headers)
            if steps is None:
                steps = self._reader.settle(session, headers=headers)
            release = steps if isinstance(steps, Release) else self._runner.run(steps)
        except StoreError:
            if self._life.fails_in_outage:
                raise
            release = self._life.pass_over(session)
        if due := self._life.due(session, release):
            run(due)
        return release

    @contextmanager
    def open(self, headers: Headers, *, https: bool = False) -> Iterator[Session]:
        """Start a session, and release it at the end of the block unless the block raises.

        The headers to add to the response are then in `session.released.headers`.
        """
        session = self.start(headers, https=https)
        yield session
        self.release(session)

    @contextmanager
    def open_id(self, id: str) -> Iterator[Session]:
        """Open a session by its id, without a request: in a job, or behind an open WebSocket.

        It gets no cookie and no new id, and does not count as seen.  Raises SessionGone if no live
        session has the id; also at the end of the block, if it has ended: then nothing was stored.
        """
        session = opened(id, self._resume(id))
        yield session
        refuse_late(id, self.release(session))

    def _resume(self, id: str) -> Session | None:
        """Return the session of an id, for work without a request; None if none is live."""
        try:
            record = self._reader.read(id) if is_id(id) else None
        except CorruptRecord:
            self._life.report("corrupt", id)
            record = None
        return self._life.openings.resume(record)

    def destroy(self, id: str, *, user: str | None = ANYONE) -> bool:
        """End a session now, or its successor if its id was replaced; return whether there was one.

        user: end it only if it belongs to this user, as when users end one of their own sessions.
            None (an anonymous visitor) ends nothing.  By default the user is not checked.
        """
        endings = self._life.endings
        steps = endings.one(id) if user is ANYONE else endings.one_of(id, user)
        return self._runner.run(steps)

    def destroy_user(self, user: str | None, *, keep: Session | str | None = None) -> int:
        """End every session of a user, except for one if it is given; return how many.

        keep: a session, or its id.  It is kept under that id, under the new one that a `login` or
            `regenerate_id` of this request gives it, and under one that another request gave it.
        """
        return self._runner.run(self._life.endings.all_of(user, keep))

    def sessions(self, user: str | None = None) -> Iterator[SessionInfo]:
        """Yield the live sessions of a user, or all if it is None, in no particular order.

        Raises EncodeError, as `destroy_user` does, for a user that is not a str: it has no session.
        """
        user = None if user is None else text_of(user, "sessions")
        for record in self._provider.find(user, self._life.now()):
            yield SessionInfo.of(record)

    def active_count(self) -> int:
        """Return the number of live sessions."""
        return self._provider.count(self._life.now())

    def gc(self) -> int:
        """Delete all expired records, in batches; return how many were deleted."""
        now, removed = self._life.now(), 0
        while True:
            batch = self._provider.gc(now, GC_BATCH)
            removed += batch
            if batch < GC_BATCH:
                return removed

    def check(self) -> list[str]:
        """Test the store, and return warnings about faults and unsafe settings, as sentences.

        A record is written, read, listed and deleted.  Raises StoreError if the store refuses that.
        """
        wrong = self._reader.probe()
        check = getattr(self._provider, "check", None)
        return wrong if check is None else [*wrong, *check()]

    def repair(self) -> int:
        """Correct the store's indexes after records or entries were lost; return how many entries.

        Only Redis needs that, and only to have correct lists before one lifetime has passed.
        """
        repair = getattr(self._provider, "repair", None)
        return 0 if repair is None else repair()

    def init(self) -> None:
        """Create the structures that the store needs first, such as the table in a database."""
        init = getattr(self._provider, "init", None)
        if init is not None:
            init()

    def close(self) -> None:
        """Stop the background sweeps and close the provider; stored sessions are kept."""
        if self._gc is not None:
            self._gc.stop()
            self._gc = None
        self._provider.close()

    def start_gc(self) -> None:
        """Delete expired records in the background every `gc_interval` seconds, until `close`.

        Processes that share a store take turns.  Nothing is started for a store that deletes
        expired records by itself, as Redis does.
        """
        # A thread does not survive a fork, nor a task the end of its loop: then another is started.
        runs = self._gc is not None and self._gc.runs
        if not runs and getattr(self._provider, "needs_gc", True):
            interval = self.config.gc_interval
            lease = Lease(self._provider, self._life.now, interval)
            self._gc = Sweeper(self.gc, interval, lease)


class AsyncManager(ManagerBase):
    """Starts a session from the headers of a request, and releases it into the response."""

    def __init__(
        self,
        provider: AsyncGiven,
        config: str | Mapping[str, Any] | Config | None = None,
        /,
        *,
        clock: Callable[[], float] | None = None,
        **settings: Any,
    ) -> None:
        """Manage the sessions of a provider: an instance, a registered name, or the URL of a store.

        config: JSON text, a mapping or a `Config`; `settings` are its keys and override it.
            See `Config` for every key.  Raises ConfigError for an invalid one.
        clock: returns the seconds since the epoch, for tests; None is `time.time`.
        """
        super().__init__(Config.load(config, **settings), clock)
        self._provider: AsyncProvider = async_provider_for(provider, self.config.provider_config)
        self._gc: AsyncSweeper | None = None
        self._reader: AsyncReader = AsyncReader(self._provider, self._life)
        self._runner = AsyncRunner(self._provider, self._reader)

    async def start(self, headers: Headers, *, https: bool = False) -> Session:
        """Read and return the session of the request with these headers; a new one if it has none.

        headers: a mapping or pairs; names in any case, str or bytes.
        https: whether the connection used https; headers of a proxy can only add that.

        Raises StoreError if the store fails, unless `on_outage` is "anonymous".
        """
        self._started = True
        openings = self._life.openings
        arrival = openings.arrive(headers, https=https)
        del headers  # they contain the token, and a traceback may show local variables
        found = await self._reader.find(arrival) if arrival.tokens else NOBODY
        return Session(SessionState(openings.context, arrival, found))

    async def release(self, session: Session, *, headers: bool = True) -> Release:
        """Store the request's changes, and return the outcome and the headers for the response.

        Then call the functions given to `Session.on_release`.

        headers: False if the response can carry none, as that of a refused WebSocket.  Then no new
            session and no new id is stored, since the client could not be given the token.

        Raises SessionReleased after an earlier release, and EncodeError or SessionTooLarge if the
        session cannot be stored; nothing is stored then.  Unless `on_outage` is "anonymous", also
        StoreUnavailable if the store is down, and OutcomeUnknown if its answer was lost, so that
        the changes may have been stored.
        """
        try:
            steps = self._life.close(session, headers=headers)
            if steps is None:
                steps = await self._reader.settle(session, headers=headers)
            release = steps if isinstance(steps, Release) else await self._runner.run(steps)
        except StoreError:
            if self._life.fails_in_outage:
                raise
            release = self._life.pass_over(session)
        if due := self._life.due(session, release):
            await async_run(due)
        return release

    @asynccontextmanager
    async def open(self, headers: Headers, *, https: bool = False) -> AsyncIterator[Session]:
        """Start a session, and release it at the end of the block unless the block raises.

        The headers to add to the response are then in `session.released.headers`.
        """
        session = await self.start(headers, https=https)
        yield session
        await self.release(session)

    @asynccontextmanager
    async def open_id(self, id: str) -> AsyncIterator[Session]:
        """Open a session by its id, without a request: in a job, or behind an open WebSocket.

        It gets no cookie and no new id, and does not count as seen.  Raises SessionGone if no live
        session has the id; also at the end of the block, if it has ended: then nothing was stored.
        """
        session = opened(id, await self._resume(id))
        yield session
        refuse_late(id, await self.release(session))

    async def _resume(self, id: str) -> Session | None:
        """Return the session of an id, for work without a request; None if none is live."""
        try:
            record = await self._reader.read(id) if is_id(id) else None
        except CorruptRecord:
            self._life.report("corrupt", id)
            record = None
        return self._life.openings.resume(record)

    async def destroy(self, id: str, *, user: str | None = ANYONE) -> bool:
        """End a session now, or its successor if its id was replaced; return whether there was one.

        user: end it only if it belongs to this user, as when users end one of their own sessions.
            None (an anonymous visitor) ends nothing.  By default the user is not checked.
        """
        endings = self._life.endings
        steps = endings.one(id) if user is ANYONE else endings.one_of(id, user)
        return await self._runner.run(steps)

    async def destroy_user(self, user: str | None, *, keep: Session | str | None = None) -> int:
        """End every session of a user, except for one if it is given; return how many.

        keep: a session, or its id.  It is kept under that id, under the new one that a `login` or
            `regenerate_id` of this request gives it, and under one that another request gave it.
        """
        return await self._runner.run(self._life.endings.all_of(user, keep))

    async def sessions(self, user: str | None = None) -> AsyncIterator[SessionInfo]:
        """Yield the live sessions of a user, or all if it is None, in no particular order.

        Raises EncodeError, as `destroy_user` does, for a user that is not a str: it has no session.
        """
        user = None if user is None else text_of(user, "sessions")
        async for record in self._provider.find(user, self._life.now()):
            yield SessionInfo.of(record)

    async def active_count(self) -> int:
        """Return the number of live sessions."""
        return await self._provider.count(self._life.now())

    async def gc(self) -> int:
        """Delete all expired records, in batches; return how many were deleted."""
        now, removed = self._life.now(), 0
        while True:
            batch = await self._provider.gc(now, GC_BATCH)
            removed += batch
            if batch < GC_BATCH:
                return removed

    async def check(self) -> list[str]:
        """Test the store, and return warnings about faults and unsafe settings, as sentences.

        A record is written, read, listed and deleted.  Raises StoreError if the store refuses that.
        """
        wrong = await self._reader.probe()
        check = getattr(self._provider, "check", None)
        return wrong if check is None else [*wrong, *await check()]

    async def repair(self) -> int:
        """Correct the store's indexes after records or entries were lost; return how many entries.

        Only Redis needs that, and only to have correct lists before one lifetime has passed.
        """
        repair = getattr(self._provider, "repair", None)
        return 0 if repair is None else await repair()

    async def init(self) -> None:
        """Create the structures that the store needs first, such as the table in a database."""
        init = getattr(self._provider, "init", None)
        if init is not None:
            await init()

    async def close(self) -> None:
        """Stop the background sweeps and close the provider; stored sessions are kept."""
        if self._gc is not None:
            await self._gc.stop()
            self._gc = None
        await self._provider.close()

    def start_gc(self) -> None:
        """Delete expired records in the background every `gc_interval` seconds, until `close`.

        Processes that share a store take turns.  Nothing is started for a store that deletes
        expired records by itself, as Redis does.
        """
        # A thread does not survive a fork, nor a task the end of its loop: then another is started.
        runs = self._gc is not None and self._gc.runs
        if not runs and getattr(self._provider, "needs_gc", True):
            interval = self.config.gc_interval
            lease = AsyncLease(self._provider, self._life.now, interval)
            self._gc = AsyncSweeper(self.gc, interval, lease)
