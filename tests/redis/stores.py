"""A provider of either colour behind one interface, and records to put into it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from sojourn.providers.redis.layout import Layout
from sojourn.record import Record
from sojourn.testing._bridge import Blocking, Bridge

Colour = Literal["sync", "async"]
Make = Callable[..., RedisProvider]
"""Takes what both providers take."""

HOUR = 3600.0


@contextmanager
def maker(colour: Colour) -> Iterator[Make]:
    """What makes providers of a colour; they are closed at the end."""
    with asyncio.Runner() as runner:
        bridge, made = Bridge(runner), list[RedisProvider]()

        def make(*args: Any, **settings: Any) -> RedisProvider:
            if colour == "sync":
                made.append(RedisProvider(*args, **settings))
            else:
                provider = AsyncRedisProvider(*args, **settings)
                made.append(cast("RedisProvider", Blocking(provider, bridge)))
            return made[-1]

        yield make
        for provider in made:
            provider.close()


def id_of(name: object, tag: str | None = None) -> str:
    """The id of a name, with the first two digits of choice."""
    digest = hashlib.sha256(str(name).encode()).hexdigest()
    return digest if tag is None else tag + digest[2:]


def forgetful_id(name: object, tag: str) -> str:
    """One of the ids, one in four, with which a new session removes old entries."""
    return id_of(name, tag)[:-1] + "0"


def record_of(name: object = "one", *, tag: str | None = None, **more: Any) -> Record:
    """A record that lives for an hour, of which no store knows yet."""
    now = more.pop("now", time.time())
    record = Record(id_of(name, tag), {b"a": b"1", b"b": b"2"}, now, now, now + HOUR)
    return record._replace(**more)


class Names:
    """The names of the keys under a prefix."""

    def __init__(self, prefix: str) -> None:
        self._layout = Layout(prefix)

    def hash(self, id: str) -> str:
        return self._layout.keys[id[:2]].stem + id

    def live(self, id: str) -> str:
        return self._layout.keys[id[:2]].live

    def users(self, id: str) -> str:
        return self._layout.keys[id[:2]].users

    def retired(self, id: str) -> str:
        return self._layout.keys[id[:2]].retired
