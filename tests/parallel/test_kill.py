"""Law 11: whatever is killed, and whenever, sessions are whole and what was acknowledged stands."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

import pytest

from sojourn import Manager, Session
from sojourn.providers.file import FileProvider
from tests.parallel.processes import hear, killed, python, say
from tests.parallel.writer import SHARED, Story, items_of, stories_of

KILLS, AT_A_TIME = 60, 3
LONGEST_LIFE = 0.08
"""Seconds of writing that the luckiest writer gets."""


class Aftermath:
    """A folder of sessions in which all writers were killed, and what they had been promised."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.provider = FileProvider(folder)
        self.manager = Manager(self.provider)
        session = self.manager.start({})
        session["name"] = SHARED
        self.shared = self.manager.release(session).token or ""
        self.of_the_shared = list[Story]()
        self.of_others = dict[str, Story]()

    def open(self, token: str) -> Session | None:
        """The living session that a token opens."""
        session = self.manager.start({"Cookie": f"session={token}"})
        return None if session.is_new else session

    def let_die(self, first: int, dice: random.Random) -> None:
        """Let a few writers write, and kill one after the other."""
        with contextlib.ExitStack() as stack:
            writers = [
                stack.enter_context(python("-m", "tests.parallel.writer", self.folder, number))
                for number in range(first, first + AT_A_TIME)
            ]
            assert [hear(writer) for writer in writers] == ["ready"] * AT_A_TIME
            for writer in writers:
                say(writer, self.shared)
            beginnings = [hear(writer) for writer in writers]
            for writer, beginning in zip(writers, beginnings, strict=True):
                self._watch(time.monotonic() + dice.uniform(0, LONGEST_LIFE))
                stories = dict(stories_of([beginning, *killed(writer)]))
                self.of_the_shared.append(stories.pop(SHARED, Story()))
                self.of_others |= stories

    def _watch(self, until: float) -> None:
        """Read the shared session over and over: it is whole at all times."""
        while time.monotonic() < until:
            session = self.open(self.shared)
            assert session is not None
            items_of(session)

    def files(self) -> list[Path]:
        return [path for path in self.folder.glob("?/?/*") if path.is_file()]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    aftermath = Aftermath(tmp_path_factory.mktemp("sessions"))
    dice = random.Random(KILLS)
    for first in range(0, KILLS, AT_A_TIME):
        aftermath.let_die(first, dice)
    return aftermath


def test_the_writers_did_something_before_they_were_killed(aftermath: Aftermath) -> None:
    stories = aftermath.of_others.values()
    assert max(len(story.tokens) for story in stories) > 1
    assert any(story.ended for story in stories)
    assert any(story.under_way for story in stories)


def test_every_file_can_be_read(aftermath: Aftermath) -> None:
    ids = [path.name for path in aftermath.files() if path.name != ".new"]
    assert None not in [aftermath.provider.read(id) for id in ids]


def test_the_shared_session_holds_what_was_acknowledged(aftermath: Aftermath) -> None:
    session = aftermath.open(aftermath.shared)
    assert session is not None
    items = items_of(session)
    saved = set[str]().union(*(story.saved for story in aftermath.of_the_shared))
    tried = {item for story in aftermath.of_the_shared for item in story.under_way.values()}
    assert saved - items == set()
    assert items - saved - tried == set()


def test_only_the_last_token_of_a_session_opens_it(aftermath: Aftermath) -> None:
    for story in aftermath.of_others.values():
        opening = [token for token in story.tokens if aftermath.open(token)]
        last = story.tokens[-1:]
        if story.ended:
            assert opening == []
        elif {"renew", "end"} & story.under_way.keys():
            assert opening in ([], last)
        else:
            assert opening == last


def test_other_sessions_hold_what_was_acknowledged(aftermath: Aftermath) -> None:
    for name, story in aftermath.of_others.items():
        found = list(aftermath.manager.sessions(name))
        if not story.ended and not {"begin", "end"} & story.under_way.keys():
            assert found
        for info in found:
            with aftermath.manager.open_id(info.id) as session:
                assert session["name"] == name
                items = items_of(session)
            assert story.saved <= items <= story.saved | set(story.under_way.values())


def test_the_index_of_users_names_every_session(aftermath: Aftermath) -> None:
    for info in aftermath.manager.sessions():
        if info.user is not None:
            assert info in aftermath.manager.sessions(info.user)


def test_no_session_stands_twice_but_where_a_writer_was_killed(aftermath: Aftermath) -> None:
    for name, story in aftermath.of_others.items():
        found = list(aftermath.manager.sessions(name))
        assert len(found) <= (2 if "renew" in story.under_way else 1)


def test_gc_leaves_the_living_and_no_temporary_file(aftermath: Aftermath) -> None:
    living = {info.id for info in aftermath.manager.sessions()}
    retired = time.time() + aftermath.manager.config.retired_for + 1
    while aftermath.provider.gc(retired, 1000) == 1000:
        pass
    assert {path.name for path in aftermath.files()} == living
    assert aftermath.provider.count(retired) == len(living)
