"""The statements for one table, the same for every database as far as SQL goes.

Each is one step, and with autocommit one round trip.
"""

from __future__ import annotations

import itertools
import re
from string import Template
from typing import NamedTuple

from sojourn.errors import ConfigError
from sojourn.providers.frame import LATEST
from sojourn.providers.sql.dialects import COLUMNS, MARKS, Dialect
from sojourn.providers.sql.rows import Row

LAYOUT = "sojourn layout 1"
"""What a table says of itself; it changes with every change of the columns."""

_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,47}\.)?[A-Za-z_][A-Za-z0-9_]{0,47}", re.ASCII)


class Statements(NamedTuple):
    """All statements for one table."""

    table: str
    """Its name, quoted."""
    layout: str
    create: tuple[str, ...]
    grant: str
    """What gives the application's user the rights that it needs."""
    read: str
    insert: str
    save: str
    renew: str
    relive: str
    bury: str
    """Put a tombstone in the place of a row, where a move is two statements."""
    touch: str
    remove: str
    discard: str
    """Remove, whatever its version."""
    take: str
    """Remove, and return what it was: not every database can."""
    move: str
    owned: str
    listed: str
    live: str
    gc: str
    warnings: tuple[tuple[str, str], ...]


_CHECKED = "version, seen, expires, owner, successor, head"
LISTED = f"id, {_CHECKED}"
# The second bound leaves out rows that never expire: in SQLite any text is greater than a number,
# and in PostgreSQL infinity and NaN are.
LIVE = f"expires > ? AND expires <= {LATEST!r} AND successor IS NULL"

GRANT = "GRANT SELECT, INSERT, UPDATE, DELETE ON $table TO $user;\n"
READ = f"SELECT {_CHECKED}, fields FROM $table WHERE id = ?"
INSERT = f"INSERT INTO $table ({COLUMNS}) VALUES ({MARKS})"
# A touch passes the version by, so whoever renews must not take back what it promised meanwhile;
# only a lifetime that was set on purpose does.
SAVE = "UPDATE $table SET version = ?, fields = ? WHERE id = ? AND version = ?"
RENEW = """UPDATE $table SET version = ?, fields = ?, seen = $greatest(seen, ?),
expires = $greatest(expires, ?) WHERE id = ? AND version = ?"""
RELIVE = """UPDATE $table SET version = ?, fields = ?, seen = $greatest(seen, ?), expires = ?,
lifetime = ?, head = ? WHERE id = ? AND version = ?"""
BURY = f"""UPDATE $table SET {", ".join(f"{column} = ?" for column in Row._fields[1:])}
WHERE id = ? AND version = ?"""
TOUCH = f"""UPDATE $table SET seen = $greatest(seen, ?), expires = $greatest(expires, ?)
WHERE id = ? AND {LIVE} AND lifetime $same ?"""
REMOVE = "DELETE FROM $table WHERE id = ? AND version = ?"
DISCARD = "DELETE FROM $table WHERE id = ?"
TAKE = f"DELETE FROM $table WHERE id = ? RETURNING {LISTED}"
OWNED = f"SELECT {LISTED} FROM $table WHERE owner = ? AND {LIVE}"
# An id is hexadecimal.  In SQLite a blob is greater than any text, so there are none in the list.
ALL = f"SELECT {LISTED} FROM $table WHERE id >= ? AND id < 'g' AND {LIVE} ORDER BY id LIMIT ?"
COUNT = f"SELECT count(*) FROM $table WHERE {LIVE}"


def statements(dialect: Dialect, table: str, user: str = "") -> Statements:
    """Return the statements for a table; raise ConfigError if it cannot be called that.

    user: whose rights the application has.
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
        relive=made(RELIVE),
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
    """Return what takes the places that a text marks with `$`."""
    schema, _, name = table.rpartition(".")
    return {
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
    quote = dialect.quote
    return quote + name.replace(quote, quote * 2) + quote


def _marked(text: str, mark: str) -> str:
    """Put the driver's marks in; those with a `$` are numbered."""
    if mark != "$":
        return text.replace("?", mark)
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", text)


def ddl(statements: Statements) -> str:
    """Return what makes the table and its indexes, as a script."""
    return "".join(f"{statement};\n" for statement in statements.create)
