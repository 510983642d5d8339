"""Who a session belongs to, and when it began and ends: what can be asked of it.

Each question but `is_retired`, which the manager asks, counts as an access, since the answer to
it is different for each visitor.  Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sojourn._context import Context, Standing
from sojourn._cookies import Arrival
from sojourn._fields import FieldMapping
from sojourn._signin import seconds_of
from sojourn.errors import NotFresh
from sojourn.record import NO_FIELDS, Record
from sojourn.release import Release


class Facts(FieldMapping):
    """The fields of one visitor, and what is known of the visitor."""

    __slots__ = (
        "_about",
        "_arrival",
        "_authenticated",
        "_context",
        "_doomed",
        "_lifetime",
        "_login",
        "_origin",
        "_pending",
        "_persistent",
        "_relived",
        "_renew",
        "_standing",
        "_token",
        "_user",
        "released",
    )

    def __init__(
        self,
        context: Context,
        arrival: Arrival,
        token: str | None,
        origin: Record | None,
        standing: Standing = Standing.NORMAL,
    ) -> None:
        super().__init__(context.codec, NO_FIELDS if origin is None else origin.fields)
        self._context = context
        self._arrival = arrival
        self._token = token
        self._standing = standing
        self._doomed: Record | None = None
        self.released: Release | None = None
        """What came of the release; None before it."""
        self._begin(origin)

    def _begin(self, origin: Record | None) -> None:
        """Stand on `origin`, or on nothing, with no intent."""
        self._origin = origin
        self._renew = False
        self._login = False
        self._relived = False
        self._pending: tuple[str, str] | None = None
        if origin is None:
            self._user: str | None = None
            self._authenticated: float | None = None
            self._about: Mapping[str, str] | None = None
            self._lifetime: float | None = None
            self._persistent = self._context.config.cookie_lifetime > 0
        else:
            self._user = origin.user
            self._authenticated = origin.authenticated
            self._about = origin.about
            self._lifetime = origin.lifetime
            self._persistent = origin.persistent

    def _stand_alone(self) -> None:
        """Go on without the session that it stood on, which has ended meanwhile."""
        self._origin = None
        if not self._relived:
            self._lifetime = None
            self._persistent = self._context.config.cookie_lifetime > 0

    @property
    def id(self) -> str:
        """What the session is known by: safe to log, never accepted from a client.

        After `login` or `regenerate_id` it is the id to come.
        """
        self._accessed = True
        if self._origin is not None and not self._renew:
            return self._origin.id
        return self._mint()[1]

    @property
    def is_new(self) -> bool:
        """Whether nothing is stored for this visitor yet."""
        self._accessed = True
        return self._origin is None

    @property
    def is_retired(self) -> bool:
        """Whether its token was given up a moment ago: it stores nothing, unless by a sign-in."""
        return self._standing is Standing.RETIRED

    @property
    def user(self) -> str | None:
        """Who is signed in; None for an anonymous visitor."""
        self._accessed = True
        return self._user

    @property
    def authenticated_at(self) -> float | None:
        """When the user last signed in, in seconds since the epoch."""
        self._accessed = True
        return self._authenticated

    @property
    def created_at(self) -> float:
        """When the session began, in seconds since the epoch."""
        self._accessed = True
        return self._context.clock() if self._origin is None else self._origin.created

    @property
    def seen_at(self) -> float:
        """When it was last seen, as far as that is stored, in seconds since the epoch."""
        self._accessed = True
        return self._context.clock() if self._origin is None else self._origin.seen

    @property
    def expires_at(self) -> float:
        """When it ends unless it is seen again, in seconds since the epoch."""
        self._accessed = True
        if self._origin is not None and not self._relived:
            return self._origin.expires
        return self._expiry(self._context.clock())

    @property
    def lifetime(self) -> float:
        """How long it lives on if it is seen now, in seconds."""
        self._accessed = True
        now = self._context.clock()
        return self._expiry(now) - now

    @property
    def persistent(self) -> bool:
        """Whether its cookie outlives the browser."""
        self._accessed = True
        return self._persistent

    def require_fresh(self, seconds: float | timedelta) -> None:
        """Raise NotFresh unless the user signed in within the last `seconds` (ASVS 7.5.3)."""
        self._accessed = True
        at = self._authenticated
        if at is None or self._context.clock() - at > seconds_of(seconds):
            raise NotFresh(
                "the user must sign in again before this: call `login` after checking who it is"
            )

    def _mint(self) -> tuple[str, str]:
        """The token and the id to come."""
        if self._pending is None:
            like = None if self._origin is None else self._origin.id
            self._pending = self._context.tokens.mint(like)
        return self._pending

    def _expiry(self, now: float) -> float:
        """When it ends if it is seen now: idle and absolute limit, whichever comes first."""
        config = self._context.config
        idle = now + (config.max_lifetime if self._lifetime is None else self._lifetime)
        if config.absolute_lifetime is None:
            return idle
        created = now if self._origin is None else self._origin.created
        return min(idle, created + config.absolute_lifetime)
