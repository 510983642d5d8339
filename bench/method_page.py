"""The page `docs/performance-method.md`: how it is measured, and every figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench import floors, shares_page
from bench import method_words as words
from bench.aims import aims
from bench.comparisons import OURS, ratio
from bench.frameworks import FRAMEWORKS
from bench.measured import Measured
from bench.payloads import OPERATIONS, SIZES
from bench.registry import STORES, SUBJECTS, within
from bench.rush import Pace
from bench.serving import section as serving
from bench.size import Sweep, Weight
from bench.speed import Cell, Cost, Speeds
from bench.tables import NOTHING, faster, figure, table, times


def page(measured: Measured) -> str:
    """Return the text of the page."""
    parts = ["# Performance: the method and all figures"]
    parts += ["## How it is measured", words.HOW.format(rounds=measured.rounds)]
    parts += ["## Settings, machine and versions", words.SETTINGS.format(settings=_settings())]
    parts += [f"Measured on {measured.machine}. {measured.versions}."]
    parts += ["## What a session costs a request", *_costs(measured.speeds)]
    parts += ["## Against the fastest of the others, and against the floor", words.FLOOR]
    parts += [_ratios(measured.speeds)]
    parts += ["The parts of the floor, and other ways to call the drivers, in microseconds:"]
    parts += [_floors(measured.speeds)]
    parts += ["## What a session costs in a framework", shares_page.section(measured.shares)]
    parts += ["## Why another library can be faster", words.REASONS]
    parts += ["## Many requests at once", words.RUSH, _paces(measured.paces)]
    parts += ["## Real servers", serving.section(measured.serving)]
    parts += ["## A million sessions", words.MANY, _weights(measured), words.KEPT, _kept(measured)]
    parts += [words.SWEPT, _sweeps(measured.sweeps), _meanwhile(measured.sweeps["mysql"])]
    parts += ["## Import", words.IMPORT, _imports(measured.imports)]
    parts += ["## Goals", words.AIMS, _aims(measured)]
    parts += ["## Where the time goes", words.PHASES, f"```text\n{measured.phases}\n```"]
    parts += ["## What is not measured", words.NOT]
    return "\n\n".join(parts) + "\n"


def tables(speeds: Speeds) -> str:
    """Return the tables of costs and floors."""
    return "\n\n".join([*_costs(speeds), _floors(speeds)])


# -- speed -------------------------------------------------------------------------------------


def _costs(speeds: Speeds) -> Iterator[str]:
    head = ["", *(f"{size} {operation}" for size in SIZES for operation in OPERATIONS)]
    measured = {cell.store for cell in speeds.costs}
    for store, title in STORES.items():
        rows = [_cost_row(speeds, kind.name, store) for kind in SUBJECTS if kind.store == store]
        if store in measured:
            yield f"**{title}**, microseconds ± half the distance between the quartiles:"
            yield table(head, rows)
    notes = {
        f"{cell.name}, {within(cell.store)}, {cell.size}: {why}"
        for cell, why in speeds.missing.items()
    }
    yield from (f"{NOTHING} {note}." for note in sorted(notes))


def _cost_row(speeds: Speeds, name: str, store: str) -> list[str]:
    shown = f"**{name}**" if name.startswith("Sojourn") else name
    cells = (Cell(name, store, size, kind) for size in SIZES for kind in OPERATIONS)
    return [shown, *(_shown(speeds.costs.get(cell)) for cell in cells)]


def _shown(cost: Cost | None) -> str:
    return NOTHING if cost is None else str(cost)


def _ratios(speeds: Speeds) -> str:
    head = ["", "", "Sojourn", "fastest of the others", "", "Sojourn is"]
    rows = []
    for store in floors.STORES:
        for size in SIZES:
            for operation in OPERATIONS:
                r = ratio(speeds, store, size, operation)
                figures = [figure(r.ours), r.peer, figure(r.theirs), faster(r.faster)]
                floor = [figure(r.floor), times(r.ours / r.floor), figure(r.ours - r.floor)]
                rows.append([STORES[store], f"{size} {operation}", *figures, *floor])
    return table([*head, "floor", "of the floor", "above the floor"], rows, left=2)


def _floors(speeds: Speeds) -> str:
    names = dict.fromkeys(cell.name for cell in speeds.costs if cell.store == "floor")
    rows = [
        [name, *(_shown(speeds.costs[Cell(name, "floor", size, "")]) for size in SIZES)]
        for name in names
    ]
    return table(["", *SIZES], rows)


def _settings() -> str:
    told = {f"{kind.name.partition(',')[0]}: {kind.settings}" for kind in SUBJECTS if kind.settings}
    told |= {
        f"{kind.name} in {framework}: {kind.settings}"
        for framework, kinds in FRAMEWORKS.items()
        for kind in kinds
        if kind.ours and kind.settings
    }
    return "\n".join(f"- {line}" for line in sorted(told))


# -- size --------------------------------------------------------------------------------------


def _weights(measured: Measured) -> str:
    head = ["in memory", "sessions", "bytes each", "longest pause, ms"]
    rows = [
        [
            weight.name,
            f"{weight.sessions:,}",
            f"{weight.found['bytes']:,.0f}",
            figure(weight.found["pause_ms"]),
        ]
        for weight in measured.weights
    ]
    return table(head, rows)


def _kept(measured: Measured) -> str:
    head = ["in Redis", "sessions", "bytes each", "of them in indexes"]
    users = measured.sweeps["redis"]
    lines = [*measured.kept, Weight(f"{OURS}, every session with a user", *users)]
    rows = [
        [
            weight.name,
            f"{weight.sessions:,}",
            figure(weight.found["bytes"]),
            figure(weight.found["index_bytes"]),
        ]
        for weight in lines
    ]
    return table(head, rows)


def _sweeps(sweeps: Mapping[str, Sweep]) -> str:
    head = ["Sojourn", "sessions", "count", "sessions(user) of one", "gc of the expired", "expired"]
    rows = []
    for store, (sessions, found) in sweeps.items():
        user = f"{figure(found['user_ms'])} ms" if "user_ms" in found else NOTHING
        shown = [f"{figure(found['count_ms'])} ms", user, f"{figure(found['gc_ms'])} ms"]
        expired = f"{found['expired']:,.0f}"
        rows.append([within(store), f"{sessions:,}", *shown, expired])
    return table(head, rows)


def _meanwhile(sweep: Sweep) -> str:
    head = [f"MariaDB, {sweep.sessions:,} sessions, µs", "alone", "during gc", ""]
    rows = []
    for operation in ("read", "write"):
        alone, during = (sweep.found[f"{operation}{when}_us"] for when in ("", "_meanwhile"))
        rows.append([operation, figure(alone), figure(during), times(during / alone)])
    return table(head, rows)


# -- many at once --------------------------------------------------------------------------------


def _paces(paces: Sequence[Pace]) -> str:
    rows = [
        [
            f"**{pace.name}**" if pace.ours else pace.name,
            f"{pace.read:,.0f}",
            NOTHING if pace.write is None else f"{pace.write:,.0f}",
        ]
        for pace in paces
    ]
    return table(["requests a second", "read", "write"], rows)


def _imports(imports: Mapping[str, float]) -> str:
    return table(["", "ms"], [[name, figure(found)] for name, found in imports.items()])


def _aims(measured: Measured) -> str:
    rows = [
        [aim.what, aim.limit, aim.found, "kept" if aim.kept else "**missed**"]
        for aim in aims(measured)
    ]
    return table(["200 B, where nothing else is said", "goal", "measured", ""], rows)
