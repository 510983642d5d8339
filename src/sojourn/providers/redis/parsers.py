"""The parsers of redis-py, with limits on time and memory.

redis-py applies its timeout to each piece of data that it receives, so a server that sends one byte
now and then could occupy a thread forever.  Here the whole exchange has one deadline: the first
piece may take the whole timeout, and each later one the time that is left.

hiredis allocates memory for an array as soon as it has read the announced number of elements: 16 GB
for two billion.  Its limit, four billion, cannot be changed from Python.  So the data is searched
for such an announcement before hiredis reads it.  The search is fast, but also matches text in a
session, so after a match the replies are examined item by item.  A long string does no harm, since
hiredis stores only the part of it that was received.

The classes derive from private classes of redis-py, which may differ in its next major release.
"""

from __future__ import annotations

import re
import select
from asyncio import StreamReader
from time import monotonic
from typing import Any

import hiredis
from redis._parsers import _AsyncHiredisParser, _HiredisParser
from redis.exceptions import InvalidResponse, ResponseError

READ_SIZE = 65_536
"""The most bytes that are received at once."""
SMALL, MIDDLE = 1_024, 16_384
"""The sizes of pieces, in bytes, that decide how a piece is searched.

A piece of fewer than SMALL bytes is joined to the end of the one before and searched.  A piece of
at most MIDDLE bytes is searched if it contains the first byte of an array; a longer one that
contains such a byte is examined item by item at once.
"""
PROMPT = 0.9
"""The fraction of the time: only if less of it is left, the timeout of the socket is lowered."""

_ARRAYS = b"*~>|"
"""The first bytes of an array, a set, a push and an attribute in RESP3."""
_STAR, _TILDE, _GREATER, _BAR = _ARRAYS
_STRINGS = b"$="
_LONGEST = 32
"""The number of bytes that are kept of the previous piece, since an announcement, which is shorter,
may be divided between two pieces."""
_PUSH: Any = getattr(hiredis, "PushNotification", ())  # new in hiredis 3.2
_announcement = re.compile(rb"\n[*~>|][0-9]{8}").search
"""Finds a possible announcement of ten million elements or more."""


class Heard:
    """The part of the data received in an exchange that was not yet examined item by item."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start again; the next piece must begin with a reply."""
        self._pieces: list[bytes | bytearray] = []
        """The pieces that were not examined item by item."""
        self._text: bytes | bytearray = b"\n"
        """The text that was searched last; an announcement may begin at its end.  At first it
        is a line feed, since the search expects an announcement after one."""
        self._skipped = 0
        """The offset of the next item in the pieces; beyond their end within a long string."""

    def add(self, piece: bytes | bytearray) -> None:
        """Check a piece of data before hiredis reads it.

        Raises InvalidResponse if it announces an array of ten million elements or more.
        """
        before = self._text[-_LONGEST:]
        self._pieces.append(piece)
        if len(piece) < SMALL:
            self._text = before + piece
            suspect = _announcement(self._text) is not None
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


def has_replies(reader: hiredis.Reader) -> bool:
    """Whether there are unread replies; push messages do not count, since they may come anytime."""
    try:
        while reader.has_data():
            if not isinstance(reader.gets(False), _PUSH):
                return True
    except Exception:  # noqa: BLE001 - data that cannot be parsed is no push message
        return True
    return False


class _Errors:
    """A mixin that makes the parsing of errors safe."""

    @classmethod
    def parse_error(cls, response: str) -> Exception:
        """Return the exception for an error that a server sends; never raise an exception.

        redis-py raises one for a redirection that names no address.  hiredis does not expect that
        within an array: it continues, and the process ends with a segmentation fault.
        """
        try:
            error: Exception = super().parse_error(response)  # type: ignore[misc]
        except Exception:  # noqa: BLE001 - no exception may reach hiredis
            return ResponseError("ERR")
        return error


