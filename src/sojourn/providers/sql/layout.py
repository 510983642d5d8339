"""What a table has to say of itself, and what to do where there is none, or no right to it."""

from __future__ import annotations

from typing import Any

from sojourn.errors import StoreError, StoreUnavailable
from sojourn.providers.sql.driver import Denied
from sojourn.providers.sql.statements import LAYOUT, Statements, ddl


def check_layout(statements: Statements, rows: list[Any]) -> bool:
    """Make sure that the table is there, and one that this release knows.

    Returns whether the database can say what it deletes.
    """
    if not rows:
        raise missing(statements, "it is not there, and create_table is False")
    [(said, says_what_it_deletes)] = rows
    comment = str(said).partition("\n")[0].rpartition("-- ")[2]
    if comment != LAYOUT:
        raise StoreError(
            "the table of the sessions is none that this release knows: it says of itself "
            f"{comment[:80]!r}, and should say {LAYOUT!r}. Name another one by `table`"
        )
    return bool(says_what_it_deletes)


def missing(statements: Statements, reason: str) -> StoreUnavailable:
    """The error for a table that is not there and cannot be made."""
    return StoreUnavailable(
        f"no table for the sessions: {reason}. Whoever may create tables runs `sojourn init`, "
        f"or these statements:\n{ddl(statements)}{statements.grant}"
    )


def denied(statements: Statements, reason: Denied) -> StoreUnavailable:
    """The error for a user who may not do what the application has to."""
    return StoreUnavailable(f"{reason}. Whoever may runs:\n{statements.grant}")
