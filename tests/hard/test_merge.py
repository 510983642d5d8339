"""The one function on records, for any record and any changes: laws 4, 5, 6, 8, 9 and 10."""

from __future__ import annotations

from hypothesis import given

from sojourn.record import Changes, Merged, Outcome, Record, merge
from tests.hard.records import CHANGES, LIVING, NEW_ID, NOW, RECORDS


def standing(record: Record) -> bool:
    return record.successor is None and record.expires > NOW


@given(CHANGES)
def test_it_never_creates(changes: Changes) -> None:
    assert merge(None, changes) is Outcome.GONE


@given(RECORDS, CHANGES)
def test_what_has_ended_is_never_written(record: Record, changes: Changes) -> None:
    if not standing(record):
        assert merge(record, changes) is Outcome.GONE


@given(LIVING, CHANGES)
def test_what_lives_is_never_gone(record: Record, changes: Changes) -> None:
    assert merge(record, changes) is not Outcome.GONE


@given(LIVING, CHANGES)
def test_it_writes_only_on_what_was_expected(record: Record, changes: Changes) -> None:
    as_expected = all(record.fields.get(key) == value for key, value in changes.expect.items())
    merged = merge(record, changes)
    assert isinstance(merged, Merged) == as_expected
    assert as_expected or merged is record


@given(LIVING, CHANGES)
def test_it_changes_nothing_that_is_passed_in(record: Record, changes: Changes) -> None:
    before = repr((record, changes))
    merge(record, changes)
    assert repr((record, changes)) == before


@given(LIVING, CHANGES)
def test_fields_are_cleared_then_dropped_then_put(record: Record, changes: Changes) -> None:
    merged = merge(record, changes._replace(expect={}))
    assert isinstance(merged, Merged)
    stands = {} if merged.record is None else merged.record.fields
    for key in {*record.fields, *changes.put, *changes.drop}:
        kept = None if changes.clear or key in changes.drop else record.fields.get(key)
        assert stands.get(key) == changes.put.get(key, kept)


@given(LIVING, CHANGES)
def test_it_is_emptied_if_no_field_and_no_user_is_left(record: Record, changes: Changes) -> None:
    merged = merge(record, changes._replace(expect={}))
    assert isinstance(merged, Merged)
    kept = set() if changes.clear else record.fields.keys() - set(changes.drop)
    user = record.user if changes.move is None else changes.move.user
    empty = not kept and not changes.put and user is None
    assert (merged.outcome is Outcome.EMPTIED) == empty
    assert (merged.record is None) == empty
    assert (merged.tombstone is not None) == (changes.move is not None and not empty)


@given(LIVING, CHANGES.filter(lambda changes: changes.move is None))
def test_without_a_move_who_it_is_stays(record: Record, changes: Changes) -> None:
    merged = merge(record, changes._replace(expect={}))
    if isinstance(merged, Merged) and merged.record is not None:
        stands = merged.record
        assert (stands.id, stands.user, stands.created) == (record.id, record.user, record.created)
        assert (stands.authenticated, stands.about) == (record.authenticated, record.about)
        assert stands.successor is None


@given(LIVING, CHANGES.filter(lambda changes: changes.move is not None))
def test_a_move_leaves_a_tombstone_that_tells_nothing(record: Record, changes: Changes) -> None:
    merged = merge(record, changes._replace(expect={}))
    if isinstance(merged, Merged) and merged.record is not None:
        move, left = changes.move, merged.tombstone
        assert move is not None
        assert left is not None
        assert (left.id, left.successor, left.expires) == (record.id, NEW_ID, move.until)
        assert (dict(left.fields), left.user, left.about) == ({}, None, None)
        assert (merged.record.id, merged.record.user) == (NEW_ID, move.user)
        assert merged.record.created == record.created
        assert merge(left, changes._replace(expect={})) is Outcome.GONE


@given(LIVING, CHANGES)
def test_only_a_lifetime_set_on_purpose_shortens(record: Record, changes: Changes) -> None:
    merged = merge(record, changes._replace(expect={}))
    if not isinstance(merged, Merged) or merged.record is None:
        return
    stands = merged.record
    assert stands.seen >= record.seen
    if changes.expires is not None and changes.persistent is not None:
        assert stands.expires == changes.expires
    else:
        assert stands.expires >= record.expires
    if changes.persistent is None:
        assert (stands.lifetime, stands.persistent) == (record.lifetime, record.persistent)
    else:
        assert (stands.lifetime, stands.persistent) == (changes.lifetime, changes.persistent)


@given(LIVING, CHANGES)
def test_whoever_reckoned_with_another_lifetime_leaves_the_times(
    record: Record, changes: Changes
) -> None:
    merged = merge(record, changes._replace(expect={}, persistent=None))
    if isinstance(merged, Merged) and merged.record is not None:
        times = merged.record.seen, merged.record.expires
        if changes.expires is None or changes.lifetime != record.lifetime:
            assert times == (record.seen, record.expires)
        else:
            assert times == (max(record.seen, NOW), max(record.expires, changes.expires))


@given(LIVING, CHANGES)
def test_each_write_is_another_version(record: Record, changes: Changes) -> None:
    """Or a store that swaps by version would take one record for the other."""
    merged = merge(record, changes._replace(expect={}))
    assert isinstance(merged, Merged)
    for stands in (merged.record, merged.tombstone):
        assert stands is None or stands.version > record.version
