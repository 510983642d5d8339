"""Floors of one process without a server: a codec, a token, a dictionary, files."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from asyncio import Runner
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import ormsgpack

from bench.payloads import PAYLOADS

LOOKUP, OPEN = "dict lookup", "open + read + close"
REPLACE, CREATE = "temporary file + rename over a file", "temporary file + rename to a new name"
ENCODE, DECODE, TOKEN = "ormsgpack encode", "ormsgpack decode", "token + HMAC"

Floors = dict[str, Callable[[], object]]


@contextmanager
def memory(size: str, _folder: Path, _loop: Runner) -> Iterator[Floors]:
    """Yield operations on a dictionary, and those that every store needs."""
    payload = PAYLOADS[size]
    data = ormsgpack.packb(payload)
    held = {hashlib.sha256(str(n).encode()).hexdigest(): data for n in range(1000)}
    known = next(iter(held))
    yield {
        LOOKUP: lambda: held[known],
        ENCODE: lambda: ormsgpack.packb(payload),
        DECODE: lambda: ormsgpack.unpackb(data),
        TOKEN: _token,
    }


@contextmanager
def files(size: str, folder: Path, _loop: Runner) -> Iterator[Floors]:
    """Yield operations on files that are renamed into place."""
    data = ormsgpack.packb(PAYLOADS[size])
    _write(folder, "session", data)
    names = count()
    yield {
        OPEN: lambda: _read(f"{folder}/session"),
        CREATE: lambda: _write(folder, f"session{next(names)}", data),
        REPLACE: lambda: _write(folder, "session", data),
    }


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 65_536)
    finally:
        os.close(fd)


def _write(folder: Path, name: str, data: bytes) -> None:
    fd = os.open(f"{folder}/.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
    os.rename(f"{folder}/.new", f"{folder}/{name}")  # noqa: PTH104 - the floor is the system call


def _token() -> str:
    token = secrets.token_urlsafe(32)
    return hmac.digest(b"", token.encode(), "sha256").hex()
