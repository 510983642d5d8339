"""The model of very many sessions: its arithmetic, its page, and a small site on a real Redis."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bench.scale import __main__ as program
from bench.scale import cluster, database, measure, simulation
from bench.scale.cluster import Nodes
from bench.scale.database import PAGE, Machines
from bench.scale.figures import OPERATIONS, between, stored
from bench.scale.load import Site, load
from sojourn.providers.redis.slots import _SLOTS
from tests.architecture.pages import ROOT

PAGE_OF_SCALE = ROOT / "docs" / "scale.md"
COMMAND = re.compile(r"^\$ python -m bench\.scale(?P<words>.*)$", re.MULTILINE)

SITE = Site(
    sessions=1000,
    signed_in=1,
    requests=10,
    writing=0.25,
    gap=30,
    lifetime=700,
    touch_interval=30,
    lists=1,
)
"""300 visitors at a time.  In each second a session begins, a user signs in, and a session ends."""


def costs(**given: float) -> Mapping[str, float]:
    """Figures that are 0 but for those given, in which an underscore stands for a space."""
    kinds = ("cpu", "in", "out", "log", "pages")
    found = dict.fromkeys(f"{name} {kind}" for name in OPERATIONS for kind in kinds)
    weights = dict.fromkeys(("anonymous", "anonymous index", "user", "user index", "vacuum", "hot"))
    named = {name.replace("_", " "): value for name, value in given.items()}
    return {name: named.get(name, 0.0) for name in (*found, *weights)}


def test_the_load_follows_from_the_site() -> None:
    assert load(SITE).rates == pytest.approx(
        {
            "read": 9,  # all requests but the first of a visit
            "write": 1,
            "renew": 1,  # half of the requests come when the times may move
            "touch": 3,
            "create": 1,
            "sign in": 1,
            "sweep": 2,  # tombstones too
            "list": 1,
        }
    )


def test_more_visitors_than_sessions_are_refused() -> None:
    with pytest.raises(ValueError, match="more than there are sessions"):
        load(replace(SITE, requests=34))


def test_figures_lie_on_a_line_through_both_sizes() -> None:
    small, large = {"payload": 200.0, "user": 1000.0}, {"payload": 2000.0, "user": 2800.0}
    assert [between(small, large, size)["user"] for size in (200, 1100, 2000, 3800)] == [
        1000,
        1900,
        2800,
        4600,
    ]


def test_a_cluster_has_as_many_masters_as_memory_asks_for() -> None:
    # 1,500 bytes a session on average, and 15 kB of memory that data may take on each node.
    nodes = Nodes(memory=30e-6, filled=0.5, replicas=2, price=7)
    site = replace(SITE, signed_in=0.5)
    need = cluster.demand(site, nodes, costs(anonymous=1000, user=2000))
    # 100 nodes would do if the slots could be divided: the fullest of 128 has two of 256.
    assert need.memory == 1.5e6
    assert (need.masters, need.by_cpu, need.share) == (128, 1, 2 / 256)
    assert need.price == 128 * 3 * 7


def test_a_cluster_has_as_many_masters_as_processors_ask_for() -> None:
    # 9 reads of 0.2 s: 1.8 cores, of which a master may use a half.
    need = cluster.demand(SITE, Nodes(busy=0.5), costs(read_cpu=200_000))
    assert need.cores == pytest.approx(1.8)
    assert (need.masters, need.by_memory) == (4, 1)


def test_what_more_than_256_masters_would_need_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 256 masters"):
        cluster.demand(SITE, Nodes(memory=1e-6), costs(anonymous=1000, user=1000))


def test_what_has_expired_stays_for_a_while() -> None:
    need = cluster.demand(SITE, Nodes(), costs(user=100, user_index=10))
    assert need.left_over == pytest.approx(90 * 60 + 10 * 3600)  # the hash, and the entries


def test_a_failover_of_a_cluster_undoes_the_last_changes_of_one_master() -> None:
    need = cluster.demand(SITE, Nodes(timeout=8, election=2, lag=0.5), costs())
    assert need.masters == 3
    assert need.share == 86 / 256
    assert need.outage == 12
    assert need.failing == pytest.approx(10 * 86 / 256 * 12)
    assert need.lost == pytest.approx(7 * 86 / 256 * 0.5)  # of 7 changes in a second


def test_a_new_replica_lets_changes_wait() -> None:
    nodes = Nodes(network=1e-6)  # 1 kB a second
    need = cluster.demand(SITE, nodes, costs(user=3000, touch_log=100))
    data = need.memory + need.left_over
    assert need.resync == pytest.approx(data * 86 / 256 / 1000)
    assert need.buffered == pytest.approx(3 * 100 * 86 / 256 * need.resync)


def test_equal_ranges_of_slots_do_not_divide_the_sessions_equally() -> None:
    for masters in (3, 5, 16, 100):
        held = [slot * masters // cluster.SLOTS for slot in _SLOTS.values()]
        fullest = max(map(held.count, held))
        assert cluster._in_ranges(masters) == fullest / 256 > cluster._dealt(masters)


def test_postgresql_has_as_many_primaries_as_memory_and_processors_ask_for() -> None:
    of_rows = costs(user=1000, user_index=200)
    machines = Machines(memory=1e-3, filled=0.5, vacuum=0.1)  # 500 kB of data
    need = database.demand(SITE, machines, of_rows)
    assert need.table == pytest.approx(880e3)
    assert need.indexes == 200e3
    assert need.primaries == 3
    machines = Machines(cores=2, busy=0.5)
    assert (
        database.demand(SITE, machines, costs(user=1, read_cpu=250_000)).primaries == 3
    )  # 2.25 cores


def test_rows_die_with_each_change_that_is_no_creation() -> None:
    need = database.demand(SITE, Machines(vacuum=0.1), costs(user=1, hot=1, vacuum=2000))
    # 1 renewed, 3 touched, 1 moved and 2 swept; the one that is only written needs no vacuum.
    assert need.dead == pytest.approx(7)
    assert need.vacuum_every == pytest.approx(1000 * 0.1 / 7)
    assert need.vacuum_takes == pytest.approx(2)
    assert need.freeze_every == pytest.approx(200e6 / 7)


def test_each_page_is_logged_whole_once_between_two_checkpoints() -> None:
    machines = Machines(checkpoint=100)
    few = database._whole_pages(1e6 * PAGE, machines, touched=1)
    many = database._whole_pages(1e3 * PAGE, machines, touched=1e6)
    assert few == pytest.approx(PAGE, rel=0.001)  # each change is the first of its page
    assert many == pytest.approx(1e3 * PAGE / 100)


def commands() -> list[str]:
    """The command lines on the page whose output it shows."""
    words = [match["words"].strip() for match in COMMAND.finditer(PAGE_OF_SCALE.read_text("utf-8"))]
    return [line for line in words if not line.startswith(("--help", "--simulate"))]


def test_the_page_shows_what_the_program_prints(capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE_OF_SCALE.read_text("utf-8")
    shown = commands()
    assert {"", "--figures"} <= {*shown}
    for line in shown:
        program.main(line.split())
        assert capsys.readouterr().out in text, line


def test_the_figures_are_those_that_are_measured() -> None:
    for store, kind in (("redis", measure.redis), ("postgres", measure.postgres)):
        small, large = stored(store)
        found = kind("200 B", 200, lambda _: None)
        assert found.keys() == small.keys() == large.keys()
        assert (found["payload"], large["payload"]) == (small["payload"], 2000)


def test_a_small_site_needs_what_the_model_predicts() -> None:
    """Its commands; memory and processor time of so few sessions are mostly Redis's own."""
    site = Site(sessions=1000, requests=5, lifetime=6800)  # 40 requests in each visit
    found = simulation.compared(site, 3600.0, lambda _: None)
    for name in ("sessions", "reads", "scripts", "touches"):
        predicted, measured = found[name]
        assert measured == pytest.approx(predicted, rel=0.1), name
