"""The functions that check and interpret replies of Redis, one for each kind of reply.

Each command contains the function that reads its reply (`Command.read`).  The function returns the
interpreted reply, or raises `Odd` if Redis never sends such a reply to that command.  The transport
calls it before it returns the connection to its pool, because a connection that delivered an odd
reply must not be used again: its next reply may belong to the command of another session.

hiredis parses the replies: a reply is None, bool, int, float, bytes, a list, a dict or an error.
Their types are compared with `type`, since a bool is an instance of int.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from redis.exceptions import NoScriptError, RedisError, ResponseError

from sojourn.providers.redis import faults

Words = tuple[Any, ...]
"""The words of a command, each a str or bytes.  None is a number: while hiredis turns a number into
text, a signal handler may run, and if it raises, hiredis ends the process."""
Read = Callable[[Any], Any]

_BYTES = {bytes}


class Odd(Exception):
    """The reply cannot be an answer to its command."""


class Command(NamedTuple):
    """A command with the function that interprets its reply."""

    words: Words
    tag: str
    """The first two digits of the ids in its keys; "" if it has no keys."""
    read: Read
    """The function that interprets a reply; it raises Odd if Redis never sends such a reply."""

    @property
    def name(self) -> str:
        """The name of the command, such as HGETALL."""
        return str(self.words[0])


def interpreted(command: Command, reply: Any) -> Any:
    """Return a reply as its command reads it, or the ResponseError that Redis sent in its place.

    Raises Nonsense if Redis never sends such a reply to the command, and StoreUnavailable if the
    server replies that it is still loading its data.
    """
    if isinstance(reply, RedisError):
        return _refusal(command, reply)
    try:
        return command.read(reply)
    except Exception:  # noqa: BLE001, S110 - a strange reply may raise anything
        pass
    # Raised outside of the `except` block, so that the error has no context: the message of the
    # original one may quote data of a session.
    raise faults.nonsense(command.name)


def _refusal(command: Command, error: RedisError) -> ResponseError:
    # In redis-py some errors that a server sends are not ResponseErrors, but ConnectionErrors.
    if not isinstance(error, ResponseError):
        raise faults.refused(error)
    # Only a digest can be unknown.
    if isinstance(error, NoScriptError) and command.words[0] != "EVALSHA":
        raise faults.nonsense(command.name)
    return error


def number(reply: Any, most: int | None = None) -> int:
    """Read a count.  most: the greatest possible count; None for no limit."""
    if type(reply) is not int or reply < 0 or (most is not None and reply > most):
        raise Odd
    return reply


def number_to(most: int) -> Read:
    """Return the function that reads a count up to `most`."""
    return partial(number, most=most)


flag = number_to(1)
"""Read 0 or 1."""


def text(reply: Any) -> bytes:
    """Read bytes."""
    if type(reply) is not bytes:
        raise Odd
    return reply


def text_or_none(reply: Any) -> bytes | None:
    """Read bytes that may be absent."""
    return None if reply is None else text(reply)


def texts(reply: Any) -> list[bytes]:
    """Read a list of bytes."""
    if type(reply) is not list or not _BYTES.issuperset(map(type, reply)):
        raise Odd
    return reply


def score(reply: Any) -> object:
    """Read the score of an entry in a sorted set; None if there is no such entry."""
    # The client of an application may use RESP2, in which a score is text.
    if reply is not None and type(reply) not in (float, bytes):
        raise Odd
    return reply


def fields(reply: Any) -> dict[bytes, bytes]:
    """Read a hash: a map (RESP3), or a list of alternating names and values (RESP2, scripts)."""
    if type(reply) is dict:
        if not (
            _BYTES.issuperset(map(type, reply)) and _BYTES.issuperset(map(type, reply.values()))
        ):
            raise Odd
        return reply
    words = texts(reply)
    if len(words) % 2:
        raise Odd
    return dict(zip(words[::2], words[1::2], strict=True))


def page(reply: Any) -> tuple[bytes, list[bytes]]:
    """Read a reply of SCAN: the cursor, and keys."""
    if type(reply) is not list or len(reply) != 2:
        raise Odd
    cursor = text(reply[0])
    # A cursor is an unsigned 64-bit number, so it has at most 20 digits.
    if not cursor.isdigit() or len(cursor) > 20:
        raise Odd
    return cursor, texts(reply[1])


def okay(reply: Any) -> None:
    """Read the reply OK; raise Odd for any other."""
    if reply != b"OK":
        raise Odd
