"""The model of PostgreSQL: one primary and its replicas, or several of them side by side."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp

from bench.scale.cluster import GB, mixed
from bench.scale.figures import Figures
from bench.scale.load import Site, load, setting

PAGE = 8192
FREEZE_AGE = 200e6
"""autovacuum_freeze_max_age: after so many transactions the whole table is vacuumed."""


@dataclass(frozen=True)
class Machines:
    """The servers, and the settings that matter."""

    memory: float = setting(256, "GB of a machine")
    cores: float = setting(32, "cores of a machine")
    busy: float = setting(0.5, "the share of its cores that PostgreSQL may use")
    filled: float = setting(0.7, "the share of its memory that the table may take")
    replicas: float = setting(1, "replicas of each primary")
    checkpoint: float = setting(900, "checkpoint_timeout, in seconds")
    vacuum: float = setting(0.1, "autovacuum_vacuum_scale_factor of the table")
    failover: float = setting(30, "seconds until a replica is the primary")
    lag: float = setting(0.1, "seconds by which replicas are behind; 0 if they are synchronous")
    price: float = setting(1500, "the price of a machine per month")
    disk: float = setting(0.1, "the price of a GB of disk per month")


@dataclass(frozen=True)
class Demand:
    """What the sessions need of PostgreSQL."""

    table: float
    """Bytes of the rows and their dead versions."""
    indexes: float
    """Bytes of the three indexes."""
    primaries: int
    """The number of primaries among which the sessions are divided."""
    statements: float
    """Statements per second."""
    cores: float
    """Cores that the statements, the sweep and vacuum keep busy."""
    log: float
    """Bytes of write-ahead log per second: the changes."""
    whole_pages: float
    """Bytes of write-ahead log per second: whole pages, at their first change since a checkpoint."""
    received: float
    sent: float
    expiring: float
    """Sessions that expire per second, which `gc` has to delete."""
    sweeping: float
    """The share of a core that this takes."""
    dead: float
    """Row versions that die per second."""
    vacuum_every: float
    """Seconds between two vacuums of the table."""
    vacuum_takes: float
    """Seconds of processor time of one."""
    freeze_every: float
    """Seconds until the transactions reach autovacuum_freeze_max_age."""
    failing: float
    """Requests that fail during a failover."""
    lost: float
    """Acknowledged changes that the new primary does not have."""
    price: float


def demand(site: Site, machines: Machines, costs: Figures) -> Demand:
    """Return what the sessions need of PostgreSQL."""
    rates = load(site)
    indexes = site.sessions * mixed(site, costs, " index")
    rows = site.sessions * mixed(site, costs, "") - indexes
    table = rows * (1 + machines.vacuum)
    # An update leaves the old version of the row.  Where the new version needs no entry in an index,
    # later requests remove the old one.
    changes = rates.changes - rates.rates["create"] - costs["hot"] * rates.rates["write"]
    dead = changes + rates.rates["sweep"]
    every = site.sessions * machines.vacuum / dead
    takes = site.sessions * costs["vacuum"] / 1e6
    cores = rates.total(costs, "cpu") / 1e6 + takes / every
    whole = _whole_pages(table + indexes, machines, rates.total(costs, "pages"))
    primaries = max(
        1,
        ceil((table + indexes) / (machines.memory * machines.filled * GB)),
        ceil(cores / (machines.cores * machines.busy)),
    )
    copies = 1 + machines.replicas
    return Demand(
        table=table,
        indexes=indexes,
        primaries=primaries,
        statements=sum(rates.unswept.rates.values()),
        cores=cores,
        log=rates.total(costs, "log"),
        whole_pages=whole,
        received=rates.total(costs, "in"),
        sent=rates.total(costs, "out"),
        expiring=rates.expiring,
        sweeping=rates.rates["sweep"] * costs["sweep cpu"] / 1e6,
        dead=dead,
        vacuum_every=every,
        vacuum_takes=takes,
        freeze_every=FREEZE_AGE * primaries / rates.changes,
        failing=site.requests / primaries * machines.failover,
        lost=rates.changes / primaries * machines.lag,
        price=copies * (primaries * machines.price + (table + indexes) / GB * machines.disk),
    )


def _whole_pages(size: float, machines: Machines, touched: float) -> float:
    """Return the bytes of whole pages in the log per second.

    size: the bytes of the table and its indexes.
    touched: the pages that operations change per second.
    """
    # A page is logged whole at its first change after a checkpoint.  Of P pages, n changes at
    # random reach P (1 - e^(-n/P)).
    pages = size / PAGE
    reached = pages * (1 - exp(-touched * machines.checkpoint / pages))
    return reached * PAGE / machines.checkpoint
