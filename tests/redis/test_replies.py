"""A server that answers with something else: an error of the store, whatever it is.

Never a TypeError, and never a hang: a proxy, another server or a broken one at the address must
not take the application along.
"""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sojourn.errors import CorruptRecord, OutcomeUnknown, StoreError, StoreUnavailable
from sojourn.providers.redis import census, index_repair
from sojourn.providers.redis.layout import frame
from tests.redis.fake import Fake, array, bulk, number
from tests.redis.hostile import NOW, RECORD, VERBS, refusal
from tests.redis.stores import Make, id_of

TIMEOUT = 0.3
ASKS = {"read", "find a user's", "find all", "count", "check"}
"""The verbs that write nothing."""
LISTS = {"find a user's", "find all"}
UPDATES = {"put", "touch", "move"}

# A reply, and the verbs to which it is an answer; "check" among them says that it warns of nothing.
REPLIES: dict[str, tuple[bytes, set[str]]] = {
    "a number": (b":5\r\n", {"count", "gc"}),
    "0": (b":0\r\n", {"count", "gc", "create", *UPDATES}),
    "1": (b":1\r\n", {"count", "gc", "create", *UPDATES}),
    "a negative number": (b":-7\r\n", set()),
    "a number of more than 64 bits": (b":99999999999999999999999\r\n", set()),
    "a big number": (b"(9999999999999999999999999999\r\n", {"destroy"}),
    "a string": (bulk(b"QXZ"), {"destroy"}),
    "an empty string": (bulk(b""), {"destroy"}),
    "a status": (b"+OK\r\n", {"destroy"}),
    "nothing": (b"_\r\n", {"destroy"}),
    "nothing in RESP2": (b"$-1\r\n", {"destroy"}),
    "no array": (b"*-1\r\n", {"destroy"}),
    "true": (b"#t\r\n", set()),
    "a float": (b",1.5\r\n", set()),
    "not a number": (b",nan\r\n", set()),
    "an empty array": (b"*0\r\n", {"read", "put", *LISTS}),
    "an array of one": (array(bulk(b"QXZ")), LISTS),
    "an array of three": (array(*[bulk(b"QXZ")] * 3), LISTS),
    "an array of numbers": (array(number(1), number(2)), set()),
    "an array of nothing": (array(b"_\r\n"), set()),
    "an array with an error": (array(b"-ERR QXZ\r\n"), set()),
    "arrays in arrays": (b"*1\r\n" * 7 + b":1\r\n", set()),
    "too many arrays in arrays": (b"*1\r\n" * 3000 + b":1\r\n", set()),
    "a map of numbers": (b"%1\r\n:1\r\n:2\r\n", set()),
    "a map with an array for a key": (b"%1\r\n*0\r\n:2\r\n", set()),
    "a set": (b"~2\r\n:1\r\n:2\r\n", set()),
    "an attribute": (b"|1\r\n+a\r\n+b\r\n:1\r\n", set()),
    "a push without words": (b">0\r\n", set()),
    "a push of numbers": (b">2\r\n:1\r\n:2\r\n", set()),
    "two replies": (b":1\r\n" * 2, {"count"}),
    "a reply and a half": (b":1\r\n$3\r\n", set()),
    "NOSCRIPT for ever": (b"-NOSCRIPT QXZ\r\n", set()),
    "an error": (b"-ERR QXZ\r\n", {"check"}),
    "an empty error": (b"-\r\n", {"check"}),
    "an error that is no text": (b"-\xff\xfe\r\n", {"check"}),
    "a redirection": (b"-MOVED 5 127.0.0.1:1\r\n", {"check"}),
    "a redirection to nowhere": (b"-MOVED QXZ\r\n", {"check"}),
    # hiredis ends the process here if redis-py's function for errors raises one itself
    "redirections in a map": (b"%1\r\n-ASK 1 x QXZ\r\n-MOVED 1 x:1 QXZ\r\n", set()),
    "the wrong type": (b"-WRONGTYPE QXZ\r\n", {"count", "gc", "check", *LISTS}),
    "a page": (b"HTTP/1.1 400 Bad Request\r\n\r\n<html>QXZ", set()),
    "noise": (bytes(range(255, 0, -1)), set()),
}


