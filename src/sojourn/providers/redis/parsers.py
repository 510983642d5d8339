"""The parsing of replies with hiredis, with a limit on memory.

hiredis allocates memory for an array as soon as it has read the announced number of elements: 16 GB
for two billion.  Its limit, four billion, cannot be changed from Python.  So the data is searched
for such an announcement before hiredis reads it.  The search is fast, but also matches text in a
session, so after a match the replies are examined item by item.  A long string does no harm, since
hiredis stores only the part of it that was received.
"""

from __future__ import annotations

import re
from typing import Any

import hiredis
from hiredis import PushNotification
from redis.connection import DefaultParser
from redis.exceptions import InvalidResponse, ResponseError

NOTHING = object()
"""Stands for a reply that has not arrived, or not completely."""
SMALL, MIDDLE = 1_024, 16_384
"""The sizes of pieces, in bytes, that decide how a piece is searched.

A piece of fewer than SMALL bytes is joined to the end of the one before and searched.  A piece of
at most MIDDLE bytes is searched if it contains the first byte of an array; a longer one that
contains such a byte is examined item by item at once.
"""

_ARRAYS = b"*~>|"
"""The first bytes of an array, a set, a push and an attribute in RESP3."""
_STAR, _TILDE, _GREATER, _BAR = _ARRAYS
_STRINGS = b"$="
_LONGEST = 32
"""The number of bytes that are kept of the previous piece, since an announcement, which is shorter,
may be divided between two pieces."""
_START = b"\n"
"""What precedes the first piece, since an announcement is searched after a line feed."""
_announcement = re.compile(rb"\n[*~>|][0-9]{8}").search
"""Finds a possible announcement of ten million elements or more."""


class ReplyReader:
    """Parses the data that one connection receives, and returns one reply after the other."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=_error_of, notEnoughData=NOTHING
        )
        self._pieces: list[bytes] = []
        """The pieces of the exchange that were not examined item by item."""
        self._text = _START
        """The text that was searched last; an announcement may begin at its end."""
        self._skipped = 0
        """The offset of the next item in the pieces; beyond their end within a long string."""

    def feed(self, piece: bytes) -> None:
        """Add a piece of data.

        Raises InvalidResponse if it announces an array of ten million elements or more.
        """
        self._pieces.append(piece)
        # The usual reply arrives in one piece without such a byte, and needs no search.
        if len(self._pieces) == 1 and not _may_announce(piece):
            self._text = piece
        else:
            self._search(piece)
        self._reader.feed(piece)

    def next(self) -> Any:
        """Return the next reply, which may be an error that Redis sent; NOTHING if none is here.

        Messages that nobody asked for (push messages) are skipped.  Raises InvalidResponse if the
        data is not in the protocol of Redis.
        """
        try:
            reply = self._reader.gets(False)
            while type(reply) is PushNotification:
                reply = self._reader.gets(False)
        except InvalidResponse:
            raise
        except Exception:  # noqa: BLE001 - hiredis raises anything, such as TypeError for a key
            raise InvalidResponse from None
        return reply

    def has_more(self) -> bool:
        """End an exchange; return whether there is more than the replies that were read."""
        self._pieces, self._text, self._skipped = [], _START, 0
        # What is left may be push messages, which can come at any time.
        return self._reader.has_data() and self._has_reply()

    def _has_reply(self) -> bool:
        try:
            return self.next() is not NOTHING or self._reader.has_data()
        except InvalidResponse:
            return True

    def _search(self, piece: bytes) -> None:
        before = self._text[-_LONGEST:]
        if len(piece) < SMALL:
            self._text = text = before + piece
            suspect = _may_announce(text) and _announcement(text) is not None
        else:
            self._text = piece
            suspect = (_may_announce(piece) or _may_announce(before)) and (
                len(piece) > MIDDLE or _announcement(before + piece) is not None
            )
        if suspect:
            self._go_through()

    def _go_through(self) -> None:
        """Examine all data item by item, skipping the contents of strings.

        Raises InvalidResponse if an item announces ten million elements or more.
        """
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        at = self._skipped
        while (end := data.find(b"\r\n", at)) >= 0:
            kind = data[at]
            if kind in _STRINGS:
                try:
                    length = int(data[at + 1 : end])
                except ValueError:
                    break  # hiredis rejects it as well, and reads no further
                # Both the length and the string end with CR LF; a length of -1 means null.
                at = end + 4 + length if length >= 0 else end + 2
            # Eight digits or more, so ten million elements or more.
            elif kind in _ARRAYS and end - at > 8:
                raise InvalidResponse("too many elements are announced")
            else:
                at = end + 2
        self._pieces = [data[at:]] if at < len(data) else []
        self._skipped = max(at - len(data), 0)


def _may_announce(data: bytes | bytearray) -> bool:
    """Whether data contains the first byte of an array.

    Few sessions do, and `in` for a single byte is faster than a regular expression.
    """
    return _STAR in data or _TILDE in data or _GREATER in data or _BAR in data


def _error_of(text: str) -> Exception:
    """Return the exception for an error that a server sends; never raise an exception.

    redis-py raises one for a redirection that names no address.  hiredis does not expect that
    within an array: it continues, and the process ends with a segmentation fault.
    """
    try:
        error: Exception = DefaultParser.parse_error(text)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - no exception may reach hiredis
        return ResponseError("ERR")
    return error
