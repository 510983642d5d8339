"""Writes as statements, and how to find out whether one was made if its answer was lost.

A connection may break after the database has committed a write and before the answer arrives.  The
caller then reads the row: its version shows whether this write, none, or another one was made.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from sojourn.errors import OutcomeUnknown
from sojourn.providers.sql.driver import Parameters
from sojourn.providers.sql.rows import fields_of, head_of, row_of
from sojourn.providers.sql.statements import Statements
from sojourn.providers.versions import own_version
from sojourn.record import Changes, Record


class Write(NamedTuple):
    """A statement that replaces one record by another under the same id."""

    statement: str
    parameters: Parameters
    old: Record | None
    """The record that has to be stored before the write; None if there must be none."""
    new: Record | None
    """The record that is stored after the write; None if it deletes."""
    version: int
    """The version with which `new` is stored."""

    @property
    def id(self) -> str:
        """The id of both records."""
        record = self.old or self.new
        assert record is not None
        return record.id


def creating(sql: Statements, record: Record) -> Write:
    """Return the write that stores a new record."""
    # The record keeps its version, since its id is new: no other write has stored one under it.
    return Write(sql.insert, row_of(record), None, record, record.version)


def swapping(sql: Statements, old: Record, new: Record | None) -> Write:
    """Return the write that replaces `old` by `new`, or deletes `old` if `new` is None."""
    if new is None:
        return Write(sql.remove, (old.id, old.version), old, new, 0)
    # Not `new.version`, which need not be unique: two requests that change the same record could not
    # tell their writes apart after a lost answer.
    version = own_version()
    if new.successor is not None:
        row = row_of(new._replace(version=version))
        return Write(sql.bury, (*row[1:], old.id, old.version), old, new, version)
    # The narrowest statement that stores the change, so that a touch by another request, which does
    # not change the version, is not overwritten.
    statement = sql.save
    more: Parameters = ()
    # [8:10] is `lifetime` and `persistent`.  An expiry moves back only if a lifetime was set.
    if old[8:10] != new[8:10] or new.expires < old.expires:
        statement, more = sql.set_lifetime, (new.seen, new.expires, new.lifetime, head_of(new))
    elif new.seen != old.seen or new.expires != old.expires:
        statement, more = sql.renew, (new.seen, new.expires)
    values = (version, fields_of(new), *more, old.id, old.version)
    return Write(statement, values, old, new, version)


def moving(sql: Statements, old: Record, new: Record, tombstone: Record) -> Write:
    """Return the write that stores `new` under its own id and replaces `old` by `tombstone`."""
    # After a lost answer only the row of the old id is compared: the statement changes both rows or
    # neither.
    parameters = (*row_of(new), *row_of(tombstone), old.id, old.version)
    return Write(sql.move, parameters, old, tombstone, tombstone.version)


def is_touch(record: Record, changes: Changes) -> bool:
    """Whether the changes affect only the times, and the session keeps fields or a user."""
    # A lifetime that was set (`persistent` is not None) changes the head too.  A session without
    # fields and user is deleted instead of touched.
    _, expires, put, drop, clear, expect, move, _, persistent = changes
    if put or drop or clear or expect or move or expires is None or persistent is not None:
        return False
    return bool(record.fields) or record.user is not None


class Recovery(Enum):
    """How to continue after a write whose answer was lost."""

    DONE = auto()
    """The write was made, and its record is stored."""
    REPEAT = auto()
    """The write was not made; it may be sent again."""
    UNKNOWN = auto()
    """Another request has written since: this write may have been made before that, or not."""


def after_lost_reply(write: Write, stored: Record | None) -> Recovery:
    """Return how to continue after a lost answer.  stored: the record that is stored now, or None.

    `own_version` returns each version once, and each id is created once.  If the old record is
    still stored, this write was not made; if this write's record is stored, it was.  If the row is
    absent although there was one before, this write or any other may have deleted it.
    """
    if stored is not None and _wrote(write, stored):
        return Recovery.DONE
    return Recovery.REPEAT if _mark(stored) == _mark(write.old) else Recovery.UNKNOWN


def _wrote(write: Write, stored: Record) -> bool:
    """Whether the stored record is the one of this write.  It may have been touched since."""
    # The absence of a row proves nothing: another request may have deleted it.
    if write.new is None:
        return False
    # The whole record is compared, not only its version, since the versions of a new record and of
    # a tombstone are not unique.  A touch changes only the times, which are left out.
    new = write.new._replace(version=write.version)
    return stored._replace(seen=0.0, expires=0.0) == new._replace(seen=0.0, expires=0.0)


def _mark(record: Record | None) -> tuple[int, str | None] | None:
    # With the successor, since a tombstone's version may equal one that `own_version` returned.
    return None if record is None else (record.version, record.successor)


def unknown(reason: Exception) -> OutcomeUnknown:
    """Return the error for a write that may or may not have been made."""
    return OutcomeUnknown(f"the database did not say whether it changed a session: {reason}")
