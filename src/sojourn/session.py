"""The session that applications use: a mapping, with properties, and methods that request actions.

A session does no I/O.  Its fields are kept in a `ChangeSet`; an end, a new id, a user or a lifetime is
noted in its `SessionState`; and the manager stores all of it at release.  Reading anything about a
session counts as an access, since the result differs from visitor to visitor.  Times are seconds
since the epoch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Self, cast

from sojourn._session.mapping import SessionMapping
from sojourn._session.signin import checked_about, checked_user
from sojourn._session.state import DETACHED, RETIRED, SessionState
from sojourn.config.validators import DURATION, POSITIVE
from sojourn.errors import ConfigError, NotFresh, SessionError
from sojourn.release import Release


class Session(SessionMapping):
    """The data of one visitor during one request."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the id and the user, and none of the data."""
        state = self._state
        if state.unread:
            return "<Session, not read yet>"
        name = "new" if state.origin is None else state.origin.id
        return f"<Session {name} user={state.user!r}>"

    @classmethod
    def adopt(cls, session: Session) -> Self:
        """Make a session an instance of this class, for attributes of your own; return it.

        The class adds methods and properties, and has `__slots__ = ()`.
        """
        # Python allows this because the slots of both classes are the same.
        session.__class__ = cls
        return cast("Self", session)

    def load(self) -> Awaitable[None]:
        """Read the session from the store now, unless that was done.

        Only needed after `AsyncManager.start_lazily`, as `quiet` of the middlewares calls it: then
        `await session.load()` comes before the first use.  Under a Manager, the first use reads it.

        Raises StoreError if the store fails; then each use of the session raises it, too.
        """
        return self._state.load()

    # -- properties --------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The id of the session: safe to log, and never accepted from a client.

        For a new session, and after `login` or `regenerate_id`, it is the id that the release will
        give it.
        """
        state = self._accessed()
        if state.origin is not None and not state.renews:
            return state.origin.id
        return state.mint()[1]

    @property
    def is_new(self) -> bool:
        """Whether nothing is stored for this visitor yet."""
        return self._accessed().origin is None

    @property
    def is_retired(self) -> bool:
        """Whether the token was replaced before the request: only a sign-in is stored then."""
        return self._state.standing is RETIRED

    @property
    def user(self) -> str | None:
        """The user who is signed in; None for an anonymous visitor."""
        return self._accessed().user

    @property
    def authenticated_at(self) -> float | None:
        """When the user last signed in, in seconds since the epoch; None for an anonymous visitor."""
        return self._accessed().authenticated

    @property
    def created_at(self) -> float:
        """When the session began, in seconds since the epoch."""
        state = self._accessed()
        return state.context.clock() if state.origin is None else state.origin.created

    @property
    def seen_at(self) -> float:
        """When the session was last seen, as far as that is stored, in seconds since the epoch."""
        state = self._accessed()
        return state.context.clock() if state.origin is None else state.origin.seen

    @property
    def expires_at(self) -> float:
        """When the session ends unless it is seen again, in seconds since the epoch."""
        state = self._accessed()
        # The stored time, since a release does not move it at each request (`touch_interval`).
        if state.origin is not None and not state.sets_lifetime:
            return state.origin.expires
        return state.expiry(state.context.clock())

    @property
    def lifetime(self) -> float:
        """How long the session will live if it is seen now, in seconds."""
        state = self._accessed()
        now = state.context.clock()
        return state.expiry(now) - now

    @property
    def persistent(self) -> bool:
        """Whether the cookie remains when the browser is closed."""
        return self._accessed().persistent

    @property
    def accessed(self) -> bool:
        """Whether this request looked at the session: if so, the response depends on the visitor."""
        return self._state.accessed

    @property
    def modified(self) -> bool:
        """Whether a release would store something: changed fields, also in place, or an action."""
        return self._state.would_store

    @property
    def released(self) -> Release | None:
        """The result of the release; None before it."""
        return self._state.released

    @property
    def issued_token(self) -> str:
        """The token that the release issued, for applications that deliver it to the client.

        Raises SessionError before the release, and if the release issued none.
        """
        released = self._state.released
        if released is None or released.token is None:
            raise SessionError("issued_token: no release of this session gave the client a token")
        return released.token

    def require_fresh(self, seconds: float | timedelta) -> None:
        """Raise NotFresh unless the user signed in within the last `seconds` (ASVS 7.5.3).

        Raises ConfigError unless `seconds` is a number or a timedelta of 0 or more.
        """
        state = self._accessed()
        at, longest = state.authenticated, DURATION("require_fresh", seconds)
        if at is None or state.context.clock() - at > longest:
            raise NotFresh(
                "the user must sign in again before this: call `login` after checking who it is"
            )

    def _accessed(self) -> SessionState:
        """Return the state, and mark the session as accessed."""
        self._state.accessed = True
        return self._state

    # -- actions, which are carried out at release --------------------------------------------

    def login(
        self,
        user: str,
        *,
        keep: bool = True,
        about: Mapping[str, str] | None = None,
        remember: float | timedelta | None = None,
    ) -> None:
        """Sign `user` in, under a new id (OWASP: renew the id at every sign-in).

        keep: whether to keep the data of the anonymous visitor, or of the same user.  The data of
            another user are never kept.
        about: short texts on the client, such as its address and device, for lists of sessions.
        remember: the idle lifetime of the session and its cookie, in seconds.

        Raises EncodeError, SessionTooLarge or ConfigError for an invalid argument, and SessionError
        for a session that was opened by its id, since it has no client for a token.
        """
        state = self._changing()
        self._refuse_detached("login")
        # All arguments are checked before anything changes: a login that raises has no effect.
        user = checked_user(user)
        about = None if about is None else checked_about(about)
        if remember is not None:
            self._set_lifetime("remember", remember, persistent=True)
        stranger = state.user not in (None, user)
        # The "remember me" of another user does not apply to this one.
        if stranger and remember is None:
            self.set_lifetime(None, persistent=state.context.config.cookie_lifetime > 0)
        if stranger or not keep:
            self.clear()
        state.user = user
        state.authenticated = state.context.clock()
        state.about = about
        state.signs_in = state.renews = True

    def logout(self) -> None:
        """Sign out: end the session, as `destroy`."""
        self.destroy()

    def destroy(self) -> None:
        """End the session at release.  Fields that are put afterwards begin a new one.

        A session opened by its id has no client that could be given a new one: putting fields into
        it afterwards raises SessionGone.
        """
        if not self._state.has_ended:
            self._changing().end()

    def regenerate_id(self) -> None:
        """Give the session a new token and id at release; the old ones are then invalid at once.

        However often a request calls this, the release gives one new id.  Raises SessionError for a
        session that was opened by its id, since it has no client for a token.
        """
        state = self._changing()
        self._refuse_detached("regenerate_id")
        state.renews = True

    def set_lifetime(self, seconds: float | timedelta | None, *, persistent: bool = False) -> None:
        """Set the idle lifetime of this session; None is the configured one.

        persistent: whether the cookie remains when the browser is closed.

        Raises ConfigError unless `seconds` is above 0, and at most `absolute_lifetime` and 1e10
        (some 300 years).
        """
        self._changing()
        self._set_lifetime("lifetime", seconds, persistent=persistent)

    def on_release(self, function: Callable[[], object]) -> None:
        """Call a function after the changes of this request are stored, for instance to start a job.

        It is called once, after the release, also if there was nothing to store or the session was
        ended.  It is not called if the changes were lost: the request or the release failed, the
        session had ended before, or the store was down.  Several functions are called in the order
        in which they were given.  Their errors are logged, and the response is sent.

        An `AsyncManager` awaits an `async` function; a `Manager` refuses one with ConfigError.
        """
        state = self._changing()
        # A Manager cannot await: it would only make a coroutine, and the function would never run.
        if not callable(function) or (iscoroutinefunction(function) and not state.context.awaits):
            raise ConfigError(
                f"on_release: {function!r:.80} must be a function without arguments, and under a "
                "Manager no `async` one"
            )
        state.callbacks = (*state.callbacks, function)

    def _set_lifetime(
        self, name: str, seconds: float | timedelta | None, *, persistent: bool
    ) -> None:
        """Set the lifetime.  name: the name of the argument, for the error message."""
        state = self._state
        lifetime: float | None = None if seconds is None else POSITIVE(name, seconds)
        limit = state.context.config.absolute_lifetime
        if lifetime is not None and limit is not None and lifetime > limit:
            raise ConfigError(
                f"{name}={seconds!r}: give at most absolute_lifetime, which is {limit!r} seconds"
            )
        state.lifetime = lifetime
        state.persistent = persistent
        state.sets_lifetime = True

    def _refuse_detached(self, verb: str) -> None:
        if self._state.standing is DETACHED:
            raise SessionError(
                f"{verb}: a session opened by its id has no client to give a new token to"
            )


def state_of(session: Session) -> SessionState:
    """Return the state of a session, for the modules that decide about it."""
    return session._state  # noqa: SLF001 - the one place where it is handed out
