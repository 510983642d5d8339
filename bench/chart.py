"""A bar chart for one store: a panel for each kind of request, all on one scale.

The chart has its own background, and follows the light or dark scheme of the reader's browser, also
as the source of an `<img>`.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from bench.tables import figure

PANEL, NAMES, BARS, LINE, THICK = 300, 132, 112, 22, 14
"""Widths of a panel, of its names and of its longest bar; height of a line and of its bar."""
MARGIN, TOP = 16, 96
STYLE = """\
<style>
text { font-family: system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif }
.card { fill: #ffffff; stroke: #d1d9e0 }
.ink { fill: #1f2328 }
.faint { fill: #59636e }
.theirs { fill: #b6bfc9 }
.ours { fill: #0f766e }
.strong { font-weight: 600 }
.end { text-anchor: end }
@media (prefers-color-scheme: dark) {
.card { fill: #0d1117; stroke: #3d444d }
.ink { fill: #f0f6fc }
.faint { fill: #9198a1 }
.theirs { fill: #656c76 }
.ours { fill: #2dd4bf }
}
</style>
"""


class Bar(NamedTuple):
    """The figure of one library."""

    name: str
    value: float
    ours: bool


class Panel(NamedTuple):
    """A kind of request, and its bars from top to bottom."""

    title: str
    bars: Sequence[Bar]


def picture(title: str, subtitle: str, panels: Sequence[Panel]) -> str:
    """Return the chart as SVG."""
    width = 2 * MARGIN + len(panels) * PANEL
    height = TOP + max(len(panel.bars) for panel in panels) * LINE + MARGIN // 2
    longest = max(bar.value for panel in panels for bar in panel.bars)
    drawn = (_panel(panel, MARGIN + number * PANEL, longest) for number, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img">\n<title>{escape(title)}</title>\n{STYLE}'
        f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>\n'
        + _text(MARGIN, 32, title, "ink strong", 17)
        + _text(MARGIN, 52, subtitle, "faint", 13)
        + "".join(drawn)
        + "</svg>\n"
    )


def _panel(panel: Panel, x: int, longest: float) -> str:
    parts = [_text(x + NAMES, TOP - 12, panel.title, "faint", 13)]
    for number, bar in enumerate(panel.bars):
        y = TOP + number * LINE
        width = max(2.0, bar.value / longest * BARS)
        strong, color = (" strong", "ours") if bar.ours else ("", "theirs")
        parts.append(_text(x + NAMES - 8, y + 11, bar.name, f"ink end{strong}", 12.5))
        parts.append(
            f'<rect class="{color}" x="{x + NAMES}" y="{y}" width="{width:.1f}" '
            f'height="{THICK}" rx="2"/>\n'
        )
        parts.append(_text(x + NAMES + width + 6, y + 11, figure(bar.value), f"ink{strong}", 12.5))
    return "".join(parts)


def _text(x: float, y: float, text: str, kind: str, size: float) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" font-size="{size}">{escape(text)}</text>\n'
