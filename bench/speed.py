"""The cost of a session per request: the time with the session minus the time without it.

The subjects take turns within each round, so that a slow phase of the machine affects all of them.
A store in memory is emptied before each round; one in files is not, since in practice its folders
exist already.  Blocks of requests are short, so that an interruption by another process spoils a
few blocks but not the median.  A cost is the median over all pairs of blocks, and its spread is
half of the interquartile range.  The garbage collector of Python is off during a block, as its
pauses are measured separately.
"""

from __future__ import annotations

import gc
import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from bench import floors
from bench.payloads import KEYS, OPERATIONS, PAYLOADS, SIZES, VARIANTS, work
from bench.registry import STORES
from bench.subject import Subject, Work, cookie_of, set_cookie_size
from bench.tables import figure

WARM = 5
"""The number of requests before the timing starts, and the least number in a block."""
PAIRS = 5
"""Pairs of blocks, with and without the session, of one subject in one round."""
COOKIE_LIMIT = 4096
"""The largest cookie in bytes that browsers store (RFC 6265bis, 5.6)."""


class Cost(NamedTuple):
    """The cost of a session, in microseconds."""

    median: float
    spread: float

    def __str__(self) -> str:
        return f"{figure(self.median)} ± {figure(self.spread)}"


class Pair(NamedTuple):
    """The times of a request, in microseconds."""

    bare: float
    full: float


class Cell(NamedTuple):
    """A subject, the size of its session, and the kind of request; a floor has one kind only."""

    name: str
    store: str
    size: str
    operation: str


class Speeds(NamedTuple):
    """The measured costs; `missing` gives the reason for each one that was not measured."""

    costs: dict[Cell, Cost]
    missing: dict[Cell, str]


class _Found(NamedTuple):
    costs: dict[Cell, list[float]]
    missing: dict[Cell, str]


def measure(
    subjects: Collection[type[Subject]],
    folder: Path,
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> Speeds:
    """Measure the subjects and the floors of their stores, in blocks of about `seconds` each.

    The floors of a store are measured just before the subjects that use it.
    """
    found = _Found(defaultdict(list), {})
    stores = [store for store in STORES if any(kind.store == store for kind in subjects)]
    for number in range(rounds):
        say(f"speed: round {number + 1} of {rounds}")
        for size in SIZES:
            for store in stores:
                for name, part in floors.timed(store, size, _fresh(folder / "floors"), seconds):
                    found.costs[Cell(name, "floor", size, "")].append(part)
                for kind in subjects:
                    if kind.store == store:
                        _round(kind, size, folder, seconds, found)
    return Speeds({cell: cost(costs) for cell, costs in found.costs.items()}, found.missing)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _round(kind: type[Subject], size: str, folder: Path, seconds: float, speeds: _Found) -> None:
    place = folder / kind.__module__ / kind.__name__
    place.mkdir(parents=True, exist_ok=True)
    subject = kind(place)
    try:
        reason = unfit(subject, size)
        for operation in OPERATIONS:
            cell = Cell(kind.name, kind.store, size, operation)
            if reason:
                speeds.missing[cell] = reason
            else:
                speeds.costs[cell] += _overheads(subject, size, operation, seconds)
    finally:
        subject.close()


def unfit(subject: Subject, size: str) -> str:
    """Return why a session of this size cannot be measured; empty if its values are kept."""
    try:
        answer = subject.serve(subject.request(None), work(size, "new"))
    except Exception as error:  # noqa: BLE001 - whatever a library raises is the reason
        return f"{type(error).__name__}: {_beginning(str(error))}"
    if set_cookie_size(answer) > COOKIE_LIMIT:
        return f"a Set-Cookie of {set_cookie_size(answer):,} bytes, which a browser drops"
    subject.serve(request := subject.request(cookie_of(answer, None)), work(size, "write"))
    seen: list[object] = []
    subject.serve(request, lambda session: seen.append(session[KEYS[size]]))
    kept = PAYLOADS[size][KEYS[size]] if subject.store == "cookie" else VARIANTS[size][0]
    return "" if seen == [kept] else "what was written did not come back"


def _beginning(text: str) -> str:
    return text.partition("\n")[0]


def _overheads(subject: Subject, size: str, operation: str, seconds: float) -> list[float]:
    """Return the microseconds that the session adds to a request, for each pair of blocks."""
    job = work(size, operation)
    request = subject.request(None) if operation == "new" else returning(subject, size)
    return [pair.full - pair.bare for pair in pairs(subject, request, job, seconds)]


def returning(subject: Subject, size: str) -> Any:
    """Return the request of a visitor who has a session."""
    answer = subject.serve(subject.request(None), work(size, "new"))
    return subject.request(cookie_of(answer, None))


def pairs(subject: Subject, request: Any, job: Work, seconds: float) -> list[Pair]:
    """Measure pairs of blocks of about so many seconds: without the session, and with it."""
    subject.time(request, job, WARM, bare=True)
    once = subject.time(request, job, WARM, bare=False) / WARM
    times = max(WARM, int(seconds / once))
    gc.collect()
    gc.disable()
    try:
        return [_pair(subject, request, job, times) for _ in range(PAIRS)]
    finally:
        gc.enable()


def _pair(subject: Subject, request: Any, job: Work, times: int) -> Pair:
    bare = subject.time(request, job, times, bare=True)
    full = subject.time(request, job, times, bare=False)
    return Pair(bare / times * 1e6, full / times * 1e6)


def cost(costs: list[float]) -> Cost:
    """Return median and spread of these measurements."""
    if len(costs) == 1:
        return Cost(costs[0], 0.0)
    low, _, high = statistics.quantiles(costs, n=4, method="inclusive")
    return Cost(statistics.median(costs), (high - low) / 2)
