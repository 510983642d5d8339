"""The assignment of tags to the servers of a cluster, and the replies that describe it.

All keys of one tag are in one slot of the 16,384, because the tag is the part of their names in
braces, and Redis hashes only that part.  So the server of each of the 256 tags is all that a
cluster client needs.  This module does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.crc import key_slot
from redis.exceptions import AskError, ResponseError

from sojourn.errors import StoreUnavailable
from sojourn.providers.redis import replies
from sojourn.providers.redis.layout import TAGS
from sojourn.providers.redis.replies import Command, Odd

Place = tuple[str, int]
"""A host and a port."""
Range = tuple[int, int, Place]
"""The first and the last slot of a range, and the server that holds these slots."""
Remap = Callable[[Place], Place]
"""A function from the address that a server announces to the one under which it is reachable from
here; they differ, for example, if the cluster runs in containers."""

# The slot of a key with braces is that of the text between them, here the tag alone.
_SLOTS = {tag: key_slot(tag.encode()) for tag in TAGS}


def as_announced(place: Place) -> Place:
    """Return the address unchanged: the `Remap` of a cluster whose addresses are reachable."""
    return place


def table_of(ranges: Sequence[Range], asked: Place, remap: Remap) -> Mapping[str, Place]:
    """Return the server of each tag; a tag whose slot no server holds is missing.

    ranges: the reply to CLUSTER SLOTS.  An empty host in it means the host of `asked`.
    asked: the server that sent the reply.
    """
    return {
        tag: remap((place[0] or asked[0], place[1]))
        for tag, slot in _SLOTS.items()
        for first, last, place in ranges
        if first <= slot <= last
    }


def _ranges(reply: Any) -> list[Range]:
    """Read the reply to CLUSTER SLOTS: ranges of slots, each with its nodes, the master first."""
    if type(reply) is not list:
        raise Odd
    return [_range(of) for of in reply]


def _range(reply: Any) -> Range:
    # The replicas, and the id and the metadata of the master, are ignored.
    match reply:
        case [first, last, [host, port, *_], *_]:
            # Redis sends null or an empty text if a server does not announce its address.
            name = b"" if host is None else replies.text(host)
            if not re.fullmatch(rb"[\w.:%?-]{0,253}", name):
                raise Odd
            place = name.decode(), replies.number(port, 65_535)
            return replies.number(first), replies.number(last), place
    raise Odd


QUESTION = Command(("CLUSTER", "SLOTS"), "", _ranges)
"""The command that reads the slots of all servers of a cluster, from any of them."""


def there(redirect: AskError, asked: Place, remap: Remap) -> Place:
    """Return the server that a MOVED or ASK names (redis-py derives MovedError from AskError).

    asked: the server that sent it.  An empty host in it means the host of this server.
    """
    return remap((redirect.host or asked[0], redirect.port))


def raised(reply: Any) -> Any:
    """Return a reply, or raise it if it is an error."""
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def restless() -> StoreUnavailable:
    """Return the error for a command that was redirected too often."""
    return StoreUnavailable(
        "the Redis cluster does not come to rest: these keys move again and again"
    )
