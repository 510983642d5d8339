"""Calls the functions that a request gave to `Session.on_release`, for instance to start a job.

A job that is queued during a request may run before the release has stored the data that it needs.
So the manager calls the functions after the changes are stored, at the end of the release.  At that
time the response, which may carry a new token, has not been sent: an error of a function is logged,
and does not affect the response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import isawaitable

from sojourn._events import logger

Function = Callable[[], object]


def run(functions: Sequence[Function]) -> None:
    """Call each function once, in order; log their errors."""
    for function in functions:
        with _logged():
            function()


async def async_run(functions: Sequence[Function]) -> None:
    """Call each function once, in order, and await the asynchronous ones; log their errors."""
    for function in functions:
        with _logged():
            result = function()
            # The result decides, since a lambda or a partial object may return a coroutine too.
            if isawaitable(result):
                await result


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except Exception:  # noqa: BLE001 - it is logged with its traceback
        logger.exception("a function given to on_release failed; the session is stored")