@pytest.mark.parametrize("reply", REPLIES)
def test_what_is_no_answer_is_an_error_of_the_store(make: Make, reply: str) -> None:
    """Of whatever verb; only a verb to which it is an answer may go on."""
    sent, answers = REPLIES[reply]
    with Fake(lambda words: sent) as server:
        store = make(server.url(), timeout=TIMEOUT)
        for verb in VERBS:
            error = refusal(store, verb)
            assert error is not None or verb in answers, (reply, verb)
            if verb in ASKS and error is not None:  # nothing can have been written
                assert isinstance(error, StoreUnavailable | CorruptRecord), verb


NO_ANSWER = b"$3\r\nQXZ\r\n"


@pytest.mark.parametrize("verb", ["read", "count", "find all"])
def test_the_error_names_the_command_and_a_cause(make: Make, verb: str) -> None:
    with Fake(lambda words: NO_ANSWER if verb != "find all" else b":1\r\n") as server:
        error = refusal(make(server.url(), timeout=TIMEOUT), verb)
    command = {"read": "HGETALL", "count": "ZCOUNT", "find all": "ZRANGE"}[verb]
    assert str(error) == (
        f"Redis answered {command} with something that is no answer to it:"
        " is a proxy or another server at this address?"
    )


@pytest.mark.parametrize("verb", ["create", "put", "move", "destroy"])
def test_a_write_may_have_been_done(make: Make, verb: str) -> None:
    """Whoever answers so may have handed it on before."""
    with Fake(lambda words: b"#t\r\n") as server:
        error = refusal(make(server.url(), timeout=TIMEOUT), verb)
    assert isinstance(error, OutcomeUnknown)
    assert "EVALSHA" in str(error)
    assert "may have been carried out, or not" in str(error)


def test_nothing_more_is_read_from_that_connection(make: Make) -> None:
    """What comes next there may be the answer to somebody else's command."""
    answers = iter([b":1\r\n", hash_of(RECORD)])
    with Fake(lambda words: next(answers)) as server:
        assert make(server.url(), timeout=TIMEOUT).read(RECORD.id) == RECORD
        assert server.connections == 2


def test_a_good_answer_leaves_the_connection_open(make: Make) -> None:
    with Fake(lambda words: hash_of(RECORD)) as server:
        store = make(server.url(), timeout=TIMEOUT)
        assert [store.read(RECORD.id) for _ in range(5)] == [RECORD] * 5
        assert server.connections == 1


PUSH = b">2\r\n+a\r\n+b\r\n"


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_messages_that_nobody_asked_for_are_no_answers(make: Make, before: int, after: int) -> None:
    """A server may send them at any time, such as one that will move."""
    whole = PUSH * before + hash_of(RECORD) + PUSH * after
    with Fake(lambda words: whole) as server:
        store = make(server.url(), timeout=TIMEOUT)
        assert [store.read(RECORD.id) for _ in range(3)] == [RECORD] * 3
        assert server.connections == 1


def hash_of(record: Any) -> bytes:
    """What HGETALL answers."""
    fields = {b"": frame(record), **record.fields}
    return b"%%%d\r\n" % len(fields) + b"".join(
        bulk(word) for pair in fields.items() for word in pair
    )


