"""What an application wants done once a request's changes are stored, such as starting a job.

A job that is queued in the middle of a request may run before the release has stored what it is to
work on.  So the request hands its function to `Session.on_release`, and the manager calls it at the
end of the release.  The response is still to be sent then, with the client's new token perhaps: an
error of a function is logged, and changes nothing for the response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import isawaitable

from sojourn._events import logger

Function = Callable[[], object]


def run(functions: Sequence[Function]) -> None:
    """Call each of them once, in this order."""
    for function in functions:
        with _logged():
            function()


async def async_run(functions: Sequence[Function]) -> None:
    """Call each of them once, in this order; wait for those that are asynchronous."""
    for function in functions:
        with _logged():
            result = function()
            if isawaitable(result):
                await result


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except Exception:  # noqa: BLE001 - it is logged with its traceback
        logger.exception("a function given to on_release failed; the session is stored")
