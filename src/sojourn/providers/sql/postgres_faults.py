"""The meaning of PostgreSQL's errors, for its own driver and for those of an engine."""

from __future__ import annotations

import re

from sojourn.providers.sql.driver import Fault

# SQLSTATE codes (PostgreSQL's documentation, appendix A).
_BUSY = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
# A unique violation, a NULL that is refused; and a duplicate table or object, for CREATE.
_TAKEN = {"23505", "23502", "42P07", "42710"}
_TOO_LARGE = {"54000"}
_ABSENT = {"42P01"}
_OTHER_COLUMNS = {"42703", "42804", "42883"}
_DENIED = {"42501"}
_READ_ONLY = {"25006"}
_LOST = ("08", "57P", "XX", "40003")
"""Prefixes of the codes after which a statement may have been executed: connection exceptions,
shutdowns, internal errors, and "statement completion unknown".  57014, a statement that exceeded
its time limit, is not among them: it was rolled back."""

_HINTS = (
    ("read-only transaction", "the server takes no writes now"),
    ("password authentication failed|no password", "the user or the password is another one"),
    ('database (".*") does not exist', r"create it: CREATE DATABASE \1"),
    ('role (".*") does not exist', r"create it: CREATE ROLE \1 LOGIN"),
    (
        'prepared statement ".*" (does not exist|already exists)',
        "behind a pooler give the engine connect_args={'prepare_threshold': None}",
    ),
    ("unsupported startup parameter", "the pooler does not take the `options` of this address"),
)
"""Patterns of an error's text, and a hint for each.  By text, since psycopg's errors have no code
if the server refuses the connection."""


class ServerError(Exception):
    """An error that ended a statement: the server's, or libpq's if the connection broke.

    Its text is the primary message alone: the detail of a server's error may quote a row.
    """

    def __init__(self, sqlstate: str | None, message: str) -> None:
        """Create the error.  sqlstate: None if the server did not send it."""
        super().__init__(message)
        self.sqlstate = sqlstate


def fault(error: Exception) -> tuple[Fault, str]:
    """Return the meaning of a `ServerError`, or of an error of psycopg, psycopg2, pg8000 or asyncpg,
    and its reason.

    Only the primary message is used: the detail of a server's error may quote a row.
    """
    # An error without a code was not sent by the server: as a rule the connection is broken.
    code = _code(error)
    if code is None or code.startswith(_LOST):
        return Fault.LOST, _text(error) + _hint(error)
    for codes, kind in (
        (_BUSY, Fault.BUSY),
        (_TAKEN, Fault.TAKEN),
        (_TOO_LARGE, Fault.TOO_LARGE),
        (_ABSENT, Fault.ABSENT),
        (_OTHER_COLUMNS, Fault.OTHER_COLUMNS),
        (_DENIED, Fault.DENIED),
    ):
        if code in codes:
            return kind, _text(error)
    kind = Fault.READ_ONLY if code in _READ_ONLY else Fault.REFUSED
    return kind, f"{_text(error)} (error {code}){_hint(error)}"


def _code(error: Exception) -> str | None:
    """Return the SQLSTATE of a server's error, or None."""
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return code or _pg8000(error).get("C")


def _pg8000(error: Exception) -> dict[str, str]:
    """Return the parts of a server's error of pg8000, by their letters in the protocol."""
    return error.args[0] if error.args and isinstance(error.args[0], dict) else {}


def _text(error: Exception) -> str:
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    primary = primary or _pg8000(error).get("M")
    return " ".join(str(primary or error or type(error).__name__).split())[:200]


def _hint(error: Exception) -> str:
    for pattern, way_out in _HINTS:
        if found := re.search(pattern, _text(error)):
            return f"; {found.expand(way_out)}"
    return ""
