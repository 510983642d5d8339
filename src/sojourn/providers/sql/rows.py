"""The conversion between rows and records.

The attributes that the database itself has to compare have a column each: the id, the version, the
user, the times, the lifetime, and the successor of a tombstone.  The fields are packed into
`fields`; the rest of the record is packed into `head`, together with copies of the attributes that
have columns.  For the version, `seen` and `expires` the columns hold the current values and the
copies in the head may be old.  The head is therefore rarely rewritten: a change of fields writes
two columns, `version` and `fields`, and a touch two others, `seen` and `expires`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import ormsgpack

from sojourn.errors import CorruptRecord
from sojourn.providers.serialization import LATEST, pack, unpack
from sojourn.record import NO_FIELDS, Fields, Record, is_id

_OPTION = ormsgpack.OPT_NON_STR_KEYS  # the fields' keys are bytes
_BYTES = {bytes}
_GREATEST_VERSION = 2**63 - 2
"""The largest version that is read.  A BIGINT column ends at 2**63 - 1, and a tombstone gets the
version that follows that of its record."""
_pack, _unpack = ormsgpack.packb, ormsgpack.unpackb


class Row(NamedTuple):
    """The columns of the table, in the order of the statements."""

    id: str
    version: int
    owner: bytes | None
    """The user as bytes, so that no collation folds case, ignores trailing spaces or refuses a
    character: users are equal only if all their bytes are."""
    seen: float
    expires: float
    lifetime: float | None
    successor: str | None
    head: bytes
    fields: bytes


def row_of(record: Record) -> Row:
    """Return a record as a row."""
    return Row(
        record.id,
        record.version,
        None if record.user is None else owner_of(record.user),
        record.seen,
        record.expires,
        record.lifetime,
        record.successor,
        head_of(record),
        fields_of(record),
    )


def owner_of(user: str) -> bytes:
    """Return a user's name, which may be any str, as bytes."""
    # "surrogatepass", since a str may hold lone surrogates, which UTF-8 proper cannot encode.
    return user.encode("utf-8", "surrogatepass")


def head_of(record: Record) -> bytes:
    """Return a record without its fields as bytes."""
    return pack(Record(record.id, NO_FIELDS, *record[2:]))


def fields_of(record: Record) -> bytes:
    """Return the fields of a record as bytes, in MessagePack."""
    return _pack(record.fields, option=_OPTION)


def record_of(id: str, row: Sequence[Any]) -> Record:
    """Return the record of a row that READ selected; raise CorruptRecord if it cannot be read."""
    *most, fields = row
    return _record(id, most, _fields(id, fields))


def listed(row: Sequence[Any]) -> Record:
    """Return the record of a row that a list selected, without its fields.

    Raises CorruptRecord if the row cannot be read, or if its id has not the form of an id.
    """
    id, *most = row
    # Only here is the id checked: a row that is read by its id has the id of the query.
    if not is_id(id):
        raise CorruptRecord("a row in the table of the sessions has an id that is none")
    return _record(id, most, NO_FIELDS)


def _record(id: str, row: Sequence[Any], fields: Fields) -> Record:
    """Return the record of a row whose columns are those of `_CHECKED` in `statements`.

    Other programs may write to the table, and SQLite accepts any type in any column, so each value
    is checked before it is used.  The user and the successor are stored twice: in the head, and in
    the columns by which lists are selected.  A row in which they differ is corrupt.  Otherwise
    `destroy_user`, which searches the column, would miss a session that belongs to the user
    according to its head.  The lifetime is not compared: its column only serves as a condition of
    a touch.
    """
    version, seen, expires, owner, successor, head = row
    # `unpack` has checked every attribute in the head; the columns are checked here.
    it = unpack(id, head)
    if not (
        # Exact types: SQLite may return any, and later code relies on int and float.
        type(version) is int
        and 0 <= version <= _GREATEST_VERSION
        and type(seen) is type(expires) is float
        # NaN and infinity fail these comparisons.
        and 0.0 <= seen <= LATEST
        and 0.0 <= expires <= LATEST
        and successor == it.successor
        and owner == (None if it.user is None else owner_of(it.user))
    ):
        raise _corrupt(id)
    return Record(
        id,
        fields,
        it.created,
        seen,
        expires,
        it.user,
        it.authenticated,
        it.about,
        it.lifetime,
        it.persistent,
        version,
        it.successor,
    )


def _fields(id: str, data: Any) -> Fields:
    try:
        fields = _unpack(data, option=_OPTION)
    except (ValueError, TypeError):
        raise _corrupt(id) from None
    if (
        type(fields) is dict
        and _BYTES.issuperset(map(type, fields))
        and _BYTES.issuperset(map(type, fields.values()))
    ):
        return fields
    raise _corrupt(id)


def _corrupt(id: str) -> CorruptRecord:
    return CorruptRecord(f"what is stored under {id} is no session of this release", id=id)


# -- lists -----------------------------------------------------------------------------------------


class Page(NamedTuple):
    """The next query of a list: rows with ids from `start` on, at most `limit` of them."""

    start: str = ""
    limit: int = 1000


def complete(rows: Sequence[Any], page: Page) -> tuple[Sequence[Any], Page | None]:
    """Return the rows of an answer that may be used, and the next query, or None at the end.

    Each answer is a snapshot of the table at one moment, and between two answers a session may move
    to another id.  A move keeps the first two hex digits of the id, so all rows with the same two
    digits are taken from the same answer, and a session that moves is neither missed nor listed
    twice.  If the answer is full, the rows with the last two digits may continue behind it: they
    are left out, and the next query begins with them.
    """
    if len(rows) < page.limit:
        return rows, None
    # The answer may hold one pair of digits only.  And rows that other programs wrote may have ids
    # of any form, whose order depends on the database.  If `last` does not advance, the limit is
    # doubled, so that the list always comes to an end.
    last = rows[-1][0][:2]
    whole = [row for row in rows if row[0][:2] != last]
    if not whole or last <= page.start:
        return [], Page(page.start, page.limit * 2)
    return whole, Page(last, page.limit)


def readable(rows: Sequence[Any]) -> Iterator[Record]:
    """Yield the records of listed rows; a row that cannot be read is skipped."""
    for row in rows:
        with contextlib.suppress(CorruptRecord):
            yield listed(row)
