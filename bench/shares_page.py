"""The section of `docs/performance.md` about frameworks."""

from __future__ import annotations

from collections.abc import Iterator

from bench import performance_words as words
from bench.frameworks import FRAMEWORKS
from bench.registry import STORES
from bench.shares import PAGES, Cell, Shares
from bench.subject import Subject
from bench.tables import faster, figure, table

LEAST = 0.5
"""A time in microseconds; lower ones cannot be told from zero, and count as this in a ratio."""


def section(shares: Shares) -> str:
    """Return the section, without its title."""
    head = ["µs that sessions add", "in", *PAGES, "beside", *PAGES]
    return "\n\n".join([words.SHARES, table(head, _rows(shares), left=2), _slower(shares)])


def _rows(shares: Shares) -> Iterator[list[str]]:
    for framework, kinds in FRAMEWORKS.items():
        yield [f"*{framework}*, {figure(shares.bare[framework].median)} without", *[""] * 8]
        for kind in kinds:
            costs = (shares.added[Cell(framework, kind.name, kind.store, page)] for page in PAGES)
            name = f"**{kind.name}**" if kind.ours else kind.name
            yield [name, _store(kind), *map(str, costs), *_beside(shares, framework, kind)]


def _beside(shares: Shares, framework: str, kind: type[Subject]) -> list[str]:
    peer = _peer(framework, kind)
    if peer is None:
        return [""] * 4
    ratios = (_ratio(shares, framework, kind, peer, page) for page in PAGES)
    shown = (faster(ratio) if ratio >= 1 else f"**{faster(ratio)}**" for ratio in ratios)
    return [f"{peer.name}, {_store(peer)}", *shown]


def _slower(shares: Shares) -> str:
    """Return a sentence that says how often Sojourn is slower, and why."""
    pairs = [
        (framework, kind, peer)
        for framework, kinds in FRAMEWORKS.items()
        for kind in kinds
        if (peer := _peer(framework, kind)) is not None
    ]
    quiet, read, change = (sum(_ratio(shares, *pair, page) < 1 for pair in pairs) for page in PAGES)
    return words.SLOWER.format(rows=len(pairs), quiet=quiet, read=read, change=change)


def _ratio(
    shares: Shares, framework: str, ours: type[Subject], peer: type[Subject], page: str
) -> float:
    """Return how many times faster Sojourn is."""
    mine, theirs = (
        max(shares.added[Cell(framework, kind.name, kind.store, page)].median, LEAST)
        for kind in (ours, peer)
    )
    return theirs / mine


def _peer(framework: str, kind: type[Subject]) -> type[Subject] | None:
    """Return the peer to compare with: one with the same store, or else one with a cookie."""
    peers = {peer.store: peer for peer in FRAMEWORKS[framework] if not peer.ours}
    return peers.get(kind.store, peers.get("cookie")) if kind.ours else None


def _store(kind: type[Subject]) -> str:
    return "the cookie" if kind.store == "cookie" else STORES[kind.store].removeprefix("In ")
