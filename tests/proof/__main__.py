"""Searches for a broken law, in every order of overlapping requests and then at random.

    python -m tests.proof --seconds 600 --from 1000000

A failure names its seed, which reproduces it: `--from SEED --store NAME` begins there.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from itertools import combinations_with_replacement, count

from sojourn.testing.simulation import simulate
from sojourn.testing.simulation.virtual_loop import VirtualLoop
from tests.proof.interleavings import count_schedules
from tests.proof.programs import ESSENTIAL, PROGRAMS
from tests.proof.test_interleavings import SETTINGS
from tests.proof.test_simulation import WORLDS


def main() -> None:
    """Search for as long as the command line says, and print what was tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to search (60)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (0)")
    parser.add_argument("--store", choices=WORLDS, action="append", help="only this store")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    if not options.store:
        for name, schedules in _orders(end).items():
            print(f"{schedules:10,} orders: {name}")
    for name, tried in _worlds(options.store or [*WORLDS], options.first, end).items():
        print(f"{tried:10,} {name}")


def _orders(end: float) -> Counter[str]:
    loop, schedules = VirtualLoop(), Counter[str]()
    for triple in combinations_with_replacement(ESSENTIAL, 3):
        setting = SETTINGS["assigning"]
        schedules["triples of requests"] += count_schedules(setting, triple, loop)
        if time.monotonic() > end:
            break
    for pair in combinations_with_replacement(PROGRAMS, 2):
        for name, setting in SETTINGS.items():
            schedules[name] += count_schedules(setting, pair, loop)
        if time.monotonic() > end:
            break
    loop.close()
    return schedules


def _worlds(stores: list[str], first: int, end: float) -> Counter[str]:
    tried = Counter[str]()
    for seed in count(first):
        if time.monotonic() > end:
            return tried
        for store in stores:
            world = simulate(seed, WORLDS[store][0])
            tried[f"worlds: {store}"] += 1
            tried["requests answered"] += len(world.outcomes)
            tried["changes acknowledged"] += world.acknowledged
            tried["calls of a store"] += world.checker.step
            tried["conditions checked"] += world.checker.checks
    raise AssertionError


if __name__ == "__main__":
    main()
