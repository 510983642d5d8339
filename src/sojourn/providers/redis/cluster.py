"""The transport to a cluster: many servers, each of which stores the keys of some tags.

Any server returns the assignment of slots to servers (CLUSTER SLOTS).  It is requested when the
first command is sent, and again after an error.  A server that no longer has the keys of a command
does not execute it, but replies with a redirection:

- MOVED: the slot belongs to another server now.  The command is sent there, and so are later ones.
- ASK: this key was handed over already, while the slot still belongs to the old server.  Only this
  command is sent to the other server, after ASKING, without which that server would refuse it.
- TRYAGAIN: some keys of the command were handed over and others not yet.  It is sent again later.

The cluster client of redis-py is not used, because it repeats every command whose reply was lost,
and some of Sojourn's commands must not be repeated.
"""

from __future__ import annotations

from asyncio import gather
from asyncio import sleep as async_sleep
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from time import sleep
from typing import Any, TypeVar, cast

from redis.exceptions import AskError, MovedError, ResponseError, TryAgainError

from sojourn.errors import StoreError, StoreUnavailable
from sojourn.providers.redis import faults
from sojourn.providers.redis.faults import Lost
from sojourn.providers.redis.layout import TAGS
from sojourn.providers.redis.multiplexed import Multiplexed
from sojourn.providers.redis.replies import Command, okay
from sojourn.providers.redis.server import Server
from sojourn.providers.redis.slots import QUESTION, Place, Remap, raised, restless, table_of, there

T = TypeVar("T")
HOPS = 5
"""The number of times that a command is sent; if the last one is redirected too, it fails."""
ASKING = Command(("ASKING",), "", okay)
PAUSE = 0.05
"""Seconds before a command is repeated if its server is handing over the slot (TRYAGAIN)."""


