"""The contract of times, lifetimes and moves to a new id, without a manager.

A "touch" is an update that only extends the expiry.  A "move" continues a session under a new id
and leaves a tombstone, which names the new id, under the old one.
"""

from __future__ import annotations

from typing import Any

import pytest

from sojourn.record import Changes, Move, Outcome, Record
from sojourn.testing._subject import Subject, bare, id_of

NEXT = id_of("next")


class Times(Subject):
    """The times of a record, and its own lifetime."""

    def touch(self, record: Record, **more: Any) -> Record:
        """Update the record with these changes, and return the record stored afterwards."""
        changes = Changes(now=self.clock())._replace(**more)
        assert self.store.update(record, changes) is Outcome.APPLIED
        stands = self.stands(record.id)
        assert stands is not None
        return stands

    def test_a_touch_moves_the_times_alone(self) -> None:
        """Law 8: a touch sets `seen` and `expires`, and changes nothing else."""
        record = self.created(user="ada")
        self.clock.advance(60.25)
        touched = self.touch(record, expires=self.clock() + 3600)
        expected = record._replace(seen=self.clock(), expires=self.clock() + 3600)
        assert touched == bare(expected)

    def test_a_touch_never_shortens(self) -> None:
        """Law 8: a touch by a slow request does not shorten the expiry set by a later request."""
        record = self.created()
        now = self.clock()
        self.clock.advance(60)
        self.touch(record, expires=now + 7200)
        # The slow request read the clock half a minute before the request that has been stored
        # already.
        self.clock.advance(-30)
        touched = self.touch(record, expires=now + 3630)
        assert (touched.seen, touched.expires) == (now + 60, now + 7200)

    def test_a_touch_does_not_lose_an_update(self) -> None:
        """Law 8: a touch keeps the fields that other requests wrote."""
        record = self.created()
        self.touch(record, put={b"c": b"3"})
        self.clock.advance(60)
        assert self.touch(record, expires=self.clock() + 3600).fields == {
            **record.fields,
            b"c": b"3",
        }

    def test_a_lifetime_of_its_own_holds_exactly(self) -> None:
        """Law 8: a lifetime set on purpose applies exactly, even if it shortens the session."""
        record = self.created()
        expires = self.clock() + 60
        touched = self.touch(record, expires=expires, lifetime=60.0, persistent=True)
        assert (touched.expires, touched.lifetime, touched.persistent) == (expires, 60.0, True)
        expires = self.clock() + 3600
        again = self.touch(touched, expires=expires, lifetime=None, persistent=False)
        assert (again.expires, again.lifetime, again.persistent) == (expires, None, False)

    def test_who_does_not_know_of_a_new_lifetime_leaves_the_times(self) -> None:
        """Law 8: a touch that was computed with an outdated lifetime leaves the times unchanged.

        Its request began before the lifetime was changed; applying it would extend the session
        again.
        """
        record = self.created()
        self.touch(record, expires=self.clock() + 60, lifetime=60.0, persistent=True)
        self.clock.advance(30)
        # Without `lifetime`, this touch was computed with the configured lifetime.
        unaware = self.touch(record, expires=self.clock() + 3600)
        assert (unaware.expires, unaware.lifetime) == (self.clock() + 30, 60.0)
        aware = self.touch(record, expires=self.clock() + 60, lifetime=60.0)
        assert (aware.expires, aware.persistent) == (self.clock() + 60, True)


class Moves(Subject):
    """A session that continues under another id."""

    def moved(self, record: Record, user: str | None = "ada", **more: Any) -> Outcome | Record:
        """Move the record to the id `NEXT`, with a tombstone that expires after ten seconds."""
        move = Move(NEXT, user, self.clock(), {"device": "x"}, self.clock() + 10)
        return self.store.update(record, Changes(self.clock(), move=move)._replace(**more))

    def test_the_session_stands_under_the_new_id(self) -> None:
        """Law 6: after a move, the new id holds the session with its new user.

        Fields that other requests stored before the move are kept.
        """
        record = self.created()
        self.store.update(record, Changes(self.clock(), put={b"theirs": b"7"}))
        self.clock.advance(60)
        expires = self.clock() + 3600
        assert self.moved(record, put={b"a": b"9"}, expires=expires) is Outcome.APPLIED
        assert self.stands(NEXT) == record._replace(
            id=NEXT,
            fields={b"a": b"9", b"b": b"2", b"theirs": b"7"},
            seen=self.clock(),
            expires=expires,
            user="ada",
            authenticated=self.clock(),
            about={"device": "x"},
        )

    def test_a_tombstone_stands_under_the_old_id(self) -> None:
        """Law 6: after a move, the old id holds a tombstone that expires at `until`.

        It contains the new id and no data: no fields, no user, no description of the sign-in.
        """
        record = self.created(user="ada", about={"device": "y"}, lifetime=60.0, persistent=True)
        self.moved(record)
        assert self.stands(record.id) == Record(
            record.id, {}, record.created, record.seen, self.clock() + 10, successor=NEXT
        )

    def test_the_new_one_lives_as_any_other(self) -> None:
        """Law 6: a session that was moved can be updated, moved again and destroyed."""
        self.moved(self.created())
        moved = self.store.read(NEXT)
        assert moved is not None
        last = Move(id_of("last"), "ada", None, None, self.clock() + 10)
        assert self.store.update(moved, Changes(self.clock(), put={b"c": b"3"})) is Outcome.APPLIED
        assert self.store.update(moved, Changes(self.clock(), move=last)) is Outcome.APPLIED
        stands = self.store.destroy(NEXT)
        assert stands is not None
        assert stands.successor == last.id
        assert self.store.destroy(last.id) is not None

    def test_only_one_of_two_moves_counts(self) -> None:
        """Law 5: a second move from the same id returns GONE.

        Otherwise one session would become two.
        """
        record = self.created()
        self.moved(record)
        other = Move(id_of("other"), "eve", None, None, self.clock() + 10)
        assert self.store.update(record, Changes(self.clock(), move=other)) is Outcome.GONE
        assert self.stands(other.id) is None
        assert self.store.count(self.clock()) == 1

    def test_a_session_that_is_emptied_does_not_move(self) -> None:
        """Law 10: a move that leaves no field and no user deletes the session.

        Afterwards neither id holds a record.
        """
        record = self.created()
        # The record has fields but no user, and `clear` removes the fields.
        assert self.moved(record, user=None, clear=True) is Outcome.EMPTIED
        assert self.stands(record.id) is None
        assert self.stands(NEXT) is None

    @pytest.mark.parametrize(("before", "after"), [(None, "ada"), ("eve", "ada"), ("ada", "ada")])
    def test_the_user_index_follows(self, before: str | None, after: str) -> None:
        """Law 6: after a move, `find` lists the session under its new user and its new id only."""
        self.moved(self.created(user=before), user=after)
        for user in ("ada", "eve"):
            found = [record.id for record in self.store.find(user, self.clock())]
            assert found == ([NEXT] if user == after else [])
        assert [record.id for record in self.store.find(None, self.clock())] == [NEXT]

    def test_a_tombstone_can_be_destroyed(self) -> None:
        """Law 5: `destroy` deletes a tombstone and returns it, with the id of its successor."""
        record = self.created(user="ada")
        self.moved(record)
        tombstone = self.store.destroy(record.id)
        assert tombstone is not None
        assert tombstone.successor == NEXT
        assert self.stands(record.id) is None
        assert [found.id for found in self.store.find("ada", self.clock())] == [NEXT]
