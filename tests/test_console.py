"""The commands that the pages show are run as a reader would type them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sojourn import Manager
from sojourn.providers.file import FileProvider
from tests.architecture.pages import PAGES, SHOWN, blocks_of, name_of
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

ELSEWHERE = {"flask", "make", "pytest", "python", "redis-cli"}
"""Commands that are no concern of this test: those of others, and those with tests of their own."""
AN_ID = "3f81…"
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def commands_of(page: Path) -> list[tuple[str, str]]:
    """The commands in the console blocks of a page, each with what it prints there."""
    blocks = [block for block in blocks_of(page, "console") if block.reason is None]
    found = [match.groups() for block in blocks for match in COMMAND.finditer(block.source)]
    return [(command.partition("  #")[0].rstrip(), said) for command, said in found]


OURS = [page for page in PAGES if any(one.startswith("sojourn") for one, _ in commands_of(page))]


def test_every_command_of_the_pages_is_known() -> None:
    words = {shlex.split(command)[0] for page in PAGES for command, _ in commands_of(page)}
    assert words == ELSEWHERE | {"sojourn"}


@pytest.fixture
def folder(tmp_path: Path, postgres: Postgres) -> Path:
    """What the pages take for granted: three sessions in `sessions`, and two configurations."""
    manager = Manager(FileProvider(tmp_path / "sessions"))
    for _ in range(3):
        with manager.open({}) as session:
            session.login("ada")
    configurations: dict[str, dict[str, Any]] = {
        "app": {"provider": "file", "provider_config": "./sessions"},
        "admin": {"provider": "postgres", "provider_config": postgres.url()},
    }
    for name, settings in configurations.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(settings))
    return tmp_path


@pytest.mark.parametrize("page", OURS, ids=name_of)
def test_the_commands_of_a_page_work(page: Path, folder: Path, redis_server: Redis) -> None:
    redis_server.flush()
    id = next(Manager(FileProvider(folder / "sessions")).sessions()).id
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for shown, said in commands_of(page):
        if shown.startswith("sojourn"):
            command = shown.replace(SHOWN["redis_server"], redis_server.address)
            ran = subprocess.run(
                ["/bin/bash", "-c", command.replace(AN_ID, id)],
                cwd=folder,
                env={**os.environ, "PATH": path, "ID": id},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert (ran.returncode, ran.stderr) == (0, ""), command
            assert said in ("", ran.stdout), command
