"""An async object behind the sync interface, so that one text of the laws serves both colours.

The laws are about the order of calls, and order is kept when each call runs on one event loop to
its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from inspect import isawaitable
from typing import Any


class Bridge:
    """An event loop that runs one call after another."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._loop = runner.get_loop()

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call it while the loop runs, and wait for what it returns if it is to be awaited."""

        async def inside() -> Any:
            result = function(*args)
            return await result if isawaitable(result) else result

        return self.wait(inside())

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Run the loop until there is an answer."""
        return self._loop.run_until_complete(awaitable)

    def iterate(self, records: AsyncIterator[Any]) -> Iterator[Any]:
        """Yield what it yields."""
        while True:
            try:
                record = self.wait(anext(records))
            except StopAsyncIteration:
                return
            yield record

    @contextmanager
    def within(self, block: AbstractAsyncContextManager[Any]) -> Iterator[Any]:
        """Enter and leave it; what the block raises reaches it."""
        entered = self.wait(block.__aenter__())
        try:
            yield entered
        except BaseException as error:
            if not self.wait(block.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self.wait(block.__aexit__(None, None, None))


class Blocking:
    """Has the attributes of another object, its async methods made sync."""

    def __init__(self, target: Any, bridge: Bridge) -> None:
        self._target = target
        self._bridge = bridge

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if not callable(attribute):
            return attribute
        return lambda *args, **kwargs: self._settled(attribute(*args, **kwargs))

    def _settled(self, result: Any) -> Any:
        if isawaitable(result):
            return self._bridge.wait(result)
        if isinstance(result, AsyncIterator):
            return self._bridge.iterate(result)
        if isinstance(result, AbstractAsyncContextManager):
            return self._bridge.within(result)
        return result
