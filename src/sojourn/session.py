"""A session: a mapping that knows its own changes, and what shall become of it.

A session does no I/O.  What a request wants of it (an end, a new id, a user, a lifetime) is
kept as an intent, and `_lifecycle` turns the intents into calls of the provider at release.
Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Self, cast

from sojourn._context import Standing
from sojourn._facts import Facts
from sojourn._signin import check_user, checked_about, seconds_of
from sojourn.errors import ConfigError, SessionError


class Session(Facts):
    """The data of one visitor during one request."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show which session it is, and nothing of what is in it."""
        name = "new" if self._origin is None else self._origin.id
        return f"<Session {name} user={self._user!r}>"

    @classmethod
    def adopt(cls, session: Session) -> Self:
        """Make a session one of this class, for words of your own on it; return it.

        The class adds methods and properties, and has `__slots__ = ()`.
        """
        session.__class__ = cls
        return cast("Self", session)

    @property
    def modified(self) -> bool:
        """Whether a release would store what this request did: intents, changes in place too."""
        standing = self._standing
        if self._sealed or standing is Standing.OUTAGE:
            return False
        if standing is Standing.RETIRED and not self._login:
            return False
        if self._doomed is not None:
            return True
        if self._origin is None:
            return bool(self._values) or self._user is not None
        return self._renew or self._relived or not self._delta().is_empty

    # -- intents -----------------------------------------------------------------------------

    def login(
        self,
        user: str,
        *,
        keep: bool = True,
        about: Mapping[str, str] | None = None,
        remember: float | timedelta | None = None,
    ) -> None:
        """Sign `user` in, under a new id (OWASP: renew the id at every sign-in).

        keep: whether the data of the anonymous visitor, or of the same user, stay; another
            user's never do.
        about: a few words on where from, such as address and device, for lists of sessions.
        remember: seconds that the session and its cookie live on without being seen.
        """
        self._touch_to_change()
        self._refuse_detached("login")
        check_user(user)
        about = None if about is None else checked_about(about)
        if remember is not None:
            self.set_lifetime(remember, persistent=True)
        stranger = self._user not in (None, user)
        if stranger and remember is None:
            self.set_lifetime(None, persistent=self._context.config.cookie_lifetime > 0)
        if stranger or not keep:
            self.clear()
        self._user = user
        self._authenticated = self._context.clock()
        self._about = about
        self._login = True
        self._renew_id()

    def logout(self) -> None:
        """Sign out: end the session, as `destroy`."""
        self.destroy()

    def destroy(self) -> None:
        """End the session at release.  What is put afterwards begins a new one."""
        self._touch_to_change()
        self._doomed = self._origin or self._doomed
        self._forget()
        self._begin(None)

    def regenerate_id(self) -> None:
        """Go on under a new token and id; the old ones are dead at once."""
        self._touch_to_change()
        self._refuse_detached("regenerate_id")
        self._renew_id()

    def set_lifetime(self, seconds: float | timedelta | None, *, persistent: bool = False) -> None:
        """Let this session live `seconds` from when it was last seen; None is as configured.

        persistent: whether its cookie outlives the browser.
        """
        self._touch_to_change()
        lifetime = None if seconds is None else seconds_of(seconds)
        limit = self._context.config.absolute_lifetime
        if lifetime is not None and not 0 < lifetime <= (limit or float("inf")):
            raise ConfigError(
                f"a lifetime of {lifetime!r} seconds: must be above 0 and at most "
                f"absolute_lifetime, which is {limit!r}"
            )
        self._lifetime = lifetime
        self._persistent = persistent
        self._relived = True

    def _renew_id(self) -> None:
        self._renew = True
        self._pending = None

    def _refuse_detached(self, verb: str) -> None:
        if self._standing is Standing.DETACHED:
            raise SessionError(
                f"{verb}: a session opened by its id has no client to give a new token to"
            )
