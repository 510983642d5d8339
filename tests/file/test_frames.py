"""What a file may hold: a frame whose parts have a wrong type or shape is no record."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ormsgpack import OPT_NON_STR_KEYS, packb

from sojourn.errors import CorruptRecord
from sojourn.providers.serialization import FORM, pack, unpack
from sojourn.record import Record

ID, NEXT = "ab" + "0" * 62, "ab" + "1" * 62
RECORD = Record(ID, {b"k": b"v"}, 1000.0, 1000.0, 2000.0, "ada")


@pytest.mark.parametrize(
    "parts",
    [
        {"about": {1: 2}}, {"about": {"a": 2}}, {"about": {1: "a"}}, {"about": {"a": None}},
        {"about": {"a": b"b"}}, {"about": []}, {"about": "a"}, {"about": {"a": {"b": "c"}}},
        {"successor": "../../x"}, {"successor": ""}, {"successor": "ab"}, {"successor": 7},
        {"successor": NEXT.upper()}, {"successor": NEXT + "\n"}, {"successor": "ab" * 65},
        {"successor": NEXT[:-1]}, {"successor": ID}, {"successor": b"ab" * 32},
        {"user": 7}, {"user": b"ada"}, {"user": ["ada"]}, {"user": False},
        {"lifetime": 0.0}, {"lifetime": -1.0}, {"lifetime": math.inf}, {"lifetime": math.nan},
        {"lifetime": 60}, {"lifetime": 1e300}, {"lifetime": True},
        {"created": -1.0}, {"created": math.nan}, {"seen": math.inf}, {"expires": math.nan},
        {"expires": 2000}, {"expires": None}, {"authenticated": math.inf}, {"authenticated": 7},
        {"version": 2**63}, {"version": 2**64 - 1}, {"version": -1}, {"version": 1.0},
        {"version": True}, {"version": None}, {"persistent": 1}, {"persistent": None},
        {"fields": {b"k": "v"}}, {"fields": {"k": b"v"}}, {"fields": {b"k": None}}, {"fields": []},
        {"fields": None},
    ],
    ids=repr,
)  # fmt: skip
def test_a_part_of_another_shape_makes_it_corrupt(parts: dict[str, Any]) -> None:
    with pytest.raises(CorruptRecord) as caught:
        unpack(ID, pack(RECORD._replace(**parts)))
    assert caught.value.id == ID


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"about": {}},
        {"about": {"device": "x"}},
        {"successor": NEXT, "user": None},
        {"successor": "ab" * 16},
        {"lifetime": 0.001},
        {"version": 2**62},
        {"user": ""},
        {"user": None, "fields": {}},
        {"created": 0.0, "authenticated": 0.0},
    ],
    ids=repr,
)
def test_any_other_is_read(parts: dict[str, Any]) -> None:
    record = RECORD._replace(**parts)
    assert unpack(ID, pack(record)) == record


@pytest.mark.parametrize("parts", [[], [b"more"], [None, {}], list(RECORD)])
def test_a_frame_of_another_length_is_corrupt(parts: list[Any]) -> None:
    frame = packb((FORM, *RECORD[2:], *parts, RECORD.fields), option=OPT_NON_STR_KEYS)
    if not parts:
        assert unpack(ID, frame) == RECORD
        frame = packb((FORM, *RECORD[2:-1], RECORD.fields), option=OPT_NON_STR_KEYS)
    with pytest.raises(CorruptRecord):
        unpack(ID, frame)
