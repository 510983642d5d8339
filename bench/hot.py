"""How many connections fare that change one session at once: `python -m bench.hot`.

Each line is a run on a real server.  Acknowledged requests were answered with 200; "lost" are those
of them that left no trace in the session, and "503" are those that were refused.  "Served" says on how
many connections at least one request was acknowledged in time.  The times are of all answers.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

from bench.stores import address
from tests.parallel.hot import CONNECTIONS, WORK, Found, hammer, served

STORES = ("redis", "file", "memory", "sqlite", "mysql", "postgres")
SERVERS = ("uvicorn", "gunicorn")
HEAD = (
    "store     server      work     acknowledged   lost    503  served"
    "  slowest ms  median ms   p99 ms  answers/s"
)


class Run(NamedTuple):
    """The results of one run, a line of the table."""

    store: str
    server: str
    workers: int
    work: str


def main() -> None:
    """Run the measurements that the command line selects."""
    options = _options()
    print(
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {options.connections} connections"
    )
    print(HEAD, flush=True)
    runs = itertools.product(options.store, options.server, options.workers, options.work)
    with tempfile.TemporaryDirectory() as name:
        for number, run in enumerate(itertools.starmap(Run, runs)):
            if run.store != "memory" or run.workers == 1:
                folder = Path(name, str(number))
                folder.mkdir()
                found = _found(run, folder, options)
                print(_row(run, found, options.connections), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.hot", description=__doc__)
    parser.add_argument("--store", nargs="+", choices=STORES, default=["redis"])
    parser.add_argument("--server", nargs="+", choices=SERVERS, default=SERVERS)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 8], help="processes")
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK))
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--seconds", type=float, default=10.0)
    return parser.parse_args()


def _found(run: Run, folder: Path, options: argparse.Namespace) -> Found:
    where = address(run.store, folder)
    with served(run.store, where, run.server, run.workers) as process:
        return hammer(process, run.work, connections=options.connections, seconds=options.seconds)


def _row(run: Run, found: Found, connections: int) -> str:
    times = sorted(answer.seconds * 1000 for answer in found.answers)
    in_time = sum(answer.in_time for answer in found.acknowledged)
    return (
        f"{run.store:9} {run.server:8} {run.workers:2} {run.work:8}"
        f" {len(found.acknowledged):13} {found.missing:6} {len(found.refused):6}"
        f" {len(found.connections):3}/{connections:<3}"
        f" {times[-1]:11.0f} {statistics.median(times):10.1f} {times[len(times) * 99 // 100]:8.0f}"
        f" {in_time / found.seconds:10.0f}"
    )


if __name__ == "__main__":
    main()
