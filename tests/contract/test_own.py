"""The contract over providers that an application wrote itself."""

from __future__ import annotations

import inspect
import sqlite3
from pathlib import Path

import pytest

from sojourn import AsyncManager, Manager, register
from sojourn.providers.serialization import pack, unpack
from sojourn.testing import AsyncProviderContract, ProviderContract
from tests.contract.own import OwnAssigningProvider, OwnAsyncProvider, OwnProvider


class Own(ProviderContract):
    def make(self) -> OwnProvider:
        return OwnProvider(self.folder / "sessions.db")

    def again(self) -> OwnProvider:
        return self.make()

    def break_store(self) -> None:
        (self.folder / "sessions.db").unlink()
        (self.folder / "sessions.db").mkdir()

    def corrupt(self, id: str, field: bytes | None = None) -> None:
        with sqlite3.connect(self.folder / "sessions.db") as database:
            at = "WHERE id = ?"
            [frame] = database.execute(f"SELECT frame FROM sessions {at}", [id]).fetchone()
            if field is None:
                spoilt = frame[:-1]
            else:
                record = unpack(id, frame)
                spoilt = pack(record._replace(fields={**record.fields, field: b"\xc1"}))
            database.execute(f"UPDATE sessions SET frame = ? {at}", [spoilt, id])
        database.close()


class TestOwn(Own):
    pass


class TestOwnThatAssigns(Own):
    def make(self) -> OwnAssigningProvider:
        return OwnAssigningProvider(self.folder / "sessions.db")


class TestOwnThroughThreads(Own, AsyncProviderContract):
    pass


class TestOwnAsync(AsyncProviderContract):
    async def make(self) -> OwnAsyncProvider:
        self.provider = OwnAsyncProvider()
        return self.provider

    async def again(self) -> OwnAsyncProvider:
        return self.provider

    async def break_store(self) -> None:
        self.provider.down = True

    async def corrupt(self, id: str, field: bytes | None = None) -> None:
        if field is None:
            self.not_applicable("corrupt() of a whole frame: it keeps objects")
        record = self.provider.records[id]
        self.provider.records[id] = record._replace(fields={**record.fields, field: b"\xc1"})


@pytest.fixture
def _registered() -> None:
    register("own", OwnProvider)


@pytest.mark.usefixtures("_registered")
def test_a_registered_provider_is_made_by_its_name(tmp_path: Path) -> None:
    manager = Manager("own", provider_config=str(tmp_path / "sessions.db"))
    with manager.open({}) as session:
        session["a"] = 1
    assert OwnProvider(tmp_path / "sessions.db").read(session.id) is not None


@pytest.mark.usefixtures("_registered")
async def test_an_async_manager_runs_it_too(tmp_path: Path) -> None:
    manager = AsyncManager("own", provider_config=str(tmp_path / "sessions.db"))
    async with manager.open({}) as session:
        session["a"] = 1
    assert await manager.active_count() == 1


def test_the_docs_show_this_very_provider() -> None:
    page = Path(__file__).parents[2] / "docs" / "own-providers.md"
    assert inspect.getsource(OwnProvider) in page.read_text(encoding="utf-8")
