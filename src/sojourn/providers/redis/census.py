"""The commands on all sessions of a prefix: count, list, sweep and repair the sorted sets.

This module does no I/O.  Each command reads or writes the keys of one of the 256 tags, and many
commands are sent together, so each of them occupies Redis for a short time only.  The replies
describe slightly different moments.
"""

from __future__ import annotations

from collections.abc import Iterator

from sojourn.errors import StoreError
from sojourn.providers.redis import replies, scripts
from sojourn.providers.redis.layout import FRAME, TAGS, Layout, user_range
from sojourn.providers.redis.replies import Command

LIVE, USERS = 1, 2
"""The numbers of the two kinds of sorted sets that are repaired, `live` and `users`.

The third, `retired`, is used by sweeps only.  A tombstone without an entry there is deleted by
Redis itself, so that set needs no repair.
"""
ENTRIES = 2
"""The most entries that one session has in the sets: in `live` or `retired`, and in `users`."""
EXAMINED = 400
"""The number of entries that one run of the script `verify` examines.

Redis executes no other command during a run, which takes about a millisecond.
"""
MOST_PAGES = 1_000_000
"""The most pages that one SCAN may have, of about a thousand keys each.

A server that sends more of them does not behave like Redis, and the scan ends with an error.
"""


def count(layout: Layout, now: float) -> list[Command]:
    """Return the commands that count the live sessions, one for each tag."""
    # "(" excludes the score itself: a session has expired once `expires <= now`.
    after = f"({now!r}"
    return [_between(layout.keys[tag].live, tag, after, "+inf") for tag in TAGS]


def due(layout: Layout, now: float) -> list[Command]:
    """Return the commands that count expired entries, two for each tag: of `live`, of `retired`."""
    until = repr(now)
    return [
        _between(key, tag, "-inf", until)
        for tag in TAGS
        for key in (layout.keys[tag].live, layout.keys[tag].retired)
    ]


def _between(key: str, tag: str, first: str, last: str) -> Command:
    return Command(("ZCOUNT", key, first, last), tag, replies.number)


def sweep(layout: Layout, tag: str, now: float, limit: int) -> Command:
    """Return the script that deletes at most `limit` expired records; its reply is their number."""
    keys = layout.keys[tag]
    rest = ("3", keys.live, keys.users, keys.retired, repr(now), str(limit), keys.stem)
    return scripts.command(scripts.SWEEP, tag, rest, replies.number_to(limit))


def of_user(layout: Layout, user: str) -> list[Command]:
    """Return the commands that read a user's entries in `users`, one for each tag."""
    limits = user_range(user)
    return [
        Command(("ZRANGEBYLEX", layout.keys[tag].users, *limits), tag, replies.texts)
        for tag in TAGS
    ]


def of_tag(layout: Layout, tag: str) -> Command:
    """Return the command that reads all entries of `live` of a tag, as a snapshot."""
    return Command(("ZRANGE", layout.keys[tag].live, "0", "-1"), tag, replies.texts)


def head_of(layout: Layout, id: str) -> Command:
    """Return the command that reads the frame of a record, and none of its fields."""
    return Command(("HGET", layout.keys[id[:2]].stem + id, FRAME), id[:2], replies.text_or_none)


class Progress:
    """The check that a sweep comes to an end.

    A sweep is a series of `gc` calls with the same `now`.  The records that have expired by that
    time can only become fewer.  If a server reports more and more of them, it is not a working
    Redis, and the sweep would never end.  A few may be added during the sweep, by a machine whose
    clock is slow.
    """

    ADDED = 10_000
    """The number of expired records that may be added during a sweep, in addition to a tenth of
    those at its first call."""
    SWEEPS = 16
    """The number of unfinished sweeps that are remembered; the oldest one is forgotten first."""

    def __init__(self) -> None:
        self._most: dict[float, int] = {}

    def check(self, now: float, due: int) -> None:
        """Raise StoreError if more records are due than can be.

        due: the number of records that have expired by `now`, as the server reports it.
        """
        # The first call of a sweep sets the limit; `swept` lowers it by each number deleted.
        added = self.ADDED + min(due, 1_000_000) // 10
        if due > self._most.setdefault(now, due + added):
            self._most.pop(now, None)
            raise StoreError(
                "Redis reports more expired sessions after each sweep, without end:"
                " is a proxy or another server at this address?"
            )

    def swept(self, now: float, number: int, limit: int) -> None:
        """Note the number of records that one `gc` call has deleted.

        A number below `limit` means that the sweep for `now` has come to its end.
        """
        if number < limit:
            self._most.pop(now, None)
            return
        # None if another thread has finished a sweep with the same `now`, or if this sweep was
        # forgotten because of newer ones: then there is no limit to lower.
        most = self._most.get(now)
        if most is not None:
            self._most[now] = most - number
        for oldest in list(self._most)[: -self.SWEEPS]:
            self._most.pop(oldest, None)


# -- the repair of the indexes -------------------------------------------------------------------


def sets() -> Iterator[tuple[str, int]]:
    """Yield each sorted set that is repaired: its tag, and LIVE or USERS."""
    return ((tag, which) for tag in TAGS for which in (LIVE, USERS))


def sizes(layout: Layout) -> list[Command]:
    """Return the commands that read the number of entries of each set."""
    return [Command(("ZCARD", key), tag, replies.number) for key, tag in _keys(layout)]


def _keys(layout: Layout) -> Iterator[tuple[str, str]]:
    for tag, which in sets():
        keys = layout.keys[tag]
        yield (keys.live if which == LIVE else keys.users), tag


class Scan:
    """The state of a SCAN, which goes through the keys of one server page by page."""

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
        """Return the command that reads the next page."""
        words = ("SCAN", self._cursor, "MATCH", self._layout.pattern, "COUNT", str(self._step))
        return Command(words, "", replies.page)

    def ids(self, page: tuple[bytes, list[bytes]]) -> list[str]:
        """Return the ids of the sessions on a page.

        Raises StoreError if the pages have no end.
        """
        # Redis never sends a cursor twice during a scan, not even while it resizes its table of
        # keys.  A circle of cursors is found as in Brent's algorithm: one cursor is remembered, and
        # it is replaced by the current one whenever the number of pages is a power of two.
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


def enter(layout: Layout, id: str) -> Command:
    """Return the script that adds the entries of a hash to the sorted sets.

    Its reply is the number of entries that were missing.  It is 0 if the hash is absent or is not a
    record.
    """
    keys = layout.keys[id[:2]]
    words = ("4", keys.stem + id, keys.live, keys.users, keys.retired, id)
    return scripts.command(scripts.ENTER, id[:2], words, replies.number_to(ENTRIES))


def verify(layout: Layout, tag: str, which: int, rank: int) -> Command:
    """Return the script that removes wrong entries from a set; its reply is their number.

    It examines EXAMINED entries from `rank` on, and removes those without a hash and those that
    contain no id.

    which: LIVE or USERS.
    """
    keys = layout.keys[tag]
    rest = ("2", keys.live, keys.users, str(which), str(rank), str(EXAMINED), keys.stem)
    return scripts.command(scripts.VERIFY, tag, rest, replies.number_to(EXAMINED))
