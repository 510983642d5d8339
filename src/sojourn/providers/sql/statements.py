"""The statements for one table, written once for all databases as far as their SQL agrees.

Each statement is one atomic step, and with autocommit one round trip.  A write names the version
that it replaces (`WHERE id = ? AND version = ?`), so that it is a compare and swap: the number of
affected rows tells whether the caller's record was still current.

That works at every isolation level.  An UPDATE or DELETE waits for a concurrent write of the row
and then checks the version that was committed last; in PostgreSQL above READ COMMITTED it fails
instead, with a serialization error, and `link` sends it again.
"""

from __future__ import annotations

import itertools
import re
from string import Template
from typing import NamedTuple

from sojourn.errors import ConfigError
from sojourn.providers.serialization import LATEST
from sojourn.providers.sql.dialects import COLUMNS, MARKS, Dialect
from sojourn.providers.sql.rows import Row

LAYOUT = "sojourn layout 1"
"""The name of the layout, stored with the table.  It changes with every change of the columns."""

# A table's name cannot be a parameter of a statement, so it is restricted instead.  48 characters
# leave room for the suffix of an index: PostgreSQL cuts names at 63 bytes.
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,47}\.)?[A-Za-z_][A-Za-z0-9_]{0,47}", re.ASCII)


class Statements(NamedTuple):
    """All statements for one table."""

    table: str
    """The table's name, quoted, with its schema if one was given."""
    layout: str
    create: tuple[str, ...]
    grant: str
    """The statement that gives the application's user all rights it needs, for error messages."""
    read: str
    insert: str
    save: str
    """Store the fields; the times stay."""
    renew: str
    """Store the fields, and move the times forward."""
    set_lifetime: str
    """Store the fields and the times, with a lifetime that was set on purpose."""
    bury: str
    """Replace a row by a tombstone; used where a move takes two statements."""
    touch: str
    """Move the times of a live session forward; its version stays."""
    remove: str
    """Delete a row, if it still has a given version."""
    discard: str
    """Delete a row whatever its version, such as a row that cannot be read."""
    take: str
    """Delete a row and return it.  Some databases cannot: see `Layout.returns_deleted_rows`."""
    move: str
    owned: str
    """Select a user's sessions, including expired ones."""
    listed: str
    """Select rows in the order of their ids, from a given id on, including expired ones."""
    live: str
    """Count the live sessions."""
    gc: str
    warnings: tuple[tuple[str, str], ...]


_CHECKED = "version, seen, expires, owner, successor, head"
LISTED = f"id, {_CHECKED}"
# The second bound leaves out rows with an expiry that is not a valid time, which other programs may
# have written: in SQLite any text is greater than any number, in PostgreSQL infinity and NaN are.
# Such a row never becomes `expires <= now` either, so `gc` does not delete it.
LIVE = f"expires > ? AND expires <= {LATEST!r} AND successor IS NULL"

