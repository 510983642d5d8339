"""Law 4: what becomes of a write whose answer was lost.

The line is cut before a statement was heard, in the middle of it, and after it was done.  Where the
row that stands says what became of it, the caller notices nothing; where it does not, nothing is
done twice, and nothing is acknowledged that may not have been done.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from sojourn.errors import OutcomeUnknown, StoreUnavailable
from sojourn.providers.base import Provider
from sojourn.record import Changes, Outcome
from tests.faults import lines
from tests.faults.lines import ID, LATER, MOVE, NEW_ID, NOW, RECORD, Store
from tests.faults.proxy import Cut, Proxy
from tests.sql.stores import WAYS, Make, Server, through

MINE = b"written by me"
"""A value by which the proxy knows the statement that writes it."""

ANY = b""
UNHEARD, HALF_HEARD, UNTOLD, HALF_TOLD = (
    Cut(0.0, mark=ANY),
    Cut(0.5, mark=ANY),
    Cut(mark=ANY),
    Cut(told=1, mark=ANY),
)
BEFORE = {"unheard": UNHEARD, "half heard": HALF_HEARD}
AFTER = {"untold": UNTOLD, "half told": HALF_TOLD}
CUTS = BEFORE | AFTER


def warm_up(provider: Provider) -> None:
    """Let the connection prepare each statement, so that the next time it is sent at once."""
    provider.create(RECORD)
    for number, expires in enumerate((None, LATER + 1.0)):
        stands = provider.read(ID)
        assert stands is not None
        provider.update(stands, Changes(NOW, expires, put={b"a": b"%d" % number}))
    provider.update(RECORD, Changes(NOW, expires=LATER + 2.0))
    stands = provider.read(ID)
    assert stands is not None
    assert provider.update(stands, Changes(NOW, move=MOVE)) is Outcome.APPLIED
    assert provider.destroy(NEW_ID)
    assert provider.destroy(ID)
    nobodys = RECORD._replace(user=None)
    assert provider.create(nobodys)
    assert provider.update(nobodys, Changes(NOW, clear=True)) is Outcome.EMPTIED


@pytest.fixture(params=[way for way in WAYS if way != "pymysql"])
def way(request: pytest.FixtureRequest) -> str:
    """One for each protocol in each colour: PyMySQL speaks and fails as mysqlclient does."""
    return str(request.param)


@pytest.fixture
def store(make: Make, server: Server, witness: Provider) -> Iterator[Store]:
    with Proxy(server.port) as proxy:
        port = urlsplit(proxy.url).port
        assert port is not None
        provider = make(through(server, port), timeout=1.0, pool=1)
        warm_up(provider)
        provider.create(RECORD)
        yield Store(provider, witness, proxy)
        assert proxy.all_cuts_were_made()
        provider.close()


@pytest.fixture(params=CUTS)
def cut(request: pytest.FixtureRequest) -> Cut:
    return CUTS[request.param]


@pytest.fixture(params=AFTER)
def after(request: pytest.FixtureRequest) -> Cut:
    return AFTER[request.param]


@pytest.fixture(params=BEFORE)
def before(request: pytest.FixtureRequest) -> Cut:
    return BEFORE[request.param]


def test_reading_is_repeated(store: Store, cut: Cut) -> None:
    store.cut(cut)
    assert store.provider.read(ID) == RECORD


def test_reading_is_given_up_where_nobody_lets_in(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(meanwhile=store.proxy.shut))
    with pytest.raises(StoreUnavailable):
        store.provider.read(ID)


def test_a_session_is_begun_once(store: Store, cut: Cut) -> None:
    store.cut(cut)
    record = RECORD._replace(id=NEW_ID)
    assert store.provider.create(record) is True
    assert store.witness.read(NEW_ID) == record
    assert {found.id for found in store.witness.find("ada", NOW)} == {ID, NEW_ID}


def test_a_beginning_whose_repetition_is_lost_too_is_begun_once(store: Store, before: Cut) -> None:
    store.cut(before, UNTOLD._replace(mark=MINE))
    record = RECORD._replace(id=NEW_ID, fields={b"a": MINE})
    assert store.provider.create(record) is True
    assert store.witness.read(NEW_ID) == record


def test_a_beginning_before_the_server_goes_is_in_doubt(store: Store, after: Cut) -> None:
    """It stands, so nobody may hear that it does not."""
    store.cut(after._replace(meanwhile=store.proxy.shut))
    with pytest.raises(OutcomeUnknown):
        store.provider.create(RECORD._replace(id=NEW_ID))
    assert store.witness.read(NEW_ID) is not None


@pytest.mark.parametrize("verb", ["update", "destroy"])
def test_a_write_before_the_server_goes_is_in_doubt(store: Store, cut: Cut, verb: str) -> None:
    store.cut(cut._replace(meanwhile=store.proxy.shut))
    changed = Changes(NOW, put={b"a": b"2"})
    arguments = {"update": (RECORD, changed), "destroy": (ID,)}
    with pytest.raises(OutcomeUnknown):
        getattr(store.provider, verb)(*arguments[verb])


def test_a_touch_before_the_server_goes_is_in_doubt(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(meanwhile=store.proxy.shut))
    with pytest.raises(OutcomeUnknown):
        store.update(expires=LATER + 9.0)


def test_a_sweep_before_the_server_goes_is_in_doubt(store: Store, cut: Cut) -> None:
    assert store.provider.gc(NOW - 1.0, 10) == 0  # it is prepared
    store.cut(cut._replace(meanwhile=store.proxy.shut))
    with pytest.raises(OutcomeUnknown):
        store.provider.gc(LATER + 1.0, 10)


def test_an_end_that_was_not_heard_is_made(store: Store, before: Cut) -> None:
    store.cut(before)
    ended = store.provider.destroy(ID)
    assert ended is not None
    assert ended.user == "ada"
    assert store.witness.read(ID) is None


def test_an_end_that_was_made_is_in_doubt(store: Store, after: Cut) -> None:
    """Nobody can say any more what else would have to be ended."""
    store.cut(after)
    with pytest.raises(OutcomeUnknown):
        store.provider.destroy(ID)
    assert store.witness.read(ID) is None


def test_a_touch_is_made(store: Store, cut: Cut) -> None:
    store.cut(cut)
    assert store.update(expires=LATER + 9.0) is Outcome.APPLIED
    assert store.witness.read(ID) == RECORD._replace(expires=LATER + 9.0)


def test_a_touch_of_what_ended_revives_nothing(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(meanwhile=store.ends()))
    assert store.update(expires=LATER) is Outcome.GONE
    assert store.fields is None


def test_a_change_is_made_once(store: Store, cut: Cut) -> None:
    store.cut(cut)
    assert store.update(put={b"a": b"2"}, drop=[b"b"]) is Outcome.APPLIED
    record = store.witness.read(ID)
    assert record is not None
    assert record._replace(version=0) == RECORD._replace(fields={b"a": b"2"})


def test_a_change_with_new_times_is_made_once(store: Store, cut: Cut) -> None:
    store.cut(cut)
    assert store.update(put={b"a": b"2"}, expires=LATER + 9.0) is Outcome.APPLIED
    record = store.witness.read(ID)
    assert record is not None
    assert (record.fields[b"a"], record.expires) == (b"2", LATER + 9.0)


def test_a_change_that_another_touched_is_made_once(store: Store, cut: Cut) -> None:
    touch = Changes(NOW, expires=LATER + 5.0)
    store.cut(cut._replace(meanwhile=lambda: store.witness.update(RECORD, touch)))
    assert store.update(put={b"a": b"2"}) is Outcome.APPLIED
    record = store.witness.read(ID)
    assert record is not None
    assert (record.fields[b"a"], record.expires) == (b"2", LATER + 5.0)


def test_a_change_whose_repetition_is_lost_too_is_made_once(store: Store, before: Cut) -> None:
    store.cut(before, UNTOLD._replace(mark=MINE))
    assert store.update(put={b"a": MINE}) is Outcome.APPLIED
    assert store.fields == {b"a": MINE, b"b": b"1"}


def test_a_change_that_another_overtook_is_in_doubt(store: Store, cut: Cut) -> None:
    """Theirs may stand on ours, or in place of it."""
    store.cut(cut._replace(meanwhile=store.puts(a=b"3")))
    with pytest.raises(OutcomeUnknown):
        store.update(put={b"a": b"2"}, expect={b"a": b"1"})
    assert store.fields[b"a"] == b"3"


def test_a_change_that_another_made_just_so_is_not_taken_for_ours(
    store: Store, before: Cut
) -> None:
    """Two count from one to two: there must be three then, or a doubt."""
    store.cut(before._replace(meanwhile=store.puts(a=b"2")))
    with pytest.raises(OutcomeUnknown):
        store.update(put={b"a": b"2"}, expect={b"a": b"1"})


def test_a_change_of_what_ended_is_in_doubt(store: Store, cut: Cut) -> None:
    store.cut(cut._replace(meanwhile=store.ends()))
    with pytest.raises(OutcomeUnknown):
        store.update(put={b"a": b"2"})
    assert store.fields is None


def test_emptying_what_is_gone_is_in_doubt(store: Store, cut: Cut) -> None:
    """It was this request or another that ended it."""
    nobodys = RECORD._replace(id=NEW_ID, user=None, fields={b"a": b"1"})
    assert store.witness.create(nobodys)
    store.cut(cut._replace(meanwhile=store.ends(NEW_ID)))
    with pytest.raises(OutcomeUnknown):
        store.provider.update(nobodys, Changes(NOW, drop=[b"a"]))
    assert store.witness.read(NEW_ID) is None


class TestNewIds(lines.NewIds):
    """As on every store."""
