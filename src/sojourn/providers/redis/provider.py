"""The providers: each verb is one command, sent to one server.

What the commands are, and what the replies mean, stands in `verbs`; how keys and records look, in
`layout`.  How a command reaches a server is the affair of a wire: `server` for threads, `lane` for
tasks, `cluster` for many servers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import redis
import redis.asyncio

from sojourn.errors import StoreUnavailable
from sojourn.providers.redis import census, checks, fate, verbs
from sojourn.providers.redis.asking import Asker, AsyncAsker
from sojourn.providers.redis.faults import Lost, Silent
from sojourn.providers.redis.healing import AsyncHealer, Healer
from sojourn.providers.redis.layout import TAGS, record_of
from sojourn.providers.redis.listing import AsyncLister, Lister
from sojourn.providers.redis.settings import settings
from sojourn.providers.redis.wires import async_wire, wire
from sojourn.record import Changes, Outcome, Record

STEP = 200
"""How many records one script sweeps."""


class RedisProvider:
    """Keeps records in Redis or Valkey: one server, one watched by sentinels, or a cluster."""

    def __init__(
        self,
        address: str | redis.Redis | redis.RedisCluster = "127.0.0.1:6379",
        *,
        prefix: str | None = None,
        pool: int | None = None,
        timeout: float | None = None,
        wait: int | None = None,
    ) -> None:
        """Connect when the first session is asked for.

        address: a URL, text as '127.0.0.1:6379,100,password', or a client of redis-py, of which
            the settings are used.
        prefix: what every key begins with; "sojourn" if nobody says otherwise.
        pool: the most connections; 50.
        timeout: seconds to wait for a connection, and for a reply; 2.
        wait: how many replicas must know of an end or a new id before it is acknowledged; 0.
            Without it a failover may bring back what had just ended.
        """
        said = settings(redis, address, prefix=prefix, pool=pool, timeout=timeout, wait=wait)
        self._layout = said.layout
        self._asker = Asker(wire(said), said.waiting)
        self._lister = Lister(self._asker, self._layout)
        self._healer = Healer(self._asker, self._layout)

    def read(self, id: str) -> Record | None:
        return record_of(id, self._asker.ask(verbs.read(self._layout, id), id))

    def create(self, record: Record) -> bool:
        verb = verbs.create(self._layout, record)
        try:
            return bool(self._asker.run(verb))
        except Silent:
            raise
        except Lost as lost:  # an id is minted once: what stands under it then is ours
            try:
                self._asker.run(verb)
            except StoreUnavailable:
                raise lost from None
            return True

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        verb, ends = verbs.update(self._layout, record.id, changes), verbs.ends(changes)
        try:
            reply = self._asker.run(verb, ends=ends)
        except Silent:
            raise
        except Lost as lost:
            known = fate.of(changes, self._read_after(lost, record.id))
            if not known.again:
                return self._asker.settled(known.outcome, lost, ends=ends)
            reply = self._asker.run(verb, ends=ends)
        return verbs.outcome(record.id, reply)

    def destroy(self, id: str) -> Record | None:
        verb = verbs.destroy(self._layout, id)
        try:
            frame = self._asker.run(verb, ends=True)
        except Silent:
            raise
        except Lost as lost:
            if self._read_after(lost, id) is None:  # by this call or another: and it is not
                raise  # known where it went
            frame = self._asker.run(verb, ends=True)
        return verbs.readable(id, frame)

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        return self._lister.find(user, now)

    def count(self, now: float) -> int:
        return sum(filter(None, self._asker.ask_all(census.count(self._layout, now))))

    def gc(self, now: float, limit: int) -> int:
        due = self._asker.ask_all(census.due(self._layout, now))
        swept = 0
        for tag, live, retired in zip(TAGS, due[::2], due[1::2], strict=True):
            most = min((live or 0) + (retired or 0), limit - swept)
            for step in range(0, most, STEP):
                verb = census.sweep(self._layout, tag, now, min(most - step, STEP))
                swept += self._asker.repeat(verb)
        if swept < limit:
            self._healer.heal()
        return swept

    def check(self) -> list[str]:
        """Ask the server for settings with which sessions are lost."""
        found: dict[str, None] = {}
        for server in self._asker.wire.servers():
            answers = server.calls(checks.QUESTIONS)
            found |= dict.fromkeys(checks.warnings(answers, self._asker.replicas))
        return [*found]

    def close(self) -> None:
        self._asker.wire.close()

    def _read_after(self, lost: Lost, id: str) -> Record | None:
        """Return what stands after an answer was lost; raise that again if nobody can tell."""
        try:
            return self.read(id)
        except StoreUnavailable:
            raise lost from None


class AsyncRedisProvider:
    """Keeps records in Redis or Valkey: one server, one watched by sentinels, or a cluster."""

    def __init__(
        self,
        address: str | redis.asyncio.Redis | redis.asyncio.RedisCluster = "127.0.0.1:6379",
        *,
        prefix: str | None = None,
        pool: int | None = None,
        timeout: float | None = None,
        wait: int | None = None,
    ) -> None:
        """Connect when the first session is asked for.

        address: a URL, text as '127.0.0.1:6379,100,password', or a client of redis-py, of which
            the settings are used.
        prefix: what every key begins with; "sojourn" if nobody says otherwise.
        pool: the most connections; 50.
        timeout: seconds to wait for a connection, and for a reply; 2.
        wait: how many replicas must know of an end or a new id before it is acknowledged; 0.
            Without it a failover may bring back what had just ended.
        """
        said = settings(
            redis.asyncio, address, prefix=prefix, pool=pool, timeout=timeout, wait=wait
        )
        self._layout = said.layout
        self._asker = AsyncAsker(async_wire(said), said.waiting)
        self._lister = AsyncLister(self._asker, self._layout)
        self._healer = AsyncHealer(self._asker, self._layout)

    async def read(self, id: str) -> Record | None:
        return record_of(id, await self._asker.ask(verbs.read(self._layout, id), id))

    async def create(self, record: Record) -> bool:
        verb = verbs.create(self._layout, record)
        try:
            return bool(await self._asker.run(verb))
        except Silent:
            raise
        except Lost as lost:  # an id is minted once: what stands under it then is ours
            try:
                await self._asker.run(verb)
            except StoreUnavailable:
                raise lost from None
            return True

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        verb, ends = verbs.update(self._layout, record.id, changes), verbs.ends(changes)
        try:
            reply = await self._asker.run(verb, ends=ends)
        except Silent:
            raise
        except Lost as lost:
            known = fate.of(changes, await self._read_after(lost, record.id))
            if not known.again:
                return self._asker.settled(known.outcome, lost, ends=ends)
            reply = await self._asker.run(verb, ends=ends)
        return verbs.outcome(record.id, reply)

    async def destroy(self, id: str) -> Record | None:
        verb = verbs.destroy(self._layout, id)
        try:
            frame = await self._asker.run(verb, ends=True)
        except Silent:
            raise
        except Lost as lost:
            if await self._read_after(lost, id) is None:  # by this call or another: and it is not
                raise  # known where it went
            frame = await self._asker.run(verb, ends=True)
        return verbs.readable(id, frame)

    def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        return self._lister.find(user, now)

    async def count(self, now: float) -> int:
        return sum(filter(None, await self._asker.ask_all(census.count(self._layout, now))))

    async def gc(self, now: float, limit: int) -> int:
        due = await self._asker.ask_all(census.due(self._layout, now))
        swept = 0
        for tag, live, retired in zip(TAGS, due[::2], due[1::2], strict=True):
            most = min((live or 0) + (retired or 0), limit - swept)
            for step in range(0, most, STEP):
                verb = census.sweep(self._layout, tag, now, min(most - step, STEP))
                swept += await self._asker.repeat(verb)
        if swept < limit:
            await self._healer.heal()
        return swept

    async def check(self) -> list[str]:
        """Ask the server for settings with which sessions are lost."""
        found: dict[str, None] = {}
        async for server in self._asker.wire.servers():
            answers = await server.calls(checks.QUESTIONS)
            found |= dict.fromkeys(checks.warnings(answers, self._asker.replicas))
        return [*found]

    async def close(self) -> None:
        await self._asker.wire.close()

    async def _read_after(self, lost: Lost, id: str) -> Record | None:
        """Return what stands after an answer was lost; raise that again if nobody can tell."""
        try:
            return await self.read(id)
        except StoreUnavailable:
            raise lost from None
