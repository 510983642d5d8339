"""Providers of both colours behind one interface, and one whose line to the server can be cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from sojourn.record import Changes
from sojourn.testing._bridge import Blocking, Bridge
from tests.faults.lines import ID, NOW, RECORD, Store
from tests.faults.proxy import Proxy
from tests.servers.redis import Redis, fresh_prefix


@contextlib.contextmanager
def provider_of(colour: str, url: str, **settings: Any) -> Iterator[Any]:
    """A provider for threads, or one for tasks as if it were for threads."""
    with asyncio.Runner() as runner:
        if colour == "sync":
            provider: Any = RedisProvider(url, **settings)
        else:
            provider = Blocking(AsyncRedisProvider(url, **settings), Bridge(runner))
        yield provider
        provider.close()


@contextlib.contextmanager
def opened(colour: str, server: Redis) -> Iterator[Store]:
    """A store that holds one session, and is connected."""
    prefix = fresh_prefix()
    witness = RedisProvider(server.url(), prefix=prefix)
    teach(witness)
    witness.create(RECORD)
    with (
        Proxy(server.port) as proxy,
        provider_of(colour, proxy.url, prefix=prefix, timeout=1.0) as provider,
    ):
        provider.read(ID)
        yield Store(provider, witness, proxy)


def teach(witness: RedisProvider) -> None:
    """Let the server know every script, since one that it does not know is never done at once."""
    witness.create(RECORD)
    witness.update(RECORD, Changes(NOW, put={b"a": b"1"}))
    witness.destroy(ID)
