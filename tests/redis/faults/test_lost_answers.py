"""Law 4: what becomes of a write whose answer was lost.

The line is cut before a command was heard, in the middle of it, and after it was done.  Where it
can be told what became of it, the caller notices nothing; where it cannot, nothing is done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sojourn.errors import OutcomeUnknown, StoreUnavailable
from sojourn.record import Assignment, Changes, Merged, Outcome, Record, merge
from sojourn.testing._subject import bare
from tests.faults import lines
from tests.faults.lines import ID, LATER, MOVE, NEW_ID, NOW, RECORD, Store
from tests.faults.load import COLOURS
from tests.faults.proxy import Cut
from tests.redis.faults.lines import opened
from tests.servers.redis import Redis

CHANGES: dict[str, Any] = {
    "put": {b"a": b"2"},
    "drop": [b"b"],
    "expect": {b"a": b"1", b"b": b"1", b"c": None},
}

UNHEARD, HALF_HEARD, UNTOLD, HALF_TOLD = Cut(0.0), Cut(0.5), Cut(), Cut(told=1)
BEFORE, AFTER = (
    {"unheard": UNHEARD, "half heard": HALF_HEARD},
    {"untold": UNTOLD, "half told": HALF_TOLD},
)
CUTS = BEFORE | AFTER


WRITES: dict[str, Callable[[Store], object]] = {
    "create": lambda store: store.provider.create(RECORD._replace(id=NEW_ID)),
    "change": lambda store: store.update(put={b"a": b"2"}, expect={b"a": b"1"}),
    "assign": lambda store: store.update(put={b"a": b"2"}),
    "touch": lambda store: store.update(expires=LATER),
    "move": lambda store: store.update(move=MOVE),
    "destroy": lambda store: store.provider.destroy(ID),
}


@pytest.fixture(params=COLOURS)
def store(request: pytest.FixtureRequest, redis_server: Redis) -> Iterator[Store]:
    with opened(request.param, redis_server) as store:
        yield store
        assert store.proxy.all_cuts_were_made()


@pytest.fixture(params=CUTS)
def cut(request: pytest.FixtureRequest) -> Cut:
    return CUTS[request.param]


@pytest.fixture(params=AFTER)
def after(request: pytest.FixtureRequest) -> Cut:
    return AFTER[request.param]


@pytest.fixture(params=BEFORE)
def before(request: pytest.FixtureRequest) -> Cut:
    return BEFORE[request.param]


def test_reading_is_tried_once_more(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(mark=b"HGETALL"))
    assert store.provider.read(ID) == RECORD


def test_reading_is_given_up_after_that(store: Store, cut: Cut) -> None:
    store.cut(*[cut._replace(mark=b"HGETALL")] * 2)
    with pytest.raises(StoreUnavailable):
        store.provider.read(ID)


def test_a_session_is_begun_once(store: Store, cut: Cut) -> None:
    store.cut(cut)
    record = RECORD._replace(id=NEW_ID)
    assert store.provider.create(record) is True
    assert store.witness.read(NEW_ID) == record
    assert {found.id for found in store.witness.find("ada", NOW)} == {ID, NEW_ID}


@pytest.mark.parametrize("again", CUTS)
def test_a_beginning_that_is_lost_twice_is_in_doubt(store: Store, cut: Cut, again: str) -> None:
    store.cut(cut, CUTS[again])
    with pytest.raises(OutcomeUnknown):
        store.provider.create(RECORD._replace(id=NEW_ID))


def test_a_beginning_before_the_server_goes_is_in_doubt(store: Store, after: Cut) -> None:
    """It stands, so nobody may hear that it does not."""
    store.cut(after._replace(meanwhile=store.proxy.shut))
    with pytest.raises(OutcomeUnknown):
        store.provider.create(RECORD._replace(id=NEW_ID))
    assert store.witness.read(NEW_ID) is not None


@pytest.mark.parametrize("verb", WRITES)
def test_a_write_before_the_server_goes_is_in_doubt(store: Store, cut: Cut, verb: str) -> None:
    store.cut(cut._replace(meanwhile=store.proxy.shut))
    with pytest.raises(OutcomeUnknown):
        WRITES[verb](store)


def test_an_end_that_was_not_heard_is_made(store: Store, before: Cut) -> None:
    store.cut(before)
    ended = store.provider.destroy(ID)
    assert ended is not None
    assert ended.user == "ada"
    assert store.witness.read(ID) is None


def test_an_end_that_was_made_is_in_doubt_since_its_successor_is_not_known(
    store: Store, after: Cut
) -> None:
    store.cut(after)
    with pytest.raises(OutcomeUnknown):
        store.provider.destroy(ID)
    assert store.witness.read(ID) is None


def test_a_touch_is_made(store: Store, cut: Cut) -> None:
    store.cut(cut)
    assert store.update(expires=LATER + 9.0) is Outcome.APPLIED
    assert store.witness.read(ID) == RECORD._replace(expires=LATER + 9.0)


LIFETIME = Changes(NOW + 1.0, expires=NOW + 9e8, lifetime=9.0, persistent=True)


def test_a_lifetime_is_set(store: Store, cut: Cut) -> None:
    """Though nothing but the times tells of it."""
    store.cut(cut)
    assert store.provider.update(RECORD, LIFETIME) is Outcome.APPLIED
    expected = RECORD._replace(seen=NOW + 1.0, expires=NOW + 9e8, lifetime=9.0, persistent=True)
    assert store.witness.read(ID) == expected


@pytest.mark.parametrize(
    "theirs", [{"lifetime": 5.0}, {"persistent": False}, {"expires": NOW + 8e8}]
)
def test_a_lifetime_that_another_set_meanwhile_is_not_overwritten(
    store: Store, cut: Cut, theirs: dict[str, Any]
) -> None:
    later = LIFETIME._replace(now=NOW + 2.0, **theirs)
    store.cut(cut._replace(meanwhile=lambda: store.witness.update(RECORD, later)))
    with pytest.raises(OutcomeUnknown):
        store.provider.update(RECORD, LIFETIME)
    assert store.witness.read(ID) == merged(RECORD, later)


def test_a_touch_after_a_lifetime_leaves_no_doubt_of_it(store: Store, after: Cut) -> None:
    """It counted from the new lifetime, and is not taken back."""
    touch = Changes(NOW + 2.0, expires=NOW + 9e8 + 1.0, lifetime=9.0)
    store.cut(after._replace(meanwhile=lambda: store.witness.update(RECORD, touch)))
    assert store.provider.update(RECORD, LIFETIME) is Outcome.APPLIED
    record = store.witness.read(ID)
    assert record is not None
    assert (record.seen, record.expires) == (touch.now, touch.expires)


def merged(record: Record, changes: Changes) -> Record | None:
    """What stands after these changes."""
    result = merge(record, changes)
    assert isinstance(result, Merged)
    return bare(result.record)


def test_a_touch_of_what_ended_revives_nothing(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(meanwhile=store.ends()))
    with pytest.raises(OutcomeUnknown):
        store.update(expires=LATER)
    assert store.fields is None


def test_an_assignment_is_never_made_twice(store: Store, cut: Cut) -> None:
    """Between the two, another may have written the same key."""
    store.cut(cut._replace(meanwhile=store.puts(b=b"theirs")))
    with pytest.raises(OutcomeUnknown):
        store.update(put={b"b": b"mine"})
    assert store.fields[b"b"] == b"theirs"


MINE = Assignment(ID, {b"b": b"mine"}, NOW, 60.0, 600.0, None, 1_000_000)


def test_an_assignment_without_reading_is_never_made_twice(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(meanwhile=store.puts(b=b"theirs")))
    with pytest.raises(OutcomeUnknown):
        store.provider.assign(MINE)
    assert store.fields[b"b"] == b"theirs"


def test_an_assignment_without_reading_that_was_made_is_found(store: Store, after: Cut) -> None:
    witness: Any = store.witness
    witness.assign(MINE._replace(put={b"b": b"2"}))  # so that Redis knows the script
    store.cut(after)
    assert store.provider.assign(MINE) == RECORD._replace(fields={})
    assert store.fields[b"b"] == b"mine"


def test_an_assignment_without_reading_that_was_not_heard_is_in_doubt(
    store: Store, before: Cut
) -> None:
    store.cut(before)
    with pytest.raises(OutcomeUnknown):
        store.provider.assign(MINE)


def test_an_assignment_without_reading_to_what_ended_is_none(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(meanwhile=store.ends()))
    assert store.provider.assign(MINE) is None
    assert store.fields is None


def test_clearing_is_never_done_twice(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(meanwhile=store.puts(c=b"theirs")))
    with pytest.raises(OutcomeUnknown):
        store.update(clear=True, put={b"a": b"2"}, expect={b"a": b"1"})
    assert store.fields[b"c"] == b"theirs"


def test_a_change_of_what_was_seen_is_made(store: Store, before: Cut) -> None:
    """As it still stands as it was seen, the command was not heard."""
    store.cut(before)
    assert store.update(**CHANGES) is Outcome.APPLIED
    assert store.fields == {b"a": b"2"}


def test_a_change_of_what_was_seen_is_not_made_twice(store: Store, after: Cut) -> None:
    store.cut(after)
    with pytest.raises(OutcomeUnknown):
        store.update(**CHANGES)
    assert store.fields == {b"a": b"2"}


def test_a_change_that_another_overtook_is_in_doubt(store: Store, cut: Cut) -> None:
    """Theirs may stand on ours, or in place of it."""
    store.cut(cut._replace(meanwhile=store.puts(a=b"3")))
    with pytest.raises(OutcomeUnknown):
        store.update(put={b"a": b"2"}, expect={b"a": b"1"})
    assert store.fields[b"a"] == b"3"


def test_a_change_that_another_made_too_is_in_doubt(store: Store, before: Cut) -> None:
    """Both count one more: what stands is theirs alone, or mine alone."""
    theirs = Changes(NOW, **CHANGES)
    store.cut(before._replace(meanwhile=lambda: store.witness.update(RECORD, theirs)))
    with pytest.raises(OutcomeUnknown):
        store.update(**CHANGES)


def test_a_change_of_what_ended_comes_too_late(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(meanwhile=store.ends()))
    assert store.update(put={b"a": b"2"}, expect={b"a": b"1"}) is Outcome.GONE
    assert store.fields is None


def test_emptying_what_is_gone_is_in_doubt(store: Store, cut: Cut) -> None:
    """It was this request or another that ended it."""
    store.cut(cut._replace(meanwhile=store.ends()))
    with pytest.raises(OutcomeUnknown):
        store.update(drop=[b"a"], expect={b"a": b"1"})


class TestNewIds(lines.NewIds):
    """As on every store."""
