"""The stores on which Sojourn is measured, each of them empty."""

# ruff: noqa: D102 - methods are documented in `Provider`

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from bench import servers
from sojourn import AsyncManager, Manager
from sojourn.providers.compare_and_swap import CompareAndSwapProvider
from sojourn.record import Record

M = TypeVar("M", Manager, AsyncManager)


def managed(manager: type[M], store: str, folder: Path, **settings: Any) -> M:
    """Return a manager over an empty store."""
    name = "redis" if store == "cluster" else store
    return manager(name, provider_config=address(store, folder), **settings)


def address(store: str, folder: Path) -> str | None:
    """Return the `provider_config` of an empty store for the provider with this name."""
    match store:
        case "memory":
            return None
        case "file":
            return str(folder)
        case "redis":
            return servers.empty_redis()
        case "cluster":
            return servers.cluster().url()
        case "sqlite":
            return str(unused(folder / "sessions.db"))
        case _:
            return servers.empty_database(store)


def unused(path: Path) -> Path:
    """Return a path after deleting the file there, and its log if it has one."""
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    return path


class OwnProvider(CompareAndSwapProvider):
    """A provider as an application may write it: four methods over a dictionary of records."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._lock = Lock()

    def read(self, id: str) -> Record | None:
        return self._records.get(id)

    def create(self, record: Record) -> bool:
        return self._records.setdefault(record.id, record) is record

    def swap(self, old: Record, new: Record | None) -> bool:
        with self._lock:
            stands = self._records.get(old.id)
            if stands is None or stands.version != old.version:
                return False
            if new is None:
                del self._records[old.id]
            else:
                self._records[old.id] = new
            return True

    def scan(self) -> Iterator[Record]:
        yield from list(self._records.values())
