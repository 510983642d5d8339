"""What a table has to say of itself, and what to do where there is none, or no right to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from sojourn.errors import StoreError, StoreUnavailable
from sojourn.providers.sql.driver import Denied, OtherColumns
from sojourn.providers.sql.statements import LAYOUT, Statements, ddl


class Layout(NamedTuple):
    """What is known of a table that this release can use."""

    says_what_it_deletes: bool
    """Whether a DELETE can return rows."""
    has_transactions: bool
    """Whether a statement that fails changes nothing: not so with Aria and MyISAM."""


def check_layout(statements: Statements, rows: list[Any]) -> Layout:
    """Make sure that the table is there, and one that this release knows."""
    if not rows:
        raise missing(statements, "it is not there, and create_table is False")
    said, says_what_it_deletes, has_transactions = rows[0]
    comment = str(said).partition("\n")[0].rpartition("-- ")[2]
    if comment != LAYOUT:
        raise StoreError(
            f"the table {statements.table} is none that this release knows: it says of itself "
            f"{comment[:80]!r}, and should say {LAYOUT!r}. Name another one by `table`"
        )
    return Layout(bool(says_what_it_deletes), bool(has_transactions))


def other_columns(statements: Statements, reason: OtherColumns) -> StoreError:
    """The error for a table that says it is of this layout, and has other columns."""
    return StoreError(
        f"the table {statements.table} has other columns than this release needs: {reason}. "
        "Restore it, or name another one by `table`"
    )


def missing(statements: Statements, reason: str) -> StoreUnavailable:
    """The error for a table that is not there and cannot be made."""
    return StoreUnavailable(
        f"no table for the sessions: {reason}. Whoever may create tables runs `sojourn init`, "
        f"or these statements:\n{ddl(statements)}{statements.grant}"
    )


def denied(statements: Statements, reason: Denied) -> StoreUnavailable:
    """The error for a user who may not do what the application has to."""
    return StoreUnavailable(f"{reason}. Whoever may runs:\n{statements.grant}")
