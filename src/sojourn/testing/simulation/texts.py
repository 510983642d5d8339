"""The lines of a history: a call of the store, and its answer, for a developer to read."""

from __future__ import annotations

from typing import Any

from sojourn.codec.codec import decode_key
from sojourn.record import Outcome, Record
from sojourn.testing.simulation.values import values_of


def call_text(verb: str, args: tuple[Any, ...]) -> str:
    """Return a call as text."""
    first = args[0] if args else ""
    name = getattr(first, "id", str(first))
    # Ids are long; six digits tell them apart.
    text = f"{verb} {name if verb == 'find' else name[:6]}"
    if verb != "update":
        return text
    changes = args[1]
    parts = [f"put {[decode_key(key) for key in changes.put]}"] * bool(changes.put)
    parts += ["drop"] * bool(changes.drop) + ["clear"] * changes.clear
    parts += [f"expect {len(changes.expect)}"] * bool(changes.expect)
    parts += ["times"] * (changes.expires is not None)
    parts += [f"move to {changes.move.id[:6]}"] if changes.move else []
    return f"{text} ({', '.join(parts)})"


def answer_text(answer: Any) -> str:
    """Return an answer as text."""
    if isinstance(answer, Outcome):
        return answer.name
    if isinstance(answer, Record):
        kind = "tombstone" if answer.successor else "record"
        return f"{kind} {answer.id[:6]} {values_of(answer)}"
    return f"{len(answer)} records" if isinstance(answer, list) else repr(answer)
