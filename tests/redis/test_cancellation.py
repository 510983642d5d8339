"""Cancelled at random moments: no answer reaches the wrong request, and the others go on."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from sojourn import AsyncManager
from sojourn.providers.redis import AsyncRedisProvider
from sojourn.record import Record
from tests.redis.stores import id_of, record_of
from tests.servers.process import BUSY
from tests.servers.redis import Redis
from tests.servers.redis_groups import RedisCluster

SESSIONS, CANCELLED, LASTING = 50, 1000, 1000
WAVE = 200
"""Requests that are under way together."""
PATIENCE = 60.0


class Visitors:
    """Sessions that know their own names, and requests to them."""

    def __init__(self, manager: AsyncManager) -> None:
        self.manager = manager
        self.dice = Random(4)
        self.tokens = list[str]()
        self.cut = 0
        """How many requests were cancelled before they had ended."""

    async def begin(self) -> None:
        for number in range(SESSIONS):
            async with self.manager.open({}) as session:
                session["name"] = number
            assert session.released is not None
            assert session.released.token is not None
            self.tokens.append(session.released.token)

    async def request(self, number: int) -> None:
        """Look whose session it is, and leave a key of one's own there."""
        name = number % SESSIONS
        async with self.manager.open({"Cookie": f"session={self.tokens[name]}"}) as session:
            assert session["name"] == name
            assert all(key == "name" or key % SESSIONS == name for key in session)
            session[number] = name
            await asyncio.sleep(self.dice.choice([0, 0, 0.001]))

    async def victim(self, number: int) -> None:
        """A request that is cancelled, at whatever it is doing then."""
        task = asyncio.create_task(self.request(number))
        for _ in range(self.dice.randrange(8)):
            await asyncio.sleep(0)
        self.cut += task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.done()
        if not task.cancelled():
            assert task.exception() is None

    async def wave(self, first: int) -> None:
        numbers = range(first, first + WAVE)
        tasks = [self.request(2 * number) for number in numbers]
        tasks += [self.victim(2 * number + 1) for number in numbers]
        self.dice.shuffle(tasks)
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("where", ["redis_server", "redis_cluster"])
async def test_no_answer_reaches_the_wrong_one(
    request: pytest.FixtureRequest, prefix: str, where: str
) -> None:
    servers: Redis | RedisCluster = request.getfixturevalue(where)
    # That a busy machine takes long to answer is no concern of this test.
    manager = AsyncManager(AsyncRedisProvider(servers.url(), prefix=prefix, timeout=BUSY))
    visitors = Visitors(manager)
    async with asyncio.timeout(PATIENCE):
        await visitors.begin()
        for first in range(0, LASTING, WAVE):
            await visitors.wave(first)
        assert visitors.cut > 0.9 * CANCELLED
        kept = set[object]()
        for name, token in enumerate(visitors.tokens):
            session = await manager.start({"Cookie": f"session={token}"})
            assert session.pop("name") == name
            kept |= session.keys()
        assert {2 * number for number in range(LASTING)} <= kept
        await manager.close()


async def test_who_cancels_every_task_spoils_no_answer(redis_server: Redis, prefix: str) -> None:
    """As a server does that is told to stop: what its handlers still ask for is answered."""
    store = AsyncRedisProvider(redis_server.url(), prefix=prefix)
    records = [record_of(number, fields={b"name": b"%d" % number}) for number in range(2)]
    for record in records:
        await store.create(record)

    async def handler() -> Record | None:
        try:
            return await store.read(id_of(0))
        except asyncio.CancelledError:
            return await store.read(id_of(1))

    for turns in range(1, 12):
        redis_server.cli("CLIENT PAUSE", 30, "ALL")
        handling = asyncio.create_task(handler())
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        assert await asyncio.wait_for(handling, 5.0) == records[1]
    await store.close()
