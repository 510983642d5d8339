"""A session with Pyramid's `ISession` interface, and tests for the progress of a request.

Each flash message is stored under a separate key, so overlapping requests lose none.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from pyramid.interfaces import ISession
from zope.interface import implementer

from sojourn.web._aliases import Aliased

CSRF_KEY = "_csrft_"
"""The key of the CSRF token; Pyramid's `SessionCSRFStoragePolicy` uses the same."""
TOO_LATE = (
    "a change to a session is lost: `request.session` was asked for when the response was complete, "
    "and could carry no cookie any more. Ask for it in the view"
)


def is_thrown_away(request: Any) -> bool:
    """Whether pyramid_retry will drop this response and run the request again."""
    # An application that does not use pyramid_retry has not imported it, and need not.
    retry, error = sys.modules.get("pyramid_retry"), getattr(request, "exception", None)
    return retry is not None and error is not None and retry.is_error_retryable(request, error)


def is_finished(request: Any) -> bool:
    """Whether the response is complete except for its body: Pyramid has removed the context."""
    known = vars(request)
    return "root" in known and "context" not in known


@implementer(ISession)
class PyramidSession(Aliased):
    """A session that implements Pyramid's `ISession` interface."""

    __slots__ = ()

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:  # noqa: FBT001, FBT002 - as ISession has it
        """Add a message to a queue; without `allow_duplicate`, only if the queue lacks it."""
        if allow_duplicate or msg not in self.peek_flash(queue):
            # Keys sort by time.  A coarse clock may return the same time twice, so a counter
            # follows; the nonce keeps overlapping requests from choosing the same key.
            at = f"{time.time_ns():020}-{len(self._messages(queue)):06}"
            self[f"_f_{queue}/{at}-{self._nonce()}"] = msg

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Remove the messages of a queue and return them, oldest first.

        Messages that other requests add in the meantime stay in the queue.
        """
        return [self.pop(key) for key in self._messages(queue)]

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return the messages of a queue, oldest first, without removing them."""
        return [self[key] for key in self._messages(queue)]

    def new_csrf_token(self) -> str:
        """Create a new CSRF token, store it in the session, and return it."""
        self[CSRF_KEY] = token = self._nonce()
        return token

    def get_csrf_token(self) -> str:
        """Return the CSRF token; create one if the session has none."""
        return self.get(CSRF_KEY) or self.new_csrf_token()

    def _messages(self, queue: str) -> list[str]:
        """Return the keys of the messages of a queue, oldest first."""
        place = f"_f_{queue}"
        return sorted(key for key in self if type(key) is str and key.rpartition("/")[0] == place)

    def _nonce(self) -> str:
        """Return an unguessable text: a new session id, which is not used for a session."""
        return self._state.context.tokens.mint()[1]
