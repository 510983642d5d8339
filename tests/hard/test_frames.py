"""Law 13: what lies under an id comes back, and what somebody broke is a record or a clear error."""

from __future__ import annotations

import contextlib
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sojourn import CorruptRecord, Manager
from sojourn.providers.file import FileProvider
from sojourn.providers.serialization import expiry, pack, unpack
from sojourn.record import NO_FIELDS, Record
from sojourn.testing import FakeClock
from tests.hard.records import NOW, OLD_ID, RECORDS

Edit = tuple[int, int, bytes]
EDITS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 12), st.binary(max_size=12)),
    min_size=1,
    max_size=3,
)
"""Where, how many bytes are taken there, and what is put in their place."""


def edited(data: bytes, edits: list[Edit]) -> bytes:
    for place, taken, put in edits:
        at = place % (len(data) + 1)
        data = data[:at] + put + data[at + taken :]
    return data


@given(RECORDS)
def test_a_record_comes_back(record: Record) -> None:
    data = pack(record)
    assert unpack(OLD_ID, data) == record
    assert [type(part) for part in unpack(OLD_ID, data)] == [type(part) for part in record]
    assert expiry(data) == record.expires


@given(RECORDS, st.integers(1, 400))
def test_a_part_of_a_record_is_none(record: Record, missing: int) -> None:
    with pytest.raises(CorruptRecord) as caught:
        unpack(OLD_ID, pack(record)[:-missing])
    assert caught.value.id == OLD_ID


def check_sound(record: Record) -> None:
    """Whether everything else can work with it."""
    assert record.id == OLD_ID
    assert all(type(part) is bytes for pair in record.fields.items() for part in pair)
    for moment in (record.created, record.seen, record.expires):
        assert type(moment) is float
        assert math.isfinite(moment)
    for maybe in (record.authenticated, record.lifetime):
        assert maybe is None or (type(maybe) is float and math.isfinite(maybe))
    for text in (record.user, record.successor):
        assert text is None or type(text) is str
    assert record.about is None or type(record.about) is dict
    assert type(record.persistent) is bool
    assert type(record.version) is int


@settings(max_examples=1500)
@given(RECORDS, EDITS)
def test_broken_bytes_are_a_record_or_a_clear_error(record: Record, edits: list[Edit]) -> None:
    with contextlib.suppress(CorruptRecord):
        check_sound(unpack(OLD_ID, edited(pack(record), edits)))


@given(st.binary(max_size=100))
@example(b"")
@example(b"\x9c" + b"\x91" * 2000)
def test_any_bytes_are_a_record_or_a_clear_error(data: bytes) -> None:
    with contextlib.suppress(CorruptRecord):
        check_sound(unpack(OLD_ID, data))


class Broken:
    """A folder of sessions in which one file was broken, and one was not."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(NOW)
        self.provider = FileProvider(folder)
        self.manager = Manager(self.provider, clock=self.clock, absolute_lifetime=None)
        self.sound = self.begin()
        self.token = self.begin()
        self.id = self.manager._life.id_of(self.token)
        self.file = folder / self.id[0] / self.id[1] / self.id

    def begin(self) -> str:
        session = self.manager.start({})
        session.login("ada")
        session["a"] = 1
        return str(self.manager.release(session).token)

    def check(self) -> None:
        """Nothing raises what no application expects, and the other session goes on."""
        for call in (self.visit, self.count, self.list, self.sweep, self.count, self.visit):
            call()
            self.clock.advance(1)
        assert self.manager.start({"Cookie": f"session={self.sound}"})["a"] == 1

    def visit(self) -> None:
        session = self.manager.start({"Cookie": f"session={self.token}"})
        session["b"] = 1
        self.manager.release(session)

    def count(self) -> None:
        assert self.manager.active_count() >= 1

    def list(self) -> None:
        assert self.sound_id in {info.id for info in self.manager.sessions("ada")}
        assert self.sound_id in {info.id for info in self.manager.sessions()}

    def sweep(self) -> None:
        self.manager.gc()

    @property
    def sound_id(self) -> str:
        return self.manager._life.id_of(self.sound)


def packed(**parts: object) -> bytes:
    record = Record(OLD_ID, NO_FIELDS, NOW - 900, NOW - 900, NOW - 1)
    return pack(record._replace(**parts))  # type: ignore[arg-type]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(RECORDS.map(pack).flatmap(lambda data: EDITS.map(lambda edits: edited(data, edits))))
@example(packed(user=7))
@example(packed(expires=math.inf))
@example(packed(expires=math.nan))
@example(packed(expires=1e300))
@example(packed(successor=7, expires=NOW + 1))
@example(packed(successor="../../x", expires=NOW + 1))
@example(packed(lifetime="x", expires=NOW + 900))
@example(packed(lifetime=math.nan, expires=NOW + 900))
@example(packed(lifetime=math.inf, expires=NOW + 900))
@example(packed(lifetime=1e300, expires=NOW + 900))
@example(packed(lifetime=-1e300, expires=NOW + 900))
@example(packed(persistent=7, expires=NOW + 900))
@example(packed(fields={b"a": 7}, expires=NOW + 900))
@example(packed(fields={7: b"a"}, expires=NOW + 900))
def test_a_broken_file_breaks_nothing_else(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        broken = Broken(Path(name))
        broken.file.write_bytes(data)
        broken.check()
        broken.clock.advance(3600 * 24)
        broken.manager.gc()
        broken.manager.destroy(broken.id)
        assert not list(Path(name).rglob(".new"))
