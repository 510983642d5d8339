"""The contract over SQLite, in both colours."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import ormsgpack

from sojourn.providers.sql.sqlite import SQLiteProvider
from sojourn.record import Record
from sojourn.testing import AsyncProviderContract, ProviderContract

OPTION = ormsgpack.OPT_NON_STR_KEYS


class SQLite(ProviderContract):
    @property
    def file(self) -> Path:
        return self.folder / "sessions.db"

    def make(self) -> SQLiteProvider:
        return SQLiteProvider(self.file)

    def again(self) -> SQLiteProvider:
        return SQLiteProvider(self.file)

    def break_store(self) -> None:
        self.file.unlink(missing_ok=True)
        self.file.mkdir()

    def corrupt(self, id: str, field: bytes | None = None) -> None:
        with closing(sqlite3.connect(self.file)) as database, database:
            row = "sojourn_sessions WHERE id = ?"
            [data] = database.execute(f"SELECT fields FROM {row}", [id]).fetchone()
            if field is None:
                database.execute("UPDATE sojourn_sessions SET head = x'00' WHERE id = ?", [id])
            else:
                fields = {**ormsgpack.unpackb(data, option=OPTION), field: b"\xc1"}
                spoilt = ormsgpack.packb(fields, option=OPTION)
                database.execute(
                    "UPDATE sojourn_sessions SET fields = ? WHERE id = ?", [spoilt, id]
                )


class TestSQLite(SQLite):
    pass


class TestSQLiteOnDisk(SQLite):
    def make(self) -> SQLiteProvider:
        return SQLiteProvider(self.file, fsync=True)


class TestAsyncSQLite(SQLite, AsyncProviderContract):
    pass


class Busy(SQLiteProvider):
    """One in which each read would have to wait."""

    def read_nowait(self, id: str) -> Record | None:
        raise BlockingIOError


class TestAsyncSQLiteInThreads(SQLite, AsyncProviderContract):
    def make(self) -> SQLiteProvider:
        return Busy(self.file)
