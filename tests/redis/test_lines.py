"""Connections: which are used again, what is sent together, and what of them is left behind."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from sojourn.errors import StoreUnavailable
from sojourn.providers.redis import AsyncRedisProvider
from sojourn.providers.redis.async_line import AsyncLine
from sojourn.record import Changes, Outcome
from tests.redis.fake import Fake
from tests.redis.hostile import RECORD
from tests.redis.stores import Make, id_of, record_of
from tests.redis.test_replies import hash_of
from tests.redis.test_trips import teach
from tests.servers.redis import Redis

PUT = Changes(RECORD.seen, put={b"a": b"2"})


# -- which are used again ------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "connections"), [("0.000000001", 3), ("999", 1)])
def test_a_connection_that_was_idle_too_long_is_replaced(
    make: Make, seconds: str, connections: int
) -> None:
    with Fake(lambda words: hash_of(RECORD)) as server:
        store = make(server.url(end=f"?idle_timeout={seconds}"))
        assert [store.read(RECORD.id) for _ in range(3)] == [RECORD] * 3
        assert server.connections == connections


def test_a_closed_connection_costs_no_write(make: Make, redis_server: Redis) -> None:
    """Nobody can tell whether a write that was sent over it was done, so none is sent."""
    teach(redis_server)
    store, record = make(redis_server.url()), record_of()
    assert store.create(record)
    for number in range(5):
        redis_server.kill_connections()
        put = Changes(record.seen, put={b"a": b"%d" % number})
        assert store.update(record, put) is Outcome.APPLIED


def test_what_comes_between_two_commands_is_no_reply(make: Make) -> None:
    """It may be the late reply to another's command."""

    def answer(words: list[bytes]) -> list[bytes | float]:
        return [hash_of(RECORD), 0.05, hash_of(RECORD._replace(user="eve"))]

    with Fake(answer) as server:
        store = make(server.url())
        for connections in (1, 2, 3):
            assert store.read(RECORD.id) == RECORD
            assert server.connections == connections
            time.sleep(0.2)


def test_a_replica_is_left(make: Make) -> None:
    """After a failover the next connection leads to the new master."""
    replies = iter([b"-READONLY You can't write\r\n", b":1\r\n"])
    with Fake(lambda words: next(replies)) as server:
        store = make(server.url())
        with pytest.raises(StoreUnavailable, match="is a replica"):
            store.update(RECORD, PUT)
        assert store.update(RECORD, PUT) is Outcome.APPLIED
        assert server.connections == 2


def test_a_server_that_is_loading_has_done_nothing(make: Make) -> None:
    with Fake(lambda words: b"-LOADING Redis is loading\r\n") as server:
        store = make(server.url())
        for verb in (store.read, store.destroy):
            with pytest.raises(StoreUnavailable, match="still loading its data"):
                verb(RECORD.id)


def test_a_server_that_closes_each_connection_is_not_asked_for_ever(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if each new one can be seen to be closed as soon as it is open."""
    monkeypatch.setattr(AsyncLine, "is_usable", lambda *_: False)
    with Fake(lambda words: None) as server:
        store = make(server.url())
        with pytest.raises(StoreUnavailable):
            store.count(0.0)
        assert server.connections == 2


# -- tasks ---------------------------------------------------------------------------------------


TASKS = 50


async def test_what_many_tasks_ask_goes_together(redis_server: Redis, prefix: str) -> None:
    """The first command at once, and the others when its reply is there."""
    store = AsyncRedisProvider(redis_server.url(), prefix=prefix)
    await store.create(record_of())
    trips = redis_server.trips()
    records = await asyncio.gather(*[store.read(id_of("one")) for _ in range(TASKS)])
    assert [record and record.id for record in records] == [id_of("one")] * TASKS
    assert redis_server.trips() - trips == 2
    await store.close()


async def test_what_comes_to_a_waiting_loop_is_no_reply() -> None:
    """As above, where the loop receives it before the next command."""

    def answer(words: list[bytes]) -> list[bytes | float]:
        return [hash_of(RECORD), 0.05, hash_of(RECORD._replace(user="eve"))]

    with Fake(answer) as server:
        store = AsyncRedisProvider(server.url())
        for connections in (1, 2, 3):
            assert await store.read(RECORD.id) == RECORD
            assert server.connections == connections
            await asyncio.sleep(0.2)
        await store.close()


async def test_who_closes_waits_for_replies() -> None:
    """Also for those to commands that wait for their connection, or for the replies to others."""
    with Fake(lambda words: [0.01, hash_of(RECORD)]) as server:
        store = AsyncRedisProvider(server.url())
        for warm in (False, True):
            if warm:
                await store.read(RECORD.id)
            reads = [asyncio.ensure_future(store.read(RECORD.id)) for _ in range(5)]
            await asyncio.sleep(0)
            await store.close()
            assert await asyncio.gather(*reads) == [RECORD] * 5
        assert server.commands.count(b"HGETALL") == 11
        assert server.connections == 2


FAULTS: dict[str, Callable[[list[bytes]], Any]] = {
    "it hangs up": lambda words: None,
    "it is silent": lambda words: b"",
    "it makes no sense": lambda words: b"#t\r\n",
    "it is loading": lambda words: b"-LOADING no\r\n",
    "it is a replica": lambda words: b"-READONLY no\r\n",
}


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_error_is_left_that_nobody_fetched(fault: str, turns: int) -> None:
    """Of tasks that were cancelled, or closed without being cancelled, before the server failed."""
    reported = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    first = iter([hash_of(RECORD)])
    with Fake(lambda words: next(first, None) or FAULTS[fault](words)) as server:
        store = AsyncRedisProvider(server.url(), timeout=0.1)
        assert await store.read(RECORD.id) == RECORD
        tasks = [asyncio.ensure_future(store.update(RECORD, PUT)) for _ in range(6)]
        closed = store.read(RECORD.id)
        closed.send(None)
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        closed.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, BaseException) for result in results)
        await store.close()
    del tasks, results
    gc.collect()
    assert reported == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_loop_that_ends_leaves_no_error(redis_server: Redis, prefix: str) -> None:
    """With commands under way: the tasks are cancelled, and nothing else is heard of them."""
    reported = list[dict[str, Any]]()

    async def leave() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(context)
        )
        store = AsyncRedisProvider(redis_server.url(), prefix=prefix)
        await store.read(id_of("one"))
        left = {asyncio.ensure_future(store.read(id_of(number))) for number in range(TASKS)}
        await asyncio.sleep(0)
        assert not any(task.done() for task in left)

    await asyncio.to_thread(asyncio.run, leave())
    gc.collect()
    assert reported == []


async def test_closing_waits_for_calls_behind_those_that_were_cancelled() -> None:
    """As at a shutdown, when clients have hung up."""
    with Redis() as server:
        provider = AsyncRedisProvider(server.url())
        assert await provider.create(RECORD)
        server.pause()
        sent = asyncio.create_task(provider.read(RECORD.id))
        await asyncio.sleep(0)
        queued = asyncio.create_task(provider.read(RECORD.id))
        await asyncio.sleep(0)
        sent.cancel()
        asyncio.get_running_loop().call_later(0.1, server.resume)
        await provider.close()
        assert queued.done()
        assert await queued == RECORD
