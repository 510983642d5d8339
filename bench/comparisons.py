"""Sojourn beside the other libraries that keep sessions in the same kind of store.

In a store, a subject of Sojourn by asyncio is compared with the other subjects by asyncio if there
are any, because the rest could not take its place.  All others are compared with every library.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from bench import floors, shares, speed
from bench.asgi import Asgi
from bench.frameworks import FRAMEWORKS
from bench.payloads import OPERATIONS, SIZES
from bench.registry import STORES, SUBJECTS, place
from bench.shares import PAGES, Shares
from bench.speed import Cost, Speeds
from bench.subject import Subject

OURS = "Sojourn, Manager"
OURS_ASYNC = "Sojourn, AsyncManager"
LAZY = "Sojourn, start_lazily"
LEAST = 0.5
"""A time in microseconds; lower ones cannot be told from zero, and count as this in a ratio."""


class Figure(NamedTuple):
    """The cost of a session in one library."""

    name: str
    cost: Cost


class Comparison(NamedTuple):
    """The costs of one kind of request in Sojourn and in another library."""

    where: str
    ours: Figure
    theirs: Figure

    @property
    def faster(self) -> float:
        """How many times faster Sojourn is."""
        mine, other = (max(figure.cost.median, LEAST) for figure in (self.ours, self.theirs))
        return other / mine


# -- stores --------------------------------------------------------------------------------------


class Ratio(NamedTuple):
    """The times of Sojourn, of its fastest peer, and of the store alone, for one kind of request."""

    ours: float
    peer: str
    theirs: float
    floor: float

    @property
    def faster(self) -> float:
        """How many times faster Sojourn is than its fastest peer."""
        return self.theirs / self.ours


def ratio(speeds: Speeds, store: str, size: str, operation: str) -> Ratio:
    """Compare Sojourn's Manager with its fastest peer, and with the floor of the store."""
    peer = fastest(speeds, speed.Cell(OURS, store, size, operation))
    floor = sum(floor_of(speeds, part, size) for part in floors.SUMS[store, operation])
    ours = speeds.costs[speed.Cell(OURS, store, size, operation)].median
    return Ratio(ours, peer.name, peer.cost.median, floor)


def floor_of(speeds: Speeds, name: str, size: str) -> float:
    """Return a floor in microseconds."""
    return speeds.costs[speed.Cell(name, "floor", size, "")].median


def fastest(speeds: Speeds, cell: speed.Cell, *, asyncio: bool = False) -> Figure:
    """Return the fastest other library for the request of a cell.

    asyncio: only of the libraries that work with asyncio, if there are any in this store.
    """

    def figure_of(kind: type[Subject]) -> Figure | None:
        cost = speeds.costs.get(cell._replace(name=kind.name))
        return None if cost is None else Figure(kind.name, cost)

    peers = [kind for kind in SUBJECTS if kind.store == cell.store and not kind.ours]
    figures = [figure for kind in peers if (figure := figure_of(kind))]
    same = [figure for kind in peers if issubclass(kind, Asgi) if (figure := figure_of(kind))]
    return min(same if asyncio and same else figures, key=lambda figure: figure.cost.median)


def in_stores(speeds: Speeds) -> Iterator[Comparison]:
    """Compare every subject of Sojourn with its fastest peer, for every kind of request."""
    for store, size, operation in product(floors.STORES, SIZES, OPERATIONS):
        for kind in SUBJECTS:
            cell = speed.Cell(kind.name, store, size, operation)
            if kind.ours and kind.store == store and cell in speeds.costs:
                peer = fastest(speeds, cell, asyncio=issubclass(kind, Asgi))
                where = f"{STORES[store]}, {size} {operation}"
                yield Comparison(where, Figure(kind.name, speeds.costs[cell]), peer)


# -- frameworks ----------------------------------------------------------------------------------


def beside(framework: str, kind: type[Subject]) -> type[Subject] | None:
    """Return the peer of a subject: one with the same store, or else one with a cookie."""
    peers = {peer.store: peer for peer in FRAMEWORKS[framework] if not peer.ours}
    return peers.get(kind.store, peers.get("cookie")) if kind.ours else None


def on_page(
    measured: Shares, framework: str, ours: type[Subject], theirs: type[Subject], page: str
) -> Comparison:
    """Compare two subjects on one page of a framework."""
    mine, other = (
        Figure(kind.name, measured.added[shares.Cell(framework, kind.name, kind.store, page)])
        for kind in (ours, theirs)
    )
    return Comparison(f"{framework}, {place(ours.store)}, {page} page", mine, other)


def in_frameworks(measured: Shares) -> Iterator[Comparison]:
    """Compare every subject of Sojourn with the peer that has the same store, on every page."""
    for framework, kinds in FRAMEWORKS.items():
        for page, kind in product(PAGES, kinds):
            peer = beside(framework, kind)
            if peer is not None and peer.store == kind.store:
                yield on_page(measured, framework, kind, peer, page)
