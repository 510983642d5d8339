"""What a server must not do to a provider: the verbs, and how their outcomes are judged."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

from sojourn.errors import CorruptRecord, SessionTooLarge, StoreError
from sojourn.providers.base import Provider
from sojourn.record import Changes, Move, Outcome, Record
from tests.redis.stores import HOUR, id_of, record_of

NOW = time.time()
RECORD = record_of("one", tag="ab", user="ada", now=NOW)
NEXT = id_of("next", "ab")
SECRET = "QXZ"
"""Begins what stands in passwords, in replies, and in no error."""

VERBS: dict[str, Callable[[Any], Any]] = {
    "read": lambda store: store.read(RECORD.id),
    "create": lambda store: store.create(RECORD),
    "put": lambda store: store.update(RECORD, Changes(NOW, put={b"a": b"2"}, expect={b"a": b"1"})),
    "touch": lambda store: store.update(RECORD, Changes(NOW, expires=NOW + HOUR)),
    "move": lambda store: store.update(
        RECORD, Changes(NOW, move=Move(NEXT, "eve", NOW, None, NOW + 10))
    ),
    "destroy": lambda store: store.destroy(RECORD.id),
    "find a user's": lambda store: [*store.find("ada", NOW)],
    "find all": lambda store: [*store.find(None, NOW)],
    "count": lambda store: store.count(NOW),
    "gc": lambda store: store.gc(NOW, 1000),
    "repair": lambda store: store.repair(),
    "check": lambda store: store.check(),
}
REFUSALS = (StoreError, CorruptRecord, SessionTooLarge)


def refusal(store: Provider, verb: str) -> Exception | None:
    """Run a verb; return how it was refused.  Anything else that it raises fails the test."""
    try:
        result = VERBS[verb](store)
    except REFUSALS as error:
        shown = "".join(traceback.format_exception(error)) + repr(error)
        assert SECRET not in shown, shown
        return error
    assert is_possible(verb, result), (verb, result)
    return None


def is_possible(verb: str, result: Any) -> bool:
    """Whether a verb may return that."""
    match verb:
        case "read" | "destroy":
            return result is None or is_sound(result)
        case "create":
            return type(result) is bool
        case "put" | "touch" | "move":
            return isinstance(result, Outcome) or is_sound(result)
        case "find a user's" | "find all":
            return all(map(is_sound, result))
        case "count" | "gc" | "repair":
            return type(result) is int and result >= 0
    return type(result) is list and all(type(warning) is str for warning in result)


def is_sound(record: Any) -> bool:
    """Whether everything in a record is of its type."""
    times = (record.created, record.seen, record.expires)
    return (
        isinstance(record, Record)
        and all(type(word) is bytes for pair in record.fields.items() for word in pair)
        and all(type(seconds) is float and 0 <= seconds < 1e12 for seconds in times)
        and type(record.user) in (str, type(None))
        and (record.successor is None or len(bytes.fromhex(record.successor)) >= 16)
    )
