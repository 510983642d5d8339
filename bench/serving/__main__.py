"""Measure applications on real servers: `make serving`, `make serving ARGS="--quick"`.

Prints a section for the page of performance.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.serving import measure, section
from bench.serving.apps import LIBRARIES


def main() -> None:
    """Do what the command line says: measure, or show what was measured before."""
    options = _options()
    if options.show:
        figures = measure.Figures.of(json.loads(options.show.read_text(encoding="utf-8")))
    else:
        figures = _measured(options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(section.section(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a try: one round of short runs")
    parser.add_argument("--rounds", type=int, help="how many rounds (5; 1 if quick)")
    parser.add_argument("--seconds", type=int, help="the length of a run (2; 1 if quick)")
    parser.add_argument("--only", choices=LIBRARIES, help="one framework alone")
    parser.add_argument("--json", type=Path, help="a file into which the figures are written")
    parser.add_argument("--show", type=Path, help="show the figures of such a file instead")
    return parser.parse_args()


def _measured(options: argparse.Namespace) -> measure.Figures:
    frameworks = [options.only] if options.only else [*LIBRARIES]
    rounds = options.rounds or (1 if options.quick else 5)
    seconds = options.seconds or (1 if options.quick else 2)
    with tempfile.TemporaryDirectory() as folder:
        return measure.measure(frameworks, Path(folder), rounds, seconds, _say)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
