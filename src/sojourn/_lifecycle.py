"""Every decision: which session a request has, what to write of it, and what to tell the client.

Nothing here does I/O.  A release is a conversation with the store, so it is written as one: a
generator that yields a call of the provider and is sent the answer.  The managers only carry
calls and answers to and fro.

Three orders matter.  A record is created before a cookie names it.  An end comes before a new
beginning.  And what comes late is dropped: only a sign-in then starts afresh.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import Any
from weakref import WeakValueDictionary

from sojourn import _cookies
from sojourn._after_release import Function
from sojourn._calls import PATIENCE, Call, Create, Destroy, Read, Steps, Update, crowded
from sojourn._changes import Delta
from sojourn._cookies import Arrival, Headers
from sojourn._events import Event, emit, logger
from sojourn._responses import Responses
from sojourn._state import Context, SessionState, Standing
from sojourn._tokens import Tokens
from sojourn.codec import Codec
from sojourn.config import Config
from sojourn.errors import SessionReleased, StoreError
from sojourn.record import MOVES, Changes, Move, Outcome, Record, is_id, is_live
from sojourn.release import Release, ReleaseOutcome
from sojourn.session import Session, state_of

LOST = frozenset(
    {
        ReleaseOutcome.LATE,
        ReleaseOutcome.RETIRED,
        ReleaseOutcome.OUTAGE,
        ReleaseOutcome.DISCARDED,
    }
)
"""Outcomes of a release that stored nothing of what the request did."""
NOT_STORED = "session %s: the answer cannot carry a new token, so what needs one is not stored"
MINTS = 3
"""How often a new id is tried if something stands under it."""
NOWHERE = _cookies.Arrival((), malformed=False, in_header=False, https=False)


class Lifecycle:
    """The policy of one manager."""

    def __init__(self, config: Config, clock: Callable[[], float], *, awaits: bool = False) -> None:
        """awaits: whether the manager is an asynchronous one."""
        self.now = clock
        self._awaits = awaits
        self._renewing = WeakValueDictionary[str, SessionState]()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Use these settings from now on.  Requests under way keep those with which they began."""
        self._context = Context(
            config,
            Codec(config.types, strict=config.derived_types == "refuse"),
            Tokens(config.hash_func, config.hash_key, short=config.short_ids),
            self.now,
            self._renewing,
            self._awaits,
        )
        self.config = config
        self._responses = Responses(config)
        self.id_of = self._context.tokens.id_of

    def unused_id(self) -> str:
        """Return an id under which nothing can stand."""
        return self._context.tokens.mint()[1]

    def kept_ids(self, keep: Session | str | None) -> set[str]:
        """Return the ids that a session has, will have, or had when its request began."""
        if keep is None:
            return set()
        if isinstance(keep, str):
            renewing = self._context.renewing.get(keep)
            return {keep} if renewing is None else {keep} | renewing.ids()
        return state_of(keep).ids()

    def report(self, name: Event, id: str | None) -> None:
        """Tell the logger and the application."""
        emit(self.config.on_event, name, id)

    # -- the beginning of a request ------------------------------------------------------------

    def arrive(self, headers: Headers, *, https: bool) -> Arrival:
        """Read what the request brought along; report what cannot be a token of ours."""
        arrival = _cookies.arrive(headers, https, self.config)
        if arrival.malformed:
            self.report("rejected", None)
        return arrival

    def open(self, arrival: Arrival, token: str, id: str, record: Record | None) -> Session | None:
        """Return the session that `record` stands for; None if it names nothing."""
        if record is None:
            self.report("rejected", id)
            return None
        if record.expires <= self.now():
            self.report("expired", id)
            return None
        if record.successor is not None:
            self.report("retired", id)
            retired = SessionState(self._context, arrival, None, None, Standing.RETIRED)
            retired.successor = record.successor
            return Session(retired)
        return Session(SessionState(self._context, arrival, token, record))

    def fresh(self, arrival: Arrival, standing: Standing = Standing.NORMAL) -> Session:
        """Return an empty session, for a visitor of whom nothing is stored."""
        return Session(SessionState(self._context, arrival, None, None, standing))

    def resume(self, record: Record | None) -> Session | None:
        """Return the session for work without a request; None if there is no living one."""
        if record is None or not is_live(record, self.now()):
            return None
        return Session(SessionState(self._context, NOWHERE, None, record, Standing.DETACHED))

    # -- the end of a request ------------------------------------------------------------------

    def close(self, session: Session, *, headers: bool = True) -> Release | Steps:
        """Decide what a release has to do: nothing more, or these calls of the store.

        The session is sealed: a change while the calls wait for the store would be lost.

        headers: whether the response can carry headers.  Without them the client cannot be given
            a new token, so what needs one is not stored; an end needs none.
        """
        state = state_of(session)
        if state.sealed:
            raise SessionReleased("the session was already released")
        if not headers and state.needs_token:
            stored = state.origin or state.ended
            logger.info(NOT_STORED, None if stored is None else stored.id)
            if state.ended is None:
                return self._responses.seal(state, ReleaseOutcome.DISCARDED)
            state.end()  # drops the fields that were put after the end
        if state.standing is Standing.OUTAGE:
            return self._responses.seal(state, ReleaseOutcome.OUTAGE)
        if state.standing is Standing.RETIRED and not state.signs_in:
            return self._responses.seal(state, ReleaseOutcome.RETIRED)
        steps = self._steps(state)
        state.sealed = True
        return steps

    def pass_over(self, session: Session) -> Release:
        """Seal a session that could not be stored, since the store is down."""
        return self._responses.seal(state_of(session), ReleaseOutcome.OUTAGE)

    def due(self, session: Session, release: Release) -> Sequence[Function]:
        """Return the functions to call after a release, once; none if its changes were lost."""
        state = state_of(session)
        due, state.callbacks = state.callbacks, ()
        return () if release.outcome in LOST else due

    def discard(self, session: Session) -> Release:
        """Seal a session of which nothing shall be stored."""
        state = state_of(session)
        if state.sealed:
            raise SessionReleased("the session was already released")
        return self._responses.seal(state, ReleaseOutcome.DISCARDED)

    def _steps(self, state: SessionState) -> Release | Steps:
        if state.ended is not None:
            return self._end_then_begin(state, state.ended, self._beginning(state))
        if state.origin is None:
            beginning = self._beginning(state)
            return beginning or self._responses.seal(state, ReleaseOutcome.UNCHANGED)
        return self._go_on(state, state.origin)

    def end(self, id: str) -> Generator[Call, Any, bool]:
        """Destroy what stands under `id`, and where it went if it was regenerated away."""
        following = id if is_id(id) else None
        ended = False
        for _ in range(MOVES):
            if following is None:
                break
            record: Record | None = yield Destroy(following)
            following = None if record is None else record.successor
            ended = record is not None
        if ended:
            self.report("destroyed", id)
        return ended

    def _end_then_begin(
        self, state: SessionState, doomed: Record, beginning: Steps | None
    ) -> Steps:
        """Destroy; what was put since then goes into a new session, unless this came late."""
        ended = yield from self.end(doomed.id)
        if not ended and not state.signs_in:
            return self._late(state, doomed)
        if beginning is None or state.standing is Standing.DETACHED:
            return self._responses.ended(state)
        return (yield from beginning)

    def _beginning(self, state: SessionState) -> Steps | None:
        """Store what a new session holds; if that is nothing, leave no trace of it."""
        fields = state.changes.own()
        if not fields and state.user is None:
            return None
        self.config.check_size(fields)
        if state.successor is not None:
            return self._take_over(state, fields, state.successor)
        return self._create(state, fields)

    def _take_over(self, state: SessionState, fields: dict[bytes, bytes], former: str) -> Steps:
        """Begin a session in the place of the one that another sign-in of this browser began.

        A sign-in that is clicked twice would else leave two sessions: the browser keeps one of the
        two tokens, and nobody could end the other session (ASVS 7.4.1).  The user has just proved
        who they are, so a session of the same user may give way.  Nothing of it is taken along.
        """
        for _ in range(MOVES):
            record: Record | None = yield Read(former)
            if record is None or record.expires <= self.now():
                break
            if record.successor is not None:
                former = record.successor
                continue
            if record.user != state.user:
                break
            changes = self._replacing(state, record, fields)
            if (yield Update(record, changes)) is Outcome.APPLIED:
                token, id = state.mint()
                self.report("created", id)
                return self._responses.hand_over(state, ReleaseOutcome.CREATED, token, changes.now)
        return (yield from self._create(state, fields))

    def _replacing(
        self, state: SessionState, record: Record, fields: dict[bytes, bytes]
    ) -> Changes:
        """Return the changes that put a new session in the place of a record."""
        changes = self._changes(state, Delta(fields, set(), {}, clear=True), due=True)
        expires, absolute = state.expiry(changes.now), self.config.absolute_lifetime
        if absolute is not None:  # it counts from the beginning of the record
            expires = min(expires, record.created + absolute)
        return changes._replace(expires=expires, persistent=state.persistent)

    def _create(self, state: SessionState, fields: dict[bytes, bytes]) -> Steps:
        now = self.now()
        until = state.expiry(now)
        who = state.user, state.authenticated, state.about
        life = state.lifetime, state.persistent
        for _ in range(MINTS):
            token, id = state.mint()
            record = Record(id, fields, now, now, until, *who, *life)
            if (yield Create(record)):
                self.report("created", id)
                return self._responses.hand_over(state, ReleaseOutcome.CREATED, token, now)
            state.minted = None
        raise StoreError(f"the store already holds something under {MINTS} new ids")

    def _go_on(self, state: SessionState, origin: Record) -> Release | Steps:
        """Store what was done to a session that is stored already."""
        now = self.now()
        delta = state.changes.delta()
        due = state.renews or state.sets_lifetime or self._touch_due(state, delta, origin, now)
        if delta.is_empty and not due:
            return self._responses.seal(state, ReleaseOutcome.UNCHANGED)
        self._check_size(delta, origin)
        return self._update(state, origin, delta, due=due)

    def _check_size(self, delta: Delta, record: Record) -> None:
        """Raise SessionTooLarge if the changes would make a record grow beyond `max_size`."""
        if delta.put:
            stored = record.fields
            kept = () if delta.clear else stored.keys() - delta.drop
            self.config.check_size({**{key: stored[key] for key in kept}, **delta.put}, stored)

    def _touch_due(self, state: SessionState, delta: Delta, origin: Record, now: float) -> bool:
        counts = state.counts_as_seen or self.config.touch_on == "request"
        unseen = delta.is_empty and not counts
        if unseen or state.standing is Standing.DETACHED:
            return False
        interval = self.config.touch_interval
        if origin.lifetime is not None:
            interval = min(interval, origin.lifetime / 60)
        return now - origin.seen >= interval

    def _changes(self, state: SessionState, delta: Delta, *, due: bool) -> Changes:
        now = self.now()
        move = None
        if state.renews:
            until = now + self.config.retired_for
            about = state.about
            move = Move(state.mint()[1], state.user, state.authenticated, about, until)
        return Changes(
            now,
            state.expiry(now) if due else None,
            delta.put,
            delta.drop,
            delta.clear,
            delta.expect,
            move,
            state.lifetime,
            state.persistent if state.sets_lifetime else None,
        )

    def _update(self, state: SessionState, origin: Record, delta: Delta, *, due: bool) -> Steps:
        """Write; while other requests change the same keys, work it out anew on their values."""
        deadline = time.monotonic() + PATIENCE
        changes = self._changes(state, delta, due=due)
        answer: Outcome | Record = yield Update(origin, changes)
        collided = False
        while isinstance(answer, Record):
            if time.monotonic() > deadline:
                raise crowded()
            again, overruled = state.changes.rebase(delta, answer.fields)
            collided = collided or overruled
            self._check_size(again, answer)
            changes = self._changes(state, again, due=due)
            answer = yield Update(answer, changes)
        if collided:
            self.report("collided", origin.id)
        if answer is Outcome.APPLIED:
            return self._stored(state, delta, changes)
        if answer is Outcome.EMPTIED:
            self.report("destroyed", origin.id)
            return self._responses.ended(state)
        return (yield from self._too_late(state, origin))

    def _too_late(self, state: SessionState, origin: Record) -> Steps:
        """The session had ended: only a sign-in starts afresh, with what it put itself."""
        if not state.signs_in:
            return self._late(state, origin)
        state.leave_origin()
        return (yield from self._take_over(state, state.changes.own(), origin.id))

    def _stored(self, state: SessionState, delta: Delta, changes: Changes) -> Release:
        if changes.move is not None:
            self.report("renewed", changes.move.id)
            token, _ = state.mint()
            return self._responses.hand_over(state, ReleaseOutcome.RENEWED, token, changes.now)
        quiet = delta.is_empty and not state.sets_lifetime
        outcome = ReleaseOutcome.TOUCHED if quiet else ReleaseOutcome.SAVED
        return self._responses.saved(
            state, outcome, None if changes.expires is None else changes.now
        )

    def _late(self, state: SessionState, origin: Record) -> Release:
        self.report("late", origin.id)
        return self._responses.seal(state, ReleaseOutcome.LATE)
