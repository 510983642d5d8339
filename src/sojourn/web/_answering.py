"""The release of a session under the status of the response.

If a session cannot be read, its use raises StoreError in the application, and so does its release,
which becomes a 503.  A framework turns an error that nobody handles into a 500, and that response is
replaced by the 503.  So is any error that reaches the middleware, for the application may have raised
another one because of the first.  Any other status of a server error was chosen by the application,
for instance for a page of its own, and that page is sent.
"""

from __future__ import annotations

from sojourn.errors import StoreError
from sojourn.manager import AsyncManager, Manager
from sojourn.release import Release
from sojourn.session import Session, state_of


def release(manager: Manager, session: Session, status: str) -> Release:
    """Release a session for a response with this status line, which may be malformed."""
    if state_of(session).failed is not None and status[:3] > "500":
        return manager.discard(session)
    return manager.release(session)


async def async_release(
    manager: AsyncManager, session: Session, status: int, *, headers: bool = True
) -> Release:
    """Release a session for a response with this status.  headers: as for `release`."""
    if state_of(session).failed is not None and status > 500:
        return manager.discard(session)
    return await manager.release(session, headers=headers)


def cause_of(session: Session | None, error: BaseException) -> StoreError | None:
    """Return the error of the store because of which a request fails; None if it is another error.

    session: None if it could not be started.  error: the one that reached the middleware.
    """
    if isinstance(error, StoreError):
        return error
    # An interruption, such as a cancellation, is not answered.
    if session is None or not isinstance(error, Exception):
        return None
    return state_of(session).failed
