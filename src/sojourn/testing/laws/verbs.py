"""The contract of `read`, `create`, `update` and `destroy` on one record, without a manager."""

from __future__ import annotations

from typing import Any

import pytest

from sojourn.record import Changes, Move, Outcome, Record
from sojourn.testing._subject import Subject, bare, id_of

IDS = [32, 40, 56, 64, 96, 128]
"""The lengths of ids in hex digits, for the hash functions MD5 and SHA-1 to SHA-512."""

ODD = {bytes([byte]): bytes([byte]) * byte for byte in range(256)}
"""Fields in which every byte value occurs as a key and in a value; one value is empty."""


class Verbs(Subject):
    """`read`, `create`, `update` and `destroy`, called directly, without moves to a new id."""

    def change(self, record: Record, **more: Any) -> Outcome | Record:
        """Update the record with these changes, at the current time of the clock."""
        return self.store.update(record, Changes(now=self.clock())._replace(**more))

    def fields(self, name: str = "one") -> dict[bytes, bytes]:
        """Return the stored fields of the record with this name."""
        stands = self.stands(id_of(name))
        assert stands is not None
        return dict(stands.fields)

    def test_what_was_never_created_is_none(self) -> None:
        """Law 9: `read` returns None for an absent record; only faults of the store are errors."""
        assert self.store.read(id_of("never")) is None

    def test_a_record_comes_back_whole(self) -> None:
        """Law 11: `read` returns every attribute of a record, and times with full precision."""
        # Fractions of a second show whether a store rounds times, for example in a column of
        # integers.
        now = self.clock() + 0.123456
        record = self.created(
            user="ada",
            created=now,
            seen=now + 1,
            expires=now + 7200.654321,
            authenticated=now + 0.5,
            about={"device": "Fire\N{FOX FACE}", "address": "::1"},
            lifetime=86400.5,
            persistent=True,
        )
        assert self.stands(record.id) == bare(record)

    def test_what_is_not_set_comes_back_as_none(self) -> None:
        """Law 11: an attribute stored as None is read as None, not as 0, "" or an empty mapping."""
        record = self.created()
        assert self.stands(record.id) == bare(record)

    @pytest.mark.parametrize("length", IDS)
    def test_ids_of_every_hash_are_kept_apart(self, length: int) -> None:
        """Law 6: ids of every supported length are kept in full.

        If a store cut off the last digits, one id would name the session of another visitor.
        """
        base = (id_of("long") * 2)[: length - 1]
        for digit in "01":
            self.created(id=base + digit, fields={b"digit": digit.encode()})
        for digit in "01":
            stands = self.stands(base + digit)
            assert stands is not None
            assert stands.fields == {b"digit": digit.encode()}

    def test_fields_are_opaque(self) -> None:
        """Law 2: keys and values are arbitrary bytes, and come back unchanged.

        They must not be decoded as text, and zero bytes and line breaks must survive.
        """
        record = self.created(fields=ODD)
        assert self.fields() == ODD
        self.change(record, put={b"\0\xff": b"\xff\0"}, drop=[b"\n"])
        assert self.fields() == {k: v for k, v in ODD.items() if k != b"\n"} | {
            b"\0\xff": b"\xff\0"
        }

    def test_large_values_are_not_cut(self) -> None:
        """Law 2: a value of 512,000 bytes comes back in full.

        Common column types end at 64 KB (65,535 bytes), and some databases cut longer values
        silently.
        """
        large = bytes(range(256)) * 1000
        record = self.created(fields={b"large": large})
        assert self.change(record, put={b"larger": large * 2}) is Outcome.APPLIED
        assert self.fields() == {b"large": large, b"larger": large * 2}

    def test_creating_never_overwrites(self) -> None:
        """Law 9: `create` returns False and changes nothing if the id is taken.

        This holds even if the record there has expired.
        """
        record = self.created()
        assert self.store.create(self.record(fields={b"other": b"3"}, user="eve")) is False
        self.clock.advance(3601)
        assert self.store.create(self.record(fields={b"other": b"3"}, user="eve")) is False
        assert self.stands(record.id) == bare(record)
        assert list(self.store.find("eve", self.clock())) == []

    def test_creating_never_overwrites_a_tombstone(self) -> None:
        """Law 9: `create` does not replace a tombstone.

        Otherwise the retired token of a session that moved could name a session again.
        """
        record = self.created()
        until = self.clock() + 10
        self.change(record, move=Move(id_of("next"), None, None, None, until))
        assert self.store.create(self.record()) is False
        assert self.stands(record.id) == Record(
            record.id, {}, record.created, record.seen, until, successor=id_of("next")
        )

    def test_updating_never_creates(self) -> None:
        """Law 9: `update` of an absent record returns GONE and creates nothing."""
        outcome = self.change(self.record(), put={b"a": b"9"}, expires=self.clock() + 9)
        assert outcome is Outcome.GONE
        assert self.stands(id_of("one")) is None
        assert self.store.count(self.clock()) == 0

    def test_updating_never_revives(self) -> None:
        """Law 5: `update` returns GONE once a record has expired, that is, if `expires <= now`.

        Neither a write, nor a touch, nor a move revives it.  The store may have deleted it by
        itself.
        """
        record = self.created()
        self.clock.now = record.expires
        assert self.change(record, put={b"a": b"9"}) is Outcome.GONE
        assert self.change(record, expires=self.clock() + 3600) is Outcome.GONE
        move = Move(id_of("next"), "ada", None, None, self.clock() + 10)
        assert self.change(record, move=move) is Outcome.GONE
        # A store with its own expiry may have dropped the record already, so both answers are
        # right.
        assert self.stands(record.id) in (None, bare(record))
        assert self.stands(id_of("next")) is None

    def test_a_tombstone_is_never_written(self) -> None:
        """Law 5: `update` of a tombstone returns GONE and leaves it unchanged.

        This holds whether the caller passes the record from before the move or the tombstone
        itself.
        """
        record = self.created()
        self.change(record, move=Move(id_of("next"), None, None, None, self.clock() + 10))
        tombstone = self.store.read(record.id)
        assert tombstone is not None
        for seen in (record, tombstone):
            assert self.change(seen, put={b"a": b"9"}, expires=self.clock() + 99) is Outcome.GONE
        assert self.stands(record.id) == bare(tombstone)

    def test_an_update_puts_and_drops(self) -> None:
        """Law 4: `update` stores the fields in `put` and deletes those in `drop`.

        A key in `drop` may be absent, and a key in `put` may be present.
        """
        record = self.created()
        outcome = self.change(record, put={b"a": b"9", b"c": b"3"}, drop=[b"b", b"never"])
        assert outcome is Outcome.APPLIED
        assert self.fields() == {b"a": b"9", b"c": b"3"}

    def test_what_others_wrote_stays(self) -> None:
        """Law 4: fields that other requests wrote are kept, even if `record` is out of date."""
        record = self.created()
        self.change(record, put={b"theirs": b"7"}, drop=[b"a"])
        assert self.change(record, put={b"mine": b"8"}, drop=[b"b"]) is Outcome.APPLIED
        assert self.fields() == {b"theirs": b"7", b"mine": b"8"}

    def test_clear_comes_before_drop_and_put(self) -> None:
        """Law 4: `clear` deletes all fields stored at that time, those of other requests too.

        `drop` and `put` are applied after it.
        """
        record = self.created()
        self.change(record, put={b"theirs": b"7"})
        assert self.change(record, clear=True, drop=[b"a"], put={b"a": b"9"}) is Outcome.APPLIED
        assert self.fields() == {b"a": b"9"}

    def test_an_update_leaves_the_rest(self) -> None:
        """Law 4: an update without `expires` and without a move only changes fields.

        User, time of sign-in and time of creation change only with a move; times only with
        `expires`.
        """
        record = self.created(user="ada", authenticated=self.clock(), about={"device": "x"})
        self.clock.advance(100)
        self.change(record, put={b"c": b"3"})
        expected = record._replace(fields={**record.fields, b"c": b"3"})
        assert self.stands(record.id) == bare(expected)

    def test_a_record_without_fields_and_user_is_gone(self) -> None:
        """Law 10: an update that leaves no field and no user returns EMPTIED.

        The record is deleted, whether the fields were dropped one by one or cleared.
        """
        emptying: list[dict[str, Any]] = [{"drop": [b"a", b"b"]}, {"clear": True}]
        for changes in emptying:
            record = self.created()
            assert self.change(record, **changes) is Outcome.EMPTIED
            assert self.stands(record.id) is None
            assert self.change(record, put={b"a": b"9"}) is Outcome.GONE
        assert self.store.count(self.clock()) == 0
        assert list(self.store.find(None, self.clock())) == []

    def test_a_user_keeps_a_record_alive(self) -> None:
        """Law 10: a record with a user is kept, even without any field."""
        record = self.created(user="ada")
        assert self.change(record, clear=True) is Outcome.APPLIED
        assert self.fields() == {}

    def test_whether_it_is_empty_is_told_by_what_stands(self) -> None:
        """Law 10: the stored fields decide if a record is empty, not the caller's copy."""
        record = self.created(fields={b"a": b"1"})
        self.change(record, put={b"theirs": b"7"})
        assert self.change(record, drop=[b"a"]) is Outcome.APPLIED
        assert self.fields() == {b"theirs": b"7"}

    def test_what_differs_from_the_expected_is_returned(self) -> None:
        """Law 4: if a stored field differs from `expect`, `update` returns the whole stored record.

        Nothing is written then: no field, no time, no move.  (This is a compare and swap.)
        """
        record = self.created(user="ada")
        self.change(record, put={b"a": b"7"})
        move = Move(id_of("next"), "ada", None, None, self.clock() + 10)
        for expect in ({b"a": b"1"}, {b"a": None}, {b"b": b"2", b"c": b"3"}):
            answer = self.change(
                record, expect=expect, put={b"b": b"9"}, clear=True, move=move, expires=1e10
            )
            stands = record._replace(fields={b"a": b"7", b"b": b"2"})
            assert bare(answer) == bare(stands) == self.stands(record.id)
        assert self.stands(id_of("next")) is None

    def test_what_is_as_expected_is_changed(self) -> None:
        """Law 4: `update` is applied if the stored fields match `expect`.

        In `expect`, None means that the key must be absent.
        """
        record = self.created()
        expect = {b"a": b"1", b"c": None}
        assert self.change(record, expect=expect, put={b"a": b"9"}) is Outcome.APPLIED
        assert self.fields() == {b"a": b"9", b"b": b"2"}

    def test_a_destroyed_record_is_returned_and_gone(self) -> None:
        """Law 5: `destroy` deletes a record with its index entries, and returns it.

        A second caller gets None.  The returned record may lack its fields.
        """
        record = self.created(user="ada")
        taken = self.store.destroy(record.id)
        assert taken is not None
        assert taken._replace(fields={}, version=0) == record._replace(fields={})
        assert self.stands(record.id) is None
        assert self.store.destroy(record.id) is None
        assert list(self.store.find("ada", self.clock())) == []
        assert self.change(record, put={b"a": b"9"}) is Outcome.GONE

    def test_destroying_what_is_absent_is_none(self) -> None:
        """Law 9: `destroy` returns None for an absent record, and raises no error."""
        assert self.store.destroy(id_of("never")) is None

    def test_an_id_is_free_after_its_end(self) -> None:
        """Law 5: after `destroy` nothing of the record is left, and its id can be used again."""
        self.store.destroy(self.created(user="ada").id)
        record = self.created(user="eve", fields={b"c": b"3"})
        assert self.stands(record.id) == bare(record)
        assert list(self.store.find("ada", self.clock())) == []

    def test_another_handle_sees_whole_records(self) -> None:
        """Law 11: a write acknowledged by one provider is visible to others over the same store."""
        other, _ = self.opened(self.call(self.again))
        record = self.created(user="ada")
        assert bare(other.read(record.id)) == bare(record)
        assert other.create(record) is False
        assert other.update(record, Changes(self.clock(), put={b"c": b"3"})) is Outcome.APPLIED
        assert self.fields() == {b"a": b"1", b"b": b"2", b"c": b"3"}
        assert [found.id for found in other.find("ada", self.clock())] == [record.id]
        other.close()
        assert self.store.destroy(record.id) is not None

    def test_closing_keeps_the_sessions(self) -> None:
        """Law 11: `close` releases connections, but keeps the stored sessions."""
        other, _ = self.opened(self.call(self.again))
        record = self.record()
        other.create(record)
        other.close()
        assert self.stands(record.id) == bare(record)
