"""What no library can go below: the store's own operations and one pass of a codec."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from itertools import count, repeat
from pathlib import Path
from time import perf_counter

import ormsgpack

from bench.payloads import PAYLOADS

LOOKUP, OPEN = "dict lookup", "open + read + close"
REPLACE, CREATE = "temporary file + rename over a file", "temporary file + rename to a new name"
ENCODE, DECODE, TOKEN = "ormsgpack encode", "ormsgpack decode", "token + HMAC"
NAMES = (LOOKUP, ENCODE, DECODE, TOKEN, OPEN, CREATE, REPLACE)

BLOCKS = 5
"""How often a floor is timed in a round."""

SUMS = {
    ("memory", "read"): (LOOKUP, DECODE),
    ("memory", "write"): (LOOKUP, DECODE, ENCODE, LOOKUP),
    ("memory", "new"): (TOKEN, ENCODE, LOOKUP),
    ("file", "read"): (OPEN, DECODE),
    ("file", "write"): (OPEN, DECODE, ENCODE, REPLACE),
    ("file", "new"): (TOKEN, ENCODE, CREATE),
}
"""What a request needs at least, if the whole session goes through the codec."""
STORES = tuple(dict.fromkeys(store for store, _ in SUMS))
"""The stores that have a floor; in these we are compared."""


def timed(size: str, folder: Path, seconds: float) -> Iterator[tuple[str, float]]:
    """Yield (name, microseconds) of each floor, several times."""
    for name, function in _functions(size, str(folder)).items():
        yield from ((name, cost) for cost in _microseconds(function, seconds))


def _functions(size: str, folder: str) -> dict[str, Callable[[], object]]:
    payload = PAYLOADS[size]
    data = ormsgpack.packb(payload)
    held = {hashlib.sha256(str(n).encode()).hexdigest(): data for n in range(1000)}
    known = next(iter(held))
    _write(folder, "session", data)
    path = f"{folder}/session"
    names = count()
    return {
        LOOKUP: lambda: held[known],
        ENCODE: lambda: ormsgpack.packb(payload),
        DECODE: lambda: ormsgpack.unpackb(data),
        TOKEN: _token,
        OPEN: lambda: _read(path),
        CREATE: lambda: _write(folder, f"session{next(names)}", data),
        REPLACE: lambda: _write(folder, "session", data),
    }


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 65_536)
    finally:
        os.close(fd)


def _write(folder: str, name: str, data: bytes) -> None:
    fd = os.open(f"{folder}/.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
    os.rename(f"{folder}/.new", f"{folder}/{name}")  # noqa: PTH104 - the floor is the system call


def _token() -> str:
    token = secrets.token_urlsafe(32)
    return hmac.digest(b"", token.encode(), "sha256").hex()


def _nothing() -> None:
    pass


def _microseconds(function: Callable[[], object], seconds: float) -> list[float]:
    once = max(_loop(function, 5) / 5, 1e-8)
    times = max(5, int(seconds / once))
    return [
        max(0.0, (_loop(function, times) - _loop(_nothing, times)) / times * 1e6)
        for _ in range(BLOCKS)
    ]


def _loop(function: Callable[[], object], times: int) -> float:
    begin = perf_counter()
    for _ in repeat(None, times):
        function()
    return perf_counter() - begin
