"""The state of a session during one request: its record, its changes, and the requested actions.

`Session` is its interface for applications, and the lifecycle reads it at release.  Until then, it
keeps the actions that the request wants: an end, a new id, a sign-in, a lifetime.  Times are seconds
since the epoch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple, NoReturn
from weakref import WeakValueDictionary

from sojourn._cookies import Arrival
from sojourn._session.changes import NOTHING, ChangeSet
from sojourn._tokens import Tokens
from sojourn.codec import Codec
from sojourn.config import Config
from sojourn.errors import StoreError
from sojourn.record import NO_FIELDS, Record
from sojourn.release import Release


class Context(NamedTuple):
    """The objects that all sessions of one manager share."""

    config: Config
    codec: Codec
    tokens: Tokens
    clock: Callable[[], float]
    renewing: WeakValueDictionary[str, SessionState]
    """The sessions that will get a new id in this process, by that id."""
    awaits: bool
    """Whether the manager is an AsyncManager."""


class Standing(Enum):
    """How a session relates to the store."""

    NORMAL = auto()
    RETIRED = auto()
    """Its token was replaced a moment ago: it stores nothing, and cannot end a session."""
    OUTAGE = auto()
    """The store was down, and `on_outage` is "anonymous": it stores nothing."""
    DETACHED = auto()
    """Opened by its id, without a request: no cookie, no touch, no new id."""


# Python 3.11 takes 0.1 µs to look up a member in its class, which is too long for each request.
NORMAL: Final = Standing.NORMAL
RETIRED: Final = Standing.RETIRED
OUTAGE: Final = Standing.OUTAGE
DETACHED: Final = Standing.DETACHED


class _Loaded(Coroutine[None, None, None]):
    """A coroutine for a session that has been read: there is nothing to wait for.

    A coroutine, and not only an awaitable, because a task can be made of it.  Unlike one of
    an `async` function, it can be awaited several times, so there need be only one of it.
    """

    def __await__(self) -> Generator[None, None, None]:
        yield from ()

    def send(self, _: None) -> NoReturn:
        raise StopIteration

    def throw(self, error: Any, *_: Any) -> NoReturn:
        raise error

    def close(self) -> None:
        """Do nothing: it holds nothing."""


LOADED: Final = _Loaded()


class Found(NamedTuple):
    """The answer to the question which session a request has."""

    token: str | None = None
    """The token of the request, if it named the record."""
    origin: Record | None = None
    """The stored record; None for a new session."""
    standing: Standing = NORMAL
    successor: str | None = None
    """Of a retired session, the id under which the session of its token continues."""


found_of: Callable[[tuple[Any, ...]], Found] = partial(tuple.__new__, Found)
"""Makes a Found of a tuple of its values, without a call of Python."""
NOBODY: Final = Found()
"""No session: the request begins a new one."""
LATE: Final = Found(standing=RETIRED)
"""The session has ended, or moved, while the request was under way."""
WITHOUT_STORE: Final = Found(standing=OUTAGE)
"""It is not known which session the request has, since the store failed."""


# Slots, so that an `UnreadState`, which has the same ones, can become a SessionState.
@dataclass(init=False, repr=False, eq=False, slots=True, weakref_slot=True)
class SessionState:
    """One session during one request."""

    unread: ClassVar[bool] = False
    """Whether it has not been read from the store yet; see `UnreadState`."""

    context: Context
    arrival: Arrival
    token: str | None
    origin: Record | None
    """The record, as it was read; None for a new session."""
    standing: Standing
    successor: str | None
    changes: ChangeSet
    assigned: ChangeSet
    """The change set to which values are assigned: the same one, once the session was read."""

    accessed: bool
    """Whether the application looked at it: if so, the response depends on the visitor."""
    callbacks: tuple[Callable[[], object], ...]
    """The functions to call once the changes are stored."""
    counts_as_seen: bool
    """Whether the request counts as seen, even if nothing changed and `touch_on` is "change"."""
    ended: Record | None
    """The record that the release is to destroy."""
    failed: StoreError | None
    """The error of the store because of which it could not be read."""
    minted: tuple[str, str] | None
    """The token and the id that the release will give it, once `mint` has made them."""
    released: Release | None
    renews: bool
    """Whether the release is to give it a new token and id."""
    sealed: bool
    """Whether it was released: a later change could not be saved."""
    sets_lifetime: bool
    signs_in: bool

    user: str | None
    authenticated: float | None
    about: Mapping[str, str] | None
    lifetime: float | None
    persistent: bool

    # Used by `UnreadState` alone, which must not add slots of its own.
    _find: Callable[[Arrival], Any]
    _began: Any
    _openings: Any
    _lock: Any
    _reader: int
    _turn: Any
    _assigns: bool
    _can_assign: bool

    def __init__(self, context: Context, arrival: Arrival, found: Found = NOBODY) -> None:
        """Begin with what was found in the store; by default, with a new session."""
        self.context = context
        self.arrival = arrival
        self.accessed = self.counts_as_seen = self.sealed = False
        self.released = self.failed = None
        self._take(found)

    def _take(self, found: Found, assigned: ChangeSet | None = None) -> None:
        """Begin with what was found in the store, and with values that were assigned before."""
        self.token, origin, self.standing, self.successor = found
        self.callbacks = ()
        self.ended = self.minted = None
        self.renews = self.sets_lifetime = self.signs_in = False
        fields = NO_FIELDS if origin is None else origin.fields
        changes = ChangeSet(self.context.codec, fields)
        self.changes = self.assigned = changes if assigned is None else assigned.over(changes)
        self._begin(origin)

    def _begin(self, origin: Record | None) -> None:
        """Take the user and the lifetime of a record, or of a new session."""
        self.origin = origin
        if origin is None:
            self.user = self.authenticated = self.about = self.lifetime = None
            self.persistent = self.context.config.cookie_lifetime > 0
        else:
            self.user = origin.user
            self.authenticated = origin.authenticated
            self.about = origin.about
            self.lifetime = origin.lifetime
            self.persistent = origin.persistent

    def load(self) -> Awaitable[None]:
        """Read the session from the store, which has been done already; see `UnreadState`."""
        return LOADED

    def end(self) -> None:
        """Request the end of the record; fields that are put from now on begin a new session."""
        # After a second end in one request, it is still the record that has to be destroyed.
        self.ended = self.origin or self.ended
        self.changes.forget()
        # The new session begins without the actions that were requested for the old one.
        self.renews = self.signs_in = self.counts_as_seen = self.sets_lifetime = False
        self.minted = None
        self._begin(None)

    def leave_origin(self) -> None:
        """Become a new session, since the record has ended in the meantime."""
        self.origin = None
        # A lifetime that was set for the ended session, as by "remember me", is not taken over.
        if not self.sets_lifetime:
            self.lifetime = None
            self.persistent = self.context.config.cookie_lifetime > 0

    @property
    def has_ended(self) -> bool:
        """Whether fields can no longer be put: no client could be given the new session."""
        return self.standing is DETACHED and self.ended is not None

    @property
    def would_store(self) -> bool:
        """Whether a release would store anything of this request."""
        if self.sealed or self.standing is OUTAGE:
            return False
        if self.standing is RETIRED and not self.signs_in:
            return False
        if self.ended is not None:
            return True
        if self.origin is None:
            return self.changes.has_values or self.user is not None
        return self.renews or self.sets_lifetime or self.changes.delta() is not NOTHING

    @property
    def is_busy(self) -> bool:
        """Whether another thread is reading it from the store."""
        return False

    @property
    def needs_token(self) -> bool:
        """Whether a release would give the client a new token."""
        if self.standing is RETIRED:
            return self.signs_in
        if self.standing is not NORMAL:
            return False
        if self.origin is None:
            return self.changes.has_values or self.user is not None
        return self.renews

    def mint(self) -> tuple[str, str]:
        """Return the token and the id that the release will give it; the same ones each time."""
        if self.minted is None:
            # The first digits of an id decide where a store keeps the record.  With the same ones,
            # the old and the new record are in one place, and a move is one step.
            like = self.successor if self.origin is None else self.origin.id
            self.minted = self.context.tokens.mint(like)
            # The application may already use the new id; `Endings.kept_ids` finds the old one.
            if like is not None:
                self.context.renewing[self.minted[1]] = self
        return self.minted

    def ids(self) -> set[str]:
        """Return the ids that it has, will have, or had when its request began."""
        origin = None if self.origin is None else self.origin.id
        coming = None if self.minted is None else self.minted[1]
        return {id for id in (origin, coming, self.successor) if id is not None}

    def expiry(self, now: float) -> float:
        """Return when it expires if it is seen now: by the idle or the absolute limit."""
        config = self.context.config
        idle = now + (config.max_lifetime if self.lifetime is None else self.lifetime)
        if config.absolute_lifetime is None:
            return idle
        # The absolute limit counts from the beginning, however often the id has changed since.
        created = now if self.origin is None else self.origin.created
        return min(idle, created + config.absolute_lifetime)
