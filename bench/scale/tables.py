"""The results of the models as tables."""

from __future__ import annotations

from collections.abc import Iterable

from bench.scale import cluster, database
from bench.scale.cluster import GB
from bench.scale.figures import OPERATIONS, stored
from bench.scale.load import Site, load
from bench.tables import table

MB = 1e6
HOUR = 3600.0
WEIGHTS = {
    "anonymous": "without a user",
    "anonymous index": "of it in indexes",
    "user": "with a user",
    "user index": "of it in indexes",
}
TITLES = {"redis": "Redis", "postgres": "PostgreSQL"}
HEADS = {
    "cpu": "µs",
    "in": "bytes in",
    "out": "bytes out",
    "log": "bytes of log",
    "pages": "whole pages",
}


def asked(site: Site) -> str:
    """Return the table of the operations per second that a site asks for."""
    rows = [(name, f"{rate:,.0f}") for name, rate in load(site).rates.items()]
    return table(["operation", "per second"], rows)


def of_redis(demand: cluster.Demand, nodes: cluster.Nodes) -> str:
    """Return the table of what the sessions need of a Redis Cluster."""
    count = round(demand.masters * (1 + nodes.replicas))
    return _table(
        "a Redis Cluster",
        ("live sessions", f"{demand.memory / GB:,.0f} GB"),
        ("expired sessions that are not yet gone", f"{demand.left_over / GB:,.1f} GB"),
        (
            "masters",
            f"{demand.masters} (memory asks for {demand.by_memory}, processors for {demand.by_cpu})",
        ),
        ("nodes", f"{count}"),
        ("data on the fullest master", f"{_fullest(demand) / GB:,.1f} GB"),
        ("the same if slots are dealt in equal ranges", f"{_crowded(demand) / GB:,.1f} GB"),
        ("commands per second", f"{demand.commands:,.0f}"),
        ("busy cores, all masters together", f"{demand.cores:.1f}"),
        ("network in, out", f"{demand.received / MB:,.0f} MB/s, {demand.sent / MB:,.0f} MB/s"),
        ("network to the replicas", f"{demand.replicated / MB:,.0f} MB/s"),
        ("a new replica gets all data in", f"{demand.resync:,.0f} s"),
        ("changes that wait for it meanwhile", f"{demand.buffered / MB:,.0f} MB"),
        ("sessions that expire per second", f"{demand.expiring:,.0f}"),
        ("their deletion, if `gc` had to do it", f"{demand.sweeping:.0%} of a core"),
        ("a failover takes", f"{demand.outage:.0f} s"),
        ("requests that fail in it", f"{demand.failing:,.0f}"),
        ("acknowledged changes that it undoes", f"{demand.lost:,.0f}"),
        ("price per month", f"{demand.price:,.0f}"),
    )


def of_postgres(demand: database.Demand, machines: database.Machines) -> str:
    """Return the table of what the sessions need of PostgreSQL."""
    count = round(demand.primaries * (1 + machines.replicas))
    return _table(
        "PostgreSQL",
        ("rows and their dead versions", f"{demand.table / GB:,.0f} GB"),
        ("indexes", f"{demand.indexes / GB:,.0f} GB"),
        ("primaries", f"{demand.primaries}"),
        ("machines", f"{count}"),
        ("statements per second", f"{demand.statements:,.0f}"),
        ("busy cores, vacuum included", f"{demand.cores:.1f}"),
        ("network in, out", f"{demand.received / MB:,.0f} MB/s, {demand.sent / MB:,.0f} MB/s"),
        ("write-ahead log, changes", f"{demand.log / MB:,.0f} MB/s"),
        ("write-ahead log, whole pages", f"{demand.whole_pages / MB:,.0f} MB/s"),
        ("sessions that expire per second", f"{demand.expiring:,.0f}"),
        ("their deletion by `gc`", f"{demand.sweeping:.0%} of a core"),
        ("row versions that die per second", f"{demand.dead:,.0f}"),
        (
            "vacuum",
            f"every {demand.vacuum_every / 60:,.0f} minutes, {demand.vacuum_takes:,.0f} s of a core",
        ),
        ("autovacuum_freeze_max_age is reached in", f"{demand.freeze_every / HOUR:,.1f} hours"),
        ("requests that fail in a failover", f"{demand.failing:,.0f}"),
        ("acknowledged changes that it undoes", f"{demand.lost:,.0f}"),
        ("price per month", f"{demand.price:,.0f}"),
    )


def measured(store: str) -> str:
    """Return the table of what one session and one operation cost."""
    small, large = stored(store)
    kinds = ["cpu", "in", "out", "log", *(["pages"] if "read pages" in small else [])]

    def cell(name: str, digits: int = 0) -> str:
        return f"{small[name]:,.{digits}f} / {large[name]:,.{digits}f}"

    costs = [
        [name, *(cell(f"{name} {kind}", int(kind == "pages")) for kind in kinds)]
        for name in OPERATIONS
    ]
    head = ["an operation", *(HEADS[kind] for kind in kinds)]
    weights = table(
        ["a session", "bytes"], [[meaning, cell(kind)] for kind, meaning in WEIGHTS.items()]
    )
    return f"**{TITLES[store]}**, a session of 200 B / 2 KB:\n\n{weights}\n\n{table(head, costs)}"


def _fullest(demand: cluster.Demand) -> float:
    return (demand.memory + demand.left_over) * demand.share


def _crowded(demand: cluster.Demand) -> float:
    return (demand.memory + demand.left_over) * demand.uneven


def _table(title: str, *rows: Iterable[str]) -> str:
    return table([title, ""], [[*row] for row in rows])
