"""Measure this tree beside another commit: `make against COMMIT=HEAD~20`.

Each tree runs in a process of its own, and the two take turns after every few milliseconds of work,
on one CPU, which they share with the store.  So a slow phase of the machine affects both.  A ratio
is the median over all pairs of blocks: above 1, this tree is slower.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from bench import cpu, servers
from bench.payloads import OPERATIONS, SIZES
from bench.tables import figure, table

ROOT = Path(__file__).parent.parent
STORES = ("memory", "file", "redis", "sqlite", "mysql", "postgres")
BLOCK = 0.004
"""Seconds of work in a block."""


class Row(NamedTuple):
    """One kind of request: the median times in microseconds, and the median ratio of all pairs."""

    before: float
    after: float
    ratio: float


class Tree:
    """A process that measures the source of one tree."""

    def __init__(self, source: Path, store: str, address: str, *, awaits: bool) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.against_worker", store, address, str(int(awaits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{ROOT}"},
            text=True,
        )

    def time(self, size: str, operation: str, number: int) -> float:
        """Return the seconds that `number` requests took."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        print(size, operation, number, sep="\t", file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer:
            raise SystemExit(f"a process of the benchmark ended with {process.wait()}")
        return float(answer)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Run the measurements that the command line selects, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.against", description=__doc__)
    parser.add_argument("commit", help="the commit to compare with")
    parser.add_argument("--store", choices=STORES, action="append", help="one store, or several")
    parser.add_argument("--size", choices=SIZES, action="append", help="one size, or several")
    parser.add_argument("--rounds", type=int, default=60, help="pairs of blocks (60)")
    options = parser.parse_args()
    cpu.pin()
    rows = list[tuple[str, str, str, str]]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = _source(options.commit, folder), ROOT / "src"
        for store in options.store or STORES[:3]:
            for awaits in (False, True):
                kind = f"{store}, asyncio" if awaits else store
                before, after = (
                    Tree(source, store, _address(store, folder / f"{kind} {number}"), awaits=awaits)
                    for number, source in enumerate(sources)
                )
                for size in options.size or SIZES[:1]:
                    for operation in OPERATIONS:
                        row = _row(before, after, size, operation, options.rounds)
                        rows.append(_cells(f"{kind}, {operation} of {size}", row))
                        print(*rows[-1], sep="\t", file=sys.stderr, flush=True)
                before.close()
                after.close()
    print(table(("", f"{options.commit}, µs", "this tree, µs", "ratio"), rows))


def _cells(name: str, row: Row) -> tuple[str, str, str, str]:
    return name, figure(row.before), figure(row.after), f"{row.ratio:.2f}"


def _row(before: Tree, after: Tree, size: str, operation: str, rounds: int) -> Row:
    """Measure one kind of request."""
    for tree in (before, after):
        tree.time(size, operation, 50)  # warms up
    number = max(5, round(BLOCK / before.time(size, operation, 20) * 20))
    pairs = []
    for turn in range(rounds):
        order = (before, after) if turn % 2 else (after, before)
        times = {tree: tree.time(size, operation, number) for tree in order}
        pairs.append((times[before] / number * 1e6, times[after] / number * 1e6))
    return Row(
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        statistics.median(pair[1] / pair[0] for pair in pairs),
    )


def _source(commit: str, folder: Path) -> Path:
    """Write the source of a commit into a folder; return the folder to import it from."""
    packed = subprocess.run(
        ["git", "archive", commit, "src"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def _address(store: str, folder: Path) -> str:
    """Return the setting `provider_config` for an empty store; "" for one that needs no address."""
    match store:
        case "memory":
            return ""
        case "redis":
            return servers.empty_redis()
        case "mysql" | "postgres":
            return servers.empty_database(store)
    folder.mkdir()
    return str(folder / "sessions.db" if store == "sqlite" else folder)


if __name__ == "__main__":
    main()
