"""Measures what each operation of a provider costs a server that holds many sessions."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import struct
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from time import time
from typing import TypeVar

from bench.subject import HEADERS
from sojourn import Manager
from sojourn.providers.base import Provider
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Changes, Fields, Move, Outcome, Record

T = TypeVar("T")
Meter = Callable[[], Mapping[str, float]]
"""Returns the counters of a server: `cpu`, `in`, `out` and `log`, as `bench.scale.figures` says."""

NOW = float(int(time()))
LIFETIME = 86_400.0
SIZES = {"200 B": (5, 26), "2 KB": (20, 86)}
"""For each size, the number of keys and the letters of each value."""
LATER = 61.0
"""Seconds after which the times of a session may move again."""


def payload_of(size: str) -> dict[str, str]:
    """Return a session's data of this size, which no database can compress much."""
    keys, letters = SIZES[size]
    source = random.Random(size)
    return {
        f"key {n:02}": b64encode(source.randbytes(letters)).decode()[:letters] for n in range(keys)
    }


def fields_of(size: str) -> Fields:
    """Return the same data as encoded fields."""
    provider = MemoryProvider()
    with Manager(provider).open(HEADERS) as session:
        session.update(payload_of(size))
    [record] = provider.find(None, time())
    return record.fields


def records(
    numbers: Iterable[int], size: str, *, users: bool, expires: float | None = None
) -> Iterator[Record]:
    """Yield new sessions.  If `expires` is None, they expire at any time within a lifetime."""
    fields, source = fields_of(size), random.Random(len(size))
    for number in numbers:
        end = NOW + 3600 + source.random() * LIFETIME if expires is None else expires
        user = f"user{number:08}" if users else None
        signed_in = NOW if users else None
        yield Record(new_id(), fields, NOW, NOW, end, user, signed_in)


def new_id(like: str = "") -> str:
    """Return a random id, with the first two digits of another one."""
    return like[:2] + random.SystemRandom().randbytes(32).hex()[len(like[:2]) :]


def traffic(port: int) -> dict[str, float]:
    """Return the bytes that this process has sent to a port and received from it."""
    sent = received = 0
    for connection in _connections():
        with connection, contextlib.suppress(OSError):
            if connection.getpeername()[1:2] == (port,):
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
                # tcpi_bytes_acked and tcpi_bytes_received, in linux/tcp.h.
                acked, came = struct.unpack_from("<QQ", info, 120)
                sent, received = sent + acked, received + came
    return {"in": float(sent), "out": float(received)}


def _connections() -> Iterator[socket.socket]:
    """Yield a copy of each socket of this process."""
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # one that is closed by now
            if file.is_socket():
                yield socket.socket(fileno=os.dup(int(file.name)))


class Costs:
    """Carries out operations and divides what a meter counts by their number."""

    def __init__(
        self,
        provider: Provider,
        meter: Meter,
        size: str,
        kept: list[Record],
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        """Begin with a store that holds `kept` and many more sessions, all of them with users.

        prepare: is called before each operation is measured.
        """
        self._prepare = prepare
        self._provider = provider
        self._meter = meter
        self._size = size
        self._kept = kept
        self.found: dict[str, float] = {"payload": float(len(json.dumps(payload_of(size))))}

    def measure(self) -> dict[str, float]:
        """Return the figures of all operations."""
        provider, many = self._provider, len(self._kept)
        key, value = next(iter(self._kept[0].fields.items()))
        put = {key: value[::-1]}  # stores do not decode it
        provider.count(NOW)  # opens the connection
        self._each("read", [record.id for record in self._kept], provider.read)
        self._update("write", Changes(NOW, put=put))
        self._update("renew", Changes(NOW + LATER, NOW + LATER + LIFETIME, put=put))
        self._update("touch", Changes(NOW + 2 * LATER, NOW + 2 * LATER + LIFETIME))
        short = [*records(range(many), self._size, users=True, expires=NOW + 4 * LATER)]
        self._each("create", short, provider.create)
        self._sign_in()
        self._each("list", [f"user{n:08}" for n in range(0, many, 10)], self._list)
        self._sweep(NOW + 5 * LATER)
        return self.found

    def _each(self, name: str, given: list[T], do: Callable[[T], object]) -> None:
        def all_of_them() -> int:
            for one in given:
                do(one)
            return len(given)

        self._noting(name, all_of_them)

    def _noting(self, name: str, do: Callable[[], int]) -> None:
        self._prepare()
        before = self._meter()
        number = do()
        after = self._meter()
        for kind in after:
            self.found[f"{name} {kind}"] = (after[kind] - before[kind]) / number

    def _read(self) -> list[Record]:
        found = [self._provider.read(record.id) for record in self._kept]
        return [record for record in found if record is not None]

    def _update(self, name: str, changes: Changes) -> None:
        # Read outside of the measurement, for the versions of SQL.
        self._each(name, self._read(), lambda record: self._applied(record, changes))

    def _applied(self, record: Record, changes: Changes) -> None:
        outcome = self._provider.update(record, changes)
        assert outcome is Outcome.APPLIED, outcome

    def _sign_in(self) -> None:
        def moved(record: Record) -> None:
            move = Move(new_id(record.id), record.user, NOW, None, NOW + 3 * LATER)
            self._applied(record, Changes(NOW + 2 * LATER, move=move))

        self._each("sign in", self._read(), moved)

    def _list(self, user: str) -> int:
        return sum(1 for _ in self._provider.find(user, NOW))

    def _sweep(self, now: float) -> None:
        def do() -> int:
            swept = batch = self._provider.gc(now, 1000)
            while batch == 1000:
                batch = self._provider.gc(now, 1000)
                swept += batch
            return swept

        self._noting("sweep", do)
