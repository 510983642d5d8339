"""The statements for one table, the same for every database as far as SQL goes.

Each is one step, and with autocommit one round trip.
"""

from __future__ import annotations

import itertools
import re
from string import Template
from typing import NamedTuple

from sojourn.errors import ConfigError
from sojourn.providers.sql.dialects import COLUMNS, MARKS, Dialect

LAYOUT = "sojourn layout 1"
"""What a table says of itself; it changes with every change of the columns."""

_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,47}\.)?[A-Za-z_][A-Za-z0-9_]{0,47}", re.ASCII)


class Statements(NamedTuple):
    """All statements for one table."""

    layout: str
    create: tuple[str, ...]
    grant: str
    """What gives the application's user the rights that it needs."""
    read: str
    insert: str
    save: str
    renew: str
    relive: str
    touch: str
    remove: str
    take: str
    """Remove, and return what it was: not every database can."""
    move: str
    owned: str
    listed: str
    live: str
    gc: str
    warnings: tuple[tuple[str, str], ...]


LISTED = "id, version, seen, expires, head"
LIVE = "expires > ? AND successor IS NULL"

GRANT = "GRANT SELECT, INSERT, UPDATE, DELETE ON $table TO $user;\n"
READ = "SELECT version, seen, expires, head, fields FROM $table WHERE id = ?"
INSERT = f"INSERT INTO $table ({COLUMNS}) VALUES ({MARKS})"
# A touch passes the version by, so whoever renews must not take back what it promised meanwhile;
# only a lifetime that was set on purpose does.
SAVE = "UPDATE $table SET version = ?, fields = ? WHERE id = ? AND version = ?"
RENEW = """UPDATE $table SET version = ?, fields = ?, seen = $greatest(seen, ?),
expires = $greatest(expires, ?) WHERE id = ? AND version = ?"""
RELIVE = """UPDATE $table SET version = ?, fields = ?, seen = $greatest(seen, ?), expires = ?,
lifetime = ?, head = ? WHERE id = ? AND version = ?"""
TOUCH = f"""UPDATE $table SET seen = $greatest(seen, ?), expires = $greatest(expires, ?)
WHERE id = ? AND {LIVE} AND lifetime $same ?"""
REMOVE = "DELETE FROM $table WHERE id = ? AND version = ?"
TAKE = f"DELETE FROM $table WHERE id = ? RETURNING {LISTED}"
OWNED = f"SELECT {LISTED} FROM $table WHERE owner = ? AND {LIVE}"
ALL = f"SELECT {LISTED} FROM $table WHERE id >= ? AND {LIVE} ORDER BY id LIMIT ?"
COUNT = f"SELECT count(*) FROM $table WHERE {LIVE}"


def statements(dialect: Dialect, table: str, user: str = "") -> Statements:
    """Return the statements for a table; raise ConfigError if it cannot be called that.

    user: whose rights the application has.
    """
    _check(table)
    schema, _, name = table.rpartition(".")
    words = {
        "table": ".".join(_quoted(dialect, part) for part in table.split(".")),
        "user": _quoted(dialect, user) if user else "…",
        "name": name,
        "schema": f"'{schema}'" if schema else "NULL",
        "layout": LAYOUT,
        "greatest": dialect.greatest,
        "same": dialect.same,
    }

    def made(text: str) -> str:
        return _marked(Template(text).substitute(words), dialect.mark)

    return Statements(
        layout=made(dialect.layout),
        create=tuple(made(text) for text in dialect.create),
        grant=Template(GRANT).substitute(words),
        read=made(READ),
        insert=made(INSERT),
        save=made(SAVE),
        renew=made(RENEW),
        relive=made(RELIVE),
        touch=made(TOUCH),
        remove=made(REMOVE),
        take=made(TAKE),
        move=made(dialect.move),
        owned=made(OWNED),
        listed=made(ALL),
        live=made(COUNT),
        gc=made(dialect.gc),
        warnings=tuple((made(query), warning) for query, warning in dialect.warnings),
    )


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
