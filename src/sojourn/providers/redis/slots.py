"""The assignment of tags to the servers of a cluster, and the replies that describe it."""

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
"""The first and the last of some slots, and the server that holds them."""
Remap = Callable[[Place], Place]
"""Turns the address that a server is announced under into the one that leads there from here."""

_SLOTS = {tag: key_slot(tag.encode()) for tag in TAGS}


def as_announced(place: Place) -> Place:
    """Return an address as it is."""
    return place


def table_of(ranges: Sequence[Range], asked: Place, remap: Remap) -> Mapping[str, Place]:
    """Return the server of each tag.  An announced empty host stands for the host of `asked`."""
    return {
        tag: remap((place[0] or asked[0], place[1]))
        for tag, slot in _SLOTS.items()
        for first, last, place in ranges
        if first <= slot <= last
    }


def _ranges(reply: Any) -> list[Range]:
    """Read what CLUSTER SLOTS answers: ranges, and the nodes of each, the master first."""
    if type(reply) is not list:
        raise Odd
    return [_range(of) for of in reply]


def _range(reply: Any) -> Range:
    match reply:
        case [first, last, [host, port, *_], *_]:
            name = b"" if host is None else replies.text(host)
            if not re.fullmatch(rb"[\w.:%?-]{0,253}", name):
                raise Odd
            place = name.decode(), replies.number(port, 65_535)
            return replies.number(first), replies.number(last), place
    raise Odd


QUESTION = Command(("CLUSTER", "SLOTS"), "", _ranges)
"""Asks a server for the slots of all servers of its cluster."""


def there(redirect: AskError, remap: Remap) -> Place:
    """Return the server that a redirection names."""
    return remap((redirect.host, redirect.port))


def raised(reply: Any) -> Any:
    """Return a reply; raise it if it is an error."""
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def restless() -> StoreUnavailable:
    """Return the error for a command that was redirected too often."""
    return StoreUnavailable(
        "the Redis cluster does not come to rest: these keys move again and again"
    )
