"""Sending commands through a transport: retries, translated errors, and waiting for replicas.

`ask…` and `repeat…` are for commands that may be executed twice without harm.  If the connection
breaks, they send the command once more over a new connection, and raise StoreUnavailable if that
fails too.  `run` is for all other scripts: it raises Lost, and the caller decides whether the
script may run again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from redis.exceptions import NoScriptError, ResponseError

from sojourn.errors import OutcomeUnknown, StoreUnavailable
from sojourn.providers.redis import faults
from sojourn.providers.redis.faults import Lost, Silent
from sojourn.providers.redis.replies import Command, number
from sojourn.providers.redis.scripts import with_source
from sojourn.record import Outcome


class Transport(Protocol):
    """A connection to one server or a cluster, through which commands are sent.

    Its methods return replies as interpreted by each command's `read`.  They raise Lost if the
    connection breaks or a reply cannot belong to its command, and StoreUnavailable if the server
    cannot be reached.
    """

    def call(self, command: Command) -> Any:
        """Return the reply to one command; raise ResponseError if it is an error."""

    def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that are sent together, with errors in their places."""

    def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """Do the same as `calls`, for commands of one tag that may take long."""

    def servers(self) -> Iterator[Transport]:
        """Yield a transport to each server that holds keys."""

    def close(self) -> None:
        """Close the connections."""


class AsyncTransport(Protocol):
    """A transport for the tasks of an event loop; see `Transport`."""

    async def call(self, command: Command) -> Any:
        """See `Transport.call`."""

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """See `Transport.calls`."""

    async def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """See `Transport.lasting`."""

    def servers(self) -> AsyncIterator[AsyncTransport]:
        """See `Transport.servers`."""

    async def close(self) -> None:
        """See `Transport.close`."""


class Waiting(NamedTuple):
    """The number of replicas that must confirm the end of a session, and the seconds to wait."""

    replicas: int
    seconds: float

    def command(self, tag: str) -> Command:
        """Return the WAIT command, to be sent after a script over the same connection."""
        # WAIT covers the writes of its own connection only; its timeout is in milliseconds.
        words = ("WAIT", str(self.replicas), str(int(self.seconds * 1000)))
        return Command(words, tag, number)

    def check(self, replies: Sequence[Any]) -> Any:
        """Return the reply of the script.

        replies: those of the script and of WAIT.

        Raises the script's reply if it is an error, and OutcomeUnknown if too few replicas
        confirmed the write, or WAIT failed.
        """
        # `reached` is the number of replicas that have received the script's writes in time.
        reply, reached = replies
        if isinstance(reply, ResponseError):
            raise reply
        if isinstance(reached, ResponseError) or reached < self.replicas:
            known = "nobody knows how many" if isinstance(reached, ResponseError) else reached
            raise OutcomeUnknown(
                f"Redis has done it, but {known} instead of {self.replicas} replicas know of it:"
                " a failover may undo it"
            )
        return reply


