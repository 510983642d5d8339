"""Wherever the name of a provider may stand, the URL of a store may stand too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from quart import Quart

from sojourn import AsyncManager, Manager
from sojourn.cli import main
from sojourn.web import flask, quart

BEEGOS = '{"cookieName": "gosessionid", "gclifetime": 3600, "providerConfig": ""}'


async def counted(manager: AsyncManager) -> int:
    try:
        return await manager.active_count()
    finally:
        await manager.close()


DOORS: dict[str, Callable[[str], int]] = {
    "Manager": lambda url: Manager(url).active_count(),
    "Manager in Beego's form": lambda url: Manager(url, BEEGOS).active_count(),
    "AsyncManager": lambda url: asyncio.run(counted(AsyncManager(url, BEEGOS))),
    "Flask": lambda url: flask.install(Flask(__name__), url).active_count(),
    "Quart": lambda url: asyncio.run(counted(quart.install(Quart(__name__), url))),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_url_may_stand_for_a_name(door: str, tmp_path: Path) -> None:
    with Manager("sqlite", provider_config=str(tmp_path / "a.db")).open({}) as session:
        session["n"] = 1
    assert DOORS[door](f"sqlite:///{tmp_path}/a.db") == 1


def test_the_command_takes_one_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with Manager(url).open({}) as session:
        session["n"] = 1
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"provider": url, **json.loads(BEEGOS)}))
    for words in (["--provider", url], ["--config", str(settings)]):
        assert main(["count", *words]) == 0
    assert capsys.readouterr().out == "1 live\n" * 2
