"""The section about real servers, for the page of performance."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator

from bench.serving.apps import LIBRARIES, NONE, OURS, SERVERS
from bench.serving.load import AT_ONCE
from bench.serving.measure import SESSIONS, Figures, Run
from bench.serving.pages import NAMES, QUIET
from bench.speed import cost
from bench.tables import NOTHING, TIMES, figure, table

FASTER = 1.2
"""The aim: so many times the requests per second of the usual library."""
NEARLY = 0.95
"""The aim for quiet pages, where nobody can be faster than an application without sessions."""

HOW = f"""\
One worker of gunicorn (its default, which closes the connection after each response) serves Flask and Django; one
worker of uvicorn serves Starlette and FastAPI. The server and the store share one CPU. On the other one, `wrk` keeps
{AT_ONCE} connections busy, which send the cookies of {SESSIONS} sessions of 200 bytes in turn. The page *quiet* never uses its
session, *read* returns one key of it, *change* gives a key another value, and *new* gets no cookie and stores a
session. The status and the body of each response are checked. The figures are medians of {{rounds}} rounds, with runs of
{{seconds}} s, ± half the distance between the quartiles. They include the time of the server and of the framework, which
together with the store used {{used:.0%}} of their CPU in the median run, and at least {{least:.0%}}. {{versions}}."""
SETTINGS = """\
When a session is read depends on the library. Flask-Session and fastapi-redis-sdk read it on every page, django-redis at
its first use, starsessions where the view calls `load_session`. Sojourn reads at the first use under Flask and Django,
for `CurrentSession` under FastAPI, and under Starlette on every page that is not named quiet (`quiet=`). Flask-Session
also stores the session on every page, and starsessions on every page that loads it."""
AIMS = f"""\
Aimed at: at least {FASTER} {TIMES} the requests per second of the usual library, and on quiet pages, where each library can at
best cost nothing, at least {NEARLY} {TIMES}. Ratios are the medians of those within a round. Bold figures miss their aim."""
PROCESSOR = """\
The processor time of a request in microseconds: of the application with its server, and of the store. Aimed at: less
time of the store than with the usual library."""

Cells = dict[tuple[str, str, str], list[Run]]
"""The runs of a framework, a library and a page, one of each round."""


def section(figures: Figures) -> str:
    """Return the section, without its title."""
    cells = _cells(figures)
    rounds = max(map(len, cells.values()))
    used = [run.rate * (run.application + run.store) / 1e6 for run in figures.runs]
    how = HOW.format(
        rounds=rounds,
        seconds=figures.seconds,
        used=statistics.median(used),
        least=min(used),
        versions=figures.versions,
    )
    return "\n\n".join(
        (
            how,
            SETTINGS,
            table(["requests per second", *NAMES], _rows(cells, _rate)),
            AIMS,
            ratios(figures),
            PROCESSOR,
            table(["µs, application + store", *NAMES], _rows(cells, _times)),
        )
    )


def ratios(figures: Figures) -> str:
    """Return the table of the requests per second beside those with other libraries."""
    return table(["Sojourn beside", *NAMES], _ratios(_cells(figures)))


def _cells(figures: Figures) -> Cells:
    cells: Cells = defaultdict(list)
    for run in figures.runs:
        cells[run.framework, run.library, run.page].append(run)
    return cells


def _rows(cells: Cells, shown: Callable[[Cells, list[Run]], str]) -> Iterator[list[str]]:
    for framework in _frameworks(cells):
        yield [f"*{framework}*, {SERVERS[framework]}", *[""] * len(NAMES)]
        for library in LIBRARIES[framework]:
            found = (cells.get((framework, library, page)) for page in NAMES)
            name = f"**{library}**" if library == OURS else library
            yield [name, *(shown(cells, runs) if runs else NOTHING for runs in found)]


def _rate(_cells: Cells, runs: list[Run]) -> str:
    median, spread = cost([run.rate for run in runs])
    return f"{median:,.0f} ± {spread:,.0f}"


# -- against the others ---------------------------------------------------------------------------


def _ratios(cells: Cells) -> Iterator[list[str]]:
    for framework in _frameworks(cells):
        usual = _usual(framework)
        yield [f"{framework}, {usual}", *(_ratio(cells, framework, usual, page) for page in NAMES)]
        nothing = [NOTHING] * (len(NAMES) - 1)
        yield [f"{framework}, {NONE}", _ratio(cells, framework, NONE, QUIET), *nothing]


def _ratio(cells: Cells, framework: str, beside: str, page: str) -> str:
    """Return how many times the requests per second of the other library ours serves."""
    pairs = zip(cells[framework, OURS, page], cells[framework, beside, page], strict=True)
    ratio = statistics.median(ours.rate / other.rate for ours, other in pairs)
    text = f"{ratio:.2f} {TIMES}"
    return text if ratio >= (NEARLY if page == QUIET else FASTER) else f"**{text}**"


# -- processor time ---------------------------------------------------------------------------------


def _times(cells: Cells, runs: list[Run]) -> str:
    application, store = statistics.median(run.application for run in runs), _store(runs)
    shown = f"**{figure(store)}**" if _misses(cells, runs) else figure(store)
    return f"{figure(application)} + {shown}"


def _misses(cells: Cells, runs: list[Run]) -> bool:
    """Return whether ours takes as much time of the store as the usual library.

    The store has nothing to do for a quiet page: its time there is that of an idle server.
    """
    framework, library, page = runs[0][:3]
    if library != OURS or page == QUIET:
        return False
    return _store(runs) >= _store(cells[framework, _usual(framework), page])


def _store(runs: list[Run]) -> float:
    return statistics.median(run.store for run in runs)


def _usual(framework: str) -> str:
    _, usual, _ = LIBRARIES[framework]
    return usual


def _frameworks(cells: Cells) -> list[str]:
    return [*dict.fromkeys(framework for framework, _, _ in cells)]
