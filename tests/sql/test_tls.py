"""Connections to MySQL and MariaDB that are encrypted, or not, as `tls` in the address says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sojourn.errors import StoreUnavailable
from tests.servers.certificates import Certificate
from tests.servers.mariadb import MariaDB
from tests.servers.process import BUSY
from tests.sql.stores import ON_MARIADB, Make, opened


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return Certificate.new()


@pytest.fixture(scope="module")
def encrypted(certificate: Certificate) -> Iterator[MariaDB]:
    """A server that speaks TLS beside plain text, under more addresses than its certificate has."""
    with MariaDB(tls=certificate, bind_address="0.0.0.0") as server:
        yield server


def encryptions(server: MariaDB) -> int:
    """How many connections have been encrypted."""
    [(_, number)] = server.sql("SHOW GLOBAL STATUS LIKE 'Ssl_finished_accepts'")
    return int(number)


@pytest.mark.parametrize("way", ON_MARIADB)
@pytest.mark.parametrize(("tls", "number"), [("false", 0), ("skip-verify", 1), ("true", 1)])
def test_a_connection_is_encrypted_as_the_address_says(
    make: Make, encrypted: MariaDB, certificate: Certificate, tls: str, number: int
) -> None:
    ca = f"&ssl_ca={certificate.ca}" if tls == "true" else ""
    before = encryptions(encrypted)
    assert make(f"{encrypted.url()}?tls={tls}{ca}").count(0.0) == 0
    assert encryptions(encrypted) - before == number


@pytest.mark.parametrize("way", ON_MARIADB)
@pytest.mark.parametrize("tls", ["skip-verify", "true"])
def test_nothing_is_sent_in_plain_text_to_a_server_without_tls(
    make: Make, mariadb: MariaDB, certificate: Certificate, tls: str
) -> None:
    ca = f"&ssl_ca={certificate.ca}" if tls == "true" else ""
    with pytest.raises(StoreUnavailable, match=r"(?i)ssl|tls"):
        make(f"{mariadb.url()}?tls={tls}{ca}").count(0.0)


@pytest.mark.parametrize("way", ON_MARIADB)
def test_a_certificate_is_checked(make: Make, encrypted: MariaDB, certificate: Certificate) -> None:
    url = f"{encrypted.url()}?tls=true"
    elsewhere = url.replace("127.0.0.1", "127.0.0.2")
    for strange in (
        url,
        f"{url}&ssl_ca={Certificate.new().ca}",
        f"{elsewhere}&ssl_ca={certificate.ca}",
    ):
        with pytest.raises(StoreUnavailable, match=r"(?i)certificate|hostname|verif"):
            make(strange).count(0.0)
    assert make(f"{elsewhere.replace('true', 'skip-verify')}").count(0.0) == 0


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


def leads_to(fd: int) -> Path | None:
    """What an open descriptor stands for."""
    place = Path(f"/proc/self/fd/{fd}")
    return place.readlink() if place.is_symlink() else None


async def test_a_cancelled_statement_leaves_no_connection(encrypted: MariaDB, table: str) -> None:
    """The server hangs, and would confirm the end of the connection as late as anything else."""
    async with opened("asyncmy", f"{encrypted.url()}?tls=skip-verify", table=table) as store:
        assert await store.count(0.0) == 0
        [(connection, _)] = store._link._source._shelf().idle
        socket = leads_to(connection.socket._fd)
        encrypted.pause()
        try:
            task = asyncio.ensure_future(store.count(0.0))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0)
            assert leads_to(connection.socket._fd) != socket
        finally:
            encrypted.resume()
        assert await store.count(0.0) == 0


async def test_a_server_that_hangs_leaves_the_pool_as_it_was(
    encrypted: MariaDB, table: str
) -> None:
    url = f"{encrypted.url()}?tls=skip-verify"
    async with opened("asyncmy", url, table=table, pool=1, timeout=0.1) as store:
        assert await store.count(0.0) == 0
        encrypted.pause()
        try:
            with pytest.raises(StoreUnavailable, match="does not answer"):
                await store.count(0.0)
        finally:
            encrypted.resume()
        assert await store.count(0.0) == 0
