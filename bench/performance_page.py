"""The page `docs/performance.md`, and its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench import floors, shares
from bench.chart import Bar, Panel, picture
from bench.comparisons import (
    LEAST,
    OURS,
    OURS_ASYNC,
    Comparison,
    beside,
    fastest,
    in_frameworks,
    in_stores,
)
from bench.frameworks import FRAMEWORKS
from bench.measured import Measured
from bench.payloads import OPERATIONS
from bench.registry import SUBJECTS, place, within
from bench.serving import section as serving
from bench.shares import PAGES, Shares
from bench.speed import Cell, Cost, Speeds
from bench.subject import Subject
from bench.tables import NOTHING, figure, table

SIZE = "200 B"
USUAL = {
    "memory": "Django",
    "redis": "Flask-Session",
    "mysql": "Django db",
    "postgres": "Django db",
    "sqlite": "Django db",
    "file": "Django",
}
"""For each store, the other library that is shown besides the fastest one."""
SHOWN = {
    OURS: "Sojourn",
    OURS_ASYNC: "Sojourn, asyncio",
    "Sojourn, WSGI middleware": "Sojourn, WSGI",
    "Sojourn, ASGI middleware": "Sojourn, ASGI",
}
"""The subjects of Sojourn that the pictures show, and their names there."""

INTRODUCTION = """\
A session adds some microseconds to each request. These are the figures for Sojourn and for the session libraries that
Python applications use today; less is better. `make bench` measured all of them side by side, on one CPU that they
share with the store, and wrote this page. [The method and all figures](performance-method.md) has the settings, the
versions, larger sessions, throughput, memory, and the cost of the stores themselves."""

STORES_TEXT = """\
The session has 200 bytes. *Read* asks for one key, *write* changes one key, and *new* begins a session. *Sojourn* is
its `Manager` and *asyncio* its `AsyncManager`, both called directly. The other libraries are called through their
middleware, as are *Sojourn, WSGI* and *Sojourn, ASGI* in the pictures. All of them keep their sessions on the server.
The lowest figure of a row is bold."""

FRAMEWORKS_TEXT = """\
The application has a page that never uses the session (*quiet*), and one that reads one key of it (*read*) or changes
the key (*change*). *Without* is the time of a request without sessions, and the other figures are added to it. Sojourn
keeps its sessions in Redis. So does the library beside it, unless the table says that it keeps them in the cookie.
The lower of two figures is bold; figures below half a microsecond are equal."""

SERVERS = """\
Requests per second of gunicorn (Flask, Django) and uvicorn (Starlette, FastAPI) with Sojourn on Redis, as a multiple of
those with the usual library, and on quiet pages also of those without any sessions. 64 connections are busy. The server
and the framework take most of the time of such a request. [The rates and the processor
time](performance-method.md#real-servers) are on the page of the method. Bold figures miss their aim."""

BEHIND = """\
In {number} of {all} comparisons, Sojourn costs more than another library that keeps sessions on the server, even if
only by a little. The comparisons are between each line of Sojourn and the fastest of the others: in the same store for
each size of session, and in the same framework with the same store. A line of Sojourn for asyncio is compared with
libraries for asyncio, if there are any.
[Why another library can be faster](performance-method.md#why-another-library-can-be-faster) has the reasons."""

NOT_BEHIND = """\
There is none: in all {all} comparisons with libraries that keep sessions on the server, Sojourn costs less."""


def page(measured: Measured) -> str:
    """Return the text of the page."""
    parts = ["# Performance", INTRODUCTION, f"Measured on {measured.machine}."]
    parts += ["## By store", STORES_TEXT, _stores(measured.speeds)]
    parts += [f"![{_title(store)}](performance-{store}.svg)" for store in floors.STORES]
    parts += ["## By framework", FRAMEWORKS_TEXT, _frameworks(measured.shares)]
    parts += ["## On real servers", SERVERS, serving.ratios(measured.serving)]
    parts += ["## Where another library is faster", *_behind(measured)]
    return "\n\n".join(parts) + "\n"


def pictures(speeds: Speeds) -> dict[str, str]:
    """Return the chart of each store for the smallest session, by the name of its file."""
    subtitle = "Microseconds for a session of 200 bytes, on one CPU; shorter is better"
    return {
        f"performance-{store}.svg": picture(_title(store), subtitle, _panels(speeds, store))
        for store in floors.STORES
    }


def _title(store: str) -> str:
    return f"What a session {within(store)} adds to a request"


def _panels(speeds: Speeds, store: str) -> list[Panel]:
    titles = {"read": "read one key", "write": "change one key", "new": "begin a session"}
    return [Panel(titles[name], _bars(speeds, store, name)) for name in OPERATIONS]


def _bars(speeds: Speeds, store: str, operation: str) -> list[Bar]:
    """Return the bars in the order of their cost."""
    bars = []
    for kind in SUBJECTS:
        cost = speeds.costs.get(Cell(kind.name, store, SIZE, operation))
        if kind.store == store and cost and (kind.name in SHOWN or not kind.ours):
            name = SHOWN.get(kind.name, kind.name)
            bars.append(Bar(name, max(cost.median, 0.0), kind.ours))
    return sorted(bars, key=lambda bar: bar.value)


# -- tables ------------------------------------------------------------------------------------


def _stores(speeds: Speeds) -> str:
    head = [
        "store",
        "request",
        "Sojourn",
        "asyncio",
        "fastest of the others",
        "µs",
        "a usual one",
        "µs",
    ]
    rows = []
    for store in floors.STORES:
        for operation in OPERATIONS:
            cell = Cell(OURS, store, SIZE, operation)
            peer, usual = fastest(speeds, cell), USUAL[store]
            costs = [
                speeds.costs[cell],
                speeds.costs[cell._replace(name=OURS_ASYNC)],
                peer.cost,
                speeds.costs[cell._replace(name=usual)],
            ]
            ours, awaited, other, common = _marked(costs)
            rows.append([place(store), operation, ours, awaited, peer.name, other, usual, common])
    return table(head, rows, left=2)


def _frameworks(measured: Shares) -> str:
    rows = [
        _framework(measured, framework, kind)
        for framework, kinds in FRAMEWORKS.items()
        for kind in kinds
        if kind.ours and kind.store == "redis"
    ]
    return table(["framework", "without", *PAGES, "beside", *PAGES], rows)


def _framework(measured: Shares, framework: str, kind: type[Subject]) -> list[str]:
    def costs(which: type[Subject]) -> list[Cost]:
        cells = (shares.Cell(framework, which.name, which.store, page) for page in PAGES)
        return [measured.added[cell] for cell in cells]

    name = framework if kind.name == "Sojourn" else f"{framework}: {kind.name}"
    row, mine = [name, figure(measured.bare[framework].median)], costs(kind)
    peer = beside(framework, kind)
    if peer is None:
        return [*row, *(figure(cost.median) for cost in mine), *[NOTHING] * 4]
    where = f"{peer.name}, in {place(peer.store)}" if peer.store == "cookie" else peer.name
    ours, theirs = zip(*map(_marked, zip(mine, costs(peer), strict=True)), strict=True)
    return [*row, *ours, where, *theirs]


def _marked(costs: Iterable[Cost]) -> list[str]:
    """Return the figures of a row, the lowest in bold."""
    medians = [cost.median for cost in costs]
    lowest = max(LEAST, min(medians))
    return [f"**{figure(it)}**" if it <= lowest else figure(it) for it in medians]


def _behind(measured: Measured) -> Iterator[str]:
    compared = [*in_stores(measured.speeds), *in_frameworks(measured.shares)]
    behind = [it for it in compared if it.faster < 1]
    if not behind:
        yield NOT_BEHIND.format(all=len(compared))
        return
    yield BEHIND.format(number=len(behind), all=len(compared))
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for it in behind:
        key = it.where, it.theirs.name, str(it.theirs.cost)
        grouped.setdefault(key, []).append(_line(it))
    rows = [[*key, "; ".join(lines)] for key, lines in grouped.items()]
    yield table(["request", "fastest of the others", "µs", "Sojourn, µs"], rows, left=4)


def _line(compared: Comparison) -> str:
    name = compared.ours.name.removeprefix("Sojourn, ")
    return f"{name} {compared.ours.cost}"