# -- greetings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("kind", ["redis", "redis+cluster", "redis+sentinel"])
def test_a_greeting_that_makes_no_sense_is_an_error_of_the_store(
    make: Make, kind: str, reply: str
) -> None:
    """Also of a sentinel, or of a node of a cluster."""
    end = "/mymaster" if kind == "redis+sentinel" else ""
    sent, _ = REPLIES[reply]
    with Fake(lambda words: b"#t\r\n", greet=lambda words: sent) as server:
        store = make(server.url(kind, end), timeout=TIMEOUT)
        assert refusal(store, "put") is not None


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("kind", ["redis+cluster", "redis+sentinel"])
def test_who_names_no_master_is_an_error_of_the_store(make: Make, kind: str, reply: str) -> None:
    """It greets as it should, and then answers anything else."""
    end = "/mymaster" if kind == "redis+sentinel" else ""
    sent, _ = REPLIES[reply]
    with Fake(lambda words: sent) as server:
        assert refusal(make(server.url(kind, end), timeout=TIMEOUT), "put") is not None


def slots(*places: bytes) -> bytes:
    return array(array(number(0), number(16_383), *[array(place, number(1)) for place in places]))


TABLES = {
    "a host of spaces": slots(bulk(b"QXZ QXZ")),
    "a host with NUL": slots(bulk(b"QXZ\0")),
    "a host with empty parts": slots(bulk(b"127..1")),
    "a host that is no text": slots(bulk(b"\xff\xfe")),
    "a number for a host": slots(number(7)),
    "a port that is none": array(
        array(number(0), number(16_383), array(bulk(b"127.0.0.1"), number(70_000)))
    ),
    "a negative port": array(
        array(number(0), number(16_383), array(bulk(b"127.0.0.1"), number(-1)))
    ),
    "a text for a port": array(
        array(number(0), number(16_383), array(bulk(b"127.0.0.1"), bulk(b"1")))
    ),
    "no master": array(array(number(0), number(16_383))),
    "a range of text": array(array(bulk(b"0"), bulk(b"9"), array(bulk(b"127.0.0.1"), number(1)))),
}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_slots_that_makes_no_sense_is_an_error_of_the_store(
    make: Make, table: str
) -> None:
    with Fake(lambda words: TABLES[table]) as server:
        error = refusal(make(server.url("redis+cluster"), timeout=TIMEOUT), "read")
    assert isinstance(error, StoreUnavailable)


def test_a_cluster_that_sends_everybody_on_for_ever_comes_to_an_end(make: Make) -> None:
    def answer(words: list[bytes]) -> bytes:
        if words[0] == b"CLUSTER":
            return array(array(number(0), number(16_383), array(bulk(b""), number(server.port))))
        return b"-MOVED 1 127.0.0.1:%d\r\n" % server.port

    with Fake(answer) as server:
        for verb in ("read", "put"):
            error = refusal(make(server.url("redis+cluster"), timeout=TIMEOUT), verb)
            assert isinstance(error, StoreUnavailable)


# -- lies ----------------------------------------------------------------------------------------


def swept_for_ever(words: list[bytes]) -> bytes:
    """Ten have always expired in each set, and each sweep has taken five away."""
    return {b"ZCOUNT": b":10\r\n", b"EVALSHA": b":5\r\n"}.get(words[0], b"-ERR no\r\n")


def test_sweeps_that_get_nowhere_end(make: Make) -> None:
    """As a manager calls them: until fewer were taken away than it asked for."""
    with Fake(swept_for_ever) as server:
        store = make(server.url(), timeout=5.0)
        swept = 0
        with pytest.raises(StoreError, match="more expired sessions"):  # noqa: PT012
            while (batch := store.gc(NOW, 1000)) == 1000:
                swept += batch
        assert 10_000 <= swept <= 100_000


def test_a_sweep_that_claims_too_much_is_an_error(make: Make) -> None:
    """It was asked for one."""

    def answer(words: list[bytes]) -> bytes:
        return b":1\r\n" if words[0] == b"ZCOUNT" else b":3\r\n"

    with Fake(answer) as server:
        error = refusal(make(server.url(), timeout=TIMEOUT), "gc")
    assert "EVALSHA" in str(error)


