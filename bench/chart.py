"""The bar chart of the performance page, with one panel for each kind of request."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

BAR, GAP, NAMES, WIDTH, PANEL = 17, 7, 212, 178, 246
HEAD, TOP = 34, 66
OURS, THEIRS, INK, FAINT = "#0f766e", "#a8b3c2", "#1f2933", "#6b7785"
FONT = "font-family=\"system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif\""


class Bar(NamedTuple):
    """A figure of one library."""

    name: str
    value: float
    ours: bool


class Panel(NamedTuple):
    """Bars with a common scale."""

    title: str
    bars: Sequence[Bar]


class Row(NamedTuple):
    """Panels that show the same libraries in the same order."""

    title: str
    panels: Sequence[Panel]


def picture(title: str, subtitle: str, rows: Sequence[Row]) -> str:
    """Return the chart as SVG; shorter bars are better."""
    y, parts = TOP, []
    for row in rows:
        parts.append(_row(row, y))
        y += HEAD + 22 + len(row.panels[0].bars) * (BAR + GAP) + 16
    width = NAMES + len(rows[0].panels) * PANEL + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" '
        f'height="{y}" role="img" {FONT}>\n<title>{escape(title)}</title>\n'
        f'<rect width="{width}" height="{y}" rx="10" fill="#ffffff"/>\n'
        + _text(18, 30, title, INK, 17, bold=True)
        + _text(18, 50, subtitle, FAINT, 12.5)
        + "".join(parts)
        + "</svg>\n"
    )


def _row(row: Row, y: int) -> str:
    parts = [_text(18, y + 22, row.title, INK, 14, bold=True)]
    for number, bar in enumerate(row.panels[0].bars):
        at = y + HEAD + 22 + number * (BAR + GAP)
        color = OURS if bar.ours else INK
        parts.append(_text(NAMES - 10, at + 13, bar.name, color, 12.5, bold=bar.ours, anchor="end"))
    for number, panel in enumerate(row.panels):
        parts.append(_panel(panel, NAMES + number * PANEL, y + HEAD))
    return "".join(parts)


def _panel(panel: Panel, x: int, y: int) -> str:
    longest = max(bar.value for bar in panel.bars)
    parts = [_text(x, y + 10, panel.title, FAINT, 12.5)]
    for number, bar in enumerate(panel.bars):
        at = y + 22 + number * (BAR + GAP)
        width = max(2.0, bar.value / longest * WIDTH)
        color = OURS if bar.ours else THEIRS
        label = f"{bar.value:,.0f}" if bar.value >= 20 else f"{bar.value:.1f}"
        parts.append(
            f'<rect x="{x}" y="{at}" width="{width:.1f}" height="{BAR}" rx="3" fill="{color}"/>\n'
        )
        parts.append(_text(x + width + 6, at + 13, label, INK, 12, bold=bar.ours))
    return "".join(parts)


def _text(
    x: float, y: float, text: str, color: str, size: float, *, bold: bool = False, anchor: str = ""
) -> str:
    weight = ' font-weight="600"' if bold else ""
    side = f' text-anchor="{anchor}"' if anchor else ""
    return (
        f'<text x="{x:.1f}" y="{y}" font-size="{size}" fill="{color}"{weight}{side}>'
        f"{escape(text)}</text>\n"
    )