class Cluster:
    """Sends each command to the server that holds the keys of its tag."""

    def __init__(
        self, seeds: Sequence[Place], make: Callable[[Place], Server], remap: Remap
    ) -> None:
        self._seeds = seeds
        self._make = make
        self._remap = remap
        self._servers: dict[Place, Server] = {}
        self._table: Mapping[str, Place] = {}

    def call(self, command: Command) -> Any:
        """Return the reply to one command; raise ResponseError if it is an error."""
        [reply] = self._sent([command])
        return raised(reply)

    def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands, sent together to each server; errors are among them."""
        # The replies return in the order of the commands.
        replies: list[Any] = [None] * len(commands)
        try:
            numbers = self._sorted(commands)
            calls = [
                partial(self._at(place).calls, [commands[number] for number in here])
                for place, here in numbers.items()
            ]
            for here, answers in zip(numbers.values(), each(calls), strict=True):
                for number, answer in zip(here, answers, strict=True):
                    replies[number] = answer
        except StoreError:
            self._table = {}
            raise
        # Redirected commands were not executed; each is sent again by itself.
        for number, reply in enumerate(replies):
            if isinstance(reply, MovedError | AskError | TryAgainError):
                [replies[number]] = self._sent([commands[number]])
        return replies

    def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """Do the same as `calls`, for commands of one tag that may take long, on one connection."""
        return self._sent(commands, lasting=True)

    def servers(self) -> Iterator[Server]:
        """Yield the transport of each master that holds keys."""
        places = {self._place_of(tag) for tag in TAGS}
        for place in places:
            yield self._at(place)

    def close(self) -> None:
        """Close the connections that are not in use."""
        # A copy, since other threads or tasks may find another server in the meantime.
        for server in [*self._servers.values()]:
            server.close()

    def _sent(self, commands: Sequence[Command], *, lasting: bool = False) -> list[Any]:
        """Send commands of one tag to the server that holds it, and follow redirections.

        Raises StoreUnavailable if the commands are redirected too often.
        """
        tag = commands[0].tag
        place, asking = self._place_of(tag), False
        try:
            for _ in range(HOPS):
                server = self._at(place)
                send = server.lasting if lasting else server.calls
                replies = send([ASKING, *commands] if asking else commands)
                refused = replies.pop(0) if asking else None  # `okay` reads OK as None
                # The first command has keys.  A second one would be WAIT, which is never
                # redirected.
                redirect = replies[0]
                if isinstance(redirect, MovedError):
                    # A server that refused ASKING sends the command back: this is the reason.
                    if refused is not None:
                        return [refused, *replies[1:]]
                    place, asking = self._moved(tag, redirect, place), False
                elif isinstance(redirect, AskError):
                    place, asking = there(redirect, place, self._remap), True
                elif isinstance(redirect, TryAgainError):
                    sleep(PAUSE)
                else:
                    return replies
        except StoreError:
            # A failed server may have been replaced: the next command requests the assignment.
            self._table = {}
            raise
        raise restless()

    def _sorted(self, commands: Sequence[Command]) -> dict[Place, list[int]]:
        # By server: the positions of its commands in the sequence.
        numbers: dict[Place, list[int]] = {}
        for number, command in enumerate(commands):
            numbers.setdefault(self._place_of(command.tag), []).append(number)
        return numbers

    def _place_of(self, tag: str) -> Place:
        table = self._table  # a local reference: other threads or tasks may replace it
        if not table:
            table = self._table = self._ask_all()
        if tag not in table:
            self._table = {}
            raise StoreUnavailable("no server of the Redis cluster holds these sessions now")
        return table[tag]

    def _ask_all(self) -> Mapping[str, Place]:
        # The servers in use first, since the configured ones (the seeds) may have been removed
        # since.
        failure: Exception = StoreUnavailable("the Redis cluster has no servers")
        for place in dict.fromkeys([*self._servers, *self._seeds]):
            try:
                return table_of(self._at(place).call(QUESTION), place, self._remap)
            except StoreUnavailable as error:
                failure = error
            # The question changes nothing, so its outcome is not unknown: the cluster is
            # unreachable.
            except Lost as lost:
                failure = StoreUnavailable(lost.reason)
            except ResponseError as error:
                failure = faults.refused(error)
        raise failure

    def _moved(self, tag: str, moved: MovedError, asked: Place) -> Place:
        place = there(moved, asked, self._remap)
        # Later commands of the tag are sent there at once.  A new dictionary, since other threads
        # or tasks may be using the old one.  If one of them has emptied the table in the meantime,
        # it stays empty: with this tag alone it would hide the servers of all others.
        table = self._table
        if table:
            self._table = {**table, tag: place}
        return place

    def _at(self, place: Place) -> Server:
        # `setdefault` is atomic: threads that find a server at the same time share its connections.
        return self._servers.get(place) or self._servers.setdefault(place, self._make(place))


class AsyncCluster:
    """Sends each command to the server that holds the keys of its tag."""

    def __init__(
        self, seeds: Sequence[Place], make: Callable[[Place], Multiplexed], remap: Remap
    ) -> None:
        self._seeds = seeds
        self._make = make
        self._remap = remap
        self._servers: dict[Place, Multiplexed] = {}
        self._table: Mapping[str, Place] = {}

    async def call(self, command: Command) -> Any:
        """Return the reply to one command; raise ResponseError if it is an error."""
        [reply] = await self._sent([command])
        return raised(reply)

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands, sent together to each server; errors are among them."""
        # The replies return in the order of the commands.
        replies: list[Any] = [None] * len(commands)
        try:
            numbers = await self._sorted(commands)
            calls = [
                partial(self._at(place).calls, [commands[number] for number in here])
                for place, here in numbers.items()
            ]
            for here, answers in zip(numbers.values(), await async_each(calls), strict=True):
                for number, answer in zip(here, answers, strict=True):
                    replies[number] = answer
        except StoreError:
            self._table = {}
            raise
        # Redirected commands were not executed; each is sent again by itself.
        for number, reply in enumerate(replies):
            if isinstance(reply, MovedError | AskError | TryAgainError):
                [replies[number]] = await self._sent([commands[number]])
        return replies

    async def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """Do the same as `calls`, for commands of one tag that may take long, on one connection."""
        return await self._sent(commands, lasting=True)

    async def servers(self) -> AsyncIterator[Multiplexed]:
        """Yield the transport of each master that holds keys."""
        places = {await self._place_of(tag) for tag in TAGS}
        for place in places:
            yield self._at(place)

    async def close(self) -> None:
        """Close the connections that are not in use."""
        # A copy, since other threads or tasks may find another server in the meantime.
        for server in [*self._servers.values()]:
            await server.close()

    async def _sent(self, commands: Sequence[Command], *, lasting: bool = False) -> list[Any]:
        """Send commands of one tag to the server that holds it, and follow redirections.

        Raises StoreUnavailable if the commands are redirected too often.
        """
        tag = commands[0].tag
        place, asking = await self._place_of(tag), False
        try:
            for _ in range(HOPS):
                server = self._at(place)
                send = server.lasting if lasting else server.calls
                replies = await send([ASKING, *commands] if asking else commands)
                refused = replies.pop(0) if asking else None  # `okay` reads OK as None
                # The first command has keys.  A second one would be WAIT, which is never
                # redirected.
                redirect = replies[0]
                if isinstance(redirect, MovedError):
                    # A server that refused ASKING sends the command back: this is the reason.
                    if refused is not None:
                        return [refused, *replies[1:]]
                    place, asking = self._moved(tag, redirect, place), False
                elif isinstance(redirect, AskError):
                    place, asking = there(redirect, place, self._remap), True
                elif isinstance(redirect, TryAgainError):
                    await async_sleep(PAUSE)
                else:
                    return replies
        except StoreError:
            # A failed server may have been replaced: the next command requests the assignment.
            self._table = {}
            raise
        raise restless()

    async def _sorted(self, commands: Sequence[Command]) -> dict[Place, list[int]]:
        # By server: the positions of its commands in the sequence.
        numbers: dict[Place, list[int]] = {}
        for number, command in enumerate(commands):
            numbers.setdefault(await self._place_of(command.tag), []).append(number)
        return numbers

    async def _place_of(self, tag: str) -> Place:
        table = self._table  # a local reference: other threads or tasks may replace it
        if not table:
            table = self._table = await self._ask_all()
        if tag not in table:
            self._table = {}
            raise StoreUnavailable("no server of the Redis cluster holds these sessions now")
        return table[tag]

    async def _ask_all(self) -> Mapping[str, Place]:
        # The servers in use first, since the configured ones (the seeds) may have been removed
        # since.
        failure: Exception = StoreUnavailable("the Redis cluster has no servers")
        for place in dict.fromkeys([*self._servers, *self._seeds]):
            try:
                return table_of(await self._at(place).call(QUESTION), place, self._remap)
            except StoreUnavailable as error:
                failure = error
            # The question changes nothing, so its outcome is not unknown: the cluster is
            # unreachable.
            except Lost as lost:
                failure = StoreUnavailable(lost.reason)
            except ResponseError as error:
                failure = faults.refused(error)
        raise failure

    def _moved(self, tag: str, moved: MovedError, asked: Place) -> Place:
        place = there(moved, asked, self._remap)
        # Later commands of the tag are sent there at once.  A new dictionary, since other threads
        # or tasks may be using the old one.  If one of them has emptied the table in the meantime,
        # it stays empty: with this tag alone it would hide the servers of all others.
        table = self._table
        if table:
            self._table = {**table, tag: place}
        return place

    def _at(self, place: Place) -> Multiplexed:
        # `setdefault` is atomic: threads that find a server at the same time share its connections.
        return self._servers.get(place) or self._servers.setdefault(place, self._make(place))


def each(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Return the results of the functions, called one after the other."""
    return [call() for call in calls]


async def async_each(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Return the results of the functions, called at once: the time limits do not add up."""
    # If one fails, the others are awaited nevertheless, so that no task is left behind.
    results = await gather(*(call() for call in calls), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast("list[T]", results)
