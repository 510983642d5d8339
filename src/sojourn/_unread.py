"""The state of a session that has not been read from the store yet.

Most pages of an application never look at their session, and such a page should not wait for the
store.  So an `UnreadState` lacks the attributes that depend on the record.  The first use of one of
them reads the session, and from then on the object is an ordinary `SessionState`.

Assigning a value needs no record, so that alone reads nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from threading import Lock, get_ident
from typing import Any

from sojourn._cookies import Arrival
from sojourn._session.changes import ChangeSet
from sojourn._session.state import LOADED, Context, Found, SessionState
from sojourn.errors import NotLoaded, SessionError, StoreError
from sojourn.record import NO_FIELDS

NOT_LOADED = (
    "this request has not read its session, since `quiet` covers it (or `start_lazily` began it): "
    "call `await session.load()` before the first use, or receive the session by CurrentSession "
    "(FastAPI, Litestar) or `await get_session(request)` (aiohttp), or take this request out of "
    "`quiet`"
)
RECURSIVE = "a session was used while it was being read, as by a function given as on_event"
_NAMES = frozenset(SessionState.__slots__)


class UnreadState(SessionState):
    """The state of a session that the request has not used yet."""

    __slots__ = ()
    unread = True

    # Not `super().__init__`: it would set the attributes whose absence causes the reading.
    def __init__(
        self,
        context: Context,
        arrival: Arrival,
        find: Callable[[Arrival], Any],
        *,
        can_assign: bool,
    ) -> None:
        """Keep what is needed to read the session later.

        find: returns the session that a request's tokens name, as a `Found`; in an AsyncManager it
            is a coroutine function.
        can_assign: whether values may be assigned without reading it first.
        """
        self.context = context
        self.arrival = arrival
        self._find = find
        self._lock = Lock()
        self._reader = 0
        self._can_assign = can_assign
        self.accessed = self.counts_as_seen = self.sealed = self._assigns = False
        self.ended = self.released = self.failed = None
        self.callbacks = ()

    def __getattr__(self, name: str) -> Any:
        """Read the session, since an attribute is missing, and return its value."""
        if name not in _NAMES:  # debuggers and `copy` ask any object for special methods
            raise AttributeError(name)
        if name == "assigned" and self._can_assign:
            self._begin_assigning()
        elif self.unread:
            self._read()
        return getattr(self, name)

    @property
    def would_store(self) -> bool:
        """Whether a release would store a change: if values were assigned."""
        return self._assigns and not self.sealed

    def _begin_assigning(self) -> None:
        with self._lock:
            self._refuse_failed()
            # Unless another thread has read the session, or begun to assign to it, by now.
            if self.unread and not self._assigns:
                self.assigned = ChangeSet(self.context.codec, NO_FIELDS)
                self._assigns = True

    def _read(self) -> None:
        """Read the session, in the thread of the caller.

        Raises StoreError if the store fails, and again for each later use: the request has no
        session then, and a second attempt might only wait as long as the first one.  Raises
        NotLoaded in an asynchronous application, since waiting would block the event loop.
        """
        # Threads of one request may use its session at the same time.  Only one may read it: a
        # second reading would undo the changes that were made after the first.
        if not self._lock.acquire(blocking=False):
            if self._reader == get_ident():
                raise SessionError(RECURSIVE)
            self._lock.acquire()
        try:
            if not self.unread:
                return
            if self.failed is not None:
                raise self.failed
            if self.context.awaits:
                raise NotLoaded(NOT_LOADED)
            self._reader = get_ident()
            self._become(self._find(self.arrival))
        except StoreError as error:
            self.failed = error
            raise
        finally:
            self._lock.release()

    def load(self) -> Awaitable[None]:
        """Read the session, as `_read` does; in an asynchronous application once it is awaited."""
        if self.context.awaits:
            return self._load()
        self._read()
        return LOADED

    async def _load(self) -> None:
        self._refuse_failed()
        try:
            found = await self._find(self.arrival)
        except StoreError as error:
            self.failed = error
            raise
        with self._lock:
            if self.unread:  # another task may have read it meanwhile, and changed it since
                self._become(found)

    def _refuse_failed(self) -> None:
        if self.failed is not None:
            raise self.failed

    def _become(self, found: Found) -> None:
        """Become an ordinary state, with the values that were assigned so far."""
        self._take(found, self.assigned if self._assigns else None)
        # Python allows this because both classes have the same slots.
        self.__class__ = SessionState  # type: ignore[assignment]