class Executor:
    """Sends commands through a transport; raises only errors of the provider contract and Lost."""

    def __init__(self, transport: Transport, waiting: Waiting | None) -> None:
        self.transport = transport
        self._waiting = waiting
        self.replicas = 0 if waiting is None else waiting.replicas
        """The number of replicas that must confirm the end of a session."""

    def ask(self, command: Command, id: str | None = None) -> Any:
        """Return the reply to a command that may be executed twice.

        id: the session whose hash is read.  If its key is of another type, CorruptRecord is raised;
            without an id it is StoreUnavailable, as for every other error of Redis.
        """
        # Not by `_retried`, since this is the way of each request.
        try:
            return self.transport.call(command)
        except Silent as silent:
            raise _unanswered(silent) from None
        except Lost:
            pass
        except ResponseError as error:
            raise faults.refused(error, id) from None
        return self._finally(self._call, command, id)

    def ask_at(self, server: Transport, command: Command) -> Any:
        """Return the reply of one server to a command that may be executed twice."""
        return self._retried(self._call, command, None, server)

    def ask_each(self, server: Transport, commands: Sequence[Command]) -> list[Any]:
        """Return the replies of one server to commands that may be executed twice.

        An error that Redis answers is returned in the place of the reply.
        """
        replies: list[Any] = self._retried(server.calls, commands)
        return replies

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that may be executed twice.

        A reply is None if the key is of another type.  Any other error is raised.
        """
        replies: list[Any] = self._retried(self.transport.calls, commands)
        return [_sound(reply) for reply in replies]

    def repeat(self, script: Command) -> Any:
        """Return the reply of a script that may be executed twice."""
        return self._retried(self.run, script)

    def repeat_all(self, scripts: Sequence[Command]) -> list[Any]:
        """Return the replies of scripts that may be executed twice, and are sent together.

        A reply is None if a key is of another type.  Any other error is raised.
        """
        replies: list[Any] = self._retried(self.transport.calls, scripts)
        for at, script in enumerate(scripts):
            # A script that Redis has not cached is sent again by itself, with its source.
            if isinstance(replies[at], NoScriptError):
                [replies[at]] = self._retried(self.transport.calls, [with_source(script)])
        return [_sound(reply) for reply in replies]

    def run(self, script: Command, *, ends: bool = False) -> Any:
        """Return the reply of a script.

        ends: the script may end a session, so replicas must confirm it if the settings demand that.

        Raises Lost if the script may or may not have been executed, OutcomeUnknown if too few
        replicas confirmed it, and StoreUnavailable if it was not executed.
        """
        waits = ends and self._waiting is not None
        try:
            if waits:
                return self._call_and_wait(script)
            return self.transport.call(script)
        # Redis forgets scripts when it restarts, and a new master may not have them.
        except NoScriptError:
            pass
        except ResponseError as error:
            raise faults.refused(error) from None
        return (self._call_and_wait if waits else self._call)(with_source(script))

    def settled(self, outcome: Outcome | None, lost: Lost, *, ends: bool) -> Outcome:
        """Return the outcome of a script whose reply was lost; raise `lost` if it is unknown.

        outcome: the outcome as the record on the master shows it; None if it does not show it.
        """
        # The master shows that the script was executed, but not whether the replicas have it too.
        unseen = outcome is Outcome.APPLIED and ends and self._waiting is not None
        if outcome is None or unseen:
            raise lost
        return outcome

    def _retried(self, do: Callable[..., Any], *args: Any) -> Any:
        """Call `do`; if the connection breaks, call it once more, on another connection.

        After a timeout it is not called again, since the caller would wait twice as long.  Raises
        StoreUnavailable if it fails.
        """
        try:
            return do(*args)
        except Silent as silent:
            raise _unanswered(silent) from None
        except Lost:
            pass
        return self._finally(do, *args)

    def _finally(self, do: Callable[..., Any], *args: Any) -> Any:
        """Call `do`, for the last time; raise StoreUnavailable if the connection breaks."""
        try:
            return do(*args)
        except Lost as lost:
            raise _unanswered(lost) from None

    def _call(
        self, command: Command, id: str | None = None, transport: Transport | None = None
    ) -> Any:
        try:
            return (transport or self.transport).call(command)
        # A ResponseError too, but not translated: `run` handles it.
        except NoScriptError:
            raise
        except ResponseError as error:
            raise faults.refused(error, id) from None

    def _call_and_wait(self, command: Command) -> Any:
        assert self._waiting is not None
        # Over one connection, since WAIT covers only the writes of its own connection.
        replies = self.transport.lasting([command, self._waiting.command(command.tag)])
        try:
            return self._waiting.check(replies)
        # A ResponseError too, but not translated: `run` handles it.
        except NoScriptError:
            raise
        except ResponseError as error:
            raise faults.refused(error) from None


class AsyncExecutor:
    """Sends commands through a transport; raises only errors of the provider contract and Lost."""

    def __init__(self, transport: AsyncTransport, waiting: Waiting | None) -> None:
        self.transport = transport
        self._waiting = waiting
        self.replicas = 0 if waiting is None else waiting.replicas
        """The number of replicas that must confirm the end of a session."""

    async def ask(self, command: Command, id: str | None = None) -> Any:
        """Return the reply to a command that may be executed twice.

        id: the session whose hash is read.  If its key is of another type, CorruptRecord is raised;
            without an id it is StoreUnavailable, as for every other error of Redis.
        """
        # Not by `_retried`, since this is the way of each request.
        try:
            return await self.transport.call(command)
        except Silent as silent:
            raise _unanswered(silent) from None
        except Lost:
            pass
        except ResponseError as error:
            raise faults.refused(error, id) from None
        return await self._finally(self._call, command, id)

    async def ask_at(self, server: AsyncTransport, command: Command) -> Any:
        """Return the reply of one server to a command that may be executed twice."""
        return await self._retried(self._call, command, None, server)

    async def ask_each(self, server: AsyncTransport, commands: Sequence[Command]) -> list[Any]:
        """Return the replies of one server to commands that may be executed twice.

        An error that Redis answers is returned in the place of the reply.
        """
        replies: list[Any] = await self._retried(server.calls, commands)
        return replies

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that may be executed twice.

        A reply is None if the key is of another type.  Any other error is raised.
        """
        replies: list[Any] = await self._retried(self.transport.calls, commands)
        return [_sound(reply) for reply in replies]

    async def repeat(self, script: Command) -> Any:
        """Return the reply of a script that may be executed twice."""
        return await self._retried(self.run, script)

    async def repeat_all(self, scripts: Sequence[Command]) -> list[Any]:
        """Return the replies of scripts that may be executed twice, and are sent together.

        A reply is None if a key is of another type.  Any other error is raised.
        """
        replies: list[Any] = await self._retried(self.transport.calls, scripts)
        for at, script in enumerate(scripts):
            # A script that Redis has not cached is sent again by itself, with its source.
            if isinstance(replies[at], NoScriptError):
                [replies[at]] = await self._retried(self.transport.calls, [with_source(script)])
        return [_sound(reply) for reply in replies]

    async def run(self, script: Command, *, ends: bool = False) -> Any:
        """Return the reply of a script.

        ends: the script may end a session, so replicas must confirm it if the settings demand that.

        Raises Lost if the script may or may not have been executed, OutcomeUnknown if too few
        replicas confirmed it, and StoreUnavailable if it was not executed.
        """
        waits = ends and self._waiting is not None
        try:
            if waits:
                return await self._call_and_wait(script)
            return await self.transport.call(script)
        # Redis forgets scripts when it restarts, and a new master may not have them.
        except NoScriptError:
            pass
        except ResponseError as error:
            raise faults.refused(error) from None
        return await (self._call_and_wait if waits else self._call)(with_source(script))

    def settled(self, outcome: Outcome | None, lost: Lost, *, ends: bool) -> Outcome:
        """Return the outcome of a script whose reply was lost; raise `lost` if it is unknown.

        outcome: the outcome as the record on the master shows it; None if it does not show it.
        """
        # The master shows that the script was executed, but not whether the replicas have it too.
        unseen = outcome is Outcome.APPLIED and ends and self._waiting is not None
        if outcome is None or unseen:
            raise lost
        return outcome

    async def _retried(self, do: Callable[..., Any], *args: Any) -> Any:
        """Call `do`; if the connection breaks, call it once more, on another connection.

        After a timeout it is not called again, since the caller would wait twice as long.  Raises
        StoreUnavailable if it fails.
        """
        try:
            return await do(*args)
        except Silent as silent:
            raise _unanswered(silent) from None
        except Lost:
            pass
        return await self._finally(do, *args)

    async def _finally(self, do: Callable[..., Any], *args: Any) -> Any:
        """Call `do`, for the last time; raise StoreUnavailable if the connection breaks."""
        try:
            return await do(*args)
        except Lost as lost:
            raise _unanswered(lost) from None

    async def _call(
        self, command: Command, id: str | None = None, transport: AsyncTransport | None = None
    ) -> Any:
        try:
            return await (transport or self.transport).call(command)
        # A ResponseError too, but not translated: `run` handles it.
        except NoScriptError:
            raise
        except ResponseError as error:
            raise faults.refused(error, id) from None

    async def _call_and_wait(self, command: Command) -> Any:
        assert self._waiting is not None
        # Over one connection, since WAIT covers only the writes of its own connection.
        replies = await self.transport.lasting([command, self._waiting.command(command.tag)])
        try:
            return self._waiting.check(replies)
        # A ResponseError too, but not translated: `run` handles it.
        except NoScriptError:
            raise
        except ResponseError as error:
            raise faults.refused(error) from None


def _sound(reply: Any) -> Any:
    """Return a reply; None for a key of another type; raise StoreUnavailable for another error."""
    if isinstance(reply, ResponseError):
        if not faults.is_foreign(reply):
            raise faults.refused(reply)
        return None
    return reply


def _unanswered(lost: Lost) -> StoreUnavailable:
    return StoreUnavailable(lost.reason)
