"""Substitutes for the socket and the transport of a connection, made of public methods of redis-py.

Lines send and receive over the socket or the transport itself, which redis-py keeps in a private
attribute.  A release without that attribute still works, over these substitutes.  It is slower, and
the limits on memory and on the time of a reply that arrives in pieces are those of redis-py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import RedisError, ResponseError

from sojourn.providers.redis.parsers import NOTHING, ReplyReader

_PIECE = b"+"
"""What a substitute hands over in the place of data.  The reply in it is parsed already."""


class ParsedReplies(ReplyReader):
    """The replies that redis-py has parsed."""

    def __init__(self) -> None:
        super().__init__()
        self._parsed: deque[Any] = deque()

    def add(self, reply: Any) -> None:
        """Add a reply, or an error that Redis sent."""
        self._parsed.append(reply)

    def feed(self, piece: bytes) -> None:
        """Do nothing: the reply in the piece was added before."""

    def next(self) -> Any:
        """Return the next reply; NOTHING if there is none."""
        return self._parsed.popleft() if self._parsed else NOTHING

    def has_more(self) -> bool:
        """Return whether there are more replies."""
        return bool(self._parsed)


class PublicSocket:
    """Sends and receives over a connection of redis-py."""

    def __init__(self, connection: redis.Connection, replies: ParsedReplies) -> None:
        self._connection = connection
        self._replies = replies
        # The connection reads its socket by itself, so it knows what is unread there.
        self.unread = connection.can_read

    def gettimeout(self) -> float | None:
        """Return the seconds after which redis-py stops waiting for data."""
        seconds: float | None = self._connection.socket_timeout
        return seconds

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: redis-py has its own timeout."""

    def sendall(self, packed: bytes) -> None:
        """Send packed commands."""
        self._connection.send_packed_command([packed], check_health=False)  # type: ignore[no-untyped-call]

    def recv(self, size: int) -> bytes:  # noqa: ARG002 - as a socket has it
        """Receive one reply, and add it to the replies."""
        try:
            reply = self._connection.read_response(disable_decoding=True, disconnect_on_error=False)
        except ResponseError as error:
            reply = error
        self._replies.add(reply)
        return _PIECE


class PublicTransport(asyncio.Transport):
    """Sends and receives over a connection of `redis.asyncio`."""

    def __init__(self, connection: redis.asyncio.Connection, replies: ParsedReplies) -> None:
        super().__init__()
        self._connection = connection
        self._replies = replies
        self._protocol = asyncio.Protocol()
        self._reading: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that receives the replies."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Begin to hand the replies to a protocol."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol
        self._reading = asyncio.ensure_future(self._read())
        self._reading.add_done_callback(lambda _: protocol.connection_lost(None))

    def is_closing(self) -> bool:
        """Whether the connection is closed."""
        return self._reading is not None and self._reading.done()

    def write(self, data: Any) -> None:
        """Send packed commands."""
        # The tasks begin in their order, and each hands its data on before it waits.
        task = asyncio.ensure_future(self._write(data))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def abort(self) -> None:
        """Stop to receive; the connection itself is closed by its owner."""
        if self._reading is not None:
            self._reading.cancel()

    async def _write(self, data: bytes) -> None:
        try:
            await self._connection.send_packed_command([data], check_health=False)
        except (RedisError, OSError):
            self.abort()

    async def _read(self) -> None:
        try:
            while True:
                self._replies.add(await self._reply())
                self._protocol.data_received(_PIECE)
        except (RedisError, OSError):
            pass

    async def _reply(self) -> Any:
        try:
            return await self._connection.read_response(
                disable_decoding=True, disconnect_on_error=False
            )
        except ResponseError as error:
            return error
