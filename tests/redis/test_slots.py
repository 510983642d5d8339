"""Slots of a cluster that change hands while a provider uses it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sojourn.errors import OutcomeUnknown, StoreUnavailable
from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from sojourn.providers.redis import cluster as cluster_module
from sojourn.providers.redis.cluster import Cluster
from sojourn.providers.redis.layout import TAGS
from sojourn.providers.redis.scripts import DESTROY
from sojourn.providers.redis.server import Server
from sojourn.record import Changes, Move
from sojourn.testing._bridge import Blocking
from sojourn.testing._subject import bare
from tests.redis.stores import Make, Names, id_of, record_of
from tests.servers.process import BUSY, wait_until
from tests.servers.redis import Redis, admit
from tests.servers.redis_groups import MASTERS, RedisCluster

TAG = "ab"


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    """A cluster whose slots may be moved; its nodes may hang for a while."""
    with RedisCluster(cluster_node_timeout=60_000) as cluster:
        yield cluster


@pytest.fixture
def store(make: Make, cluster: RedisCluster) -> RedisProvider:
    """A provider that knows where each slot is."""
    store = make(cluster.url())
    store.count(0.0)
    return store


def wire_of(store: RedisProvider) -> Cluster:
    """The transport to the cluster; it is of the store's colour."""
    if isinstance(store, Blocking):
        [transport] = store._target._executor.transport._mine().by_loop.values()
    else:
        transport = store._executor.transport
    found: Cluster = transport
    return found


class Handover:
    """A slot that goes from the server that has it to another one."""

    def __init__(self, cluster: RedisCluster, names: Names) -> None:
        self._nodes = cluster.nodes
        self._slot = cluster.nodes[0].cli("CLUSTER KEYSLOT", names.live(TAG))
        self.giver = cluster.master_of(names.live(TAG))
        self.taker = next(node for node in cluster.nodes if node is not self.giver)

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """The block in which the keys go over one by one; at its end the slot has gone over."""
        self._set(self.taker, "IMPORTING", self.giver)
        self._set(self.giver, "MIGRATING", self.taker)
        try:
            yield
        finally:
            self.end()

    def carry(self, *keys: str) -> None:
        self.giver.cli("MIGRATE", "127.0.0.1", self.taker.port, "", 0, 5000, "KEYS", *keys)

    def carry_all(self) -> None:
        while keys := self.giver.cli("CLUSTER GETKEYSINSLOT", self._slot, 100):
            self.carry(*keys)

    def end(self) -> None:
        """Carry the rest, and let all nodes know whose the slot is now."""
        self.carry_all()
        for node in (self.taker, *self._nodes):
            self._set(node, "NODE", self.taker)

        # Before the next taker counts on from here, or two nodes would claim a slot with one epoch.
        wait_until(self._agreed, "all nodes know of the handover")

    def _agreed(self) -> bool:
        told = [node.cli("CLUSTER INFO")["cluster_current_epoch"] for node in self._nodes]
        return len(set(told)) == 1

    def _set(self, node: Redis, state: str, other: Redis) -> None:
        node.cli("CLUSTER SETSLOT", self._slot, state, other.cli("CLUSTER MYID"))


@pytest.fixture
def handover(cluster: RedisCluster, names: Names) -> Handover:
    return Handover(cluster, names)


def test_a_slot_that_has_moved_is_found(store: RedisProvider, handover: Handover) -> None:
    record = record_of(tag=TAG)
    store.create(record)
    with handover.under_way():
        handover.carry_all()
    assert bare(store.read(record.id)) == record


def test_a_redirection_while_the_table_is_being_read_anew_hides_no_server(
    store: RedisProvider, handover: Handover
) -> None:
    """As if another request had failed at that moment, and had the table forgotten."""
    records = [record_of(tag=tag) for tag in (*TAGS[::16], TAG)]
    for record in records:
        store.create(record)
    with handover.under_way():
        handover.carry_all()
    transport: Any = wire_of(store)

    def forgetting(place: tuple[str, int]) -> tuple[str, int]:
        transport._table = {}
        return place

    before, transport._remap = transport._remap, forgetting
    assert bare(store.read(records[-1].id)) == records[-1]
    transport._remap = before
    for record in records:
        assert bare(store.read(record.id)) == record


@pytest.fixture
def nameless(cluster: RedisCluster) -> Iterator[None]:
    """The nodes know under which port they can be reached, and not under which host."""
    for node in cluster.nodes:
        node.cli("CONFIG SET", "cluster-preferred-endpoint-type", "unknown-endpoint")
    yield
    for node in cluster.nodes:
        node.cli("CONFIG SET", "cluster-preferred-endpoint-type", "ip")


@pytest.mark.usefixtures("nameless")
@pytest.mark.parametrize("ends", [True, False], ids=["MOVED", "ASK"])
def test_a_redirection_without_a_host_leads_to_the_host_that_was_asked(
    store: RedisProvider, handover: Handover, ends: bool
) -> None:
    record = record_of(tag=TAG)
    store.create(record)
    places = list[tuple[str, int]]()
    wire_of(store)._remap = lambda place: places.append(place) or place  # type: ignore[func-returns-value]
    with handover.under_way():
        handover.carry_all()
        if ends:
            handover.end()
        assert bare(store.read(record.id)) == record
    assert places == [("127.0.0.1", handover.taker.port)]


