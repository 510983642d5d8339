"""Every decision of a manager: the session of a request, the changes to store, the response headers.

Nothing here does I/O.  A release is written as a generator that yields calls of the provider and is
sent their answers; the managers only carry them.  So sync and async code share one set of decisions.

Three rules apply everywhere.  A record is stored before a cookie with its token is sent.  If a
request ends a session and begins another, the end is stored first.  The changes of a late release
are dropped; only a sign-in then begins a new session.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

from sojourn._after_release import Function
from sojourn._calls import PATIENCE, Create, Read, Steps, Update, crowded
from sojourn._cookies import SessionCookie
from sojourn._endings import Endings
from sojourn._events import Event, emit, logger
from sojourn._openings import Openings
from sojourn._responses import Responses
from sojourn._session.changes import NOTHING, Delta
from sojourn._session.seen import Seen
from sojourn._session.state import DETACHED, OUTAGE, RETIRED, Context, Found, SessionState
from sojourn._tokens import Tokens
from sojourn.codec import Codec
from sojourn.config import Config
from sojourn.errors import SessionReleased, StoreError
from sojourn.record import (
    APPLIED,
    EMPTIED,
    GONE,
    MOVES,
    Assignment,
    Changes,
    Move,
    Outcome,
    Record,
    changes_of,
    size_of,
)
from sojourn.release import CREATED, SAVED, TOUCHED, UNCHANGED, Release, ReleaseOutcome
from sojourn.session import Session, state_of

LOST = frozenset(
    {
        ReleaseOutcome.LATE,
        ReleaseOutcome.RETIRED,
        ReleaseOutcome.OUTAGE,
        ReleaseOutcome.DISCARDED,
    }
)
"""The outcomes of a release that stored nothing of the request's changes."""
NOT_STORED = "session %s: the answer cannot carry a new token, so what needs one is not stored"
MINTS = 3
"""How many new ids are tried if the store already holds a record under them."""


