"""The section of `docs/performance-method.md` about frameworks."""

from __future__ import annotations

from collections.abc import Iterator

from bench import method_words as words
from bench.comparisons import beside, on_page
from bench.frameworks import FRAMEWORKS
from bench.registry import place
from bench.shares import PAGES, Cell, Shares
from bench.subject import Subject
from bench.tables import faster, figure, table


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
            yield [name, place(kind.store), *map(str, costs), *_beside(shares, framework, kind)]


def _beside(shares: Shares, framework: str, kind: type[Subject]) -> list[str]:
    peer = beside(framework, kind)
    if peer is None:
        return [""] * 4
    ratios = (on_page(shares, framework, kind, peer, page).faster for page in PAGES)
    shown = (faster(ratio) if ratio >= 1 else f"**{faster(ratio)}**" for ratio in ratios)
    return [f"{peer.name}, {place(peer.store)}", *shown]


def _slower(shares: Shares) -> str:
    """Return a sentence that says on how many pages Sojourn is slower."""
    rows = [
        [on_page(shares, framework, kind, peer, page).faster < 1 for page in PAGES]
        for framework, kinds in FRAMEWORKS.items()
        for kind in kinds
        if (peer := beside(framework, kind)) is not None
    ]
    quiet, read, change = (sum(column) for column in zip(*rows, strict=True))
    return words.SLOWER.format(rows=len(rows), quiet=quiet, read=read, change=change)
