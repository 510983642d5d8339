"""The commands on all sessions of a prefix: count, list, sweep and repair.  It does no I/O.

Each command concerns the sorted sets of one of the 256 tags, and many are sent together.  So each
takes Redis little time, and each reply is true for its own moment only.
"""

from __future__ import annotations

from collections.abc import Iterator

from sojourn.errors import StoreError
from sojourn.providers.redis import replies, scripts
from sojourn.providers.redis.layout import FRAME, TAGS, Layout, user_range
from sojourn.providers.redis.replies import Command
from sojourn.providers.redis.verbs import Verb

LIVE, USERS = 1, 2
"""The sorted sets that are kept true: that of tombstones is of use to sweeps alone."""
LOOKED_AT = 400
"""Entries of each set that a sweep compares with what there is: 100,000 in all."""
MOST_PAGES = 1_000_000
"""Pages of a SCAN, of a thousand keys each, after which the server is not believed any more."""


def count(layout: Layout, now: float) -> list[Command]:
    """Return the commands that count the live sessions of each tag."""
    after = f"({now!r}"
    return [_between(layout.of(tag).live, tag, after, "+inf") for tag in TAGS]


def due(layout: Layout, now: float) -> list[Command]:
    """Ask for how many have expired: two answers for each tag."""
    until = repr(now)
    return [
        _between(key, tag, "(-inf", until)
        for tag in TAGS
        for key in (layout.of(tag).live, layout.of(tag).retired)
    ]


def _between(key: str, tag: str, first: str, last: str) -> Command:
    return Command(("ZCOUNT", key, first, last), tag, replies.number)


def sweep(layout: Layout, tag: str, now: float, limit: int) -> Verb:
    """Return the script that deletes at most `limit` expired records; it answers their number."""
    keys = layout.of(tag)
    rest = (3, keys.live, keys.users, keys.retired, repr(now), limit, keys.stem)
    return Verb(scripts.SWEEP, tag, rest, replies.number_to(limit))


def of_user(layout: Layout, user: str) -> list[Command]:
    """Ask for a user's entries, tag by tag."""
    limits = user_range(user)
    return [
        Command(("ZRANGEBYLEX", layout.of(tag).users, *limits), tag, replies.texts) for tag in TAGS
    ]


def of_tag(layout: Layout, tag: str) -> Command:
    """Ask for the entries of all sessions of a tag, as of one moment."""
    return Command(("ZRANGE", layout.of(tag).live, 0, -1), tag, replies.texts)


def head_of(layout: Layout, id: str) -> Command:
    """Ask for a record without its fields."""
    return Command(("HGET", layout.of(id).stem + id, FRAME), id[:2], replies.text_or_none)


class Progress:
    """Whether sweeps get anywhere.

    What has expired by one moment can only become less by sweeping.  So a server that reports
    more and more of it, without end, is not believed.  Some may be added meanwhile, by a machine
    whose clock is slow.
    """

    ADDED = 10_000
    """How many may be added during a sweep, and a tenth of what there was at first."""
    SWEEPS = 16
    """How many sweeps are remembered that were not carried on to their end."""

    def __init__(self) -> None:
        self._most: dict[float, int] = {}

    def check(self, now: float, due: int) -> None:
        """Raise StoreError if more has expired by `now` than can have."""
        added = self.ADDED + min(due, 1_000_000) // 10
        if due > self._most.setdefault(now, due + added):
            self._most.pop(now, None)
            raise StoreError(
                "Redis reports more expired sessions after each sweep, without end:"
                " is a proxy or another server at this address?"
            )

    def swept(self, now: float, number: int, limit: int) -> None:
        """Note how many records a sweep has deleted; fewer than its limit are the last of `now`."""
        if number < limit:
            self._most.pop(now, None)
            return
        # A sweep that overlaps this one may have ended, or pushed out, what is noted of this moment.
        most = self._most.get(now)
        if most is not None:
            self._most[now] = most - number
        for oldest in list(self._most)[: -self.SWEEPS]:
            self._most.pop(oldest, None)


# -- healing -------------------------------------------------------------------------------------


def sets() -> Iterator[tuple[str, int]]:
    """Yield the tag of each sorted set that is kept true, and which of the two it is."""
    return ((tag, which) for tag in TAGS for which in (LIVE, USERS))


def marks(layout: Layout) -> list[Command]:
    """Ask whether each set is the one that was made whole.

    A mark is an entry that only healing makes.  Where it is missing, the set was lost, and what
    stands in it since is not all.
    """
    return [
        Command(("ZSCORE", _set(layout, tag, which), ""), tag, replies.score)
        for tag, which in sets()
    ]


def mark(layout: Layout) -> list[Command]:
    """Say that each set is whole."""
    scores = {LIVE: "-inf", USERS: "0"}
    return [
        Command(("ZADD", _set(layout, tag, which), scores[which], ""), tag, replies.flag)
        for tag, which in sets()
    ]


def sizes(layout: Layout) -> list[Command]:
    """Ask how large each set is."""
    return [
        Command(("ZCARD", _set(layout, tag, which)), tag, replies.number) for tag, which in sets()
    ]


def _set(layout: Layout, tag: str, which: int) -> str:
    keys = layout.of(tag)
    return keys.live if which == LIVE else keys.users


class Scan:
    """Goes through the keys that a server holds, page by page."""

    FIRST = LAST = b"0"

    def __init__(self, layout: Layout, step: int) -> None:
        self._layout = layout
        self._step = step
        self._cursor = self.FIRST
        self._seen = b""
        self._pages = 0
        self.ended = False
        """Whether the last page was read."""

    def command(self) -> Command:
        """Ask for the next page."""
        words = ("SCAN", self._cursor, "MATCH", self._layout.pattern, "COUNT", self._step)
        return Command(words, "", replies.page)

    def ids(self, page: tuple[bytes, list[bytes]]) -> list[str]:
        """Return the ids of the sessions on a page.

        Raises StoreError if the pages have no end.  A cursor never comes again in Redis, also
        while the table of the keys grows or shrinks.  So one of them is remembered, a later one
        each time the number of pages has doubled, and a circle of any length is found.
        """
        self._cursor, keys = page
        self.ended = self._cursor == self.LAST
        self._pages += 1
        if self._cursor == self._seen or self._pages > MOST_PAGES:
            raise StoreError(
                "Redis goes through its keys with SCAN, and comes to no end:"
                " is a proxy or another server at this address?"
            )
        if self._pages & (self._pages - 1) == 0:
            self._seen = self._cursor
        return [id for key in keys if (id := self._layout.id_of(key)) is not None]


def enter(layout: Layout, id: str) -> Verb:
    """Enter a hash into the sorted sets."""
    keys = layout.of(id)
    words = (4, keys.stem + id, keys.live, keys.users, keys.retired, id)
    return Verb(scripts.ENTER, id[:2], words, replies.flag)


def verify(layout: Layout, tag: str, which: int, rank: int) -> Verb:
    """Forget entries without a hash, from `rank` on; the answer is how many it were."""
    keys = layout.of(tag)
    rest = (2, keys.live, keys.users, which, rank, LOOKED_AT, keys.stem)
    return Verb(scripts.VERIFY, tag, rest, replies.number_to(LOOKED_AT))
