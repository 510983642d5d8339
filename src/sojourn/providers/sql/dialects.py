"""The parts of the SQL in which MySQL and MariaDB, PostgreSQL and SQLite differ.

In these texts `?` marks a parameter, and `$table`, `$name`, `$schema` and `$layout` are replaced by
`statements`.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import sqlite_version_info
from typing import NamedTuple

from sojourn.providers.sql.rows import Row

COLUMNS = ", ".join(Row._fields)
MARKS = ", ".join("?" * len(Row._fields))


class Dialect(NamedTuple):
    """The SQL of one database."""

    mark: str
    """The driver's mark of a parameter.  `$` means numbered marks: $1, $2."""
    quote: str
    """The character around a quoted name."""
    greatest: str
    """The function that returns the greater of two numbers."""
    same: str
    """The comparison operator for which NULL equals NULL."""
    layout: str
    """The query for the three values that `layout.check_layout` needs: the text that contains the
    layout, whether a DELETE can return rows, and whether a failed statement changes nothing.  It
    returns no row if there is no table."""
    create: tuple[str, ...]
    """The statements that create the table and its indexes, if they do not exist."""
    move: str
    """Insert a row and replace another one by a tombstone: both, or neither."""
    gc: str
    """Delete at most a given number of rows, those that expired first."""
    warnings: tuple[tuple[str, str], ...]
    """Pairs of a query that finds an unsafe setting, and the warning for each row it returns."""


def _move(upsert: str, given: str, typed: Sequence[str], lock: str = "") -> str:
    """Return a move as one INSERT of both rows, for databases with an upsert.

    The new row is inserted.  The tombstone has the id of the old row, so for it the upsert applies
    and overwrites the old row.  Nothing is inserted if the old row has another version by now.

    upsert: the clause that turns an INSERT into an UPDATE if the id exists.
    given: the expression for a column of the row that could not be inserted.
    typed: an expression for the parameter of each column.
    lock: a clause that locks the old row as it is read.
    """
    # If the new id exists too, the upsert must not overwrite its row.  Only the tombstone has a
    # successor, so for the new row CASE yields NULL, which the column refuses, and the whole
    # statement is rolled back.  MySQL and MariaDB refuse it in every `sql_mode`: without the strict
    # mode they replace only a NULL among the inserted values.
    rest = ", ".join(f"{column} = {given.format(column)}" for column in Row._fields[2:])
    return f"""INSERT INTO $table ({COLUMNS}) SELECT added.* FROM $table AS old_row, (
SELECT {", ".join(map("{} AS {}".format, typed, Row._fields))} UNION ALL SELECT {", ".join(typed)}
) AS added WHERE old_row.id = ? AND old_row.version = ? {lock} {upsert}
version = CASE WHEN {given.format("successor")} IS NOT NULL THEN {given.format("version")} END,
{rest}"""


# Oldest first, in the order of the index on `expires`, so that the query reads no more than the
# rows that it returns.
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


# With `successor` in the index, `count` needs no rows: it counts live sessions by the index alone.
_EXPIRES = "CREATE INDEX IF NOT EXISTS ${name}_expires ON $table (expires, successor)"

_MYSQL_TABLE = """FROM information_schema.tables
WHERE table_schema = coalesce($schema, database()) AND table_name = '$name'"""

# A parameter in a SELECT list has no type: the derived table of a move gets the types of its
# columns from these expressions.  `? + 0e0` is a double; MySQL can cast to one only since 8.0.17.
_TEXT, _BYTES, _NUMBER = "CAST(? AS CHAR(128) CHARACTER SET ascii)", "CAST(? AS BINARY)", "? + 0e0"
_MYSQL_TYPED = (_TEXT, "CAST(? AS SIGNED)", _BYTES, *[_NUMBER] * 3, _TEXT, _BYTES, _BYTES)

_FLUSH = """SELECT @@innodb_flush_log_at_trx_commit FROM dual
WHERE @@innodb_flush_log_at_trx_commit <> 1"""

