"""`docs/performance.md`, and the picture in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench import floors
from bench.aims import Measured, aims, ratio
from bench.chart import Bar, Panel, Row, picture
from bench.payloads import OPERATIONS, SIZES
from bench.registry import STORES, SUBJECTS
from bench.size import Sweep
from bench.speed import Cell, Cost, Speeds
from bench.tables import NOTHING, faster, figure, table, times

TITLE = "What a session costs one request, in microseconds"


def page(measured: Measured) -> str:
    """Return the page."""
    parts = [
        "# Performance",
        _HOW.format(rounds=measured.rounds, settings=_settings()),
        f"Measured on {measured.machine}. {measured.versions}.",
        f"![{TITLE}](performance.svg)",
        "## What a session costs a request",
        *_costs(measured.speeds),
        "## Against the fastest of the others, and against the floor",
        _FLOOR,
        _ratios(measured.speeds),
        "The floor's parts, in microseconds:",
        _floors(measured.speeds),
    ]
    if measured.weights:
        parts += ["## A million sessions", _MANY, _weights(measured), _sweeps(measured.sweeps)]
    parts += ["## What was aimed at", _AIMS, _aims(measured)]
    parts += ["## Where the time goes", _PHASES, f"```text\n{measured.phases}\n```"]
    parts += ["## What is not measured", _NOT]
    return "\n\n".join(parts) + "\n"


def chart(speeds: Speeds) -> str:
    """Return the picture of the smallest session."""
    rows = [Row(STORES[store], _panels(speeds, store)) for store in floors.STORES]
    return picture(TITLE, "200 bytes in 5 keys, one CPU; shorter is better", rows)


def _panels(speeds: Speeds, store: str) -> list[Panel]:
    titles = {"read": "read one key", "write": "write one key", "new": "begin a new session"}
    return [Panel(titles[name], [*_bars(speeds, store, name)]) for name in OPERATIONS]


def _bars(speeds: Speeds, store: str, operation: str) -> Iterator[Bar]:
    for kind in SUBJECTS:
        cost = speeds.costs.get(Cell(kind.name, store, "200 B", operation))
        if kind.store == store and cost is not None:
            yield Bar(kind.name, max(cost.median, 0.0), kind.ours)


# -- speed -------------------------------------------------------------------------------------


def _costs(speeds: Speeds) -> Iterator[str]:
    head = ["", *(f"{size} {operation}" for size in SIZES for operation in OPERATIONS)]
    for store, title in STORES.items():
        rows = [_cost_row(speeds, kind.name, store) for kind in SUBJECTS if kind.store == store]
        if rows:
            yield f"**{title}**, microseconds ± half the distance between the quartiles:"
            yield table(head, rows)
    notes = {f"{cell.name}, {cell.size}: {why}" for cell, why in speeds.missing.items()}
    yield from (f"{NOTHING} {note}." for note in sorted(notes))


def _cost_row(speeds: Speeds, name: str, store: str) -> list[str]:
    shown = f"**{name}**" if name.startswith("Sojourn") else name
    cells = (Cell(name, store, size, kind) for size in SIZES for kind in OPERATIONS)
    return [shown, *(_shown(speeds.costs.get(cell)) for cell in cells)]


def _shown(cost: Cost | None) -> str:
    return NOTHING if cost is None else f"{figure(cost.median)} ± {figure(cost.spread)}"


def _ratios(speeds: Speeds) -> str:
    head = ["", "", "Sojourn", "fastest of the others", "", "Sojourn is", "floor", "of the floor"]
    rows = []
    for store in floors.STORES:
        for size in SIZES:
            for operation in OPERATIONS:
                r = ratio(speeds, store, size, operation)
                figures = [figure(r.ours), r.peer, figure(r.theirs), faster(r.faster)]
                where = [STORES[store], f"{size} {operation}"]
                rows.append([*where, *figures, figure(r.floor), times(r.ours / r.floor)])
    return table(head, rows, left=2)


def _floors(speeds: Speeds) -> str:
    rows = [
        [name, *(_shown(speeds.costs[Cell(name, "floor", size, "")]) for size in SIZES)]
        for name in floors.NAMES
    ]
    return table(["", *SIZES], rows)


def _settings() -> str:
    told = {f"{kind.name.partition(',')[0]}: {kind.settings}" for kind in SUBJECTS if kind.settings}
    return "\n".join(f"- {line}" for line in sorted(told))


# -- size --------------------------------------------------------------------------------------


def _weights(measured: Measured) -> str:
    head = ["in memory", "sessions", "bytes each", "longest pause, ms", "pause before, ms"]
    rows = [
        [
            weight.name,
            f"{weight.sessions:,}",
            f"{weight.found['bytes']:,.0f}",
            figure(weight.found["pause_ms"]),
            figure(weight.found["pause_empty_ms"]),
        ]
        for weight in measured.weights
    ]
    return table(head, rows)


def _sweeps(sweeps: Sequence[Sweep]) -> str:
    head = ["Sojourn", "sessions", "count", "sessions(user) of one", "gc of the expired", "expired"]
    rows = []
    for sweep in sweeps:
        found = sweep.found
        user = f"{figure(found['user_ms'])} ms" if "user_ms" in found else NOTHING
        shown = [f"{figure(found['count_ms'])} ms", user, f"{figure(found['gc_ms'])} ms"]
        expired = f"{found['expired']:,.0f}"
        rows.append([STORES[sweep.store].lower(), f"{sweep.sessions:,}", *shown, expired])
    return table(head, rows)


def _aims(measured: Measured) -> str:
    rows = [
        [aim.what, aim.limit, aim.found, "kept" if aim.kept else "**missed**"]
        for aim in aims(measured)
    ]
    return table(["200 B, where nothing else is said", "aim", "measured", ""], rows)


_HOW = """\
`make bench` made this page. It installs the libraries below into an environment of their own,
measures them side by side in one process, and writes down what it found; run it to see the figures
of your machine.

