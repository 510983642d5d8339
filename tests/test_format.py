"""`docs/format.md`: its examples are what the code writes, and what it reads."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from typing import Any, NamedTuple

import pytest

from sojourn.codec import Codec, decode_key, encode_key
from sojourn.codec.msgpack import Mark
from sojourn.codec.scalars import READERS
from sojourn.providers import serialization
from sojourn.providers.redis import layout
from sojourn.providers.sql.rows import Row
from sojourn.providers.sql.statements import LAYOUT
from sojourn.record import Record
from tests.architecture.pages import ROOT

PAGE = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(.+?)` \| `((?:[0-9a-f]{2} ?)+)` \|$", re.MULTILINE)


class Color(NamedTuple):
    name: str


CODEC = Codec({"color": (Color, lambda color: color.name, Color)})
NAMES = {**vars(dt), **vars(decimal), **vars(uuid), "Color": Color}
EXAMPLE = Record(
    "3f" * 32,
    {encode_key("visits"): CODEC.encode(3)},
    created=1000.0,
    seen=1000.0,
    expires=2000.0,
    user="ada",
    authenticated=1000.0,
    about={"device": "phone"},
    persistent=True,
)


def rows_of(title: str) -> list[tuple[str, bytes]]:
    """The rows with bytes of the section with that title: what is stored, and how."""
    section = re.split(r"^#+ ", PAGE.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [(name, bytes.fromhex(data)) for name, data in ROW.findall(section)]
    assert rows, title
    return rows


VALUES = [
    row
    for title in ("Values", "Scalars that MessagePack lacks", "Containers that MessagePack lacks")
    for row in rows_of(title)
]


def named(expression: str) -> Any:
    return eval(expression, dict(NAMES))


@pytest.mark.parametrize(("expression", "data"), VALUES, ids=[name for name, _ in VALUES])
def test_values(expression: str, data: bytes) -> None:
    value = named(expression)
    assert CODEC.encode(value) == data
    back = CODEC.decode(data)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(("expression", "data"), rows_of("Keys"))
def test_keys(expression: str, data: bytes) -> None:
    assert encode_key(named(expression)) == data
    assert decode_key(data) == named(expression)


def test_a_record_as_one_value() -> None:
    [(name, data)] = rows_of("As one value: memory, files, custom providers")
    assert name == "example"
    assert serialization.pack(EXAMPLE) == data
    assert serialization.unpack(EXAMPLE.id, data) == EXAMPLE


def test_a_record_in_redis() -> None:
    [(name, data)] = rows_of("In Redis")
    assert name == "example"
    assert layout.frame(EXAMPLE) == data
    assert layout.unframed(EXAMPLE.id, data, EXAMPLE.fields) == EXAMPLE


def test_the_page_lists_all_extensions() -> None:
    values = PAGE.split("## Values\n", 1)[1].split("\n## ", 1)[0]
    listed = [int(number) for number in re.findall(r"^\| (\d+) \| ", values, re.MULTILINE)]
    assert listed == [*READERS, *(mark.value for mark in Mark)]


def test_the_table_of_sql() -> None:
    section = PAGE.split("### In SQL\n", 1)[1]
    assert f"`{LAYOUT}`" in section
    columns = [
        name.strip()
        for names in re.findall(r"^\| ([a-z, ]+) \|", section, re.MULTILINE)
        for name in names.split(",")
    ]
    assert columns == ["column", *Row._fields]
