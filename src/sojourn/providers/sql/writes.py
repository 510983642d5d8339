"""Writes, and what became of one whose answer was lost."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from sojourn.errors import OutcomeUnknown
from sojourn.providers.sql.driver import Parameters
from sojourn.providers.sql.rows import fields_of, head_of, row_of
from sojourn.providers.sql.statements import Statements
from sojourn.providers.sql.versions import own_version
from sojourn.record import Changes, Record


class Write(NamedTuple):
    """A statement that puts one record in the place of another."""

    statement: str
    parameters: Parameters
    old: Record | None
    new: Record | None
    version: int
    """The version with which `new` is written."""

    @property
    def id(self) -> str:
        """The id under which they stand."""
        record = self.old or self.new
        assert record is not None
        return record.id


def creating(sql: Statements, record: Record) -> Write:
    """Return what stores a new record."""
    return Write(sql.insert, row_of(record), None, record, record.version)


def swapping(sql: Statements, old: Record, new: Record | None) -> Write:
    """Return what puts `new`, or nothing, in the place of `old`."""
    if new is None:
        return Write(sql.remove, (old.id, old.version), old, new, 0)
    version = own_version()
    if new.successor is not None:
        row = row_of(new._replace(version=version))
        return Write(sql.bury, (*row[1:], old.id, old.version), old, new, version)
    statement = sql.save
    more: Parameters = ()
    if old[8:10] != new[8:10] or new.expires < old.expires:  # a lifetime was set
        statement, more = sql.relive, (new.seen, new.expires, new.lifetime, head_of(new))
    elif new.seen != old.seen or new.expires != old.expires:
        statement, more = sql.renew, (new.seen, new.expires)
    values = (version, fields_of(new), *more, old.id, old.version)
    return Write(statement, values, old, new, version)


def moving(sql: Statements, old: Record, new: Record, tombstone: Record) -> Write:
    """Return what stores `new`, and puts its tombstone in the place of `old`."""
    parameters = (*row_of(new), *row_of(tombstone), old.id, old.version)
    return Write(sql.move, parameters, old, tombstone, tombstone.version)


def is_touch(record: Record, changes: Changes) -> bool:
    """Whether the changes are of times alone, and leave a session that is not empty."""
    _, expires, put, drop, clear, expect, move, _, persistent = changes
    if put or drop or clear or expect or move or expires is None or persistent is not None:
        return False
    return bool(record.fields) or record.user is not None


class Sequel(Enum):
    """How to go on after a write whose answer was lost."""

    STANDS = auto()
    """It was done."""
    REPEAT = auto()
    """It was not done."""
    UNKNOWN = auto()
    """Others wrote since then: it may have been done before that."""


def sequel(write: Write, stands: Record | None) -> Sequel:
    """Say what became of a write, by what stands.

    A version has one writer, and an id is minted once: so where the old version stands nothing
    was done, and where ours stands it was.  A row that is gone may have been taken by anybody.
    """
    if stands is not None and _wrote(write, stands):
        return Sequel.STANDS
    return Sequel.REPEAT if _mark(stands) == _mark(write.old) else Sequel.UNKNOWN


def _wrote(write: Write, stands: Record) -> bool:
    """Whether it is what was written; it may have been touched since then."""
    if write.new is None:
        return False
    new = write.new._replace(version=write.version)
    return stands._replace(seen=0.0, expires=0.0) == new._replace(seen=0.0, expires=0.0)


def _mark(record: Record | None) -> tuple[int, str | None] | None:
    return None if record is None else (record.version, record.successor)


def unknown(reason: Exception) -> OutcomeUnknown:
    """The error for a write of which nobody can say whether it was done."""
    return OutcomeUnknown(f"the database did not say whether it changed a session: {reason}")
