"""The measured figures on which the model rests: what one session and one operation cost.

They are in `figures.json`, which `python -m bench.scale --measure` writes, for two sizes of a
session.  Each is a number with a name:

    payload                the session's data, as JSON, in bytes
    anonymous, user        memory or disk of a session without and with a user, in bytes
    anonymous index        the part of it that indexes take; likewise `user index`
    read cpu               processor time of the server for an operation, in µs
    read in, read out      bytes that the server receives and sends for it
    read log               bytes in the stream to the replicas, or in PostgreSQL's log
    read pages             PostgreSQL: pages that are logged whole, if none was since a checkpoint
    vacuum                 PostgreSQL: processor time of a vacuum per row of the table, in µs
    hot                    PostgreSQL: the share of writes after which no index changes

An operation is one of `OPERATIONS`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

OPERATIONS = ("read", "write", "renew", "touch", "create", "sign in", "sweep", "list")
"""`write` stores one field.  `renew` is a write that also moves the times, which a `touch` does
alone.  `sweep` is the deletion of one expired session, `list` the search for those of a user."""

Figures = Mapping[str, float]
FILE = Path(__file__).parent / "figures.json"


def stored(store: str) -> tuple[Figures, Figures]:
    """Return the figures of a store for the small and for the large session."""
    small, large = json.loads(FILE.read_text(encoding="utf-8"))[store]
    return small, large


def between(small: Figures, large: Figures, payload: float) -> Figures:
    """Return the figures for a payload of this size, on the straight line through both."""
    share = (payload - small["payload"]) / (large["payload"] - small["payload"])
    return {name: max(0.0, small[name] + (large[name] - small[name]) * share) for name in small}
