"""A blocking interface to async objects, so that the same tests serve the sync and async contract.

The tests only depend on the order of calls.  That order is kept if each call runs on one event
loop until it has finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, contextmanager
from inspect import isawaitable
from typing import Any


class Bridge:
    """Runs one async call after another on an event loop."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._loop = runner.get_loop()

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function` on the running loop, and await its result if it is awaitable."""

        # The function itself is called inside the coroutine: it may need a running loop even before
        # it returns an awaitable, for example to open a connection.
        async def inside() -> Any:
            result = function(*args)
            return await result if isawaitable(result) else result

        return self.wait(inside())

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Run the loop until `awaitable` has finished, and return its result."""
        return self._loop.run_until_complete(awaitable)

    def iterate(self, records: AsyncIterator[Any]) -> Iterator[Any]:
        """Iterate over an async iterator from sync code."""
        while True:
            try:
                record = self.wait(anext(records))
            except StopAsyncIteration:
                return
            yield record

    @contextmanager
    def within(self, block: AbstractAsyncContextManager[Any]) -> Iterator[Any]:
        """Use an async context manager as a sync one; exceptions of the block are passed to it."""
        entered = self.wait(block.__aenter__())
        try:
            yield entered
        except BaseException as error:
            # As in `async with`: the exception is suppressed if `__aexit__` returns a true value.
            if not self.wait(block.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self.wait(block.__aexit__(None, None, None))


class Blocking:
    """A proxy for an object whose async methods become blocking ones."""

    def __init__(self, target: Any, bridge: Bridge) -> None:
        self._target = target
        self._bridge = bridge

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if not callable(attribute):
            return attribute
        return lambda *args, **kwargs: self._settled(attribute(*args, **kwargs))

    def _settled(self, result: Any) -> Any:
        """Turn the async result of a call into a sync one; return any other result unchanged."""
        # A call may return a coroutine, an async iterator (`find`) or an async context manager
        # (`open`).
        if isawaitable(result):
            return self._bridge.wait(result)
        if isinstance(result, AsyncIterator):
            return self._bridge.iterate(result)
        if isinstance(result, AbstractAsyncContextManager):
            return self._bridge.within(result)
        return result


class OnThread:
    """A proxy whose calls run on another thread: this one is running an event loop already."""

    def __init__(self, target: Any, executor: Executor) -> None:
        self._target = target
        self._executor = executor

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)

        def call(*args: Any) -> Any:
            result = attribute(*args)
            return list(result) if isinstance(result, Iterator) else result

        return lambda *args: self._executor.submit(call, *args).result()
