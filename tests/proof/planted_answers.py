"""Faults in what a request is told: its cookie, its headers, the events, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from sojourn._endings import Endings
from sojourn._lifecycle import Lifecycle
from sojourn._openings import Openings
from sojourn._responses import Responses
from sojourn._session.changes import ChangeSet
from sojourn._session.seen import Seen
from sojourn._session.state import RETIRED, Found, SessionState
from sojourn.manager import AsyncManager
from sojourn.providers import memory
from sojourn.providers.compare_and_swap import AsyncCompareAndSwapProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Changes, Merged, Record, merge
from sojourn.release import Release, ReleaseOutcome
from sojourn.session import Session, state_of
from sojourn.testing.simulation import SwapStore
from tests.proof.planted import PLANTED, planted

__all__ = ["PLANTED"]


def _sealed(change: Any) -> AbstractContextManager[Any]:
    """Let each answer be another one: `change` takes the state, the outcome and the release."""
    seal = Responses.seal

    def other(self: Any, state: SessionState, outcome: Any, *more: Any) -> Release:
        return change(state, outcome, seal(self, state, outcome, *more))  # type: ignore[no-any-return]

    return patch.object(Responses, "seal", other)


def _without(name: str) -> AbstractContextManager[Any]:
    """Let each answer lack a header."""
    return _sealed(
        lambda _, __, release: release._replace(
            headers=tuple(pair for pair in release.headers if pair[0] != name)
        )
    )


def _reported(change: Any) -> AbstractContextManager[Any]:
    """Let other events be reported: `change` takes a name and returns the names to report."""
    report = Lifecycle.report

    def other(self: Any, name: Any, id: str | None) -> None:
        for it in change(name):
            report(self, it, id)

    return patch.object(Lifecycle, "report", other)


def _merged(change: Any) -> AbstractContextManager[Any]:
    """Let the store in memory keep other records: `change` takes the old one and the merged."""

    def other(record: Record | None, changes: Changes) -> Any:
        merged = merge(record, changes)
        return change(record, merged) if isinstance(merged, Merged) else merged

    return patch.object(memory, "merge", other)


def _buried(change: Callable[[Record], dict[str, Any]]) -> AbstractContextManager[Any]:
    """Let tombstones have other attributes, which depend on the record that moved."""
    return _merged(
        lambda old, it: it._replace(tombstone=it.tombstone and it.tombstone._replace(**change(old)))
    )


# -- cookies and headers -----------------------------------------------------------------------------


@planted("a lasting cookie that ends with the browser")
def _() -> AbstractContextManager[Any]:
    cookie = Responses._cookie

    def short(self: Any, state: SessionState, *args: Any) -> Any:
        return tuple(
            (name, value.replace("; Max-Age=", "; Was="))
            for name, value in cookie(self, state, *args)
        )

    return patch.object(Responses, "_cookie", short)


@planted("a lasting cookie that is not renewed")
def _() -> AbstractContextManager[Any]:
    return patch.object(
        Responses, "saved", lambda self, state, outcome, _: self.seal(state, outcome)
    )


@planted("an end that leaves the cookie")
def _() -> AbstractContextManager[Any]:
    return patch.object(
        Responses, "ended", lambda self, state: self.seal(state, ReleaseOutcome.ENDED)
    )


@planted("a cookie that caches may keep")
def _() -> AbstractContextManager[Any]:
    return _without("Cache-Control")


@planted("an answer that does not vary")
def _() -> AbstractContextManager[Any]:
    return _without("Vary")


@planted("an answer without headers that begins a session")
def _() -> AbstractContextManager[Any]:
    close = Lifecycle.close

    def careless(self: Any, session: Session, *, headers: bool = True) -> Any:
        return close(self, session)

    return patch.object(Lifecycle, "close", careless)


@planted("a function of `on_release` that is called though the changes were lost")
def _() -> AbstractContextManager[Any]:
    def due(self: Any, session: Session, _: Release) -> Any:
        state = state_of(session)
        called, state.callbacks = state.callbacks, ()
        return called

    return patch.object(Lifecycle, "due", due)


# -- events ------------------------------------------------------------------------------------------


@planted("an overruled change that is not reported")
def _() -> AbstractContextManager[Any]:
    return _reported(lambda name: [] if name == "collided" else [name])


@planted("a merge that is reported as a collision")
def _() -> AbstractContextManager[Any]:
    rebase = ChangeSet.rebase
    return patch.object(
        ChangeSet, "rebase", lambda self, delta, stored: (rebase(self, delta, stored)[0], True)
    )


@planted("an end that is reported twice")
def _() -> AbstractContextManager[Any]:
    # The endings have the method from the beginning.
    return _reported(lambda name: [name] * (2 if name == "destroyed" else 1))


@planted("a late release that is not reported")
def _() -> AbstractContextManager[Any]:
    return _reported(lambda name: [] if name == "late" else [name])


@planted("a new session that is not reported")
def _() -> AbstractContextManager[Any]:
    return _reported(lambda name: [] if name == "created" else [name])


@planted("an expired session that is reported as unknown")
def _() -> AbstractContextManager[Any]:
    return _reported(lambda name: ["rejected"] if name == "expired" else [name])


@planted("a retired token that is not reported")
def _() -> AbstractContextManager[Any]:
    return _reported(lambda name: [] if name == "retired" else [name])


# -- lifetimes ---------------------------------------------------------------------------------------


@planted("a lifetime that is not stored")
def _() -> AbstractContextManager[Any]:
    return _merged(
        lambda old, it: it._replace(record=it.record and it.record._replace(lifetime=old.lifetime))
    )


@planted("a sign-in that came late, and forgets to remember")
def _() -> AbstractContextManager[Any]:
    def leave(self: SessionState) -> None:
        self.origin = self.lifetime = None
        self.persistent = self.context.config.cookie_lifetime > 0

    return patch.object(SessionState, "leave_origin", leave)


@planted("a touch that prolongs a lifetime which it does not know")
def _() -> AbstractContextManager[Any]:
    def prolonging(record: Record | None, changes: Changes) -> Any:
        if record is not None and changes.persistent is None:
            changes = changes._replace(lifetime=record.lifetime)
        return merge(record, changes)

    return patch.object(memory, "merge", prolonging)


@planted("a short lifetime with the usual touches")
def _() -> AbstractContextManager[Any]:
    return patch.object(Seen, "interval_of", lambda self, _: self.interval)


# -- users, moves and ends ----------------------------------------------------------------------------


@planted("a second sign-in that leaves the first session")
def _() -> AbstractContextManager[Any]:
    def beside(self: Any, state: SessionState, fields: Any, _: str) -> Any:
        return self._create(state, fields)

    return patch.object(Lifecycle, "_take_over", beside)


@planted("a second sign-in that keeps the data of the first session")
def _() -> AbstractContextManager[Any]:
    replacing = Lifecycle._replacing
    return patch.object(
        Lifecycle, "_replacing", lambda self, *args: replacing(self, *args)._replace(clear=False)
    )


@planted("a sign-in whose time is not stored")
def _() -> AbstractContextManager[Any]:
    return _merged(
        lambda old, it: it._replace(
            record=it.record and it.record._replace(authenticated=old.authenticated)
        )
    )


@planted("a tombstone that keeps the values")
def _() -> AbstractContextManager[Any]:
    return _buried(lambda old: {"fields": old.fields})


@planted("a request with a retired token that begins a session")
def _() -> AbstractContextManager[Any]:
    find = Openings.find

    def anew(self: Any, *args: Any) -> Any:
        found = find(self, *args)
        return None if found is not None and found.standing is RETIRED else found

    return patch.object(Openings, "find", anew)


@planted("a token that names nothing, and is taken for retired")
def _() -> AbstractContextManager[Any]:
    find = Openings.find
    return patch.object(
        Openings, "find", lambda self, *args: find(self, *args) or Found(standing=RETIRED)
    )


@planted("the data of one user, kept for another")
def _() -> AbstractContextManager[Any]:
    original = Session.login

    def keeping(self: Session, user: str, **more: Any) -> None:
        state_of(self).user = None
        original(self, user, **more)

    return patch.object(Session, "login", keeping)


@planted("the end of a user's sessions, in which none is kept")
def _() -> AbstractContextManager[Any]:
    return patch.object(Endings, "kept_ids", lambda *_: set())


@planted("an end by id that does not check the user")
def _() -> AbstractContextManager[Any]:
    return patch.object(Endings, "one_of", lambda self, id, _: self.one(id))


@planted("a list of a user's sessions with those of everyone")
def _() -> AbstractContextManager[Any]:
    sessions = AsyncManager.sessions
    return patch.object(AsyncManager, "sessions", lambda self, _=None: sessions(self))


@planted("a sweep that leaves tombstones")
def _() -> AbstractContextManager[Any]:
    gc = MemoryProvider.gc

    def leaving(self: Any, now: float, limit: int) -> int:
        tombstones, self._tombstones = self._tombstones, memory._Schedule()
        try:
            return gc(self, now, limit)
        finally:
            self._tombstones = tombstones

    return patch.object(MemoryProvider, "gc", leaving)


@planted("work by an id that counts as seen")
def _() -> AbstractContextManager[Any]:
    touch_due = Lifecycle._touch_due

    def due(self: Any, state: SessionState, delta: Any, origin: Record, now: float) -> bool:
        return touch_due(self, state, delta, origin, now) or state.token is None

    return patch.object(Lifecycle, "_touch_due", due)


@planted("an outage that is taken for a visitor without a session")
def _() -> AbstractContextManager[Any]:
    pass_over = Lifecycle.pass_over

    def ended(self: Any, session: Session) -> Release:
        pass_over(self, session)
        return self._responses.ended(state_of(session))  # type: ignore[no-any-return]

    return patch.object(Lifecycle, "pass_over", ended)


@planted("requests that count as seen, though only changes are to")
def _() -> AbstractContextManager[Any]:
    def due(self: Any, _: Any, __: Any, origin: Record, now: float) -> bool:
        return bool(now - origin.seen >= self.seen.interval_of(origin.lifetime))

    return patch.object(Lifecycle, "_touch_due", due)


@planted("a touch at each request")
def _() -> AbstractContextManager[Any]:
    return patch.object(Lifecycle, "_touch_due", lambda *_: True)


@planted("a tombstone that lasts as long as the session")
def _() -> AbstractContextManager[Any]:
    return _buried(lambda old: {"expires": old.expires})


@planted("a sweep that counts one too many")
def _() -> AbstractContextManager[Any]:
    gc = MemoryProvider.gc
    return patch.object(MemoryProvider, "gc", lambda *args: gc(*args) + 1)


@planted("a move that failed, and leaves its new record", SwapStore)
def _() -> AbstractContextManager[Any]:
    async def leave(*_: Any) -> None:
        """Delete nothing."""

    return patch.object(AsyncCompareAndSwapProvider, "_withdraw", leave)
