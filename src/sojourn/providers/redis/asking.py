"""Asking Redis: what is sent again, what an error means, and what replicas must know.

`ask` and `ask_all` are for what may be sent twice without harm: if the connection breaks, once
more over a new one.  `run` is for all else, and leaves that decision to whoever asks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from redis.exceptions import NoScriptError, ResponseError

from sojourn.errors import OutcomeUnknown, StoreUnavailable
from sojourn.providers.redis import faults
from sojourn.providers.redis.faults import Lost, Silent
from sojourn.providers.redis.verbs import Command, Verb, Words
from sojourn.record import Outcome


class Wire(Protocol):
    """Where commands are sent: one server, or a cluster of them."""

    def call(self, words: Words, tag: str) -> Any:
        """Return the reply to one command; raise ResponseError if it is an error."""

    def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that are sent together; errors are among them."""

    def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """As `calls`, of commands of one tag that may take long."""

    def servers(self) -> Iterator[Wire]:
        """Yield a wire to each server that holds keys."""

    def close(self) -> None:
        """Close the connections."""


class AsyncWire(Protocol):
    """The same for asyncio."""

    async def call(self, words: Words, tag: str) -> Any:
        """As `Wire.call`."""

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """As `Wire.calls`."""

    async def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """As `Wire.lasting`."""

    def servers(self) -> AsyncIterator[AsyncWire]:
        """As `Wire.servers`."""

    async def close(self) -> None:
        """As `Wire.close`."""


class Waiting(NamedTuple):
    """How many replicas must know of an end, and how many seconds they have."""

    replicas: int
    seconds: float

    def command(self, tag: str) -> Command:
        """Wait for them."""
        return ("WAIT", self.replicas, int(self.seconds * 1000)), tag

    def check(self, replies: Sequence[Any]) -> Any:
        """Return the first reply; raise it if it is an error, and OutcomeUnknown if few know."""
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


class Asker:
    """Asks by a wire."""

    def __init__(self, wire: Wire, waiting: Waiting | None) -> None:
        self.wire = wire
        self._waiting = waiting
        self.replicas = 0 if waiting is None else waiting.replicas
        """How many must know of an end."""

    def ask(self, command: Command, id: str | None = None) -> Any:
        """Return the reply; what is asked for may be done twice."""
        return self._harmless(self._call, command, id)

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies of what may be done twice; None for a key of another kind."""
        replies: list[Any] = self._harmless(self.wire.calls, commands)
        return [_sound(reply) for reply in replies]

    def repeat(self, verb: Verb) -> Any:
        """Return the answer of a script that may be run twice."""
        return self._harmless(self.run, verb)

    def repeat_all(self, verbs: Sequence[Verb]) -> list[Any]:
        """As `repeat`, of several that are sent together."""
        replies: list[Any] = self._harmless(self.wire.calls, [verb.short for verb in verbs])
        return [
            self.repeat(verb) if isinstance(reply, NoScriptError) else _sound(reply)
            for verb, reply in zip(verbs, replies, strict=True)
        ]

    def run(self, verb: Verb, *, ends: bool = False) -> Any:
        """Return the answer of a script.  ends: replicas shall know of it, if any have to."""
        send = self._call if self._waiting is None or not ends else self._call_and_wait
        try:
            return send(verb.short)
        except NoScriptError:
            return send(verb.whole)

    def settled(self, outcome: Outcome | None, lost: Lost, *, ends: bool) -> Outcome:
        """Return what became of a script whose answer was lost; raise that if it is not known."""
        unseen = outcome is Outcome.APPLIED and ends and self._waiting is not None
        if outcome is None or unseen:  # what the server has, its replicas may lack
            raise lost
        return outcome

    def _harmless(self, do: Callable[..., Any], *args: Any) -> Any:
        try:
            return do(*args)
        except Silent as silent:
            raise _unanswered(silent) from None
        except Lost:
            pass
        try:
            return do(*args)
        except Lost as again:
            raise _unanswered(again) from None

    def _call(self, command: Command, id: str | None = None) -> Any:
        try:
            return self.wire.call(*command)
        except NoScriptError:
            raise
        except ResponseError as error:
            raise faults.refused(error, id) from None

    def _call_and_wait(self, command: Command) -> Any:
        assert self._waiting is not None
        replies = self.wire.lasting([command, self._waiting.command(command[1])])
        try:
            return self._waiting.check(replies)
        except NoScriptError:
            raise
        except ResponseError as error:
            raise faults.refused(error) from None


class AsyncAsker:
    """Asks by a wire."""

    def __init__(self, wire: AsyncWire, waiting: Waiting | None) -> None:
        self.wire = wire
        self._waiting = waiting
        self.replicas = 0 if waiting is None else waiting.replicas
        """How many must know of an end."""

    async def ask(self, command: Command, id: str | None = None) -> Any:
        """Return the reply; what is asked for may be done twice."""
        return await self._harmless(self._call, command, id)

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies of what may be done twice; None for a key of another kind."""
        replies: list[Any] = await self._harmless(self.wire.calls, commands)
        return [_sound(reply) for reply in replies]

    async def repeat(self, verb: Verb) -> Any:
        """Return the answer of a script that may be run twice."""
        return await self._harmless(self.run, verb)

    async def repeat_all(self, verbs: Sequence[Verb]) -> list[Any]:
        """As `repeat`, of several that are sent together."""
        replies: list[Any] = await self._harmless(self.wire.calls, [verb.short for verb in verbs])
        return [
            await self.repeat(verb) if isinstance(reply, NoScriptError) else _sound(reply)
            for verb, reply in zip(verbs, replies, strict=True)
        ]

    async def run(self, verb: Verb, *, ends: bool = False) -> Any:
        """Return the answer of a script.  ends: replicas shall know of it, if any have to."""
        send = self._call if self._waiting is None or not ends else self._call_and_wait
        try:
            return await send(verb.short)
        except NoScriptError:
            return await send(verb.whole)

    def settled(self, outcome: Outcome | None, lost: Lost, *, ends: bool) -> Outcome:
        """Return what became of a script whose answer was lost; raise that if it is not known."""
        unseen = outcome is Outcome.APPLIED and ends and self._waiting is not None
        if outcome is None or unseen:  # what the server has, its replicas may lack
            raise lost
        return outcome

    async def _harmless(self, do: Callable[..., Any], *args: Any) -> Any:
        try:
            return await do(*args)
        except Silent as silent:
            raise _unanswered(silent) from None
        except Lost:
            pass
        try:
            return await do(*args)
        except Lost as again:
            raise _unanswered(again) from None

    async def _call(self, command: Command, id: str | None = None) -> Any:
        try:
            return await self.wire.call(*command)
        except NoScriptError:
            raise
        except ResponseError as error:
            raise faults.refused(error, id) from None

    async def _call_and_wait(self, command: Command) -> Any:
        assert self._waiting is not None
        replies = await self.wire.lasting([command, self._waiting.command(command[1])])
        try:
            return self._waiting.check(replies)
        except NoScriptError:
            raise
        except ResponseError as error:
            raise faults.refused(error) from None


def _sound(reply: Any) -> Any:
    if isinstance(reply, ResponseError):
        if not faults.is_foreign(reply):
            raise faults.refused(reply)
        return None
    return reply


def _unanswered(lost: Lost) -> StoreUnavailable:
    return StoreUnavailable(str(lost).partition(":")[0])