PAGE_ENDS: dict[str, Callable[[int], bytes]] = {
    "the same cursor": lambda page: b"7",
    "two in turn": lambda page: b"%d" % (1 + page % 2),
    "a thousand in turn": lambda page: b"%d" % (1 + page % 1000),
    "ever new ones": lambda page: b"%d" % (page + 1),
}


@pytest.mark.parametrize("cursor", PAGE_ENDS)
def test_a_scan_without_end_ends(make: Make, monkeypatch: pytest.MonkeyPatch, cursor: str) -> None:
    monkeypatch.setattr(census, "MOST_PAGES", 3000)
    pages = itertools.count()

    def answer(words: list[bytes]) -> bytes:
        if words[0] == b"SCAN":
            return array(bulk(PAGE_ENDS[cursor](next(pages))), array())
        return b":0\r\n"

    with Fake(answer) as server:
        with pytest.raises(StoreError, match="comes to no end"):
            make(server.url(), timeout=5.0).repair()
        assert server.commands.count(b"SCAN") <= 3001


@pytest.mark.parametrize(
    "page",
    [
        b"*0\r\n",
        array(bulk(b"-1"), array()),
        array(bulk(b"0"), bulk(b"")),
        array(bulk(b"0"), array(number(1))),
        array(number(0), array()),
        b"-WRONGTYPE QXZ\r\n",
        b"-ERR QXZ\r\n",
    ],
)
def test_a_page_of_another_shape_is_an_error(make: Make, page: bytes) -> None:
    def answer(words: list[bytes]) -> bytes:
        if words[0] == b"SCAN":
            return page
        return b":0\r\n"

    with Fake(answer) as server:
        assert isinstance(refusal(make(server.url(), timeout=TIMEOUT), "repair"), StoreUnavailable)


def test_a_set_of_a_size_beyond_belief_is_not_gone_through(make: Make) -> None:
    """Each part of it is said to hold something to forget."""

    def answer(words: list[bytes]) -> bytes:
        if words[0] == b"SCAN":
            return array(bulk(b"0"), array())
        if words[0] == b"ZCARD":
            first = words[1].endswith(b"{00}:live")
            return b":9000000000000000000\r\n" if first else b":0\r\n"
        return b":400\r\n"

    with Fake(answer) as server:
        assert make(server.url(), timeout=5.0).repair() == index_repair.MOST
        assert server.commands.count(b"EVALSHA") == index_repair.MOST // census.EXAMINED


def test_tombstones_in_a_circle_are_not_followed_for_ever(make: Make) -> None:
    one, two = id_of("one", "ab"), id_of("two", "ab")
    start = id_of("start", "ab")

    def answer(words: list[bytes]) -> bytes:
        if words[0] == b"ZRANGE":
            return array(bulk(start.encode())) if b"{ab}" in words[1] else array()
        where = two if words[1].endswith(one.encode()) else one
        return bulk(frame(RECORD._replace(user=None, successor=where)))

    with Fake(answer) as server:
        assert [*make(server.url(), timeout=5.0).find(None, NOW)] == []


# -- time ----------------------------------------------------------------------------------------


class Drip:
    """A byte now and then, for minutes; counts them."""

    PAUSE = 0.02

    def __init__(self, whole: bytes) -> None:
        self._whole = whole
        self.sent = 0

    def __call__(self, words: list[bytes]) -> Iterator[bytes | float]:
        for byte in self._whole:
            self.sent += 1
            yield bytes([byte])
            yield self.PAUSE


LONG = b"x" * 20_000
DRIPS = {
    "a long string": bulk(LONG),
    "a long line": b"+" + LONG,
    "many replies": b":9\r\n" * 4_000,
    "many pushes": b">1\r\n+a\r\n" * 2_000,
}


@pytest.mark.parametrize("whole", DRIPS)
@pytest.mark.parametrize("verb", ["read", "put", "count"])
def test_a_reply_in_drops_ends_with_the_timeout(make: Make, verb: str, whole: str) -> None:
    """The time is for the whole answer, not for each piece of it."""
    drip = Drip(DRIPS[whole])
    with Fake(drip) as server:
        error = refusal(make(server.url(), timeout=TIMEOUT), verb)
        assert error is not None
        assert drip.sent < 10 * TIMEOUT / Drip.PAUSE


