"""The check that the table has the layout of this release, and the errors if it has not.

The name of the layout is stored with the table itself: as its comment, or in SQLite as an SQL
comment in its CREATE statement.  A table with another layout is refused and never altered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sojourn.errors import StoreError, StoreUnavailable
from sojourn.providers.sql.driver import Denied, OtherColumns
from sojourn.providers.sql.statements import LAYOUT, Statements, ddl


class Layout(NamedTuple):
    """The abilities of the database and of the table's engine, for a table with this layout."""

    returns_deleted_rows: bool
    """Whether a DELETE can return the deleted rows."""
    has_transactions: bool
    """Whether a failed statement changes nothing.  False for the engines Aria and MyISAM, where the
    rows that were written before the failure stay."""


def check_layout(statements: Statements, rows: list[Any]) -> Layout:
    """Return the table's abilities, given the rows that the query `layout` returned.

    Raises StoreUnavailable if the table is absent, and StoreError if it has another layout.
    """
    if not rows:
        raise missing(statements, "it is not there, and create_table is False")
    said, returns_deleted_rows, has_transactions = rows[0]
    # MySQL and PostgreSQL return the comment alone.  SQLite returns the whole CREATE statement, in
    # whose first line the layout follows "-- ".  A view has no such line and is refused.
    comment = str(said).partition("\n")[0].rpartition("-- ")[2]
    if comment != LAYOUT:
        raise StoreError(
            f"the table {statements.table} is none that this release knows: it says of itself "
            f"{comment[:80]!r}, and should say {LAYOUT!r}. Name another one by `table`"
        )
    return Layout(bool(returns_deleted_rows), bool(has_transactions))


def other_columns(statements: Statements, reason: OtherColumns) -> StoreError:
    """Return the error for a table that is marked with this layout but has other columns."""
    return StoreError(
        f"the table {statements.table} has other columns than this release needs: {reason}. "
        "Restore it, or name another one by `table`"
    )


def missing(statements: Statements, reason: str) -> StoreUnavailable:
    """Return the error for a table that does not exist and was not created."""
    return StoreUnavailable(
        f"no table for the sessions: {reason}. Whoever may create tables runs `sojourn init`, "
        f"or these statements:\n{ddl(statements)}{statements.grant}"
    )


def denied(statements: Statements, reason: Denied) -> StoreUnavailable:
    """Return the error for a database user that lacks a right the application needs."""
    return StoreUnavailable(f"{reason}. Whoever may runs:\n{statements.grant}")
