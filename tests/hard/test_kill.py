"""Law 11: 500 writers are killed in the middle of their work, and nobody else notices."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sojourn import Manager, Session
from sojourn.providers.file import FileProvider
from tests.parallel.writer import SHARED, Story, items_of, stories_of

ROOT = Path(__file__).parents[2]
KILLS = 500


class Ruins:
    """The folder afterwards, and what the dead had been promised."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.hard.victims", str(folder), str(KILLS)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        told = json.loads(done.stdout)
        self.folder = folder
        self.provider = FileProvider(folder)
        self.manager = Manager(self.provider)
        self.shared: str = told["shared"]
        self.of_the_shared = list[Story]()
        self.of_others = dict[str, Story]()
        for journal in told["journals"]:
            stories = dict(stories_of(journal))
            self.of_the_shared.append(stories.pop(SHARED, Story()))
            self.of_others |= stories

    def open(self, token: str) -> Session | None:
        session = self.manager.start({"Cookie": f"session={token}"})
        return None if session.is_new else session

    def files(self) -> list[Path]:
        return [path for path in self.folder.glob("?/?/*") if path.is_file()]


@pytest.fixture(scope="module")
def ruins(tmp_path_factory: pytest.TempPathFactory) -> Ruins:
    return Ruins(tmp_path_factory.mktemp("sessions"))


def test_death_came_in_the_middle_of_things(ruins: Ruins) -> None:
    """Else the other tests would prove little."""
    stories = [*ruins.of_others.values(), *ruins.of_the_shared]
    under_way = [verb for story in stories for verb in story.under_way]
    assert {"begin", "save", "renew", "end"} <= set(under_way)
    assert len(under_way) > KILLS / 2


def test_every_file_is_whole(ruins: Ruins) -> None:
    for path in ruins.files():
        if path.name != ".new":
            assert ruins.provider.read(path.name) is not None
    for info in ruins.manager.sessions():
        with ruins.manager.open_id(info.id) as session:
            items_of(session)


def test_nothing_acknowledged_is_missing_from_the_shared_session(ruins: Ruins) -> None:
    session = ruins.open(ruins.shared)
    assert session is not None
    items = items_of(session)
    saved = set[str]().union(*(story.saved for story in ruins.of_the_shared))
    tried = {item for story in ruins.of_the_shared for item in story.under_way.values()}
    assert saved <= items <= saved | tried


def test_nothing_acknowledged_is_missing_from_the_others(ruins: Ruins) -> None:
    """Each is as before or after what was under way; a new id may be one that nobody was told."""
    for name, story in ruins.of_others.items():
        found = list(ruins.manager.sessions(name))
        assert found or story.ended or {"begin", "end"} & story.under_way.keys()
        for info in found:
            with ruins.manager.open_id(info.id) as session:
                items = items_of(session)
                assert session["name"] == name
            assert story.saved <= items <= story.saved | set(story.under_way.values())


def test_no_session_opens_with_two_tokens(ruins: Ruins) -> None:
    """With the last one that was handed out, or with none where its writer died over it."""
    for story in ruins.of_others.values():
        opening = [token for token in story.tokens if ruins.open(token)]
        assert opening in ([], story.tokens[-1:])
        assert not (opening and story.ended)
        assert opening or story.ended or {"begin", "end", "renew"} & story.under_way.keys()


def test_the_index_of_users_is_complete(ruins: Ruins) -> None:
    for info in ruins.manager.sessions():
        if info.user is not None:
            assert info in list(ruins.manager.sessions(info.user))


def test_gc_leaves_the_living_alone_and_nothing_else(ruins: Ruins) -> None:
    """What was killed in the middle of a move is one file too many at most, and no temporary one."""
    living = {info.id for info in ruins.manager.sessions()}
    retired = time.time() + ruins.manager.config.retired_for + 1
    while ruins.provider.gc(retired, 1000) == 1000:
        pass
    assert {path.name for path in ruins.files()} == living
    assert ruins.provider.count(retired) == len(living)
    assert ruins.open(ruins.shared) is not None