MYSQL = Dialect(
    mark="%s",
    quote="`",
    greatest="greatest",
    same="<=>",
    # MariaDB's DELETE can return rows, MySQL's cannot.  An engine such as Aria or MyISAM has no
    # transactions: there a failed statement keeps the rows that it has already written.
    layout=f"""SELECT table_comment, instr(version(), 'MariaDB'), engine IN (
SELECT engine FROM information_schema.engines WHERE transactions = 'YES') {_MYSQL_TABLE}""",
    # ascii_bin compares ids byte by byte, as their order in lists requires.  The indexes are part
    # of the table, since MySQL has no CREATE INDEX IF NOT EXISTS.  An index on a LONGBLOB needs a
    # prefix length.  LONGBLOB, because a BLOB holds at most 64 KiB.
    create=(
        _table("VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin", "LONGBLOB")[:-2]
        + """,
  KEY ${name}_expires (expires, successor),
  KEY ${name}_owner (owner(64))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='$layout'""",
    ),
    # FOR UPDATE, since the SELECT of an INSERT ... SELECT is a consistent read in InnoDB under READ
    # COMMITTED, which could still see a version that another request has just replaced; and under
    # REPEATABLE READ it takes shared locks, with which two moves of one row would deadlock.  A
    # locking read sees the latest committed version at every isolation level.
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

# In VALUES a parameter without a type, such as None, would count as text.
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
    # All statements in one text, which the server executes as one transaction: a table without its
    # comment would be refused from then on.  A hash index on `owner`, because a B-tree takes no
    # entry above 2,704 bytes, and a user's name may be longer.
    create=(
        ";\n".join(
            (
                _table('TEXT COLLATE "C"', "BYTEA"),
                _EXPIRES,
                "CREATE INDEX IF NOT EXISTS ${name}_owner ON $table USING hash (owner)",
                "COMMENT ON TABLE $table IS '$layout'",
            )
        ),
    ),
    # The UPDATE waits for a concurrent write of the old row.  Under READ COMMITTED it then checks
    # the new version of that row, finds no match and returns no row, so that nothing is inserted;
    # above READ COMMITTED it fails with 40001 and is sent again.  If the new id exists, the INSERT
    # fails with 23505, and the UPDATE is rolled back with it.
    move=f"""WITH added ({COLUMNS}) AS (VALUES ({_TYPED})), buried ({COLUMNS}) AS (VALUES ({_TYPED})),
old_row AS (UPDATE $table AS t SET ({", ".join(Row._fields[1:])}) =
ROW({", ".join(f"buried.{column}" for column in Row._fields[1:])})
FROM buried WHERE t.id = ? AND t.version = ? RETURNING 1)
INSERT INTO $table ({COLUMNS}) SELECT added.* FROM added, old_row""",
    # An array rather than IN (SELECT ...), which the planner may turn into a join with a scan of
    # the whole table.  SKIP LOCKED, so that a sweep does not wait for the rows that requests or
    # other sweeps are writing.
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
    # SQLite has no comments on tables, but keeps the text of each CREATE statement: the layout is
    # an SQL comment in it.  A DELETE can return rows since SQLite 3.35.
    layout=f"""SELECT sql, {sqlite_version_info >= (3, 35):d}, 1 FROM sqlite_master
WHERE type IN ('table', 'view') AND name = '$name' COLLATE NOCASE""",
    create=(
        _table("TEXT", "BLOB").replace("$table (", "$table ( -- $layout", 1),
        _EXPIRES,
        "CREATE INDEX IF NOT EXISTS ${name}_owner ON $table (owner)",
    ),
    # No lock clause: a statement that writes locks the whole file before it reads.
    move=_move("ON CONFLICT (id) DO UPDATE SET", "excluded.{}", "?" * len(Row._fields)),
    gc=f"DELETE FROM $table WHERE id IN ({_EXPIRED})",
    warnings=(),
)
