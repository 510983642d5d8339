"""Law 4 between the tasks of one event loop, over a store in memory and over one in threads."""

from __future__ import annotations

import asyncio

import pytest

from sojourn import AsyncManager, Provider
from tests.parallel.rounds import WORK, WORKERS, begin_async


@pytest.mark.parametrize("work", WORK)
async def test_tasks_lose_nothing_of_each_other(provider: Provider, turns: int, work: str) -> None:
    manager = AsyncManager(provider)
    headers = (await begin_async(manager)).headers

    async def requests(worker: int) -> None:
        for turn in range(turns):
            async with manager.open(headers) as session:
                WORK[work].change(session, worker, turn)
                await asyncio.sleep(0)  # the others start before this one is released

    await asyncio.gather(*map(requests, range(WORKERS)))
    WORK[work].check(await manager.start(headers), turns)
