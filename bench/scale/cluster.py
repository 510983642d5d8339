"""The model of a Redis Cluster."""

from __future__ import annotations

from binascii import crc_hqx
from collections import Counter
from dataclasses import dataclass
from math import ceil

from bench.scale.figures import Figures
from bench.scale.load import Site, load, setting

GB = 1e9
TAGS = 256
"""The number of slots that Sojourn uses: one for each value of the first two digits of an id."""
SLOTS = 16_384
FORGOTTEN_AFTER = 3600.0
"""Seconds for which the index entries of an expired session remain if nothing sweeps."""
MARGIN = 60.0
"""Seconds for which the hash of an expired session remains."""


@dataclass(frozen=True)
class Nodes:
    """The servers of a Redis Cluster."""

    memory: float = setting(32, "GB of a node")
    filled: float = setting(0.6, "the share of it that data may take")
    busy: float = setting(0.5, "the share of its one core that Redis may use")
    replicas: float = setting(1, "replicas of each master")
    timeout: float = setting(15, "cluster-node-timeout, in seconds")
    election: float = setting(2, "seconds of the vote for a new master")
    lag: float = setting(0.01, "seconds by which replicas are behind")
    network: float = setting(0.1, "GB per second from a node to a new replica")
    price: float = setting(200, "the price of a node per month")


@dataclass(frozen=True)
class Demand:
    """What the sessions need of a cluster."""

    memory: float
    """Bytes of all live sessions."""
    left_over: float
    """Bytes of sessions that have expired and are not yet gone."""
    masters: int
    by_memory: int
    by_cpu: int
    share: float
    """The share of all sessions that the fullest master has, if the slots are dealt evenly."""
    uneven: float
    """The same share with the slots in equal ranges, as `redis-cli --cluster create` deals them."""
    commands: float
    """Commands per second."""
    cores: float
    """Cores that they keep busy, on all masters together."""
    received: float
    """Bytes per second from the applications."""
    sent: float
    """Bytes per second to the applications."""
    replicated: float
    """Bytes per second to the replicas."""
    resync: float
    """Seconds in which the fullest master sends all of its data to a new replica."""
    buffered: float
    """Bytes of changes that it has to keep for the replica meanwhile."""
    expiring: float
    """Sessions that expire per second."""
    sweeping: float
    """The share of a core that their deletion by `gc` would take."""
    outage: float
    """Seconds for which the sessions of a master that fails cannot be reached."""
    failing: float
    """The requests that fail in that time."""
    lost: float
    """Acknowledged changes that the new master does not have."""
    price: float
    """The price of all nodes per month."""


def demand(site: Site, nodes: Nodes, costs: Figures) -> Demand:
    """Return what the sessions need; raise ValueError if no number of masters is enough."""
    every = load(site)
    rates = every.unswept  # Redis deletes sessions by their TTL
    memory = site.sessions * mixed(site, costs, "")
    left_over = _left_over(site, costs, rates.expiring)
    cores = rates.total(costs, "cpu") / 1e6
    by_memory = _masters((memory + left_over) / (nodes.memory * nodes.filled * GB))
    by_cpu = _masters(cores / nodes.busy)
    masters = max(3, by_memory, by_cpu)  # a cluster has at least three
    share = _dealt(masters)
    resync = (memory + left_over) * share / (nodes.network * GB)
    log = rates.total(costs, "log")
    # The others ping a node at least twice within the timeout, so they miss it half a timeout later
    # at most.
    outage = 1.25 * nodes.timeout + nodes.election
    return Demand(
        memory=memory,
        left_over=left_over,
        masters=masters,
        by_memory=by_memory,
        by_cpu=by_cpu,
        share=share,
        uneven=_in_ranges(masters),
        commands=sum(rates.rates.values()) + (TAGS - 1) * site.lists,
        cores=cores,
        received=rates.total(costs, "in"),
        sent=rates.total(costs, "out"),
        replicated=log * nodes.replicas,
        resync=resync,
        buffered=log * share * resync,
        expiring=rates.expiring,
        sweeping=every.rates["sweep"] * costs["sweep cpu"] / 1e6,
        outage=outage,
        failing=site.requests * share * outage,
        lost=rates.changes * share * nodes.lag,
        price=masters * (1 + nodes.replicas) * nodes.price,
    )


def _left_over(site: Site, costs: Figures, expiring: float) -> float:
    """Return the bytes of expired sessions, if so many expire in a second and nothing sweeps."""
    index = mixed(site, costs, " index")
    hashes = mixed(site, costs, "") - index
    return expiring * (hashes * MARGIN + index * FORGOTTEN_AFTER)


def mixed(site: Site, costs: Figures, kind: str) -> float:
    """Return the bytes of a session, on average over those with and without a user."""
    alone, user = costs[f"anonymous{kind}"], costs[f"user{kind}"]
    return alone + (user - alone) * site.signed_in


def _masters(needed: float) -> int:
    """Return the number of masters of which the fullest does not need more than one has."""
    for masters in range(1, TAGS + 1):
        if _dealt(masters) * needed <= 1:
            return masters
    raise ValueError(
        f"more than {TAGS} masters would be needed: take larger nodes, or divide the site"
    )


def _dealt(masters: int) -> float:
    """Return the greatest share of the sessions on one master, if it has as few slots as can be."""
    return ceil(TAGS / masters) / TAGS


def _in_ranges(masters: int) -> float:
    """Return the same share if each master has a range of slots, all of the same length."""
    slots = (crc_hqx(f"{tag:02x}".encode(), 0) % SLOTS for tag in range(TAGS))
    return max(Counter(slot * masters // SLOTS for slot in slots).values()) / TAGS