GRANT = "GRANT SELECT, INSERT, UPDATE, DELETE ON $table TO $user;\n"
READ = f"SELECT {_CHECKED}, fields FROM $table WHERE id = ?"
INSERT = f"INSERT INTO $table ({COLUMNS}) VALUES ({MARKS})"
# A touch does not change the version, so one may have moved the times forward since this request
# read the record, and the version does not show that.  RENEW therefore never moves the times back.
# SET_LIFETIME may shorten the expiry, since a lifetime was set on purpose.
SAVE = "UPDATE $table SET version = ?, fields = ? WHERE id = ? AND version = ?"
RENEW = """UPDATE $table SET version = ?, fields = ?, seen = $greatest(seen, ?),
expires = $greatest(expires, ?) WHERE id = ? AND version = ?"""
SET_LIFETIME = """UPDATE $table SET version = ?, fields = ?, seen = $greatest(seen, ?), expires = ?,
lifetime = ?, head = ? WHERE id = ? AND version = ?"""
BURY = f"""UPDATE $table SET {", ".join(f"{column} = ?" for column in Row._fields[1:])}
WHERE id = ? AND version = ?"""
# A touch names no version, so it does not conflict with a request that changes fields.  It checks
# the lifetime instead: after another request has set a new lifetime, this request's expiry, which
# was computed from the old one, must not be stored.
TOUCH = f"""UPDATE $table SET seen = $greatest(seen, ?), expires = $greatest(expires, ?)
WHERE id = ? AND {LIVE} AND lifetime $same ?"""
REMOVE = "DELETE FROM $table WHERE id = ? AND version = ?"
DISCARD = "DELETE FROM $table WHERE id = ?"
TAKE = f"DELETE FROM $table WHERE id = ? RETURNING {LISTED}"
# Lists return expired rows and tombstones too.  With a condition on the expiry, a page would have to
# pass over any number of rows that do not meet it.  And PostgreSQL plans a statement that is
# prepared for unknown parameters as if few rows met it: it would use the index on the expiry and
# read the entries of all live rows for each list of a user, and for each page.
OWNED = f"SELECT {LISTED} FROM $table WHERE owner = ?"
# An id is hexadecimal, so every id is below 'g'.  In SQLite a blob is greater than any text, so the
# bound also keeps rows with a blob as their id out of the list.
ALL = f"SELECT {LISTED} FROM $table WHERE id >= ? AND id < 'g' ORDER BY id LIMIT ?"
COUNT = f"SELECT count(*) FROM $table WHERE {LIVE}"


def statements(dialect: Dialect, table: str, user: str = "") -> Statements:
    """Return the statements for a table; raise ConfigError if its name is not allowed.

    table: its name, optionally preceded by a schema and a dot.
    user: the database user of the application, for the text of `grant`.
    """
    _check(table)
    words = _words(dialect, table, user)

    def made(text: str) -> str:
        return _marked(Template(text).substitute(words), dialect.mark)

    return Statements(
        table=words["table"],
        layout=made(dialect.layout),
        create=tuple(made(text) for text in dialect.create),
        grant=Template(GRANT).substitute(words),
        read=made(READ),
        insert=made(INSERT),
        save=made(SAVE),
        renew=made(RENEW),
        set_lifetime=made(SET_LIFETIME),
        bury=made(BURY),
        touch=made(TOUCH),
        remove=made(REMOVE),
        discard=made(DISCARD),
        take=made(TAKE),
        move=made(dialect.move),
        owned=made(OWNED),
        listed=made(ALL),
        live=made(COUNT),
        gc=made(dialect.gc),
        warnings=tuple((made(query), warning) for query, warning in dialect.warnings),
    )


def _words(dialect: Dialect, table: str, user: str) -> dict[str, str]:
    """Return the values of the placeholders that begin with `$`."""
    schema, _, name = table.rpartition(".")
    return {
        # `name` and `schema` are put between quotes by the texts that use them; `_check` has made
        # sure that they need no escaping.
        "table": ".".join(_quoted(dialect, part) for part in table.split(".")),
        "user": _quoted(dialect, user) if user else "…",
        "name": name,
        "schema": f"'{schema}'" if schema else "NULL",
        "layout": LAYOUT,
        "greatest": dialect.greatest,
        "same": dialect.same,
    }


def _check(table: object) -> None:
    if not isinstance(table, str) or not _NAME.fullmatch(table):
        raise ConfigError(
            f"table: {table!r} is no name for a table. Give letters of ASCII, digits and "
            "underscores, at most 48, with the schema and a dot before it if need be"
        )


def _quoted(dialect: Dialect, name: str) -> str:
    # A table's name contains no quote, but a user's name, from the address, may contain one.
    quote = dialect.quote
    return quote + name.replace(quote, quote * 2) + quote


def _marked(text: str, mark: str) -> str:
    """Replace each `?` by the driver's parameter mark; `$` marks are numbered: $1, $2."""
    if mark != "$":
        return text.replace("?", mark)
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", text)


def ddl(statements: Statements) -> str:
    """Return the statements that create the table and its indexes, as one script."""
    return "".join(f"{statement};\n" for statement in statements.create)
