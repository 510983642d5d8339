"""Sojourn's own methods on a Django session: sign-in and sign-out, ids, lifetimes, and `apply`.

They have the same names and meanings as in `sojourn.Session`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sojourn.web.django._session import InnerSession


class Delegation:
    """Passes Sojourn's methods and properties on to the session inside."""

    def _get_session(self, no_load: bool = False) -> InnerSession:
        """Return the session inside, and load it if necessary."""
        raise NotImplementedError

    async def _aget_session(self, no_load: bool = False) -> InnerSession:
        """Return the session inside, and load it if necessary."""
        raise NotImplementedError

    @property
    def _session(self) -> InnerSession:
        return self._get_session()

    @property
    def id(self) -> str:
        """The id of the session, which is safe to log and never accepted from a client."""
        return self._session.id

    @property
    def is_new(self) -> bool:
        """Whether nothing is stored for this visitor yet."""
        return self._session.is_new

    @property
    def user(self) -> str | None:
        """The signed-in user: after Django's own sign-in, the primary key as text; else None."""
        return self._session.user

    @property
    def authenticated_at(self) -> float | None:
        """When the user last signed in, in seconds since the epoch; None for an anonymous one."""
        return self._session.authenticated_at

    @property
    def created_at(self) -> float:
        """When the session began, in seconds since the epoch."""
        return self._session.created_at

    @property
    def seen_at(self) -> float:
        """When the session was last stored as seen, in seconds since the epoch."""
        return self._session.seen_at

    @property
    def expires_at(self) -> float:
        """When the session expires unless it is seen again, in seconds since the epoch."""
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
        """Sign `user` in, under a new id.  `django.contrib.auth.login` already does this.

        The arguments are those of `sojourn.Session.login`.
        """
        self._session.login(user, keep=keep, about=about, remember=remember)

    def logout(self) -> None:
        """Sign the user out: end the session at the release."""
        self._session.logout()

    def destroy(self) -> None:
        """End the session at the release; values assigned afterwards begin a new one."""
        self._session.destroy()

    def regenerate_id(self) -> None:
        """Give the session a new token and id at the release."""
        self._session.regenerate_id()

    def set_lifetime(self, seconds: float | timedelta | None, *, persistent: bool = False) -> None:
        """Let this session expire `seconds` after it was last seen; None: the configured lifetime.

        persistent: whether its cookie outlives the browser.
        """
        self._session.set_lifetime(seconds, persistent=persistent)

    def on_release(self, function: Callable[[], object]) -> None:
        """Call `function` once the changes are stored, like `sojourn.Session.on_release`."""
        self._session.on_release(function)

    def apply(self, key: Any, function: Callable[[Any], Any], default: Any = None) -> Any:
        """Replace the value by `function(value)` and return the result.

        Overlapping calls in other requests are all applied.  default: the value if there is none.
        """
        return self._session.apply(key, function, default)


for _verb in (Delegation.logout, Delegation.destroy, Delegation.regenerate_id):
    # Django's templates call any method that they look up, except those with this attribute.
    _verb.alters_data = True  # type: ignore[attr-defined]
