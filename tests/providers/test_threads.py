"""A sync provider under an AsyncManager: the threads that it is called in."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sojourn import AsyncManager
from sojourn.providers.file import FileProvider
from tests.forks import in_child
from tests.servers.process import BUSY, wait_until


async def count_up(manager: AsyncManager, token: str = "") -> str:
    async with manager.open({"Cookie": f"session={token}"}) as session:
        session["n"] = session.get("n", 0) + 1
    assert session.released is not None
    return str(session.released.token or token)


async def test_a_session_does_not_wait_for_what_the_application_runs_in_threads(
    tmp_path: Path,
) -> None:
    """Its default executor is full, as with a slow report in each of its threads."""
    manager, gate = AsyncManager(FileProvider(tmp_path)), threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    report = loop.run_in_executor(None, gate.wait, 2 * BUSY)
    try:
        async with asyncio.timeout(BUSY):
            token = await count_up(manager)
            await count_up(manager, token)
            assert (await manager.start({"Cookie": f"session={token}"}))["n"] == 2
            assert await manager.active_count() == 1
            await manager.close()
        assert not report.done()
    finally:
        gate.set()
        await report


@pytest.mark.parametrize("fork", ["python", "c"])
def test_a_child_has_threads_of_its_own(tmp_path: Path, fork: str) -> None:
    """Though it goes on with the event loop of its parent."""
    manager, loop = AsyncManager(FileProvider(tmp_path)), asyncio.new_event_loop()
    token = loop.run_until_complete(count_up(manager))
    in_child(lambda: loop.run_until_complete(count_up(manager, token)), fork)
    session = loop.run_until_complete(manager.start({"Cookie": f"session={token}"}))
    assert session["n"] == 2
    loop.close()


def test_threads_end_with_their_event_loop(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        asyncio.run(count_up(AsyncManager(FileProvider(tmp_path))))
    gc.collect()
    wait_until(lambda: set(threading.enumerate()) <= before, "no thread is left")
