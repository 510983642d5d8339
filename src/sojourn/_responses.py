"""The headers that a release adds to the response.

A cookie is sent only after the store has accepted a write under the id of its token, and is deleted
only by the request that ended the session.  A late release sends none, since the client may have a
newer cookie by then.
"""

from __future__ import annotations

from sojourn._cookies import SessionCookie
from sojourn._session.state import DETACHED, SessionState
from sojourn.config import Config
from sojourn.release import Release, ReleaseOutcome, release_of

_NO_STORE = ("Cache-Control", "no-store, private")
"""`private` adds nothing to `no-store`, but some caches obey only that directive."""

Headers = tuple[tuple[str, str], ...]


class Responses:
    """Seals sessions, and returns the result of each release with the headers for the response."""

    def __init__(self, config: Config, cookie: SessionCookie) -> None:
        self._config = config
        self._set_cookie = cookie
        self._vary = (("Vary", _vary(config)),)

    def seal(
        self,
        state: SessionState,
        outcome: ReleaseOutcome,
        headers: Headers = (),
        token: str | None = None,
    ) -> Release:
        """Seal the session, so that later changes raise, and return the result of its release."""
        # A token must not get into a cache: Set-Cookie alone does not prevent that (RFC 9111, 7.3).
        if headers:
            headers = (*headers, _NO_STORE, *self._vary)
        # A response made without looking at the session is the same for all visitors.
        elif state.accessed:
            headers = self._vary
        state.sealed = True
        state.released = release = release_of((outcome, headers, token))
        return release

    def saved(self, state: SessionState, outcome: ReleaseOutcome, seen: float | None) -> Release:
        """Return the result of a write under the old id; renew the cookie if its end has moved.

        seen: the new "last seen", or None if the write left the times alone.
        """
        token = state.token
        # A persistent cookie has an end, which is moved with that of the session.  Any other is
        # sent only if the request set the lifetime: it may have been persistent until then.
        if seen is None or token is None or not (state.persistent or state.sets_lifetime):
            return self.seal(state, outcome)
        return self.seal(state, outcome, self._cookie(state, token, seen))

    def hand_over(
        self,
        state: SessionState,
        outcome: ReleaseOutcome,
        token: str,
        now: float,
        until: float | None = None,
    ) -> Release:
        """Return the result of a release that stored the session under a new id.

        until: when the stored session expires, unless that is what the state says.

        The result has the token even if no header carries it, for applications that deliver it
        themselves (`enable_set_cookie=False`).
        """
        headers = self._in_header(state, token) or self._cookie(state, token, now, until)
        return self.seal(state, outcome, headers, token)

    def ended(self, state: SessionState) -> Release:
        """Return the result of an end, with headers that make the client drop its token."""
        headers = self._in_header(state, "")
        if not headers and self._config.enable_set_cookie:
            gone = self._set_cookie.delete(https=state.arrival.https)
            headers = (("Set-Cookie", gone),)
        # Without a request there is no client to answer.
        if state.standing is DETACHED:
            headers = ()
        return self.seal(state, ReleaseOutcome.ENDED, headers)

    def _in_header(self, state: SessionState, token: str) -> Headers:
        name = self._config.header_name
        return ((name, str(token)),) if name is not None and state.arrival.in_header else ()

    def _cookie(
        self, state: SessionState, token: str, now: float, until: float | None = None
    ) -> Headers:
        # A client that uses the session header gets its token there, and no cookie.
        if state.arrival.in_header or not self._config.enable_set_cookie:
            return ()
        max_age = None
        if state.persistent:
            # `cookie_lifetime` is for sessions without a lifetime of their own.  If it is 0, the
            # cookie lasts as long as the session.
            configured = state.lifetime is None and self._config.cookie_lifetime
            max_age = int(configured or (until or state.expiry(now)) - now)
        https = state.arrival.https
        return (("Set-Cookie", self._set_cookie.give(token, max_age, https=https)),)


def _vary(config: Config) -> str:
    """Return the names of the request headers on which a response depends (RFC 9110, 12.5.5)."""
    if config.header_name is None:
        return "Cookie"
    return f"Cookie, {config.header_name}" if config.enable_set_cookie else config.header_name
