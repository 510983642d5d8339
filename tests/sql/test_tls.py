"""Connections to MySQL and MariaDB that are encrypted, or not, as `tls` in the address says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.servers.certificates import Certificate
from tests.servers.mariadb import MariaDB
from tests.servers.process import BUSY
from tests.sql.stores import opened


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return Certificate.new()


@pytest.fixture(scope="module")
def encrypted(certificate: Certificate) -> Iterator[MariaDB]:
    """A server that speaks TLS beside plain text."""
    with MariaDB(tls=certificate) as server:
        yield server


def aborted(server: MariaDB) -> int:
    """How many connections have ended without a goodbye."""
    [(_, number)] = server.sql("SHOW GLOBAL STATUS LIKE 'Aborted_clients'")
    return int(number)


@pytest.mark.parametrize("tls", ["false", "skip-verify"])
async def test_the_server_hears_a_goodbye(tls: str, encrypted: MariaDB, table: str) -> None:
    """Without one it would count the connection as aborted, and may write that to its log."""
    before = aborted(encrypted)
    async with opened("asyncmy", f"{encrypted.url()}?tls={tls}", table=table) as store:
        assert await store.count(0.0) == 0
    deadline = time.monotonic() + BUSY
    while encrypted.sql("SELECT 1 FROM information_schema.processlist WHERE user = 'sojourn'"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert aborted(encrypted) == before


async def test_no_request_waits_for_the_end_of_a_connection(encrypted: MariaDB, table: str) -> None:
    """A server that hangs confirms the end of no encrypted connection."""
    async with opened("asyncmy", f"{encrypted.url()}?tls=skip-verify", table=table) as store:
        source = store._link._source
        for connection in [await source.take() for _ in range(3)]:
            await source.put(connection)
        encrypted.pause()
        try:
            began = time.monotonic()
            await source.drop_idle(began)
            assert time.monotonic() - began < BUSY
        finally:
            encrypted.resume()
        assert await store.count(0.0) == 0
