"""What the client is told at the end: which headers a response gets.

A cookie is sent only with a write that the store accepted under that very id, and deleted only
by the request that ended the session: whoever comes late says nothing, since by then the client
may hold a newer one.
"""

from __future__ import annotations

from sojourn import _cookies
from sojourn._context import Standing
from sojourn.config import Config
from sojourn.release import Release, ReleaseOutcome
from sojourn.session import Session

_NO_STORE = ("Cache-Control", "no-store")

Headers = tuple[tuple[str, str], ...]


class Answers:
    """Seals sessions, and says what that means for the response."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._vary = (("Vary", _vary(config)),)

    def seal(
        self,
        session: Session,
        outcome: ReleaseOutcome,
        headers: Headers = (),
        token: str | None = None,
    ) -> Release:
        """Seal the session: what is changed from now on cannot be saved."""
        if headers:
            headers = (*headers, _NO_STORE, *self._vary)
        elif session._accessed:
            headers = self._vary
        session._sealed = True
        session.released = Release(outcome, headers, token)
        return session.released

    def saved(self, session: Session, outcome: ReleaseOutcome, seen: float | None) -> Release:
        """Send a persistent cookie again if it was `seen`, so that both expire together."""
        token = session._token
        if seen is None or token is None or not (session._persistent or session._relived):
            return self.seal(session, outcome)
        return self.seal(session, outcome, self._cookie(session, token, seen))

    def hand_over(
        self, session: Session, outcome: ReleaseOutcome, token: str, now: float
    ) -> Release:
        """Give the client the token of a session that stands under a new id."""
        headers = self._in_header(session, token) or self._cookie(session, token, now)
        return self.seal(session, outcome, headers, token)

    def ended(self, session: Session) -> Release:
        """Tell the client that its token is dead."""
        headers = self._in_header(session, "")
        if not headers and self._config.enable_set_cookie:
            gone = _cookies.delete_cookie(self._config, session._arrival.https)
            headers = (("Set-Cookie", gone),)
        if session._standing is Standing.DETACHED:
            headers = ()
        return self.seal(session, ReleaseOutcome.ENDED, headers)

    def _in_header(self, session: Session, token: str) -> Headers:
        name = self._config.header_name
        return ((name, str(token)),) if name is not None and session._arrival.in_header else ()

    def _cookie(self, session: Session, token: str, now: float) -> Headers:
        if session._arrival.in_header or not self._config.enable_set_cookie:
            return ()
        max_age = None
        if session._persistent:
            configured = session._lifetime is None and self._config.cookie_lifetime
            max_age = int(configured or session._expiry(now) - now)
        https = session._arrival.https
        return (("Set-Cookie", _cookies.set_cookie(self._config, token, max_age, https)),)


def _vary(config: Config) -> str:
    """What a response that depends on the session depends on (RFC 9110, 12.5.5)."""
    if config.header_name is None:
        return "Cookie"
    return f"Cookie, {config.header_name}" if config.enable_set_cookie else config.header_name
