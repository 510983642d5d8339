"""The ends of sessions that are named by an id or by a user, as calls of the provider.

A session may move to a new id at any time, and leaves a tombstone under the old one.  An end follows
the tombstones, so that a session cannot escape a logout by getting a new id at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from sojourn._calls import Call, Destroy, Find, Read
from sojourn._events import Event
from sojourn._session.signin import text_of
from sojourn._session.state import SessionState
from sojourn.record import MOVES, Record, is_id
from sojourn.session import Session, state_of


class Endings:
    """Decides which records are destroyed, and reports each session that ended."""

    def __init__(
        self,
        now: Callable[[], float],
        report: Callable[[Event, str | None], None],
        note_end: Callable[[str], None],
        renewing: Mapping[str, SessionState],
    ) -> None:
        """Set the clock, which returns seconds since the epoch, and the function for events.

        note_end: remembers that this process has ended the session of an id.
        renewing: the sessions that will get a new id in this process, by that id.
        """
        self._now = now
        self._report = report
        self._note_end = note_end
        self._renewing = renewing

    def one(self, id: str, user: str | None = None) -> Generator[Call, Any, bool]:
        """Destroy the record under `id` and, if it is a tombstone, the session that it names.

        Return whether there was one.

        user: keep the session if another user has signed in to it meanwhile; None for any user.
        """
        following = id if is_id(id) else None  # an id may come from a client
        ended = False
        for number in range(MOVES):
            if following is None:
                break
            # The user of a session changes only with its id, so this look-up cannot be out of date.
            if number and user is not None and (yield from _is_of_another(following, user)):
                return False
            # Also before, since another request may find nothing before the answer is here.
            self._note_end(following)
            record: Record | None = yield Destroy(following)
            if record is not None:
                self._note_end(following)
            following = None if record is None else record.successor
            # Of the last record: a tombstone without its successor is not a session that ended.
            ended = record is not None
        if ended:
            self._report("destroyed", id)
        return ended

    def one_of(self, id: str, user: str | None) -> Generator[Call, Any, bool]:
        """As `one`, but only if the session belongs to this user; None ends nothing."""
        theirs = yield from self._ids_of(user)
        if theirs.isdisjoint((yield from followed({id}, theirs))):
            return False
        return (yield from self.one(id, user))

    def one_except(self, id: str, kept: set[str]) -> Generator[Call, Any, bool]:
        """As `one`, but not if the session is stored under one of the ids in `kept` by now."""
        if kept and not kept.isdisjoint((yield from followed({id}, set()))):
            return False
        return (yield from self.one(id))

    def all_of(self, user: str | None, keep: Session | str | None) -> Generator[Call, Any, int]:
        """Destroy the sessions of a user, except for one if it is given; return how many."""
        kept = self.kept_ids(keep)
        ended, before = 0, set[str]()
        # Until none is left that was not tried: a session may get a new id while its user's are being
        # listed, and another end that follows it may have taken the tombstone away.
        while True:
            theirs = yield from self._ids_of(user)
            kept = yield from followed(kept, theirs)
            if (doomed := theirs - kept) <= before:
                break
            before = doomed
            for id in doomed:
                ended += yield from self.one(id, user)
        return ended

    def kept_ids(self, keep: Session | str | None) -> set[str]:
        """Return the ids that a session has, will have, or had when its request began.

        keep: the session, or one of its ids; None for no session.
        """
        if keep is None:
            return set()
        if isinstance(keep, str):
            # After `login`, `session.id` is an id under which nothing is stored yet.  The request
            # that will store it is found here, and with it the id that has to be kept until then.
            renewing = self._renewing.get(keep)
            return {keep} if renewing is None else {keep} | renewing.ids()
        return state_of(keep).ids()

    def _ids_of(self, user: str | None) -> Generator[Call, Any, set[str]]:
        """Return the ids of a user's live sessions; an empty set for None, an anonymous visitor.

        Raises EncodeError for a user that is not a str.
        """
        if user is None:
            return set()
        found: set[str] = yield Find(text_of(user, "sessions"), self._now())
        return found


def _is_of_another(id: str, user: str) -> Generator[Call, Any, bool]:
    """Return whether the session of an id belongs to another user; False for a tombstone."""
    record: Record | None = yield Read(id)
    return record is not None and record.successor is None and record.user != user


def followed(ids: set[str], living: set[str]) -> Generator[Call, Any, set[str]]:
    """Return these ids and those of their successors.  living: ids that need no look-up."""
    found = {*ids}
    todo = [id for id in ids - living if is_id(id)]
    while todo and len(found) < MOVES:  # faulty tombstones might lead in a circle
        record: Record | None = yield Read(todo.pop())
        successor = None if record is None else record.successor
        if successor is not None and successor not in found:
            found.add(successor)
            todo += {successor} - living
    return found
