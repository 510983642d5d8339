"""Sojourn's own words on a Django session: signing in and out, ids, lifetimes, and `apply`.

They are those of `sojourn.Session`, and mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sojourn.web.django._inner import InnerSession


class Words:
    """Hands Sojourn's words on to the session inside."""

    def _get_session(self, no_load: bool = False) -> InnerSession:
        """Return the session inside; load it if that was not done."""
        raise NotImplementedError

    async def _aget_session(self, no_load: bool = False) -> InnerSession:
        """Return the session inside; load it if that was not done."""
        raise NotImplementedError

    @property
    def _session(self) -> InnerSession:
        return self._get_session()

    @property
    def id(self) -> str:
        """What the session is known by: safe to log, never accepted from a client."""
        return self._session.id

    @property
    def is_new(self) -> bool:
        """Whether nothing is stored for this visitor yet."""
        return self._session.is_new

    @property
    def user(self) -> str | None:
        """Who is signed in; after Django's own sign-in the user's primary key, as text."""
        return self._session.user

    @property
    def authenticated_at(self) -> float | None:
        """When the user last signed in, in seconds since the epoch."""
        return self._session.authenticated_at

    @property
    def created_at(self) -> float:
        """When the session began, in seconds since the epoch."""
        return self._session.created_at

    @property
    def seen_at(self) -> float:
        """When it was last seen, as far as that is stored, in seconds since the epoch."""
        return self._session.seen_at

    @property
    def expires_at(self) -> float:
        """When it ends unless it is seen again, in seconds since the epoch."""
        return self._session.expires_at

    def require_fresh(self, seconds: float | timedelta) -> None:
        """Raise NotFresh unless the user signed in within the last `seconds`."""
        self._session.require_fresh(seconds)

    def login(
        self,
        user: str,
        *,
        keep: bool = True,
        about: Mapping[str, str] | None = None,
        remember: float | timedelta | None = None,
    ) -> None:
        """Sign `user` in, under a new id.  `django.contrib.auth.login` does that by itself."""
        self._session.login(user, keep=keep, about=about, remember=remember)

    def logout(self) -> None:
        """Sign out: end the session at the release."""
        self._session.logout()

    def destroy(self) -> None:
        """End the session at the release.  What is put afterwards begins a new one."""
        self._session.destroy()

    def regenerate_id(self) -> None:
        """Go on under a new token and id, from the release on."""
        self._session.regenerate_id()

    def set_lifetime(self, seconds: float | timedelta | None, *, persistent: bool = False) -> None:
        """Let this session live `seconds` from when it was last seen; None is as configured."""
        self._session.set_lifetime(seconds, persistent=persistent)

    def apply(self, key: Any, function: Callable[[Any], Any], default: Any = None) -> Any:
        """Replace the value by `function(value)`, and return that; no overlapping one is lost."""
        return self._session.apply(key, function, default)