@pytest.mark.parametrize("kind", ["redis", "redis+cluster", "redis+sentinel"])
def test_a_greeting_in_drops_ends_with_the_timeout(make: Make, kind: str) -> None:
    end = "/mymaster" if kind == "redis+sentinel" else ""
    drip = Drip(bulk(LONG))
    with Fake(lambda words: b"+OK\r\n", greet=drip) as server:
        error = refusal(make(server.url(kind, end), timeout=TIMEOUT), "read")
        assert isinstance(error, StoreUnavailable)
        assert drip.sent < 10 * TIMEOUT / Drip.PAUSE


def test_a_sentinel_that_answers_in_drops_ends_with_the_timeout(make: Make) -> None:
    drip = Drip(bulk(LONG))
    with Fake(drip) as server:
        url = server.url("redis+sentinel", "/mymaster")
        assert isinstance(refusal(make(url, timeout=TIMEOUT), "read"), StoreUnavailable)
        assert drip.sent < 10 * TIMEOUT / Drip.PAUSE


def test_a_large_reply_in_many_pieces_arrives(make: Make) -> None:
    """As long as it comes within the time; the connection can be used again."""
    large = RECORD._replace(fields={b"%d" % key: b"\r\n*99999999\r\n" * 20 for key in range(2000)})
    whole = hash_of(large)
    with Fake(lambda words: [whole[at : at + 4999] for at in range(0, len(whole), 4999)]) as server:
        store = make(server.url(), timeout=5.0)
        assert [store.read(RECORD.id) for _ in range(3)] == [large] * 3
        assert server.connections == 1


# -- memory --------------------------------------------------------------------------------------

HUGE = {
    "an array": b"*2147483647\r\n",
    "an array of 9 digits": b"*100000000\r\n",
    "a set": b"~2147483647\r\n",
    "a push": b">2147483647\r\n",
    "an attribute": b"|2147483647\r\n",
    "a map": b"%2147483647\r\n",
    "a string": b"$2147483648\r\nabc",
    "a long string": b"$99999999999999\r\nabc",
    "an array in an array": b"*2\r\n$1\r\na\r\n*2147483647\r\n",
    "an array in a map": b"%1\r\n$0\r\n\r\n*2147483647\r\n",
    "after another reply": b":1\r\n*2147483647\r\n",
    "after a string that looks alike": b"*2\r\n$11\r\n*2147483647\r\n*2147483647\r\n",
}


@pytest.mark.parametrize("huge", HUGE)
@pytest.mark.parametrize("cut", [None, 1, 5])
def test_no_memory_is_reserved_for_what_is_announced(
    make: Make, huge: str, cut: int | None
) -> None:
    """At once, or byte by byte, or with the first five bytes apart."""
    whole = HUGE[huge]
    parts: list[bytes | float] = [whole]
    if cut is not None:
        parts = [part for byte in whole[:cut] for part in (bytes([byte]), 0.01)]
        rest = whole[cut:]
        parts += [part for byte in rest for part in (bytes([byte]), 0.005)] if cut == 1 else [rest]
    with Fake(lambda words: parts) as server:
        tracemalloc.start()
        try:
            for verb in ("read", "count"):
                assert refusal(make(server.url(), timeout=TIMEOUT), verb) is not None
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 50_000_000


@pytest.mark.parametrize("huge", HUGE)
def test_nor_for_what_a_greeting_announces(make: Make, huge: str) -> None:
    with Fake(lambda words: b"", greet=lambda words: HUGE[huge]) as server:
        tracemalloc.start()
        try:
            for url in (server.url(), server.url("redis+sentinel", "/mymaster")):
                assert refusal(make(url, timeout=TIMEOUT), "read") is not None
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 50_000_000
