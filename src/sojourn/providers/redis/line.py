"""A connection to one server for threads, over which commands are sent and their replies received.

redis-py opens the connection.  Afterwards commands are written to its socket directly, and replies
are read from it, because the layers of redis-py in between take about as long as the server does.

A timeout of a socket applies to each piece of data, so a server that sends one byte now and then
could occupy a thread forever.  Here the whole exchange has one deadline: the first piece may take
the whole timeout, and each later one the time that is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

from hiredis import pack_command
from redis.exceptions import InvalidResponse, RedisError

from sojourn.providers.redis import faults
from sojourn.providers.redis.parsers import NOTHING, ReplyReader
from sojourn.providers.redis.readiness import unread_in
from sojourn.providers.redis.replies import Command, interpreted

READ_SIZE = 65_536
"""The most bytes that are received at once."""
PROMPT = 0.9
"""The fraction of the time: only if less of it is left, the timeout of the socket is lowered."""


class Line:
    """A connection to one server, with at most one exchange under way."""

    def __init__(self, connection: Any, socket: Any, replies: ReplyReader) -> None:
        """Use a connection of redis-py, which is about to greet the server, and its socket.

        The replies to the greeting must arrive within the time for connecting.
        """
        self.connection = connection
        self._socket = socket
        self._replies = replies
        self._unread = unread_in(socket)
        self._timeout: float | None = socket.gettimeout()
        self._hurried = False
        self._seconds: float | None = connection.socket_connect_timeout
        self._waited = False
        """Whether a piece of data has arrived in this exchange."""
        self._began = monotonic()

    def ask(self, command: Command) -> Any:
        """Return the interpreted reply to one command, or the error that Redis sent in its place.

        Raises OSError if the connection breaks or the reply does not arrive in time, and Nonsense if
        it makes no sense.  Then the connection must not be used again.
        """
        self._send(pack_command(command.words))
        reply = self._reply_to(command)
        # A surplus reply would be taken for the reply to the next command, which may be for another
        # session.
        if self._replies.has_more():
            raise faults.nonsense(command.name)
        return reply

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that are sent together; see `ask`."""
        self._send(b"".join([pack_command(command.words) for command in commands]))
        replies = [self._reply_to(command) for command in commands]
        if self._replies.has_more():
            raise faults.nonsense(commands[-1].name)
        return replies

    def reply(self) -> Any:
        """Return the next reply as it was received; raise InvalidResponse if it makes no sense."""
        reply = self._replies.next() if self._waited else NOTHING
        while reply is NOTHING:
            # The first piece may take the whole timeout, which is that of the socket already.
            if self._waited:
                self._hurry()
            self._waited = True
            piece = self._socket.recv(READ_SIZE)
            if not piece:
                raise ConnectionError("the server has closed the connection")
            self._replies.feed(piece)
            reply = self._replies.next()
        return reply

    def has_more(self) -> bool:
        """End an exchange; return whether there are more replies than were read."""
        return self._replies.has_more()

    def is_stale(self) -> bool:
        """Whether the idle connection is closed or has unread data, such as the end of the stream."""
        try:
            return bool(self._unread(0))
        except (RedisError, OSError, ValueError):
            return True

    def close(self) -> None:
        """Close the connection."""
        self.connection.disconnect()

    def _send(self, packed: bytes) -> None:
        # Setting the timeout takes a system call, so it is restored only if it was lowered.
        if self._hurried:
            self._socket.settimeout(self._timeout)
            self._hurried = False
        self._seconds = self._timeout
        self._waited = False
        self._began = monotonic()
        self._socket.sendall(packed)

    def _reply_to(self, command: Command) -> Any:
        try:
            reply = self.reply()
        except InvalidResponse:
            pass
        else:
            return interpreted(command, reply)
        # Outside of the `except` block, so that the error has no context, which may quote data.
        raise faults.nonsense(command.name)

    def _hurry(self) -> None:
        """Limit the wait for the next piece to the time that is left.

        Raises TimeoutError if no time is left.
        """
        if self._seconds is None:
            return
        # If almost all of the time is left, as usual, the system call is saved.
        left = self._began + self._seconds - monotonic()
        if left <= 0:
            raise TimeoutError
        if left < PROMPT * self._seconds:
            self._socket.settimeout(left)
            self._hurried = True
