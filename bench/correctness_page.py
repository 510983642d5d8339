"""The page `docs/correctness.md`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bench.correctness import Conduct
from bench.lost import Lost
from bench.tables import NOTHING, table
from bench.values import ALTERED, ERROR, KEPT, VALUES

Conducts = Mapping[tuple[str, str], Conduct]


class Examined(NamedTuple):
    """All results that the page shows."""

    machine: str
    versions: str
    conducts: Conducts


def page(examined: Examined) -> str:
    """Return the text of the page."""
    some = next(iter(examined.conducts.values()))
    parts = [
        "# Correctness, side by side",
        _HOW,
        f"Tried on {examined.machine}. {examined.versions}.",
        "## Requests that overlap",
        _LOST.format(requests=f"{some.keys.made + some.keys.failed:,}"),
        _overlaps(examined.conducts),
        "## The life of a session",
        _LIFE.format(visitors=f"{some.visitors:,}"),
        _lives(examined.conducts),
        "## Values",
        _VALUES,
        _values(examined.conducts),
        "## What is not tried",
        _NOT,
    ]
    return "\n\n".join(parts) + "\n"


def _shown(who: tuple[str, str]) -> str:
    name = f"{who[0]}, {who[1]}"
    return f"**{name}**" if name.startswith("Sojourn") else name


def _overlaps(conducts: Conducts) -> str:
    head = ["lost updates", "different keys", "`append` to one list", "one counter", "by `+= 1`"]
    rows = [
        [_shown(who), *map(_lost, (seen.keys, seen.items, seen.counts, seen.plain))]
        for who, seen in conducts.items()
    ]
    return table(head, rows)


def _lost(lost: Lost) -> str:
    share = f"{lost.missing / max(1, lost.made):.0%}" if lost.missing else "none"
    return f"{share}, {lost.failed:,} failed" if lost.failed else share


def _lives(conducts: Conducts) -> str:
    head = [
        "",
        "logged out, back to life",
        "old cookie still opens it",
        "`append` is saved",
        "unknown id adopted",
        "records of visitors",
        "cookies to visitors",
    ]
    rows = [
        [
            _shown(who),
            f"{seen.back} of {seen.trials}",
            _yes(seen.replayed),
            _yes(seen.appended),
            _yes(seen.adopted),
            NOTHING if seen.records is None else f"{seen.records:,}",
            f"{seen.cookies:,}",
        ]
        for who, seen in conducts.items()
    ]
    return table(head, rows)


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _values(conducts: Conducts) -> str:
    """Return the table of values; libraries with the same results share a column."""
    columns: dict[tuple[str, ...], list[str]] = {}
    for (name, store), seen in conducts.items():
        answers = tuple(_answer(seen.values[value]) for value in VALUES)
        columns.setdefault(answers, []).append(f"{name.partition(',')[0]}, {store}")
    head = ["", *("; ".join(dict.fromkeys(names)) for names in columns.values())]
    rows = [[value, *(column[at] for column in columns)] for at, value in enumerate(VALUES)]
    rows.append(
        [
            "**kept, of all**",
            *(f"**{column.count('kept')} of {len(VALUES)}**" for column in columns),
        ]
    )
    return table(head, rows, left=len(head))


def _answer(answer: str) -> str:
    kind, _, what = answer.partition(": ")
    if kind == KEPT:
        return KEPT
    shown = what.replace("|", "\\|")
    return f"{kind}: {shown}" if kind == ERROR else f"**{ALTERED}:** `{shown:.44}`"


_HOW = """\
`make bench` made this page, and the same code asked every library the same, through its own middleware.
Nothing is simulated: requests overlap in threads or in tasks of one event loop, and what a later
request finds is the answer."""

_LOST = """\
From 2 to 8 requests of one session overlap: all of them load it before any of them saves. Each sets a key
of its own, appends to one list in place, or counts one more; {requests} requests of each kind. Counted is
what was answered without an error and is not there afterwards. *One counter* is counted as the
library recommends, which in Sojourn is `session.apply("n", lambda n: n + 1)`; a plain `+= 1` assigns a
number that was worked out from an old one, and no library can know. Of several cookies a browser keeps the
last."""

_LIFE = """\
*Back to life:* a request loads the session, another one logs out, the first one saves late; is the old data
there again? *Old cookie:* a copy of the cookie from before the logout. *Append:* `session["items"].append(2)`
and nothing else. *Unknown id:* a cookie with an id that the server never issued; is that the name of the
session that begins? *Visitors:* {visitors} requests without a cookie that only look."""

_VALUES = """\
Put in one request, read in the next. *Kept*: equal, and of the same types all the way down. *Altered*: something
else comes back, without an error. Libraries that keep nearly everything use pickle, which runs
whatever code stands in the store. To Sojourn the one Enum was registered by `types={"color": Color}`."""

_NOT = """\
- Several processes: Sojourn's own tests kill and race them.
- Settings other than the default ones, but for those named in [the method](performance-method.md)."""
