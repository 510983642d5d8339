"""The words of commands, as they are handed to hiredis."""

from __future__ import annotations

import pytest

from sojourn.providers.redis import census, checks, slots, verbs
from sojourn.providers.redis.executor import Waiting
from sojourn.providers.redis.layout import Layout
from sojourn.providers.redis.replies import Command
from sojourn.record import Changes, Move
from tests.redis.stores import record_of

LAYOUT = Layout("sojourn")
RECORD = record_of("words", user="ada")
NOW = RECORD.seen
MOVE = Move(RECORD.id[:2] + "0" * 62, "ada", NOW, {"device": "x"}, NOW + 10)
CHANGES = [
    Changes(NOW),
    Changes(NOW, NOW + 60, put={b"a": b"b"}, drop=[b"c"], expect={b"a": b"c", b"d": None}),
    Changes(NOW, NOW + 60, clear=True, move=MOVE, lifetime=60.0, persistent=True),
]
COMMANDS = [
    verbs.read(LAYOUT, RECORD.id),
    verbs.create(LAYOUT, RECORD),
    *(verbs.update(LAYOUT, RECORD.id, changes) for changes in CHANGES),
    verbs.destroy(LAYOUT, RECORD.id),
    *census.count(LAYOUT, NOW),
    *census.due(LAYOUT, NOW),
    census.sweep(LAYOUT, "ab", NOW, 200),
    *census.of_user(LAYOUT, "ada"),
    census.of_tag(LAYOUT, "ab"),
    census.head_of(LAYOUT, RECORD.id),
    *census.sizes(LAYOUT),
    census.enter(LAYOUT, RECORD.id),
    census.verify(LAYOUT, "ab", census.LIVE, 0),
    census.Scan(LAYOUT, 100).command(),
    Waiting(1, 2.0).command("ab"),
    slots.QUESTION,
    *checks.QUESTIONS,
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.words[:2]))
def test_no_word_is_a_number(command: Command) -> None:
    """hiredis turns a number into text, and ends the process if that is interrupted."""
    assert {type(word) for word in command.words} <= {str, bytes}
