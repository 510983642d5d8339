"""Every decision: which session a request has, what to write of it, and what to tell the client.

Nothing here does I/O.  A release is a conversation with the store, so it is written as one: a
generator that yields a call of the provider and is sent the answer.  The managers only carry
calls and answers to and fro.

Three orders matter.  A record is created before a cookie names it.  An end comes before a new
beginning.  And what comes late is dropped: only a sign-in then starts afresh.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

from sojourn import _cookies
from sojourn._answers import Answers
from sojourn._calls import Call, Create, Destroy, Pause, Steps, Update
from sojourn._context import Context, Standing
from sojourn._cookies import Arrival, Headers
from sojourn._events import Event, emit
from sojourn._ledger import Delta
from sojourn._tokens import Tokens, is_id
from sojourn.codec import Codec
from sojourn.config import Config
from sojourn.errors import SessionReleased, StoreError, StoreUnavailable
from sojourn.record import Changes, Move, Outcome, Record, is_live
from sojourn.release import Release, ReleaseOutcome
from sojourn.session import Session

PATIENCE = 5.0
"""Seconds that a release goes on against others that change the same keys."""
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.064
"""Seconds between two tries against others."""
MINTS = 3
"""How often a new id is tried if something stands under it."""
NOWHERE = _cookies.Arrival((), malformed=False, in_header=False, https=False)


class Lifecycle:
    """The policy of one manager."""

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self.config = config
        self._context = Context(
            config, Codec(config.types), Tokens(config.hash_func, config.hash_key), clock
        )
        self.answer = Answers(config)
        self.now = clock
        self.id_of = self._context.tokens.id_of

    def unused_id(self) -> str:
        """Return an id under which nothing can stand."""
        return self._context.tokens.mint()[1]

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
            return Session(self._context, arrival, None, None, Standing.RETIRED)
        return Session(self._context, arrival, token, record)

    def fresh(self, arrival: Arrival, standing: Standing = Standing.NORMAL) -> Session:
        """Return an empty session, for a visitor of whom nothing is stored."""
        return Session(self._context, arrival, None, None, standing)

    def resume(self, record: Record | None) -> Session | None:
        """Return the session for work without a request; None if there is no living one."""
        if record is None or not is_live(record, self.now()):
            return None
        return Session(self._context, NOWHERE, None, record, Standing.DETACHED)

    # -- the end of a request ------------------------------------------------------------------

    def close(self, session: Session) -> Release | Steps:
        """Decide what a release has to do: nothing any more, or these steps.

        It is sealed then: what is done to it while the steps wait for the store would be lost.
        """
        if session._sealed:
            raise SessionReleased("the session was already released")
        if session._standing is Standing.OUTAGE:
            return self.answer.seal(session, ReleaseOutcome.OUTAGE)
        if session._standing is Standing.RETIRED and not session._login:
            return self.answer.seal(session, ReleaseOutcome.RETIRED)
        steps = self._steps(session)
        session._sealed = True
        return steps

    def _steps(self, session: Session) -> Release | Steps:
        if session._doomed is not None:
            return self._end_then_begin(session, session._doomed, self._beginning(session))
        if session._origin is None:
            return self._beginning(session) or self.answer.seal(session, ReleaseOutcome.UNCHANGED)
        return self._go_on(session, session._origin)

    def end(self, id: str) -> Generator[Call, Any, bool]:
        """Destroy what stands under `id`, and where it went if it was regenerated away."""
        following = id if is_id(id) else None
        ended = False
        while following is not None:
            record: Record | None = yield Destroy(following)
            following = None if record is None else record.successor
            ended = record is not None
        if ended:
            self.report("destroyed", id)
        return ended

    def _end_then_begin(self, session: Session, doomed: Record, beginning: Steps | None) -> Steps:
        """Destroy; what was put since then goes into a new session, unless this came late."""
        ended = yield from self.end(doomed.id)
        if not ended and not session._login:
            return self._late(session, doomed)
        if beginning is None or session._standing is Standing.DETACHED:
            return self.answer.ended(session)
        return (yield from beginning)

    def _beginning(self, session: Session) -> Steps | None:
        """Store what a new session holds; if that is nothing, leave no trace of it."""
        fields = session._own()
        if not fields and session._user is None:
            return None
        self.config.check_size(fields)
        return self._create(session, fields)

    def _create(self, session: Session, fields: dict[bytes, bytes]) -> Steps:
        now = self.now()
        until = session._expiry(now)
        who = session._user, session._authenticated, session._about
        life = session._lifetime, session._persistent
        for _ in range(MINTS):
            token, id = session._mint()
            record = Record(id, fields, now, now, until, *who, *life)
            if (yield Create(record)):
                self.report("created", id)
                return self.answer.hand_over(session, ReleaseOutcome.CREATED, token, now)
            session._pending = None
        raise StoreError(f"the store already holds something under {MINTS} new ids")

    def _go_on(self, session: Session, origin: Record) -> Release | Steps:
        """Store what was done to a session that is stored already."""
        now = self.now()
        delta = session._delta()
        due = session._renew or session._relived or self._touch_due(session, delta, origin, now)
        if delta.is_empty and not due:
            return self.answer.seal(session, ReleaseOutcome.UNCHANGED)
        if delta.put:
            self.config.check_size(delta.put if delta.clear else {**origin.fields, **delta.put})
        return self._update(session, origin, delta, self._changes(session, delta, now, due=due))

    def _touch_due(self, session: Session, delta: Delta, origin: Record, now: float) -> bool:
        unseen = delta.is_empty and self.config.touch_on == "change"
        if unseen or session._standing is Standing.DETACHED:
            return False
        interval = self.config.touch_interval
        if origin.lifetime is not None:
            interval = min(interval, origin.lifetime / 60)
        return now - origin.seen >= interval

    def _changes(self, session: Session, delta: Delta, now: float, *, due: bool) -> Changes:
        move = None
        if session._renew:
            until = now + self.config.retired_for
            about = session._about
            move = Move(session._mint()[1], session._user, session._authenticated, about, until)
        return Changes(
            now,
            session._expiry(now) if due else None,
            delta.put,
            delta.drop,
            delta.clear,
            delta.expect,
            move,
            session._lifetime,
            session._persistent if session._relived else None,
        )

    def _update(self, session: Session, origin: Record, delta: Delta, changes: Changes) -> Steps:
        """Write; while others change the same keys, work it out anew on theirs.

        Who collides again pauses, longer each time: working it out may be dear, and if all did
        so without a pause, most of it would be in vain, and one might lose every time.
        """
        deadline = time.monotonic() + PATIENCE
        answer: Outcome | Record = yield Update(origin, changes)
        collided = False
        pause = 0.0
        while isinstance(answer, Record):
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"others changed the same keys without a pause for {PATIENCE} seconds"
                )
            if pause:
                yield Pause(pause)
                answer = yield Update(answer, changes)  # for what stands by now
                if not isinstance(answer, Record):
                    break
            pause = min(2 * pause, LONGEST_PAUSE) or FIRST_PAUSE
            again, overruled = session._rebase(delta, answer.fields)
            collided = collided or overruled
            changes = changes._replace(put=again.put, drop=again.drop, expect=again.expect)
            answer = yield Update(answer, changes)
        if collided:
            self.report("collided", origin.id)
        if answer is Outcome.APPLIED:
            return self._stored(session, delta, changes)
        if answer is Outcome.EMPTIED:
            self.report("destroyed", origin.id)
            return self.answer.ended(session)
        return (yield from self._too_late(session, origin))

    def _too_late(self, session: Session, origin: Record) -> Steps:
        """The session had ended: only a sign-in starts afresh, with what it put itself."""
        if not session._login:
            return self._late(session, origin)
        session._stand_alone()
        return (yield from self._create(session, session._own()))

    def _stored(self, session: Session, delta: Delta, changes: Changes) -> Release:
        if changes.move is not None:
            self.report("renewed", changes.move.id)
            token, _ = session._mint()
            return self.answer.hand_over(session, ReleaseOutcome.RENEWED, token, changes.now)
        quiet = delta.is_empty and not session._relived
        outcome = ReleaseOutcome.TOUCHED if quiet else ReleaseOutcome.SAVED
        return self.answer.saved(session, outcome, None if changes.expires is None else changes.now)

    def _late(self, session: Session, origin: Record) -> Release:
        self.report("late", origin.id)
        return self.answer.seal(session, ReleaseOutcome.LATE)
