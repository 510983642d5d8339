"""What Pyramid calls things: its `ISession`, with flash messages and CSRF tokens."""

from __future__ import annotations

import time
from typing import Any

from pyramid.interfaces import ISession
from zope.interface import implementer

from sojourn.web._words import Worded

CSRF_KEY = "_csrft_"
"""Where Pyramid's `SessionCSRFStoragePolicy` keeps its token, too."""


@implementer(ISession)
class PyramidSession(Worded):
    """A session that also knows the words of Pyramid's `ISession`."""

    __slots__ = ()

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:  # noqa: FBT001, FBT002 - as ISession has it
        """Add a message to a queue, unless it stands there and may not stand there twice."""
        if allow_duplicate or msg not in self.peek_flash(queue):
            self[f"_f_{queue}/{time.time_ns():020}-{self._nonce()}"] = msg

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Take the messages out of a queue.  What others add meanwhile stays there."""
        return [self.pop(key) for key in self._messages(queue)]

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return the messages of a queue, oldest first, and leave them there."""
        return [self[key] for key in self._messages(queue)]

    def new_csrf_token(self) -> str:
        """Make a token against forged requests, keep it, and return it."""
        self[CSRF_KEY] = token = self._nonce()
        return token

    def get_csrf_token(self) -> str:
        """Return the token against forged requests; make one if there is none."""
        return self.get(CSRF_KEY) or self.new_csrf_token()

    def _messages(self, queue: str) -> list[str]:
        """The keys of a queue.  Each message has its own, so overlapping requests lose none."""
        place = f"_f_{queue}"
        return sorted(key for key in self if type(key) is str and key.rpartition("/")[0] == place)

    def _nonce(self) -> str:
        """What nobody can guess: an id under which nothing stands."""
        return self._context.tokens.mint()[1]
