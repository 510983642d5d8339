"""The state of a session that has not been read from the store yet.

Most pages of an application never look at their session, and such a page should not wait for the
store.  So an `UnreadState` lacks the attributes that depend on the record.  The first use of one of
them reads the session, and from then on the object is an ordinary `SessionState`.

Assigning a value needs no record, so that alone reads nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from threading import Lock, get_ident
from typing import Any, cast

from sojourn._calls import same_error
from sojourn._cookies import Arrival
from sojourn._loops import async_lock
from sojourn._openings import Openings
from sojourn._session.changes import ChangeSet
from sojourn._session.state import (
    LATE,
    LOADED,
    NOBODY,
    Found,
    SessionState,
)
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
        openings: Openings,
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
        self._openings = openings
        self.context = openings.context
        self.arrival = arrival
        self._find = find
        self._began = openings.moment()
        self._lock = Lock()
        self._reader = 0
        self._turn = None
        self._can_assign = can_assign
        self.accessed = self.counts_as_seen = self.sealed = self._assigns = False
        self.ended = self.released = self.failed = None
        self.callbacks = ()

    def __getattr__(self, name: str) -> Any:
        """Read the session, since an attribute is missing, and return its value."""
        if name not in _NAMES:  # debuggers and `copy` ask any object for special methods
            raise AttributeError(name)
        # The methods are not looked up in `self`: if another thread has just read it, its class has
        # them no more.
        if name == "assigned" and self._can_assign:
            UnreadState._begin_assigning(self)
        elif self.unread:
            UnreadState._read(self)
        return getattr(self, name)

    @property
    def would_store(self) -> bool:
        """Whether a release would store a change: if values were assigned."""
        # A value that was refused has begun an assignment, too.
        return self._assigns and self.assigned.has_values and not self.sealed

    @property
    def is_busy(self) -> bool:
        """Whether another thread is reading it, or is about to assign the first value."""
        return self._lock.locked()  # type: ignore[no-any-return]

    def _begin_assigning(self) -> None:
        UnreadState._acquire(self)
        try:
            if not self.unread:  # another thread has read it by now
                return
            self._refuse_failed()
            if not self._assigns:  # unless another thread has begun to assign to it by now
                self.assigned = ChangeSet(self.context.codec, NO_FIELDS)
                self._assigns = True
        finally:
            self._lock.release()

    def _read(self) -> None:
        """Read the session, in the thread of the caller.

        Raises StoreError if the store fails, and again for each later use: the request has no
        session then, and a second attempt might only wait as long as the first one.  Raises
        NotLoaded in an asynchronous application, since waiting would block the event loop.
        """
        # Threads of one request may use its session at the same time.  Only one may read it: a
        # second reading would undo the changes that were made after the first.
        UnreadState._acquire(self)
        try:
            if not self.unread:
                return
            self._refuse_failed()
            if self.context.awaits:
                raise NotLoaded(NOT_LOADED)
            self._reader = get_ident()
            self._become(self._find(self.arrival))
        except StoreError as error:
            self._fail(error)
            raise
        finally:
            self._reader = 0
            self._lock.release()

    def _acquire(self) -> None:
        """Acquire the lock.  Raises SessionError if this thread has it, as it is reading."""
        if not self._lock.acquire(blocking=False):
            if self._reader == get_ident():
                raise SessionError(RECURSIVE)
            self._lock.acquire()

    def load(self) -> Awaitable[None]:
        """Read the session, as `_read` does; in an asynchronous application once it is awaited."""
        if self.context.awaits:
            return self._load()
        UnreadState._read(self)
        return LOADED

    async def _load(self) -> None:
        # As threads in `_read`, only one task may read it.
        self._turn = self._turn or async_lock()
        async with self._turn:
            if not self.unread:
                return
            self._refuse_failed()
            try:
                found = await self._find(self.arrival)
            except StoreError as error:
                self._fail(error)
                raise
            with self._lock:
                self._become(found)

    def _fail(self, error: StoreError) -> None:
        # A copy, since each later use raises it, which would make its traceback ever longer.  And
        # the frames of a traceback refer to this state, so memory would be freed only by `gc`.
        self.failed = cast("StoreError", same_error(error))

    def _refuse_failed(self) -> None:
        if self.failed is not None:
            raise same_error(self.failed)

    def _become(self, found: Found) -> None:
        """Become an ordinary state, with the values that were assigned so far."""
        if found is NOBODY and self._openings.is_late(self.arrival, self._began):
            found = LATE
        self._take(found, self.assigned if self._assigns else None)
        # Python allows this because both classes have the same slots.
        self.__class__ = SessionState  # type: ignore[assignment]
