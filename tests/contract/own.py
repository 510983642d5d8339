"""Two providers of one's own, as `docs/own-providers.md` shows how to write them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sojourn import (
    AsyncCompareAndSwapProvider,
    CompareAndSwapProvider,
    CorruptRecord,
    Record,
    StoreUnavailable,
)
from sojourn.providers.serialization import pack, unpack
from sojourn.record import Assignment, is_live, size_of

TABLE = """CREATE TABLE IF NOT EXISTS sessions
    (id TEXT PRIMARY KEY, version INT, expires REAL, frame BLOB)"""
UPDATE = """UPDATE sessions SET version = ?, expires = ?, frame = ?
    WHERE id = ? AND version = ?"""


class OwnProvider(CompareAndSwapProvider):
    """Sessions in one file of SQLite."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        with self.database() as run:
            run(TABLE)

    def read(self, id: str) -> Record | None:
        with self.database() as run:
            row = run("SELECT frame FROM sessions WHERE id = ?", [id]).fetchone()
        return unpack(id, row[0]) if row else None

    def create(self, record: Record) -> bool:
        row = record.id, record.version, record.expires, pack(record)
        with self.database() as run:
            return run("INSERT OR IGNORE INTO sessions VALUES (?, ?, ?, ?)", row).rowcount == 1

    def swap(self, old: Record, new: Record | None) -> bool:
        still = old.id, old.version
        with self.database() as run:
            if new is None:
                done = run("DELETE FROM sessions WHERE id = ? AND version = ?", still)
            else:
                done = run(UPDATE, (new.version, new.expires, pack(new), *still))
            return done.rowcount == 1

    def scan(self) -> Iterator[Record]:
        with self.database() as run:
            rows = run("SELECT id, frame FROM sessions").fetchall()
        for id, frame in rows:
            try:
                yield unpack(id, frame)
            except CorruptRecord:
                continue

    def gc(self, now: float, limit: int) -> int:
        due = "SELECT id FROM sessions WHERE expires <= ? LIMIT ?"
        with self.database() as run:
            return run(f"DELETE FROM sessions WHERE id IN ({due})", [now, limit]).rowcount

    @contextmanager
    def database(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """A connection for one call, so that any thread may make it; committed at the end."""
        try:
            with closing(sqlite3.connect(self.path)) as connection, connection:
                yield connection.execute
        except sqlite3.Error as error:
            raise StoreUnavailable("the database of the sessions does not answer") from error


class OwnAssigningProvider(OwnProvider):
    """One that takes values for a session which the caller has not read."""

    def assign(self, assignment: Assignment) -> Record | None:
        while (old := self._readable(assignment.id)) and is_live(old, assignment.now):
            new = old._replace(fields={**old.fields, **assignment.put}, version=old.version + 1)
            if size_of(new.fields) > assignment.max_size:
                return None
            interval, lifetime = assignment.touch_interval, assignment.max_lifetime
            if old.lifetime is not None:
                interval, lifetime = min(interval, old.lifetime / 60), old.lifetime
            if assignment.now - old.seen >= interval:
                limit = assignment.absolute_lifetime
                reached = assignment.now + lifetime
                latest = reached if limit is None else min(reached, old.created + limit)
                new = new._replace(seen=assignment.now, expires=max(old.expires, latest))
            if self.swap(old, new):
                return new._replace(fields={})
        return None

    def _readable(self, id: str) -> Record | None:
        with suppress(CorruptRecord):
            return self.read(id)
        return None


class OwnAsyncProvider(AsyncCompareAndSwapProvider):
    """Sessions in a dict, of which each call takes a turn of the event loop."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.down = False

    async def read(self, id: str) -> Record | None:
        await self.turn()
        return self.records.get(id)

    async def create(self, record: Record) -> bool:
        await self.turn()
        if record.id in self.records:
            return False
        self.records[record.id] = record
        return True

    async def swap(self, old: Record, new: Record | None) -> bool:
        await self.turn()
        stands = self.records.get(old.id)
        if stands is None or stands.version != old.version:
            return False
        if new is None:
            del self.records[old.id]
        else:
            self.records[old.id] = new
        return True

    async def scan(self) -> AsyncIterator[Record]:
        await self.turn()
        for record in list(self.records.values()):
            yield record

    async def turn(self) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise StoreUnavailable("down for a test")
