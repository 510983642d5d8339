"""Rows and records.

A row says in columns what the database itself must know: the id, the version, whose and when, and
where a tombstone leads.  The fields are packed in `fields`, and all of the record but these in
`head`, which hardly ever changes: of the version and the times the columns are the truth, so that a
change writes two columns and a touch two others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import ormsgpack

from sojourn.errors import CorruptRecord
from sojourn.providers.frame import LATEST, pack, unpack
from sojourn.record import NO_FIELDS, Fields, Record, is_id

_OPTION = ormsgpack.OPT_NON_STR_KEYS  # the fields' keys are bytes
_BYTES = {bytes}
_GREATEST_VERSION = 2**63 - 2
"""A column has 63 bits, and a tombstone gets the version that follows."""
_pack, _unpack = ormsgpack.packb, ormsgpack.unpackb


class Row(NamedTuple):
    """The columns of the table, in their order."""

    id: str
    version: int
    owner: bytes | None
    """The user, byte by byte: no collation folds, pads or refuses anything."""
    seen: float
    expires: float
    lifetime: float | None
    successor: str | None
    head: bytes
    fields: bytes


def row_of(record: Record) -> Row:
    """Return the record as a row."""
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
    """Return the bytes of a user's name, which may be any text."""
    return user.encode("utf-8", "surrogatepass")


def head_of(record: Record) -> bytes:
    """Return all of a record but its fields."""
    return pack(Record(record.id, NO_FIELDS, *record[2:]))


def fields_of(record: Record) -> bytes:
    """Return the fields of a record."""
    return _pack(record.fields, option=_OPTION)


def record_of(id: str, row: Sequence[Any]) -> Record:
    """Return the record of a row that READ selected; raise CorruptRecord if it is not a session."""
    *most, fields = row
    return _record(id, most, _fields(id, fields))


def listed(row: Sequence[Any]) -> Record:
    """Return the record of a row of a list, without its fields.

    Raises CorruptRecord if the row is not a session, or its id is not an id.
    """
    id, *most = row
    if type(id) is not str or not is_id(id):
        raise CorruptRecord("a row in the table of the sessions has an id that is none")
    return _record(id, most, NO_FIELDS)


def _record(id: str, row: Sequence[Any], fields: Fields) -> Record:
    """Return the record of a row.

    Anybody may write to the table, and SQLite takes any type in any column: so each value is
    checked before it is used.  The user and the successor are stored twice, in the head and in the
    columns that lists are made from, and a row in which these differ is corrupt: otherwise
    `destroy_user` would pass by a session that is the user's when it is read.
    """
    version, seen, expires, owner, successor, head = row
    it = unpack(id, head)
    if not (
        type(version) is int
        and 0 <= version <= _GREATEST_VERSION
        and type(seen) is type(expires) is float
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


class Asked(NamedTuple):
    """Which rows of a list are asked for next: those from an id on, and how many."""

    start: str = ""
    limit: int = 1000


def complete(rows: Sequence[Any], asked: Asked) -> tuple[Sequence[Any], Asked | None]:
    """Return the rows of a list as far as they are complete, and what to ask for next.

    An answer shows the table as of one moment.  A session moves only among the ids with the same
    first two digits, so a list that takes these together misses no session that moves between two
    answers.  Rows with odd ids may be in any order: if there is no progress, more are asked for at
    once, so that the list comes to an end.
    """
    if len(rows) < asked.limit:
        return rows, None
    last = rows[-1][0][:2]
    whole = [row for row in rows if row[0][:2] != last]
    if not whole or last <= asked.start:
        return [], Asked(asked.start, asked.limit * 2)
    return whole, Asked(last, asked.limit)


def readable(rows: Sequence[Any]) -> Iterator[Record]:
    """Yield the records of listed rows, but for what cannot be read."""
    for row in rows:
        with contextlib.suppress(CorruptRecord):
            yield listed(row)
