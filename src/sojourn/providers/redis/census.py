"""All sessions of a prefix as commands: how many there are, which, which have expired.  No I/O.

The sorted sets of the 256 tags are asked one by one, many at a time; each answer is short work for
Redis, and true as of its moment.
"""

from __future__ import annotations

from collections.abc import Iterator

from sojourn.providers.redis import scripts
from sojourn.providers.redis.layout import FRAME, TAGS, Layout, user_range
from sojourn.providers.redis.verbs import Command, Verb, Words

LIVE, USERS = 1, 2
"""The sorted sets that are kept true: that of tombstones is of use to sweeps alone."""
LOOKED_AT = 400
"""Entries of each set that a sweep compares with what there is: 100,000 in all."""


def count(layout: Layout, now: float) -> list[Command]:
    """Ask for how many live, tag by tag."""
    after = f"({now!r}"
    return [(("ZCOUNT", layout.of(tag).live, after, "+inf"), tag) for tag in TAGS]


def due(layout: Layout, now: float) -> list[Command]:
    """Ask for how many have expired: two answers for each tag."""
    until = repr(now)
    return [
        (("ZCOUNT", key, "(-inf", until), tag)
        for tag in TAGS
        for key in (layout.of(tag).live, layout.of(tag).retired)
    ]


def sweep(layout: Layout, tag: str, now: float, limit: int) -> Verb:
    """Take away at most `limit` that have expired; the answer is how many it were."""
    keys = layout.of(tag)
    rest = (3, keys.live, keys.users, keys.retired, repr(now), limit, keys.stem)
    return Verb(scripts.SWEEP, tag, rest)


def of_user(layout: Layout, user: str) -> list[Command]:
    """Ask for a user's entries, tag by tag."""
    limits = user_range(user)
    return [(("ZRANGEBYLEX", layout.of(tag).users, *limits), tag) for tag in TAGS]


def of_tag(layout: Layout, tag: str) -> Command:
    """Ask for the entries of all sessions of a tag, as of one moment."""
    return ("ZRANGE", layout.of(tag).live, 0, -1), tag


def head_of(layout: Layout, id: str) -> Command:
    """Ask for a record without its fields."""
    return ("HGET", layout.of(id).stem + id, FRAME), id[:2]


# -- healing -------------------------------------------------------------------------------------


def sets() -> Iterator[tuple[str, int]]:
    """Yield the tag of each sorted set that is kept true, and which of the two it is."""
    return ((tag, which) for tag in TAGS for which in (LIVE, USERS))


def marks(layout: Layout) -> list[Command]:
    """Ask whether each set is the one that was made whole.

    A mark is an entry that only healing makes.  Where it is missing, the set was lost, and what
    stands in it since is not all.
    """
    return [(("ZSCORE", _set(layout, tag, which), ""), tag) for tag, which in sets()]


def mark(layout: Layout) -> list[Command]:
    """Say that each set is whole."""
    scores = {LIVE: "-inf", USERS: "0"}
    return [(("ZADD", _set(layout, tag, which), scores[which], ""), tag) for tag, which in sets()]


def sizes(layout: Layout) -> list[Command]:
    """Ask how large each set is."""
    return [(("ZCARD", _set(layout, tag, which)), tag) for tag, which in sets()]


def _set(layout: Layout, tag: str, which: int) -> str:
    keys = layout.of(tag)
    return keys.live if which == LIVE else keys.users


def scan(layout: Layout, cursor: bytes, step: int) -> Words:
    """Ask for some of the keys that a server holds."""
    return ("SCAN", cursor, "MATCH", layout.pattern, "COUNT", step)


def enter(layout: Layout, id: str) -> Verb:
    """Enter a hash into the sorted sets."""
    keys = layout.of(id)
    return Verb(scripts.ENTER, id[:2], (4, keys.stem + id, keys.live, keys.users, keys.retired, id))


def verify(layout: Layout, tag: str, which: int, rank: int) -> Verb:
    """Forget entries without a hash, from `rank` on; the answer is how many it were."""
    keys = layout.of(tag)
    rest = (2, keys.live, keys.users, which, rank, LOOKED_AT, keys.stem)
    return Verb(scripts.VERIFY, tag, rest)
