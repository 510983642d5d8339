"""What every database puts in its own words.

A parameter is marked `?` here, and the table is `$table`.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import sqlite_version_info
from typing import NamedTuple

from sojourn.providers.sql.rows import Row

COLUMNS = ", ".join(Row._fields)
MARKS = ", ".join("?" * len(Row._fields))


class Dialect(NamedTuple):
    """How a database puts what is not the same in all of them."""

    mark: str
    """Where a parameter goes."""
    quote: str
    """What stands around a name."""
    greatest: str
    """The function for the greater of two numbers."""
    same: str
    """The comparison in which nothing equals nothing."""
    layout: str
    """The query for what the table says of itself, whether a DELETE can return rows, and whether
    a statement that fails changes nothing."""
    create: tuple[str, ...]
    """What makes the table and its indexes, if they are not there."""
    move: str
    """Put a tombstone in the place of one row, and add another row: both, or neither."""
    gc: str
    """Take away at most so many rows, the oldest first."""
    warnings: tuple[tuple[str, str], ...]
    """Queries that find what is unsafe, and what to say of a row that they find."""


def _move(upsert: str, given: str, typed: Sequence[str], lock: str = "") -> str:
    """A move by an insert of both rows, of which the tombstone finds its place taken.

    The old row is read once and locked.  If something stands under the new id, it stays: the
    version would become NULL, which is refused, and the whole statement with it.
    """
    rest = ", ".join(f"{column} = {given.format(column)}" for column in Row._fields[2:])
    return f"""INSERT INTO $table ({COLUMNS}) SELECT added.* FROM $table AS old_row, (
SELECT {", ".join(map("{} AS {}".format, typed, Row._fields))} UNION ALL SELECT {", ".join(typed)}
) AS added WHERE old_row.id = ? AND old_row.version = ? {lock} {upsert}
version = CASE WHEN {given.format("successor")} IS NOT NULL THEN {given.format("version")} END,
{rest}"""


_EXPIRED = "SELECT id FROM $table WHERE expires <= ? ORDER BY expires LIMIT ?"


def _table(id: str, blob: str) -> str:
    return f"""CREATE TABLE IF NOT EXISTS $table (
  id {id} NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  owner {blob},
  seen DOUBLE PRECISION NOT NULL,
  expires DOUBLE PRECISION NOT NULL,
  lifetime DOUBLE PRECISION,
  successor {id},
  head {blob} NOT NULL,
  fields {blob} NOT NULL
)"""


_EXPIRES = "CREATE INDEX IF NOT EXISTS ${name}_expires ON $table (expires, successor)"

_MYSQL_TABLE = """FROM information_schema.tables
WHERE table_schema = coalesce($schema, database()) AND table_name = '$name'"""

_TEXT, _BYTES, _NUMBER = "CAST(? AS CHAR(128) CHARACTER SET ascii)", "CAST(? AS BINARY)", "? + 0e0"
_MYSQL_TYPED = (_TEXT, "CAST(? AS SIGNED)", _BYTES, *[_NUMBER] * 3, _TEXT, _BYTES, _BYTES)

_FLUSH = """SELECT @@innodb_flush_log_at_trx_commit FROM dual
WHERE @@innodb_flush_log_at_trx_commit <> 1"""

MYSQL = Dialect(
    mark="%s",
    quote="`",
    greatest="greatest",
    same="<=>",
    layout=f"""SELECT table_comment, instr(version(), 'MariaDB'), engine IN (
SELECT engine FROM information_schema.engines WHERE transactions = 'YES') {_MYSQL_TABLE}""",
    create=(
        _table("VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin", "LONGBLOB")[:-2]
        + """,
  KEY ${name}_expires (expires, successor),
  KEY ${name}_owner (owner(64))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='$layout'""",
    ),
    move=_move("ON DUPLICATE KEY UPDATE", "VALUES({})", _MYSQL_TYPED, "FOR UPDATE"),
    gc="DELETE FROM $table WHERE expires <= ? ORDER BY expires LIMIT ?",
    warnings=(
        (
            f"SELECT engine {_MYSQL_TABLE} AND engine <> 'InnoDB'",
            """the table's engine is {}, not InnoDB: a crash may lose rows, and without transactions \
it may leave a session under two ids: ALTER TABLE … ENGINE=InnoDB""",
        ),
        (
            _FLUSH,
            "innodb_flush_log_at_trx_commit is {}: a power failure loses the last second",
        ),
    ),
)

_TYPES = ("text", "bigint", "bytea", *["double precision"] * 3, "text", "bytea", "bytea")
_TYPED = ", ".join(f"?::{name}" for name in _TYPES)

_OFF = """SELECT name FROM pg_settings WHERE setting = 'off'
AND name IN ('fsync', 'full_page_writes', 'synchronous_commit')"""

POSTGRES = Dialect(
    mark="%s",
    quote='"',
    greatest="greatest",
    same="IS NOT DISTINCT FROM",
    layout="""SELECT coalesce(obj_description(oid, 'pg_class'), ''), true, true FROM pg_class
WHERE oid = to_regclass('$table')""",
    create=(  # one text is one transaction
        ";\n".join(
            (
                _table('TEXT COLLATE "C"', "BYTEA"),
                _EXPIRES,
                "CREATE INDEX IF NOT EXISTS ${name}_owner ON $table USING hash (owner)",
                "COMMENT ON TABLE $table IS '$layout'",
            )
        ),
    ),
    move=f"""WITH added ({COLUMNS}) AS (VALUES ({_TYPED})), buried ({COLUMNS}) AS (VALUES ({_TYPED})),
old_row AS (UPDATE $table AS t SET ({", ".join(Row._fields[1:])}) =
ROW({", ".join(f"buried.{column}" for column in Row._fields[1:])})
FROM buried WHERE t.id = ? AND t.version = ? RETURNING 1)
INSERT INTO $table ({COLUMNS}) SELECT added.* FROM added, old_row""",
    # An array, since of a set that is joined it may come to think it had better scan the table.
    gc=f"DELETE FROM $table WHERE id = ANY(ARRAY({_EXPIRED} FOR UPDATE SKIP LOCKED))",
    warnings=(
        (
            _OFF,
            "{} is off: a crash loses what was acknowledged",
        ),
        (
            "SELECT current_user WHERE current_setting('lock_timeout') = '0'",
            """nothing ends a wait for a lock, since a pooler or an engine takes no lock_timeout: \
ALTER ROLE {} SET lock_timeout = '4s'""",
        ),
    ),
)

SQLITE = Dialect(
    mark="?",
    quote='"',
    greatest="max",
    same="IS",
    layout=f"""SELECT sql, {sqlite_version_info >= (3, 35):d}, 1 FROM sqlite_master
WHERE type IN ('table', 'view') AND name = '$name' COLLATE NOCASE""",
    create=(
        _table("TEXT", "BLOB").replace("$table (", "$table ( -- $layout", 1),
        _EXPIRES,
        "CREATE INDEX IF NOT EXISTS ${name}_owner ON $table (owner)",
    ),
    move=_move("ON CONFLICT (id) DO UPDATE SET", "excluded.{}", "?" * len(Row._fields)),
    gc=f"DELETE FROM $table WHERE id IN ({_EXPIRED})",
    warnings=(),
)
