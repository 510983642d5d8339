"""The part of the request time that a session takes in each framework.

The application has two pages.  One never uses the session; the other reads one key of 200 bytes,
or changes it.  The time of the same application without sessions is subtracted.  All subjects take
turns within each round, as in `bench.speed`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from bench.frameworks import FRAMEWORKS
from bench.payloads import work
from bench.speed import Cost, Pair, cost, pairs, returning, unfit
from bench.subject import Subject

SIZE = "200 B"
PAGES = ("quiet", "read", "change")


class Cell(NamedTuple):
    """The session library, its framework and store, and the page."""

    framework: str
    name: str
    store: str
    page: str


class Shares(NamedTuple):
    """The measured times: of each framework without sessions, and the time that sessions add."""

    bare: dict[str, Cost]
    added: dict[Cell, Cost]


def measure(folder: Path, rounds: int, seconds: float, say: Callable[[str], None]) -> Shares:
    """Measure all frameworks, in blocks of about `seconds` each."""
    found: dict[Cell, list[Pair]] = defaultdict(list)
    for number in range(rounds):
        say(f"frameworks: round {number + 1} of {rounds}")
        for framework, kinds in FRAMEWORKS.items():
            for kind in kinds:
                _round(framework, kind, folder, seconds, found)
    return Shares(
        {framework: cost(_bare(found, framework)) for framework in FRAMEWORKS},
        {cell: cost([pair.full - pair.bare for pair in its]) for cell, its in found.items()},
    )


def _round(
    framework: str,
    kind: type[Subject],
    folder: Path,
    seconds: float,
    found: dict[Cell, list[Pair]],
) -> None:
    place = folder / framework / kind.__name__
    place.mkdir(parents=True, exist_ok=True)
    subject = kind(place)
    try:
        reason = unfit(subject, SIZE)
        assert not reason, f"{framework}, {kind.name}, {kind.store}: {reason}"
        request = returning(subject, SIZE)
        for page in PAGES:
            asked = subject.quiet(request) if page == "quiet" else request
            cell, job = Cell(framework, kind.name, kind.store, page), _work(page)
            assert subject.serve(asked, job).status == 200, cell
            found[cell] += pairs(subject, asked, job, seconds)
    finally:
        subject.close()


def _work(page: str) -> Any:
    return work(SIZE, "write" if page == "change" else "read")


def _bare(found: dict[Cell, list[Pair]], framework: str) -> list[float]:
    mine = (its for cell, its in found.items() if cell.framework == framework)
    return [pair.bare for pair in chain.from_iterable(mine)]
