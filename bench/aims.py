"""The performance goals of Sojourn, whether it meets them, and its ratio to the fastest peer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bench import floors, rush
from bench.floors.local import REPLACE
from bench.floors.sql import ASYNCMY_SELECT
from bench.registry import SUBJECTS
from bench.rush import AT_ONCE, Pace
from bench.shares import Shares
from bench.size import Sweep, Weight
from bench.speed import Cell, Speeds
from bench.tables import TIMES, faster, figure

OURS = "Sojourn, Manager"
OURS_ASYNC = "Sojourn, AsyncManager"


class Measured(NamedTuple):
    """All measurements that the page shows."""

    machine: str
    versions: str
    rounds: int
    speeds: Speeds
    shares: Shares
    paces: Sequence[Pace]
    weights: Sequence[Weight]
    kept: Sequence[Weight]
    sweeps: Mapping[str, Sweep]
    phases: str


class Ratio(NamedTuple):
    """The times of Sojourn and of its fastest peer, for one kind of request."""

    ours: float
    peer: str
    theirs: float
    floor: float

    @property
    def faster(self) -> float:
        """How many times faster Sojourn is than its fastest peer."""
        return self.theirs / self.ours


def ratio(speeds: Speeds, store: str, size: str, operation: str) -> Ratio:
    """Compare Sojourn with the server-side libraries that use the same kind of store."""
    peers = {
        kind.name: cost.median
        for kind in SUBJECTS
        if kind.store == store and not kind.ours
        if (cost := speeds.costs.get(Cell(kind.name, store, size, operation))) is not None
    }
    fastest = min(peers, key=lambda name: peers[name])
    floor = sum(floor_of(speeds, part, size) for part in floors.SUMS[store, operation])
    ours = speeds.costs[Cell(OURS, store, size, operation)].median
    return Ratio(ours, fastest, peers[fastest], floor)


def floor_of(speeds: Speeds, name: str, size: str) -> float:
    """Return a floor in microseconds."""
    return speeds.costs[Cell(name, "floor", size, "")].median


class Aim(NamedTuple):
    """A goal: `found` is compared with `limit`, in the given direction."""

    what: str
    limit: str
    found: str
    kept: bool


def aims(measured: Measured) -> Iterator[Aim]:
    """Yield every goal that was measured."""
    yield from _local_aims(measured.speeds)
    yield from _server_aims(measured.speeds)
    yield _pace_aim(measured.paces)
    yield from _size_aims(measured)


def _local_aims(speeds: Speeds) -> Iterator[Aim]:
    def small(store: str, operation: str) -> Ratio:
        return ratio(speeds, store, "200 B", operation)

    for operation, limit in (("read", 6.0), ("write", 8.0), ("new", 8.0)):
        yield at_most(f"memory, {operation}", limit, small("memory", operation).ours, "µs")
    for operation, least in (("read", 2.5), ("write", 2.5), ("new", 1.5)):
        found = small("memory", operation).faster
        yield at_least(f"memory, {operation}, against the fastest of the others", least, found)
    yield at_most("file, read", 10.0, small("file", "read").ours, "µs")
    replace = floor_of(speeds, REPLACE, "200 B")
    what = "file, write, against a temporary file and its rename"
    yield at_most(what, 1.4, small("file", "write").ours / replace, TIMES)
    one = ratio(speeds, "memory", "50 KB", "read").faster
    yield at_least("memory, one key of 50 in 50 KB, against the fastest of the others", 10.0, one)


def _server_aims(speeds: Speeds) -> Iterator[Aim]:
    def small(store: str, operation: str, name: str = OURS) -> float:
        return speeds.costs[Cell(name, store, "200 B", operation)].median

    for operation, limit in (("read", 30.0), ("write", 55.0), ("new", 50.0)):
        yield at_most(f"Redis, {operation}", limit, small("redis", operation), "µs")
    yield at_most("Redis, read, by asyncio", 60.0, small("redis", "read", OURS_ASYNC), "µs")
    for operation, limit in (("read", 50.0), ("write", 100.0)):
        yield at_most(f"MariaDB, {operation}", limit, small("mysql", operation), "µs")
    select = floor_of(speeds, ASYNCMY_SELECT, "200 B")
    what = "MariaDB, read, by asyncio, against asyncmy's SELECT"
    yield at_most(what, 1.6, small("mysql", "read", OURS_ASYNC) / select, TIMES)


def _pace_aim(paces: Sequence[Pace]) -> Aim:
    """Return the goal for the throughput; both sides are called through their middleware."""
    ours = next(pace.read for pace in paces if pace.name == rush.OURS)
    peers = [pace.read for pace in paces if not pace.ours and pace.write is not None]
    what = f"Redis, {AT_ONCE} reads at once, against the fastest of the others"
    return at_least(what, 2.5, ours / max(peers))


def _size_aims(measured: Measured) -> Iterator[Aim]:
    weight = next(weight.found for weight in measured.weights if weight.name == OURS)
    found = {store: sweep.found for store, sweep in measured.sweeps.items()}
    memory, files, rows = found["memory"], found["file"], found["mysql"]
    yield at_most("bytes a session, a million in memory", 500.0, weight["bytes"], "bytes")
    yield at_most("pause of Python's collector, a million", 10.0, weight["pause_ms"], "ms")
    yield at_most("gc of 10,000 among a million in memory", 50.0, memory["gc_ms"], "ms")
    yield at_most("gc of 10,000 among 100,000 files", 500.0, files["gc_ms"], "ms")
    yield at_most("count of 100,000 files", 300.0, files["count_ms"], "ms")
    yield at_most("count of a million in memory", 1.0, memory["count_ms"], "ms")
    yield at_most("count of a million in Redis", 1.0, found["redis"]["count_ms"], "ms")
    yield at_most("count of a million in a cluster", 5.0, found["cluster"]["count_ms"], "ms")
    yield at_most("sessions(user) of one, among 100,000 files", 10.0, files["user_ms"], "ms")
    for operation in ("read", "write"):
        ratio = rows[f"{operation}_meanwhile_us"] / rows[f"{operation}_us"]
        what = f"MariaDB, {operation} while 100,000 among a million are swept, against alone"
        yield at_most(what, 1.5, ratio, TIMES)


def at_most(what: str, limit: float, found: float, unit: str) -> Aim:
    """Return a goal with an upper limit."""
    return Aim(what, f"≤ {limit:g} {unit}", f"{figure(found)} {unit}", found <= limit)


def at_least(what: str, limit: float, found: float) -> Aim:
    """Return a goal with a lower limit."""
    return Aim(what, f"≥ {limit:g} {TIMES} faster", faster(found), found >= limit)
