"""Compute what a site with very many sessions needs of Redis and of PostgreSQL."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

from bench.scale import cluster, database, tables
from bench.scale.figures import between, stored
from bench.scale.load import Site

T = TypeVar("T")


def main(words: Sequence[str] | None = None) -> None:
    """Do what the command line says: compute, measure, or simulate."""
    options = _parser().parse_args(words)
    if options.measure:
        # Imported here, since a model needs neither drivers nor servers.
        from bench.scale import measure  # noqa: PLC0415

        measure.write(options.measure, _say)
        return
    if options.figures:
        print("\n\n".join(map(tables.measured, tables.TITLES)))
        return
    site = _made(Site, options)
    if options.simulate:
        from bench.scale import simulation  # noqa: PLC0415

        print(simulation.report(site, options.simulate, _say))
        return
    print(report(site, _made(cluster.Nodes, options), _made(database.Machines, options)))


def report(site: Site, nodes: cluster.Nodes, machines: database.Machines) -> str:
    """Return the tables for a site."""
    costs = {name: between(*stored(name), site.payload) for name in ("redis", "postgres")}
    return "\n\n".join(
        (
            tables.asked(site),
            tables.of_redis(cluster.demand(site, nodes, costs["redis"]), nodes),
            tables.of_postgres(database.demand(site, machines, costs["postgres"]), machines),
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument(
        "--measure", type=int, metavar="SESSIONS", help="measure the figures with so many sessions"
    )
    parser.add_argument("--figures", action="store_true", help="print the measured figures")
    parser.add_argument(
        "--simulate", type=float, metavar="SECONDS", help="check the model against a real Redis"
    )
    for kind, prefix in PREFIXES.items():
        for each in fields(kind):
            meaning = each.metadata["help"]
            parser.add_argument(
                _option(prefix, each.name),
                type=float,
                default=each.default,
                help=f"{meaning} (%(default)g)",
            )
    return parser


PREFIXES: dict[type[Any], str] = {Site: "", cluster.Nodes: "redis-", database.Machines: "postgres-"}


def _option(prefix: str, name: str) -> str:
    return f"--{prefix}{name.replace('_', '-')}"


def _made(kind: type[T], options: argparse.Namespace) -> T:
    prefix = PREFIXES[kind].replace("-", "_")
    given = vars(options)
    return kind(**{each.name: given[prefix + each.name] for each in fields(kind)})  # type: ignore[arg-type]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
