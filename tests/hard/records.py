"""Any record, and any changes to it, as strategies."""

from __future__ import annotations

from hypothesis import strategies as st

from sojourn.record import Changes, Move, Record

NOW = 1_800_000_000.0
OLD_ID, NEW_ID = "ab" * 16, "ab" + "cd" * 15

TIMES = st.floats(NOW - 1e6, NOW + 1e6)
AHEAD = st.floats(NOW, NOW + 1e6, exclude_min=True)
LIFETIMES = st.none() | st.floats(1.0, 1e6)
KEYS = st.sampled_from([b"a", b"b", b"c"])
VALUES = st.sampled_from([b"", b"1", b"2"])
FIELDS = st.dictionaries(KEYS, VALUES)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
USERS = st.none() | TEXTS
ABOUTS = st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2)

RECORDS = st.builds(
    Record,
    id=st.just(OLD_ID),
    fields=FIELDS,
    created=TIMES,
    seen=TIMES,
    expires=TIMES,
    user=USERS,
    authenticated=st.none() | TIMES,
    about=ABOUTS,
    lifetime=LIFETIMES,
    persistent=st.booleans(),
    version=st.integers(0, 1000),
    successor=st.sampled_from([None, None, None, NEW_ID]),
)
LIVING = RECORDS.map(lambda record: record._replace(successor=None)).flatmap(
    lambda record: AHEAD.map(lambda expires: record._replace(expires=expires))
)
MOVES = st.builds(
    Move, st.just(NEW_ID), user=USERS, authenticated=st.none() | TIMES, about=ABOUTS, until=AHEAD
)
CHANGES = st.builds(
    Changes,
    now=st.just(NOW),
    expires=st.none() | AHEAD,
    put=FIELDS,
    drop=st.sets(KEYS),
    clear=st.booleans(),
    expect=st.just({}) | st.dictionaries(KEYS, st.none() | VALUES, max_size=1),
    move=st.none() | MOVES,
    lifetime=LIFETIMES,
    persistent=st.none() | st.booleans(),
)