def test_a_key_of_another_type_whose_slot_has_moved_is_passed_by(
    store: RedisProvider, handover: Handover, names: Names
) -> None:
    """As where nothing has moved: `count` skips the tag."""
    record = record_of(tag="cd")
    store.create(record)
    handover.giver.cli("SET", names.live(TAG), "foreign")
    with handover.under_way():
        handover.end()
        assert store.count(record.seen) == 1


def test_a_command_for_keys_of_which_some_are_not_there_yet_is_tried_again(
    store: RedisProvider, handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`retired` is on neither server, so the one that was named by ASK says TRYAGAIN."""
    record = record_of(tag=TAG, user="ada")
    store.create(record)
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        handover.end()

    async def async_pause(seconds: float) -> None:
        pause(seconds)

    monkeypatch.setattr(cluster_module, "sleep", pause)
    monkeypatch.setattr(cluster_module, "async_sleep", async_pause)
    with handover.under_way():
        handover.carry_all()
        assert store.destroy(record.id) is not None
    assert store.read(record.id) is None
    assert pauses == [cluster_module.PAUSE]


def test_a_user_who_may_not_follow_a_redirection_is_told_so(
    make: Make, cluster: RedisCluster, handover: Handover, prefix: str
) -> None:
    user = admit(prefix, *cluster.nodes)
    for node in cluster.nodes:
        node.cli("ACL SETUSER", user, "-asking")
    store, record = make(cluster.url(user)), record_of(tag=TAG)
    store.create(record)
    with handover.under_way():
        handover.carry_all()
        with pytest.raises(StoreUnavailable, match="does not permit this user"):
            store.read(record.id)


async def test_an_end_that_waits_for_replicas_elsewhere_holds_up_no_other_task(
    cluster: RedisCluster, handover: Handover, names: Names, prefix: str
) -> None:
    """WAIT goes over the second connection, also after ASK."""
    taker = handover.taker
    tag = next(tag for tag in TAGS if cluster.master_of(names.live(tag)) is taker)
    ending, moving, other = (
        record_of(tag=TAG, user="ada"),
        record_of(2, tag=TAG),
        record_of(tag=tag),
    )
    store = AsyncRedisProvider(cluster.url(), prefix=prefix, wait=1, timeout=2 * BUSY)
    for record in (ending, moving, other):
        assert await store.create(record)
    move = Move(id_of(3, TAG), None, None, None, moving.expires)
    witness = RedisProvider(cluster.url(), prefix=prefix)
    witness.update(moving, Changes(moving.seen, move=move))  # so that `retired` exists too
    witness.close()
    taker.cli("SCRIPT LOAD", DESTROY.source)
    with handover.under_way():
        handover.carry_all()
        task = asyncio.create_task(store.destroy(ending.id))
        while not (waiting := clients_that_wait(taker)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        assert bare(await store.read(other.id)) == other
        assert not task.done()
        taker.cli("CLIENT UNBLOCK", *waiting)
        with pytest.raises(OutcomeUnknown, match="replicas"):
            await task
    await store.close()


def clients_that_wait(server: Redis) -> list[str]:
    """The ids of the connections that have sent WAIT and are still without its reply."""
    return [line["id"] for line in server.cli("CLIENT LIST") if line["cmd"] == "wait"]


@pytest.mark.parametrize("number", range(MASTERS))
async def test_a_server_that_hangs_delays_no_command_to_another(
    cluster: RedisCluster, prefix: str, number: int
) -> None:
    """All servers are asked at once, so the time limit holds for all of them together."""
    store = AsyncRedisProvider(cluster.url(), prefix=prefix, timeout=2 * BUSY)
    await store.count(0.0)
    hangs = cluster.nodes[number]
    others = [node for node in cluster.nodes if node is not hangs]
    before = [node.commands()["zcount"] for node in others]
    hangs.pause()
    try:
        task = asyncio.create_task(store.count(0.0))
        async with asyncio.timeout(BUSY):
            while any(  # noqa: ASYNC110 - nobody tells
                node.commands()["zcount"] == count
                for node, count in zip(others, before, strict=True)
            ):
                await asyncio.sleep(0.01)
        assert not task.done()
    finally:
        hangs.resume()
    assert await task == 0
    await store.close()


def test_threads_that_find_a_new_server_at_once_share_it(
    cluster: RedisCluster, prefix: str
) -> None:
    """Or the connections of all but one would never be closed."""
    store = RedisProvider(f"{cluster.url()}?client_name={prefix}", prefix=prefix)
    transport, barrier = wire_of(store), threading.Barrier(2)
    make = transport._make

    def at_once(place: tuple[str, int]) -> Server:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(0.5)
        return make(place)

    transport._make = at_once
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: store.count(0.0), range(2))) == [0, 0]
    store.close()
    wait_until(lambda: not connections(cluster, prefix), "all connections are closed")


async def test_a_provider_may_be_closed_while_another_task_finds_a_server(
    cluster: RedisCluster, prefix: str
) -> None:
    store = AsyncRedisProvider(cluster.url(), prefix=prefix)
    await store.count(0.0)
    transport: Any = store._executor.transport._here()  # type: ignore[attr-defined]
    place, server = transport._servers.popitem()
    first = next(iter(transport._servers.values()))
    close = first.close

    async def meanwhile() -> None:
        transport._servers[place] = server
        await close()

    first.close = meanwhile
    await store.close()
    await server.close()


def connections(cluster: RedisCluster, name: str) -> list[str]:
    """The ids of the connections that call themselves so."""
    lines = [line for node in cluster.nodes for line in node.cli("CLIENT LIST")]
    return [line["id"] for line in lines if line["name"] == name]
