"""Providers of both colours behind one interface, and one whose line to the server can be cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from sojourn.record import Changes, Outcome, Record
from sojourn.testing._bridge import Blocking, Bridge
from tests.faults.proxy import Cut, Proxy
from tests.redis_server import Redis, fresh_prefix

NOW = 1_000_000_000.0
LATER = NOW + 4_000_000_000.0
ID, NEW_ID = f"ab{1:062x}", f"ab{2:062x}"
RECORD = Record(ID, {b"a": b"1", b"b": b"1"}, NOW, NOW, LATER, user="ada")


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


class Store(NamedTuple):
    """A provider whose line can be cut, and one that sees what really stands."""

    provider: Any
    witness: RedisProvider
    proxy: Proxy

    def cut(self, *cuts: Cut) -> None:
        self.proxy.cut(*cuts)

    def update(self, **changes: Any) -> Outcome | Record:
        outcome: Outcome | Record = self.provider.update(RECORD, Changes(NOW, **changes))
        return outcome

    def ends(self, id: str = ID) -> Callable[[], object]:
        """Another ends the session meanwhile."""
        return lambda: self.witness.destroy(id)

    def puts(self, **fields: bytes) -> Callable[[], object]:
        """Another writes meanwhile."""
        put = {name.encode(): value for name, value in fields.items()}
        return lambda: self.witness.update(RECORD, Changes(NOW, put=put))

    @property
    def fields(self) -> Any:
        record = self.witness.read(ID)
        return record and record.fields


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
