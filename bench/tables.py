"""Formats tables as Markdown, and numbers in a readable form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

TIMES = "\N{MULTIPLICATION SIGN}"
NOTHING = "\N{EN DASH}"
"""The text for a value that was not measured or does not exist."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Return a table; all columns after the first `left` are numbers, aligned to the right."""
    marks = ["---" if number < left else "---:" for number in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, marks, *rows))


def figure(value: float) -> str:
    """Return a number with two or three significant digits."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 99.5:
        return f"{value:.0f}"
    if abs(value) >= 0.1:
        return f"{value:.1f}"
    return f"{value:.2f}"


def faster(ratio: float) -> str:
    """Return how many times faster or slower, in words."""
    return f"{times(ratio)} faster" if ratio >= 1 else f"{times(1 / ratio)} slower"


def times(ratio: float) -> str:
    """Return how many times as much."""
    return f"{ratio:.0f} {TIMES}" if ratio >= 9.95 else f"{ratio:.1f} {TIMES}"
