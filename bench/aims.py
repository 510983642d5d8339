"""The performance goals of Sojourn, and whether it meets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bench import imports, rush
from bench.comparisons import LAZY, OURS, OURS_ASYNC, Ratio, floor_of, ratio
from bench.floors.local import REPLACE
from bench.floors.sql import ASYNCMY_SELECT
from bench.measured import Measured
from bench.payloads import OPERATIONS
from bench.registry import place
from bench.rush import AT_ONCE, Pace
from bench.shares import Cell as Page
from bench.shares import Shares
from bench.speed import Cell, Speeds
from bench.tables import TIMES, faster, figure

SIZE = "200 B"
LIMITS: Mapping[tuple[str, str], tuple[float | None, ...]] = {
    ("memory", OURS): (4.3, 7.5, 9.5),
    ("file", OURS): (8.5, None, None),
    ("file", OURS_ASYNC): (12.0, 330.0, 200.0),
    ("redis", OURS): (19.0, 43.0, 42.0),
    ("redis", OURS_ASYNC): (27.0, 64.0, 58.0),
    ("redis", LAZY): (None, 20.0, None),
    ("mysql", OURS): (40.0, 105.0, 68.0),
    ("postgres", OURS): (35.0, 90.0, 60.0),
    ("postgres", OURS_ASYNC): (62.0, 130.0, 90.0),
    ("sqlite", OURS): (12.0, 33.0, 40.0),
    ("sqlite", OURS_ASYNC): (16.0, 95.0, 78.0),
}
"""The most microseconds of a read, a write and a new session; a file's are limited by its floor."""
QUIET = {
    ("Falcon", "Sojourn"): 3.0,
    ("Flask", "Sojourn"): 12.0,
    ("Django", "Sojourn, its middleware"): 12.0,
    ("Starlette", "Sojourn"): 6.0,
    ("FastAPI", "Sojourn"): 13.0,
    ("Litestar", "Sojourn"): 15.0,
    ("aiohttp", "Sojourn"): 12.0,
    ("Quart", "Sojourn"): 18.0,
}
"""The most microseconds that sessions in Redis add to a page that never uses them."""


class Aim(NamedTuple):
    """A goal: `found` is compared with `limit`, in the given direction."""

    what: str
    limit: str
    found: str
    kept: bool


def aims(measured: Measured) -> Iterator[Aim]:
    """Yield every goal that was measured."""
    yield from _limits(measured.speeds)
    yield from _file_aims(measured.speeds)
    yield from _peer_aims(measured.speeds)
    yield _pace_aim(measured.paces)
    yield from _quiet_aims(measured.shares)
    yield from _size_aims(measured)
    more = measured.imports[imports.OURS] - measured.imports[imports.BARE]
    yield at_most("import sojourn, beyond Python alone", 60.0, more, "ms")


def _limits(speeds: Speeds) -> Iterator[Aim]:
    for (store, name), limits in LIMITS.items():
        for operation, limit in zip(OPERATIONS, limits, strict=True):
            if limit is not None:
                found = speeds.costs[Cell(name, store, SIZE, operation)].median
                by = {OURS_ASYNC: ", asyncio", LAZY: ", without reading"}.get(name, "")
                yield at_most(f"{place(store)}{by}, {operation}", limit, found, "µs")


def _file_aims(speeds: Speeds) -> Iterator[Aim]:
    for operation in ("write", "new"):
        small = ratio(speeds, "file", SIZE, operation)
        yield at_most(
            f"files, {operation}, against the floor", 1.1, small.ours / small.floor, TIMES
        )
        above = small.ours - small.floor
        yield at_most(f"files, {operation}, above the floor", 45.0, above, "µs")
    replaced = ratio(speeds, "file", SIZE, "write").ours / floor_of(speeds, REPLACE, SIZE)
    yield at_most("files, write, against a temporary file and its rename", 1.4, replaced, TIMES)


def _peer_aims(speeds: Speeds) -> Iterator[Aim]:
    def memory(size: str, operation: str) -> Ratio:
        return ratio(speeds, "memory", size, operation)

    for operation, least in (("read", 2.5), ("write", 2.5), ("new", 1.5)):
        found = memory(SIZE, operation).faster
        yield at_least(f"memory, {operation}, against the fastest of the others", least, found)
    one = memory("50 KB", "read").faster
    yield at_least("memory, one key of 50 in 50 KB, against the fastest of the others", 10.0, one)
    read = speeds.costs[Cell(OURS_ASYNC, "mysql", SIZE, "read")].median
    select = floor_of(speeds, ASYNCMY_SELECT, SIZE)
    what = "MariaDB, asyncio, read, against asyncmy's SELECT"
    yield at_most(what, 1.6, read / select, TIMES)


def _quiet_aims(shares: Shares) -> Iterator[Aim]:
    for (framework, name), limit in QUIET.items():
        found = shares.added[Page(framework, name, "redis", "quiet")].median
        yield at_most(f"a quiet page, {framework}", limit, found, "µs")


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
    yield at_most("gc of 10,000 among a million in Redis", 500.0, found["redis"]["gc_ms"], "ms")
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
