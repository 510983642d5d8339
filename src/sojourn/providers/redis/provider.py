"""The Redis providers, synchronous and asynchronous.

Each operation of the provider contract on a single session is one command (a Lua script or
HGETALL), sent to one server.  The module `verbs` defines the commands and interprets their replies,
`layout` defines the names of the keys and the format of a record, and a transport sends commands to
servers: `server` for threads, `multiplexed` for the tasks of an event loop, `cluster` for a cluster.

If a connection breaks after a command was sent, the command may or may not have been executed
(`Lost`).  The provider then reads the record again and decides from it whether to repeat the
command, to return its outcome, or to raise OutcomeUnknown.  It does not do that after a timeout
(`Silent`), because another command could take as long again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import redis
import redis.asyncio

from sojourn.errors import StoreUnavailable
from sojourn.providers.redis import census, checks, recovery, verbs
from sojourn.providers.redis.executor import AsyncExecutor, Executor
from sojourn.providers.redis.faults import Lost, Silent
from sojourn.providers.redis.index_repair import AsyncIndexRepair, IndexRepair
from sojourn.providers.redis.layout import TAGS, stored
from sojourn.providers.redis.listing import AsyncLister, Lister
from sojourn.providers.redis.settings import settings
from sojourn.providers.redis.transports import async_transport, transport
from sojourn.record import Assignment, Changes, Outcome, Record

STEP = 200
"""The most records that one run of the sweep script deletes.  Redis executes no other command
during a run, so this limits the time for which all other requests wait."""


class RedisProvider:
    """Stores records in Redis or Valkey: a single server, a master with sentinels, or a cluster."""

    needs_gc = False
    """False: Redis deletes expired hashes, and each new session removes old index entries."""

    def __init__(
        self,
        address: str | redis.Redis | redis.RedisCluster = "127.0.0.1:6379",
        *,
        prefix: str | None = None,
        pool: int | None = None,
        timeout: float | None = None,
        wait: int | None = None,
    ) -> None:
        """Check the settings; the first connection is opened when the first command is sent.

        address: a URL, text such as '127.0.0.1:6379,100,password', or a client of redis-py.  Only
            the settings of a client are used, never its connections.
        prefix: the beginning of the name of every key; "sojourn" by default.
        pool: the greatest number of connections; 50 by default.
        timeout: seconds to wait for a connection, and for a reply; 2 by default.
        wait: the number of replicas that must have received the end of a session or its new id
            before the call succeeds; 0 by default.  With 0, a failover may revive a session
            that has just ended.

        An argument takes precedence over the same setting in the address.  Raises ConfigError,
        which names the setting, if a setting is wrong.
        """
        said = settings(redis, address, prefix=prefix, pool=pool, timeout=timeout, wait=wait)
        self._layout = said.layout
        self._executor = Executor(transport(said), said.waiting)
        self._lister = Lister(self._executor, self._layout)
        self._indexes = IndexRepair(self._executor, self._layout)
        self._progress = census.Progress()

    def read(self, id: str) -> Record | None:
        """Return the record or the tombstone that is stored under an id; None if there is none."""
        found = self._executor.ask(verbs.read(self._layout, id), id)
        return stored(id, found) if found else None

    def create(self, record: Record) -> bool:
        """Store a new record; return False if anything is stored under its id already."""
        verb = verbs.create(self._layout, record)
        try:
            return bool(self._executor.run(verb))
        except Silent:
            raise
        except Lost as lost:
            # An id is generated once and never reused, so a record that is stored under it now is
            # that of this call.  Therefore the result of the second run does not matter, and it is
            # enough that it raises no error.
            try:
                self._executor.run(verb)
            except StoreUnavailable:
                raise lost from None
            return True

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """Apply changes by compare and swap.

        Returns the outcome, or the stored record if it differs from `changes.expect`.
        """
        verb, ends = verbs.update(self._layout, record.id, changes), verbs.ends(changes)
        try:
            reply = self._executor.run(verb, ends=ends)
        except Silent:
            raise
        except Lost as lost:
            # Repeating the update without a check could append an item twice, or overwrite a change
            # that another request has made since.
            known = recovery.of(changes, self._read_after(lost, record.id))
            if not known.again:
                return self._executor.settled(known.outcome, lost, ends=ends)
            reply = self._executor.run(verb, ends=ends)
        return verbs.outcome(record.id, reply)

    def assign(self, assignment: Assignment) -> Record | None:
        """Store values in a session that was not read; None if it has to be read for that."""
        try:
            frame = self._executor.run(verbs.assign(self._layout, assignment))
        except Silent:
            raise
        except Lost as lost:
            # Repeating it without a check could overwrite a change that another request has made
            # since.
            record = self._read_after(lost, assignment.id)
            return recovery.of_assignment(assignment, record, lost)
        return verbs.readable(assignment.id, frame)

    def destroy(self, id: str) -> Record | None:
        """Delete a record or a tombstone, and return it without its fields.

        None if nothing was stored under the id, or something that could not be read.
        """
        verb = verbs.destroy(self._layout, id)
        try:
            frame = self._executor.run(verb, ends=True)
        except Silent:
            raise
        except Lost as lost:
            # If the record is gone, this call or another one may have deleted it, and its frame
            # (which may name the id under which the session continues) cannot be returned.
            if self._read_after(lost, id) is None:
                raise
            frame = self._executor.run(verb, ends=True)
        return verbs.readable(id, frame)

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """Yield the live records of a user, or of all sessions if None, without their fields."""
        return self._lister.find(user, now)

    def count(self, now: float) -> int:
        """Return the number of live sessions; a session that Redis has evicted may be included."""
        # `filter` drops None, the reply for a key that is not a sorted set.
        return sum(filter(None, self._executor.ask_all(census.count(self._layout, now))))

    def gc(self, now: float, limit: int) -> int:
        """Delete at most `limit` expired records and tombstones; return how many were deleted."""
        due = self._executor.ask_all(census.due(self._layout, now))
        self._progress.check(now, sum(filter(None, due)))
        swept = 0
        # Only tags in which records are due, with no more steps than they need.
        for tag, live, retired in zip(TAGS, due[::2], due[1::2], strict=True):
            most = min((live or 0) + (retired or 0), limit - swept)
            for step in range(0, most, STEP):
                verb = census.sweep(self._layout, tag, now, min(most - step, STEP))
                swept += self._executor.repeat(verb)
        self._progress.swept(now, swept, limit)
        return swept

    def repair(self) -> int:
        """Add missing index entries, and remove those without a record; return the number of both.

        Needed only after keys were evicted or deleted by hand, and then only by those who do not
        want to wait: the indexes are complete again after one lifetime of a session.  It goes
        through all keys of the database with SCAN.
        """
        return self._indexes.run()

    def check(self) -> list[str]:
        """Return a warning for each setting of a server with which sessions can be lost.

        In a cluster each master is checked.  A warning that concerns several servers is returned
        once.
        """
        found: dict[str, None] = {}
        for server in self._executor.transport.servers():
            answers = self._executor.ask_each(server, checks.QUESTIONS)
            found |= dict.fromkeys(checks.warnings(answers, self._executor.replicas))
        return [*found]

    def close(self) -> None:
        """Close the idle connections; in asyncio, those of the running event loop."""
        self._executor.transport.close()

    def _read_after(self, lost: Lost, id: str) -> Record | None:
        """Return the record as it is stored after a reply was lost; None if none is stored.

        Raises `lost` if Redis is unreachable now.
        """
        try:
            return self.read(id)
        except StoreUnavailable:
            raise lost from None


class AsyncRedisProvider:
    """Stores records in Redis or Valkey: a single server, a master with sentinels, or a cluster."""

    needs_gc = False
    """False: Redis deletes expired hashes, and each new session removes old index entries."""

    def __init__(
        self,
        address: str | redis.asyncio.Redis | redis.asyncio.RedisCluster = "127.0.0.1:6379",
        *,
        prefix: str | None = None,
        pool: int | None = None,
        timeout: float | None = None,
        wait: int | None = None,
    ) -> None:
        """Check the settings; the first connection is opened when the first command is sent.

        address: a URL, text such as '127.0.0.1:6379,100,password', or a client of redis-py.  Only
            the settings of a client are used, never its connections.
        prefix: the beginning of the name of every key; "sojourn" by default.
        pool: has no effect here, since the tasks of an event loop share one connection to a server.
        timeout: seconds to wait for a connection, and for a reply; 2 by default.
        wait: the number of replicas that must have received the end of a session or its new id
            before the call succeeds; 0 by default.  With 0, a failover may revive a session
            that has just ended.

        An argument takes precedence over the same setting in the address.  Raises ConfigError,
        which names the setting, if a setting is wrong.
        """
        said = settings(
            redis.asyncio, address, prefix=prefix, pool=pool, timeout=timeout, wait=wait
        )
        self._layout = said.layout
        self._executor = AsyncExecutor(async_transport(said), said.waiting)
        self._lister = AsyncLister(self._executor, self._layout)
        self._indexes = AsyncIndexRepair(self._executor, self._layout)
        self._progress = census.Progress()

    async def read(self, id: str) -> Record | None:
        """Return the record or the tombstone that is stored under an id; None if there is none."""
        found = await self._executor.ask(verbs.read(self._layout, id), id)
        return stored(id, found) if found else None

    async def create(self, record: Record) -> bool:
        """Store a new record; return False if anything is stored under its id already."""
        verb = verbs.create(self._layout, record)
        try:
            return bool(await self._executor.run(verb))
        except Silent:
            raise
        except Lost as lost:
            # An id is generated once and never reused, so a record that is stored under it now is
            # that of this call.  Therefore the result of the second run does not matter, and it is
            # enough that it raises no error.
            try:
                await self._executor.run(verb)
            except StoreUnavailable:
                raise lost from None
            return True

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """Apply changes by compare and swap.

        Returns the outcome, or the stored record if it differs from `changes.expect`.
        """
        verb, ends = verbs.update(self._layout, record.id, changes), verbs.ends(changes)
        try:
            reply = await self._executor.run(verb, ends=ends)
        except Silent:
            raise
        except Lost as lost:
            # Repeating the update without a check could append an item twice, or overwrite a change
            # that another request has made since.
            known = recovery.of(changes, await self._read_after(lost, record.id))
            if not known.again:
                return self._executor.settled(known.outcome, lost, ends=ends)
            reply = await self._executor.run(verb, ends=ends)
        return verbs.outcome(record.id, reply)

    async def assign(self, assignment: Assignment) -> Record | None:
        """Store values in a session that was not read; None if it has to be read for that."""
        try:
            frame = await self._executor.run(verbs.assign(self._layout, assignment))
        except Silent:
            raise
        except Lost as lost:
            # Repeating it without a check could overwrite a change that another request has made
            # since.
            record = await self._read_after(lost, assignment.id)
            return recovery.of_assignment(assignment, record, lost)
        return verbs.readable(assignment.id, frame)

    async def destroy(self, id: str) -> Record | None:
        """Delete a record or a tombstone, and return it without its fields.

        None if nothing was stored under the id, or something that could not be read.
        """
        verb = verbs.destroy(self._layout, id)
        try:
            frame = await self._executor.run(verb, ends=True)
        except Silent:
            raise
        except Lost as lost:
            # If the record is gone, this call or another one may have deleted it, and its frame
            # (which may name the id under which the session continues) cannot be returned.
            if await self._read_after(lost, id) is None:
                raise
            frame = await self._executor.run(verb, ends=True)
        return verbs.readable(id, frame)

    def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """Yield the live records of a user, or of all sessions if None, without their fields."""
        return self._lister.find(user, now)

    async def count(self, now: float) -> int:
        """Return the number of live sessions; a session that Redis has evicted may be included."""
        # `filter` drops None, the reply for a key that is not a sorted set.
        return sum(filter(None, await self._executor.ask_all(census.count(self._layout, now))))

    async def gc(self, now: float, limit: int) -> int:
        """Delete at most `limit` expired records and tombstones; return how many were deleted."""
        due = await self._executor.ask_all(census.due(self._layout, now))
        self._progress.check(now, sum(filter(None, due)))
        swept = 0
        # Only tags in which records are due, with no more steps than they need.
        for tag, live, retired in zip(TAGS, due[::2], due[1::2], strict=True):
            most = min((live or 0) + (retired or 0), limit - swept)
            for step in range(0, most, STEP):
                verb = census.sweep(self._layout, tag, now, min(most - step, STEP))
                swept += await self._executor.repeat(verb)
        self._progress.swept(now, swept, limit)
        return swept

    async def repair(self) -> int:
        """Add missing index entries, and remove those without a record; return the number of both.

        Needed only after keys were evicted or deleted by hand, and then only by those who do not
        want to wait: the indexes are complete again after one lifetime of a session.  It goes
        through all keys of the database with SCAN.
        """
        return await self._indexes.run()

    async def check(self) -> list[str]:
        """Return a warning for each setting of a server with which sessions can be lost.

        In a cluster each master is checked.  A warning that concerns several servers is returned
        once.
        """
        found: dict[str, None] = {}
        async for server in self._executor.transport.servers():
            answers = await self._executor.ask_each(server, checks.QUESTIONS)
            found |= dict.fromkeys(checks.warnings(answers, self._executor.replicas))
        return [*found]

    async def close(self) -> None:
        """Close the idle connections; in asyncio, those of the running event loop."""
        await self._executor.transport.close()

    async def _read_after(self, lost: Lost, id: str) -> Record | None:
        """Return the record as it is stored after a reply was lost; None if none is stored.

        Raises `lost` if Redis is unreachable now.
        """
        try:
            return await self.read(id)
        except StoreUnavailable:
            raise lost from None