class Parser(_Errors, _HiredisParser):
    """Reads the replies of one synchronous connection, with a deadline for each exchange."""

    def __init__(self, socket_read_size: int = READ_SIZE) -> None:
        super().__init__(socket_read_size)  # type: ignore[no-untyped-call]
        self._heard = Heard()
        self._waited = self._hurried = False

    def on_connect(self, connection: Any, **options: Any) -> None:
        """Begin the handshake, whose replies must arrive within the timeout of the connection."""
        super().on_connect(connection, **options)  # type: ignore[no-untyped-call]
        self._hurried = False
        # `poll` is faster than `select`, and works for descriptors above 1,023; Windows lacks it.
        self._events = select.poll() if hasattr(select, "poll") else None
        if self._events is not None:
            self._events.register(self._sock, select.POLLIN)
        # A TLS socket may hold decrypted data that poll() does not report.  Other sockets lack the
        # method, and `int()` returns 0.
        self._decrypted = getattr(self._sock, "pending", int)
        self.begin(connection.socket_connect_timeout)

    def begin(self, seconds: float) -> None:
        """Begin an exchange, whose replies must all arrive within this time."""
        self._seconds = seconds
        self._until = monotonic() + seconds
        self._waited = False
        # Setting the timeout takes a system call, so it is restored only if it was lowered.
        if self._hurried:
            self._sock.settimeout(self._socket_timeout)
            self._hurried = False

    def end(self) -> bool:
        """End the exchange; return whether there are more replies than were read."""
        self._heard.forget()
        return self._reader.has_data() and has_replies(self._reader)

    def is_stale(self) -> bool:
        """Whether an idle connection is closed or has unread data.

        It returns the same as `can_read` of redis-py, in less time.
        """
        if self._events is None:
            return bool(self.can_read(0))
        return bool(self._reader.has_data() or self._events.poll(0) or self._decrypted())

    def read_from_socket(self, timeout: Any = None, raise_on_timeout: bool = True) -> bool:  # noqa: FBT001, FBT002 - redis-py's signature
        """Receive a piece of data and feed it to hiredis.

        redis-py passes a number as `timeout` only to find out whether there is any data.

        Raises ConnectionError if the server has closed the connection, TimeoutError if the deadline
        has passed, and InvalidResponse if too large an array is announced.
        """
        if isinstance(timeout, int | float):
            return bool(super().read_from_socket(timeout, raise_on_timeout))  # type: ignore[no-untyped-call]
        # The first piece may take the whole timeout, which is that of the socket already.
        if self._waited:
            self._hurry()
        self._waited = True
        size = self._sock.recv_into(self._buffer)
        if size == 0:
            raise ConnectionError("the server has closed the connection")
        piece = self._buffer[:size]
        self._heard.add(piece)
        self._reader.feed(piece)  # type: ignore[arg-type]  # any buffer will do
        return True

    def _hurry(self) -> None:
        """Limit the wait for the next piece to the time that is left.

        Raises TimeoutError if no time is left.
        """
        # If almost all of the time is left, as usual, the system call is saved.
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError
        if left < PROMPT * self._seconds:
            self._sock.settimeout(left)
            self._hurried = True


class AsyncParser(_Errors, _AsyncHiredisParser):
    """Reads the replies of one asyncio connection; a timer of `Multiplexed` limits the time."""

    _reader: Any  # a reader of hiredis, from `on_connect` on
    _stream: StreamReader

    def __init__(self, socket_read_size: int = READ_SIZE) -> None:
        super().__init__(socket_read_size)
        self._heard = Heard()

    def end(self) -> bool:
        """End an exchange; return whether there are more replies than were read."""
        self._heard.forget()
        return self._reader.has_data() and has_replies(self._reader)

    async def read_from_socket(self) -> bool:
        """Receive a piece of data and feed it to hiredis.

        Raises ConnectionError if the server has closed the connection, and InvalidResponse if too
        large an array is announced.
        """
        piece = await self._stream.read(self._read_size)
        if not piece:
            raise ConnectionError("the server has closed the connection")
        self._heard.add(piece)
        self._reader.feed(piece)
        return True