class Lifecycle:
    """The decisions of one manager, under its settings and its clock."""

    def __init__(self, config: Config, clock: Callable[[], float], *, awaits: bool = False) -> None:
        """clock: returns seconds since the epoch.  awaits: whether the manager is asynchronous."""
        self.now = clock
        self._awaits = awaits
        # It outlives `configure`, as the requests do which are under way then.
        self.seen = Seen(config.touch_interval)
        """The sessions that this process has read or stored lately."""
        self._renewing = WeakValueDictionary[str, SessionState]()
        self.endings = Endings(clock, self.report, self._note_end, self._renewing)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Use these settings for new requests.  Those under way keep the ones they began with."""
        context = Context(
            config,
            Codec(config.types, strict=config.derived_types == "refuse"),
            Tokens(config.hash_func, config.hash_key, short=config.short_ids),
            self.now,
            self._renewing,
            self._awaits,
        )
        self.config = config
        self._tokens = context.tokens
        self.id_of = context.tokens.id_of
        cookie = SessionCookie(config)
        self._responses = Responses(config, cookie)
        self.openings = Openings(context, cookie, self.seen, self.report)

    def unused_id(self) -> str:
        """Return a new random id, under which no record is stored."""
        return self._tokens.mint()[1]

    def _note_end(self, id: str) -> None:
        self.seen.note_end(id)

    def report(self, name: Event, id: str | None) -> None:
        """Report an event to the logger and to `on_event`."""
        emit(self.config.on_event, name, id)

    @property
    def fails_in_outage(self) -> bool:
        """Whether a request fails if the store does."""
        return self.config.on_outage == "error"

    # -- the end of a request ------------------------------------------------------------------

    def close(self, session: Session, *, headers: bool = True) -> Release | Steps | None:
        """Return the result of a release that needs no store, or else the calls that it needs.

        None if the session was not read, and the release depends on the record.

        The session is sealed: a change while the calls wait for the store would be lost.

        headers: whether the response can carry headers.  Without them the client cannot be given
            a new token, so changes that need one are not stored; the end of a session needs none.

        Raises SessionReleased if the session is sealed already, and EncodeError or SessionTooLarge,
        without sealing it, if it cannot be stored.
        """
        state = state_of(session)
        if state.sealed:
            raise SessionReleased("the session was already released")
        if state.unread:
            depends = self.openings.must_read(state)
            return None if depends else self._responses.seal(state, UNCHANGED)
        if not headers and state.needs_token:
            stored = state.origin or state.ended
            logger.info(NOT_STORED, None if stored is None else stored.id)
            if state.ended is None:
                return self._responses.seal(state, ReleaseOutcome.DISCARDED)
            # The end itself needs no token and is still stored.  A second end drops the fields
            # that were put after the first one: they would begin a new session.
            state.end()
        if state.standing is OUTAGE:
            return self._responses.seal(state, ReleaseOutcome.OUTAGE)
        if state.standing is RETIRED and not state.signs_in:
            return self._responses.seal(state, ReleaseOutcome.RETIRED)
        # Sealed only now: if a value cannot be encoded, an error page may still remove it, and
        # release the session again.
        steps = self._steps(state)
        state.sealed = True
        return steps

    def assigned(self, session: Session, assignment: Assignment, record: Record) -> Release:
        """Return the result of a release that stored values without reading the session.

        record: as it is stored now, without its fields.
        """
        state = state_of(session)
        self.seen.note(record.id, record.seen, record.lifetime, assignment.now)
        # A state for this answer alone: a later use of the session reads it with all its fields.
        found = Found(state.arrival.tokens[0], record)
        answered = SessionState(self.openings.context, state.arrival, found)
        answered.accessed = state.accessed
        # Also true if the session was stored at the very same time; its cookie is then sent again.
        touched = record.seen == assignment.now
        state.released = self._responses.saved(answered, SAVED, assignment.now if touched else None)
        return state.released

    def pass_over(self, session: Session) -> Release:
        """Seal a session that could not be stored, since the store failed."""
        return self._responses.seal(state_of(session), ReleaseOutcome.OUTAGE)

    def due(self, session: Session, release: Release) -> Sequence[Function]:
        """Return the functions to call after a release, once; none if its changes were lost."""
        state = state_of(session)
        if not state.callbacks:
            return ()
        due, state.callbacks = state.callbacks, ()
        return () if release.outcome in LOST else due

    def discard(self, session: Session) -> Release:
        """Seal a session without storing its changes.  Raises SessionReleased if it is sealed."""
        state = state_of(session)
        if state.sealed:
            raise SessionReleased("the session was already released")
        return self._responses.seal(state, ReleaseOutcome.DISCARDED)

    # Not a generator, and neither are `_beginning` and `_go_on`: values are encoded and sizes are
    # checked before the first call, and an error is raised while the session is not sealed yet.
    def _steps(self, state: SessionState) -> Release | Steps:
        if state.ended is not None:
            return self._end_then_begin(state, state.ended, self._beginning(state))
        if state.origin is None:
            beginning = self._beginning(state)
            return beginning or self._responses.seal(state, UNCHANGED)
        return self._go_on(state, state.origin)

    def _end_then_begin(
        self, state: SessionState, doomed: Record, beginning: Steps | None
    ) -> Steps:
        """Destroy a session, then store the new one that was begun after the end, if there is one.

        If the session had already ended, the release is late, and only a sign-in begins a new one.
        """
        ended = yield from self.endings.one(doomed.id)
        if not ended and not state.signs_in:
            return self._late(state, doomed)
        if beginning is None or state.standing is DETACHED:
            return self._responses.ended(state)
        return (yield from beginning)

    def _beginning(self, state: SessionState) -> Steps | None:
        """Return the calls that store a new session; None if it is empty, to leave no trace."""
        fields = state.changes.own()
        if not fields and state.user is None:
            return None
        self.config.check_size(fields)
        if state.successor is not None:
            return self._take_over(state, fields, state.successor)
        return self._create(state, fields)

    def _take_over(self, state: SessionState, fields: dict[bytes, bytes], former: str) -> Steps:
        """Begin a session in place of the one that another sign-in of this browser began.

        Otherwise a double click on "Sign in" would leave two sessions: the browser keeps one of the
        two tokens, and a logout could not end the other session (ASVS 7.4.1).  The user has just
        been authenticated, so a session of the same user may be replaced.  None of its data is
        kept.

        former: the id at which to begin to look for that session.
        """
        for _ in range(MOVES):
            record: Record | None = yield Read(former)
            if record is None or record.expires <= self.now():
                break
            if record.successor is not None:
                former = record.successor
                continue
            # The session of another user is left alone: this user has no right to end it.
            if record.user != state.user:
                break
            changes = self._replacing(state, record, fields)
            if (yield Update(record, changes)) is APPLIED:
                self._note_end(record.id)
                token, id = state.mint()
                self.report("created", id)
                # It may expire sooner than one that begins now.
                return self._responses.hand_over(
                    state, CREATED, token, changes.now, changes.expires
                )
            # It has ended or moved since it was read: look again.
        return (yield from self._create(state, fields))

    def _replacing(
        self, state: SessionState, record: Record, fields: dict[bytes, bytes]
    ) -> Changes:
        """Return the changes that replace the session of a record by a new one, under a new id."""
        delta = Delta(fields, set(), clear=True, expect={})
        changes = self._changes(state, delta, self.now(), due=True)
        expires, absolute = state.expiry(changes.now), self.config.absolute_lifetime
        if absolute is not None:
            # The store keeps `created` when a record moves, so the absolute limit counts from then.
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
                if self.seen.used:
                    self.seen.note(id, now, state.lifetime, now)
                self.report("created", id)
                return self._responses.hand_over(state, CREATED, token, now)
            state.minted = None  # so that `mint` makes another one
        raise StoreError(f"the store already holds something under {MINTS} new ids")

    def _go_on(self, state: SessionState, origin: Record) -> Release | Steps:
        """Return the calls that store the changes of a session with a record, or the result."""
        now = self.now()
        delta = state.changes.delta()
        # Whether the times are written as well as the fields.
        due = state.renews or state.sets_lifetime or self._touch_due(state, delta, origin, now)
        if delta is NOTHING and not due:
            return self._responses.seal(state, UNCHANGED)
        self._check_size(delta, origin)
        # It ends if that leaves nothing, and others may find that out before the answer is here.
        left = delta.put or not (delta.clear or delta.drop >= origin.fields.keys())
        if not left and state.user is None:
            self._note_end(origin.id)
        return self._update(state, origin, delta, self._changes(state, delta, now, due=due))

    def _check_size(self, delta: Delta, record: Record) -> None:
        """Raise SessionTooLarge if the changes would make a record grow beyond `max_size`."""
        stored = record.fields
        # The sum is the most that the size can be.  Only if that is too much is the exact size
        # needed, which takes a copy of the fields.  Deletions alone make no record larger.
        if delta.put and size_of(stored) + size_of(delta.put) > self.config.max_size:
            kept = () if delta.clear else stored.keys() - delta.drop
            self.config.check_size({**{key: stored[key] for key in kept}, **delta.put}, stored)

    # Whether "last seen" and the expiry are written as well, which is once per interval at most.
    def _touch_due(self, state: SessionState, delta: Delta, origin: Record, now: float) -> bool:
        interval = self.seen.interval_of(origin.lifetime)
        if now - origin.seen < interval or state.standing is DETACHED:
            return False
        changed = delta is not NOTHING
        return changed or state.counts_as_seen or self.config.touch_on == "request"

    def _changes(self, state: SessionState, delta: Delta, now: float, *, due: bool) -> Changes:
        move = None
        if state.renews:
            until = now + self.config.retired_for
            about = state.about
            move = Move(state.mint()[1], state.user, state.authenticated, about, until)
        expires = state.expiry(now) if due else None
        persistent = state.persistent if state.sets_lifetime else None
        return changes_of((now, expires, *delta, move, state.lifetime, persistent))

    def _update(self, state: SessionState, origin: Record, delta: Delta, changes: Changes) -> Steps:
        """Write the changes; while other requests change the same keys, merge them and try again.

        Raises StoreUnavailable after `PATIENCE` seconds of that.
        """
        # The system's clock: the manager's own may be a fixed one, as in tests.
        deadline = time.monotonic() + PATIENCE
        answer: Outcome | Record = yield Update(origin, changes)
        collided = False
        while isinstance(answer, Record):
            if time.monotonic() > deadline:
                raise crowded()
            # Always from the first difference: the values of the last try contain changes of
            # another request, which would now count as changes of this one.
            again, collided = state.changes.rebase(delta, answer.fields)
            # The merged values may be larger than those of either request.
            self._check_size(again, answer)
            changes = self._changes(state, again, self.now(), due=changes.expires is not None)
            answer = yield Update(answer, changes)
        # Of a release that came too late, nothing was stored that could overrule another request.
        if collided and answer is not GONE:
            self.report("collided", origin.id)
        if answer is EMPTIED or changes.move is not None:
            self._note_end(origin.id)
        if answer is APPLIED:
            if changes.expires is not None and self.seen.used:
                id = origin.id if changes.move is None else changes.move.id
                self.seen.note(id, changes.now, state.lifetime, changes.now)
            return self._stored(state, delta, changes)
        if answer is EMPTIED:
            self.report("destroyed", origin.id)
            return self._responses.ended(state)
        return (yield from self._too_late(state, origin))

    def _too_late(self, state: SessionState, origin: Record) -> Steps:
        """Drop the changes of a late release; but a sign-in begins a new session with its own ones.

        Otherwise two sign-ins at the same time, or one just as the session ends, would leave the
        user signed out.  Values that were loaded from the ended session are left out.
        """
        if not state.signs_in:
            return self._late(state, origin)
        state.leave_origin()
        return (yield from self._take_over(state, state.changes.own(), origin.id))

    def _stored(self, state: SessionState, delta: Delta, changes: Changes) -> Release:
        if changes.move is not None:
            self.report("renewed", changes.move.id)
            token, _ = state.mint()
            return self._responses.hand_over(state, ReleaseOutcome.RENEWED, token, changes.now)
        # A lifetime set on purpose is a change, though it only changes the times.
        quiet = delta is NOTHING and not state.sets_lifetime
        outcome = TOUCHED if quiet else SAVED
        return self._responses.saved(
            state, outcome, None if changes.expires is None else changes.now
        )

    def _late(self, state: SessionState, origin: Record) -> Release:
        self.report("late", origin.id)
        return self._responses.seal(state, ReleaseOutcome.LATE)
