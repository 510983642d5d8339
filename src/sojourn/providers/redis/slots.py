"""Which server of a cluster holds which tag, and what its servers say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.crc import key_slot
from redis.exceptions import AskError, ResponseError

from sojourn.errors import StoreUnavailable
from sojourn.providers.redis.layout import TAGS

Place = tuple[str, int]
"""A host and a port."""

_SLOTS = {tag: key_slot(tag.encode()) for tag in TAGS}


def table_of(reply: Any, asked: Place) -> Mapping[str, Place]:
    """Return which server holds which tag.  A server that names no host is the one `asked`."""
    ranges = [
        (first, last, ((master[0] or asked[0].encode()).decode(), master[1]))
        for first, last, master, *_ in reply
    ]
    return {
        tag: place
        for tag, slot in _SLOTS.items()
        for first, last, place in ranges
        if first <= slot <= last
    }


def there(redirect: AskError) -> Place:
    """Return where a server sends us."""
    return redirect.host, redirect.port


def raised(reply: Any) -> Any:
    """Return a reply; raise it if it is an error."""
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def restless() -> StoreUnavailable:
    """Return the error for keys that are never where they are said to be."""
    return StoreUnavailable(
        "the Redis cluster does not come to rest: these keys move again and again"
    )
