"""The headers that a release adds to the response.

A cookie is sent only with a write that the store accepted under that very id, and is deleted only
by the request that ended the session.  A release that came too late sends none, since the client
may hold a newer cookie by then.
"""

from __future__ import annotations

from sojourn import _cookies
from sojourn._state import SessionState, Standing
from sojourn.config import Config
from sojourn.release import Release, ReleaseOutcome

_NO_STORE = ("Cache-Control", "no-store, private")
"""`private` adds nothing to `no-store`, but some caches heed only that directive."""

Headers = tuple[tuple[str, str], ...]


class Responses:
    """Seals sessions, and returns the result with the headers for the response."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._vary = (("Vary", _vary(config)),)

    def seal(
        self,
        state: SessionState,
        outcome: ReleaseOutcome,
        headers: Headers = (),
        token: str | None = None,
    ) -> Release:
        """Seal the session: a later change cannot be saved."""
        if headers:
            headers = (*headers, _NO_STORE, *self._vary)
        elif state.accessed:
            headers = self._vary
        state.sealed = True
        state.released = Release(outcome, headers, token)
        return state.released

    def saved(self, state: SessionState, outcome: ReleaseOutcome, seen: float | None) -> Release:
        """Send a persistent cookie again if it was `seen`, so that both expire together."""
        token = state.token
        if seen is None or token is None or not (state.persistent or state.sets_lifetime):
            return self.seal(state, outcome)
        return self.seal(state, outcome, self._cookie(state, token, seen))

    def hand_over(
        self, state: SessionState, outcome: ReleaseOutcome, token: str, now: float
    ) -> Release:
        """Give the client the token of a session that is stored under a new id."""
        headers = self._in_header(state, token) or self._cookie(state, token, now)
        return self.seal(state, outcome, headers, token)

    def ended(self, state: SessionState) -> Release:
        """Tell the client that its token is dead."""
        headers = self._in_header(state, "")
        if not headers and self._config.enable_set_cookie:
            gone = _cookies.delete_cookie(self._config, state.arrival.https)
            headers = (("Set-Cookie", gone),)
        if state.standing is Standing.DETACHED:
            headers = ()
        return self.seal(state, ReleaseOutcome.ENDED, headers)

    def _in_header(self, state: SessionState, token: str) -> Headers:
        name = self._config.header_name
        return ((name, str(token)),) if name is not None and state.arrival.in_header else ()

    def _cookie(self, state: SessionState, token: str, now: float) -> Headers:
        if state.arrival.in_header or not self._config.enable_set_cookie:
            return ()
        max_age = None
        if state.persistent:
            configured = state.lifetime is None and self._config.cookie_lifetime
            max_age = int(configured or state.expiry(now) - now)
        https = state.arrival.https
        return (("Set-Cookie", _cookies.set_cookie(self._config, token, max_age, https)),)


def _vary(config: Config) -> str:
    """Return the request headers by which responses differ (RFC 9110, 12.5.5)."""
    if config.header_name is None:
        return "Cookie"
    return f"Cookie, {config.header_name}" if config.enable_set_cookie else config.header_name
