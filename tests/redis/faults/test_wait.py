"""With `wait=1` nothing ends, and no token changes, before a replica knows of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from sojourn.errors import OutcomeUnknown
from sojourn.providers.redis import RedisProvider
from sojourn.record import Changes, Move, Outcome
from tests.faults.lines import ID, LATER, NEW_ID, NOW, RECORD
from tests.faults.load import COLOURS
from tests.faults.proxy import Cut, Proxy
from tests.redis.faults.lines import provider_of, teach
from tests.servers.process import BUSY, wait_until
from tests.servers.redis import Redis, fresh_prefix

TIMEOUT = 0.6
ANYONE = RECORD._replace(fields={b"a": b"1"}, user=None)
MOVE = Move(NEW_ID, "ada", None, None, LATER)
NO_MATTER = 1 << 20

Verb = Callable[[Any], object]
ENDS: dict[str, Verb] = {
    "destroy": lambda store: store.destroy(ID),
    "drop": lambda store: store.update(ANYONE, Changes(NOW, drop=[b"a"])),
    "clear": lambda store: store.update(ANYONE, Changes(NOW, clear=True)),
    "move": lambda store: store.update(ANYONE, Changes(NOW, move=MOVE)),
    "move and put": lambda store: store.update(ANYONE, Changes(NOW, put={b"b": b"1"}, move=MOVE)),
}


class Pair(NamedTuple):
    """A master, the replica that follows it, and a line to the master that can be cut."""

    master: Redis
    replica: Redis
    proxy: Proxy


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with (
        Redis() as master,
        Redis(replicaof=f"127.0.0.1 {master.port}") as replica,
        Proxy(master.port) as proxy,
    ):
        wait_until(lambda: master.cli("SET", "a", 1) and master.cli("WAIT", 1, 100), "a replica")
        yield Pair(master, replica, proxy)


@pytest.fixture
def prefix() -> str:
    return fresh_prefix()


@pytest.fixture(params=COLOURS)
def store(request: pytest.FixtureRequest, pair: Pair, prefix: str) -> Iterator[Any]:
    settings: dict[str, Any] = {"prefix": prefix, "wait": 1, "timeout": TIMEOUT}
    with provider_of(request.param, pair.proxy.url, **settings) as store:
        teach(store)
        store.create(ANYONE)
        yield store


@pytest.fixture
def behind(store: Any, pair: Pair) -> Iterator[None]:
    """The replica hangs."""
    pair.replica.pause()
    yield
    pair.replica.resume()


@pytest.mark.parametrize("verb", ENDS)
def test_what_is_acknowledged_stands_on_the_replica(
    store: Any, pair: Pair, prefix: str, verb: str
) -> None:
    ENDS[verb](store)
    stands = RedisProvider(pair.replica.url(), prefix=prefix).read(ID)
    assert stands is None or stands.successor == NEW_ID


@pytest.mark.parametrize("verb", ENDS)
@pytest.mark.usefixtures("behind")
def test_what_no_replica_knows_is_in_doubt(store: Any, verb: str) -> None:
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="replicas"):
        ENDS[verb](store)
    assert time.monotonic() - begun < TIMEOUT + BUSY


@pytest.mark.parametrize("verb", ENDS)
@pytest.mark.usefixtures("behind")
def test_so_it_is_where_the_answer_was_lost_while_waiting(
    store: Any, pair: Pair, verb: str
) -> None:
    """The master has done it, which is not enough."""
    pair.proxy.cut(Cut(told=NO_MATTER))
    with pytest.raises(OutcomeUnknown):
        ENDS[verb](store)
    assert pair.proxy.all_cuts_were_made()


@pytest.mark.usefixtures("behind")
def test_what_ends_nothing_does_not_wait(store: Any) -> None:
    changes = Changes(NOW, put={b"a": b"3"}, drop=[b"b"])
    assert store.update(RECORD, changes) is Outcome.APPLIED
    assert store.create(ANYONE._replace(id=NEW_ID))
