"""The parsers that redis-py uses while it opens a connection.

redis-py connects, in all of its ways, and greets the server.  The replies to the greeting are read
here, under the same limits as all others.  Afterwards a `Line` or an `AsyncLine` takes over.
"""

from __future__ import annotations

import asyncio
from typing import Any

import redis.asyncio.connection
import redis.connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

from sojourn.providers.redis.async_line import AsyncLine
from sojourn.providers.redis.fallback import ParsedReplies, PublicSocket, PublicTransport
from sojourn.providers.redis.line import READ_SIZE, Line
from sojourn.providers.redis.parsers import NOTHING, ReplyReader

# redis-py accepts any class, but demands these where a client asks for maintenance messages.
_Base: Any = redis.connection.DefaultParser
_AsyncBase: Any = redis.asyncio.connection.DefaultParser


def socket_of(connection: Any) -> Any:
    """Return the socket of a connection of redis-py; None if its private attribute is missing."""
    return getattr(connection, "_sock", None)


def transport_of(connection: Any) -> asyncio.Transport | None:
    """Return the transport of a connection of `redis.asyncio`; None as in `socket_of`."""
    return getattr(getattr(connection, "_writer", None), "transport", None)


class Parser(_Base):  # type: ignore[misc]  # mypy does not know the class
    """Reads the replies of a server to the greeting of redis-py."""

    def __init__(self, socket_read_size: int = READ_SIZE) -> None:
        super().__init__(socket_read_size)
        self._line: Line | None = None

    def on_connect(self, connection: Any) -> None:
        """Begin the greeting."""
        if (socket := socket_of(connection)) is None:
            super().on_connect(connection)
        else:
            self._line = Line(connection, socket, ReplyReader())

    def on_disconnect(self) -> None:
        """Forget the connection."""
        super().on_disconnect()
        self._line = None

    def can_read(self, timeout: float = 0) -> bool:
        """Whether the connection is closed or has unread data."""
        return bool(super().can_read(timeout) if self._line is None else self._line.is_stale())

    def read_response(self, **options: Any) -> Any:
        """Return the next reply.

        Raises ConnectionError if the connection is closed, and InvalidResponse if the data is not
        in the protocol of Redis.
        """
        if self._line is None:
            return super().read_response(**options)
        return _raised(self._line.reply())

    def line(self, connection: redis.Connection) -> Line:
        """Return the connection after the greeting; raise InvalidResponse if there are more replies."""
        if self._line is None:
            replies = ParsedReplies()
            return Line(connection, PublicSocket(connection, replies), replies)
        if self._line.has_more():
            raise InvalidResponse("there are more replies than commands")
        return self._line


class AsyncParser(_AsyncBase):  # type: ignore[misc]  # mypy does not know the class
    """Reads the replies of a server to the greeting of redis-py."""

    def __init__(self, socket_read_size: int = READ_SIZE) -> None:
        super().__init__(socket_read_size)
        self._greeting: _Greeting | None = None

    def on_connect(self, connection: Any) -> None:
        """Begin the greeting."""
        if (transport := transport_of(connection)) is None:
            super().on_connect(connection)
        else:
            self._greeting = _Greeting(transport)

    def on_disconnect(self) -> None:
        """Forget the connection."""
        super().on_disconnect()
        self._greeting = None

    async def can_read(self) -> bool:
        """Whether the connection is closed or has unread data."""
        if self._greeting is None:
            return bool(await super().can_read())
        return not self._greeting.is_quiet()

    async def read_response(self, **options: Any) -> Any:
        """Return the next reply.

        Raises ConnectionError if the connection is closed, and InvalidResponse if the data is not
        in the protocol of Redis.
        """
        if self._greeting is None:
            return await super().read_response(**options)
        return _raised(await self._greeting.reply())

    def line(self, connection: redis.asyncio.Connection) -> AsyncLine:
        """Return the connection after the greeting; raise InvalidResponse if there are more replies."""
        if self._greeting is None:
            replies = ParsedReplies()
            return AsyncLine(connection, PublicTransport(connection, replies), replies)
        if not self._greeting.is_quiet():
            raise InvalidResponse("there are more replies than commands")
        return AsyncLine(connection, self._greeting.transport, self._greeting.replies)


class _Greeting(asyncio.Protocol):
    """Takes over the transport of a connection, and receives the replies to the greeting."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.replies = ReplyReader()
        self._error: Exception | None = None
        self._news = asyncio.Event()
        # redis-py waits for this one to be told of the end of the connection.
        self._former = transport.get_protocol()
        transport.set_protocol(self)

    async def reply(self) -> Any:
        """Return the next reply; raise an exception if none can arrive any more."""
        while (reply := self.replies.next()) is NOTHING:
            if self._error is not None:
                raise self._error
            self._news.clear()
            await self._news.wait()
        return reply

    def is_quiet(self) -> bool:
        """Whether the connection is open and has no unread data."""
        return self._error is None and not self.replies.has_more()

    def data_received(self, data: bytes) -> None:
        """Receive a piece of data; called by asyncio."""
        try:
            self.replies.feed(data)
        except InvalidResponse as error:
            self._error = error
        self._news.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the connection is closed; called by asyncio."""
        self._former.connection_lost(error)
        self._error = RedisConnectionError("the server has closed the connection")
        self._news.set()


def _raised(reply: Any) -> Any:
    """Return a reply; raise it if it is an error that redis-py does not raise by itself."""
    # Such as that of a wrong password, which is no ResponseError in redis-py.
    if isinstance(reply, RedisConnectionError):
        raise reply
    return reply