A cost is the time of a request with the session minus the time of the same request without it,
through each library's own middleware in an application as thin as it allows: no network, no server.
*Read* asks for one key of a session that exists, *write* gives one key a value that it did not have,
*new* is a request without a cookie that stores the whole payload. Payloads are 200 bytes in 5 keys,
2 KB in 20, 50 KB in 50: text, numbers, lists and dictionaries that every library can store.

The process, threads included, is kept on one CPU. Within each of {rounds} rounds the libraries take
turns, in five short blocks of requests with the session and five without; what is shown is the median of
all. A store in memory begins each round empty, one in files keeps what it holds. Python's collector
does not run inside of a block. Settings are the default ones, but for these:

{settings}"""

_FLOOR = """\
*Sojourn* is its `Manager` called directly; what its middlewares add is in the tables above. *The
fastest of the others* is the fastest library that keeps sessions on the server, in the same kind of
store, whether or not it does the same (see [Correctness](correctness.md)). *The floor* is what the
store itself and one pass of a fast codec over the whole session would cost: to read, a look-up or an
opened file and one decoding; to write, that and an encoding and a file renamed into place; for a new
session, a random token, its HMAC, an encoding and the store. Less than the floor is possible, since
one key of a session is decoded without the others."""

_MANY = """\
Each line is a process of its own that holds sessions of 200 bytes, no two alike. A pause is the longest
time that Python's collector took, in processor time, while the sessions were made or in five full
collections afterwards; *before* is that of the same process without them. In files, every session
has a user, so that there are as many markers as sessions; the files are in the system's cache."""

_PHASES = """Each phase is called by itself, and only the call is timed; what stands further in is a part of what
stands above it. In memory nothing stands out any more: a write is some twenty calls of Python, none of
which is idle, and a new session's are the token, each value's encoding, the record and the cookie. In
files the disk's own work is nearly all of it."""

_AIMS = "Sojourn's `Manager`, called directly."

_NOT = """\
- Redis and SQL stores: not yet.
- Networks and servers: a round trip costs more than everything on this page.
- Several processes at once, and the waiting for each other's locks.
- A disk that is waited for: neither Sojourn without `fsync=True` nor any of the others waits for it.
- Browsers: a cookie store sends the whole session with every request, which costs the visitor, not us.
- Python without its global lock, and PyPy."""
