"""Measure everything and write the pages: `make bench`, `make bench ARGS="--quick"`."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from bench import (
    correctness,
    correctness_page,
    cpu,
    imports,
    machine,
    method_page,
    performance_page,
    phases,
    rush,
    shares,
    shares_page,
    size,
    speed,
)
from bench.measured import Measured
from bench.registry import STORES, SUBJECTS
from bench.serving import measure as serving
from bench.serving.apps import LIBRARIES
from bench.subject import Subject

DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    """Run the measurements that the command line selects."""
    options = _options()
    cpu.pin()
    gc.freeze()  # so that collections before a block do not scan all imported libraries
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        folder = Path(name)
        if options.phases:
            print(phases.report(folder, 500 if options.quick else 5000))
            return
        if options.store:
            print(_one(options.store, folder, options.rounds, quick=options.quick))
            return
        if options.only == "frameworks":
            print(shares_page.section(_shares(folder, options.rounds, quick=options.quick)))
            return
        pages = dict[str, str]()
        if options.only != "performance":
            pages["correctness.md"] = _correctness(folder, quick=options.quick)
        if options.only != "correctness":
            pages |= _performance(folder, options.rounds, quick=options.quick)
    if options.write or not options.quick:
        for name, text in pages.items():
            (DOCS / name).write_text(text, encoding="utf-8")
            _say(f"wrote docs/{name}")
    else:
        print("\n".join(text for name, text in pages.items() if name.endswith(".md")))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a try: print it, write no page")
    parser.add_argument("--write", action="store_true", help="write the pages though it is quick")
    parser.add_argument(
        "--phases", action="store_true", help="say where the time of a request goes"
    )
    parser.add_argument("--store", choices=STORES, help="print the speed of one kind of store")
    parser.add_argument(
        "--only",
        choices=("performance", "correctness", "frameworks"),
        help="the pages of one subject; or print what sessions cost in each framework",
    )
    parser.add_argument("--rounds", type=int, help="how many rounds (15; 2 if quick)")
    parser.add_argument("--dir", help="where files go, instead of the system's temporary folder")
    return parser.parse_args()


def _correctness(folder: Path, *, quick: bool) -> str:
    logging.disable()  # libraries log thousands of warnings about late requests
    conducts = correctness.examine(SUBJECTS, folder / "correctness", 0.05 if quick else 1.0, _say)
    logging.disable(logging.NOTSET)
    examined = correctness_page.Examined(
        _machine(folder, quick=quick), machine.versions(), conducts
    )
    return correctness_page.page(examined)


def _one(store: str, folder: Path, rounds: int | None, *, quick: bool) -> str:
    subjects = [kind for kind in SUBJECTS if kind.store == store]
    speeds = _speeds(subjects, folder, rounds or (2 if quick else 15), quick=quick)
    return method_page.tables(speeds)


def _speeds(
    subjects: Collection[type[Subject]], folder: Path, rounds: int, *, quick: bool
) -> speed.Speeds:
    return speed.measure(subjects, folder, rounds, 0.001 if quick else 0.003, _say)


def _shares(folder: Path, rounds: int | None, *, quick: bool) -> shares.Shares:
    number = rounds or (2 if quick else 15)
    return shares.measure(folder / "frameworks", number, 0.001 if quick else 0.003, _say)


def _performance(folder: Path, rounds: int | None, *, quick: bool) -> dict[str, str]:
    rounds = rounds or (2 if quick else 15)
    speeds = _speeds(SUBJECTS, folder, rounds, quick=quick)
    share = 0.02 if quick else 1.0
    weighed = [kind for kind in SUBJECTS if kind.weighed]
    in_memory, in_redis = (
        [kind for kind in weighed if kind.store == store] for store in ("memory", "redis")
    )
    measured = Measured(
        machine=_machine(folder, quick=quick),
        versions=machine.versions(),
        rounds=rounds,
        speeds=speeds,
        shares=_shares(folder, rounds, quick=quick),
        paces=rush.measure(folder, rounds, 0.05 if quick else 0.2, _say),
        weights=size.weigh(in_memory, folder / "size", share, _say),
        kept=size.keep(in_redis, folder / "size", share, _say),
        sweeps=size.sweep(folder / "size", share, _say),
        imports=imports.measure(rounds, _say),
        phases=phases.report(folder / "phases", 500 if quick else 5000),
        serving=serving.measure(
            [*LIBRARIES], folder / "serving", min(rounds, 5), 1 if quick else 2, _say
        ),
    )
    return {
        "performance.md": performance_page.page(measured),
        "performance-method.md": method_page.page(measured),
        **performance_page.pictures(speeds),
    }


def _machine(folder: Path, *, quick: bool) -> str:
    return machine.line(folder) + (" (a shortened run)" if quick else "")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
