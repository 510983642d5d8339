"""The laws, checked after each step of a simulated store and after each answer to a request.

The checker sees every call that the store executes, with the records before and after it, and knows
what the requests under way intend.  A change that none of them intends breaks a law: a value that
vanished, a session that came back to life, a user that changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sojourn._calls import PATIENCE
from sojourn.providers.base import Provider
from sojourn.record import Record, is_live
from sojourn.testing.simulation.deeds import CONTAINERS, PLAIN, Intent
from sojourn.testing.simulation.network import READS, TIMEOUT, now_of
from sojourn.testing.simulation.texts import answer_text, call_text
from sojourn.testing.simulation.values import Values, numbers, pairs_of, values_of

CLOCKS = 62
"""Seconds by which the times of two processes may differ."""
NOTHING_STORED = frozenset({"late", "retired", "discarded", "outage"})
"""The outcomes of releases that dropped the changes of their request."""


class LawBroken(AssertionError):
    """A law was broken."""


class Checker:
    """The records of a store as the laws allow them, and the checks."""

    alone = False
    """Whether the store has the records of this world alone."""
    sweeps = True
    """Whether the store needs sweeps, and does not delete what has expired by it"""
    skewed = False
    """Whether the clocks of the processes ever disagreed."""

    def __init__(self, settings: Mapping[str, float], *, moves_in_steps: bool) -> None:
        """settings: those of the managers.

        moves_in_steps: whether a move stores its new record before it replaces the old one.
        """
        self._settings = settings
        self.moves_in_steps = moves_in_steps
        self.values = Values(self.check, moves_in_steps=moves_in_steps)
        self.stored: dict[str, Record] = {}
        """The records as the store returned them last, by id."""
        self.lineages: dict[str, str] = {}
        """The first id of each session, by every id that it ever had."""
        self.ended: set[str] = set()
        """The ids under which no session may be stored any more."""
        self.unnamed: set[str] = set()
        """The ids under which a move in several steps has stored a record, which no tombstone names."""
        self._running: Intent | None = None
        """The intent of the request whose call is executed."""
        self.users: dict[str, str | None] = {}
        """The user of the session under each id, which never changes."""
        self.signed_in: dict[str, int] = {}
        """The step at which a session got its user, by lineage."""
        self.intents: list[Intent] = []
        self.browsers: dict[Any, int] = {}
        """The browser of each request, by its number."""
        self.history: list[tuple[float, Mapping[str, Record]]] = []
        """All records after each step, and its time."""
        self.lines: list[str] = []
        """What happened, for a developer to read."""
        self.step = 0
        self.reverted = -1
        """The last step at which the store lost writes."""
        self.versions: dict[str, list[tuple[int, Record | None]]] = {}
        """The records that were ever stored under an id (None: deleted), each with its step."""
        self.checks = 0
        """How many conditions were checked."""
        self.broken: LawBroken | None = None

    def check(self, condition: object, law: str, sentence: str) -> None:
        """Raise LawBroken unless a condition is true."""
        self.checks += 1
        if not condition:
            self.broken = self.broken or LawBroken(f"{law}: {sentence}")
            raise self.broken

    def note(self, time: float, line: str) -> None:
        """Add a line to the history that a developer reads."""
        self.lines.append(f"{time:9.3f}  {line}")

    # -- steps of the store ------------------------------------------------------------------------

    def execute(
        self, provider: Provider, time: float, name: str, verb: str, args: tuple[Any, ...]
    ) -> Any:
        """Let the store execute a call, check what it changed, and return its answer.

        name: that of the caller, which begins with the number of its request.
        """
        self.step += 1
        number = int(name.partition(" ")[0])
        self._running = self.intent_of(number)
        method: Callable[..., Any] = getattr(provider, verb)
        answer = list(method(*args)) if verb in ("find", "scan") else method(*args)
        self.note(time, f"{name}: {call_text(verb, args)} -> {answer_text(answer)}")
        if verb in READS:
            return answer
        ids = self._ids_of(verb, args)
        before = {id: self.stored.get(id) for id in ids}
        for id in ids:
            record = provider.read(id)
            if record is None:
                if self.stored.pop(id, None) is not None:
                    self.versions[id].append((self.step, None))
            else:
                self.stored[id] = record
                self.versions.setdefault(id, []).append((self.step, record))
        for id in ids:
            self._compare(id, before[id], self.stored.get(id), now_of(verb, args), verb)
        self.history.append((time, dict(self.stored)))
        if verb == "gc" and self.alone:
            gone = sum(id not in self.stored for id in ids)
            self.check(gone == answer, "law 12", f"a sweep says {answer}, and deleted {gone}")
        return answer

    def revert(self, time: float, records: Mapping[str, Record]) -> None:
        """Continue with older records: the store has lost its last writes, as in a failover."""
        self.step += 1
        self.reverted = self.step
        self.stored = dict(records)
        self.history.append((time, records))
        self.values.forget()
        for id, record in records.items():
            self.versions.setdefault(id, []).append((self.step, record))
            if record.successor is None:
                self.ended.discard(id)
                self.signed_in[self.lineages.setdefault(id, id)] = self.step

    def intent_of(self, number: int) -> Intent | None:
        """Return what a request intends; None for a number that has not begun."""
        return next((one for one in self.intents if one.number == number), None)

    def _ids_of(self, verb: str, args: tuple[Any, ...]) -> list[str]:
        """Return the ids whose records a call may change."""
        if verb == "gc":
            return list(self.stored)
        id = args[0] if isinstance(args[0], str) else args[0].id
        return [id] if verb != "update" or args[1].move is None else [id, args[1].move.id]

    def _compare(
        self, id: str, before: Record | None, after: Record | None, now: float | None, verb: str
    ) -> None:
        if after is not None and after.successor is None:
            self._check_living(id, after)
        if before is None:
            if after is not None and id not in self.lineages:
                self._created(id, after)
        elif after is None:
            self._deleted(id, before, now, verb)
        elif before.successor is not None:
            same = before.successor == after.successor
            self.check(same, "law 5", f"the tombstone {id[:6]} was replaced")
        elif after.successor is not None:
            bare = not after.fields and after.user is None
            self.check(bare, "law 6", f"the tombstone {id[:6]} holds more than its successor")
            until = None if now is None else now + self._settings["retired_for"]
            right = until in (None, after.expires)
            self.check(right, "law 6", f"the tombstone {id[:6]} lasts until {after.expires}")
            self._moved(before, after.successor, now)
        elif after != before:
            self._updated(before, after, now)

    def _check_living(self, id: str, after: Record) -> None:
        """Check the record of a session that was stored just now."""
        self.check(id not in self.ended, "law 5", f"the session {id[:6]} came back to life")
        something = after.fields or after.user is not None
        self.check(something, "law 10", f"{id[:6]} is stored without data and user")
        same = self.users.setdefault(id, after.user) == after.user
        self.check(same, "law 6", f"the user of {id[:6]} changed under one id")
        latest = after.created + self._settings["absolute_lifetime"]
        self.check(after.expires <= latest + 1e-6, "law 8", f"{id[:6]} lives for too long")
        # The times may come from two processes, whose clocks disagree.
        idle = (after.lifetime or self._settings["max_lifetime"]) + CLOCKS
        soon = after.expires - after.seen <= idle
        self.check(soon, "law 8", f"{id[:6]} outlives its own lifetime")

    def _created(self, id: str, after: Record) -> None:
        self.check(after.successor is None, "law 6", f"a tombstone has the new id {id[:6]}")
        # The new record of a move in one step; `_moved` has it from the old one.
        if any(record.successor == id for record in self.stored.values()):
            return
        self.lineages[id] = id
        self.signed_in[id] = self.step
        self.values.forget(id)
        # The new record of a move in several steps has an older session's values, and belongs to
        # nobody until the tombstone names it, or its token is sent.
        intent = self._running
        if self.moves_in_steps and intent is not None and intent.renews and intent.lineage:
            self.unnamed.add(id)
        else:
            self.values.changed(id, {}, values_of(after), self.intents)

    def _deleted(self, id: str, before: Record, now: float | None, verb: str) -> None:
        lineage = self.lineages[id]
        if self._running is not None:
            self._running.deleted.append(id)
        if id in self.unnamed:
            del self.lineages[id]  # a move that failed deletes its new record, and may try again
            return
        self.ended.add(id)
        times = [now] if verb == "gc" else [one.sweeps for one in self.intents if one.over is None]
        if any(time is not None and before.expires <= time for time in times):
            return
        wanted = before.successor is not None or any(
            intent.ends or intent.removes or self._ends_user(intent, before.user, lineage)
            for intent in self._of(lineage)
        )
        law = "law 12" if verb == "gc" else "law 5"
        self.check(wanted, law, f"the session {id[:6]} vanished, and no request ends it")

    def _ends_user(self, intent: Intent, user: str | None, lineage: str) -> bool:
        """Return whether a request ends the sessions of a user, and this is not the one it keeps."""
        if intent.ends_user is None or intent.ends_user != user:
            return False
        # If the kept session moves in steps at the same time, its new id may be listed before the
        # old one names it.  A failover may undo the second step alone.
        moves = self.reverted >= 0 or any(
            one.renews and one.lineage == lineage and one.overlaps(intent.began)
            for one in self.intents
        )
        return intent.keeps != lineage or (self.moves_in_steps and moves)

    def _moved(self, before: Record, successor: str, now: float | None) -> None:
        id, lineage = before.id, self.lineages[before.id]
        self._check_expiry(before, now)
        self.ended.add(id)
        self.lineages[successor] = lineage
        self.unnamed.discard(successor)
        wanted = [one for one in self._of(lineage) if one.renews]
        self.check(wanted, "law 6", f"{id[:6]} moved, and no request asks for a new id")
        self.check(id[:2] == successor[:2], "law 6", "the new id has other first digits")
        after = self.stored.get(successor)
        if after is None:
            # Between two steps of a move, a failover loses the new record, or it is ended.
            gone = self.reverted >= 0 or any(one.ends or one.ends_user for one in self.intents)
            sentence = f"{id[:6]} moved to {successor[:6]}, which is not stored"
            self.check(self.moves_in_steps and gone, "law 6", sentence)
            self.values.stored.update(*(one.adds for one in wanted))  # for a moment, they were
            return
        self.check(after.created == before.created, "law 8", "a move changed `created`")
        if after.user != before.user:
            users = {intent.user for intent in wanted}
            self.check(after.user in users, "law 6", f"no request signed in {after.user}")
            self.signed_in[lineage] = self.step
        self.values.changed(lineage, values_of(before), values_of(after), [*self._of(lineage)])

    def _updated(self, before: Record, after: Record, now: float | None) -> None:
        id, lineage = before.id, self.lineages[before.id]
        intents = [*self._of(lineage)]
        self._check_expiry(before, now)
        self.check(after.created == before.created, "law 8", f"`created` of {id[:6]} changed")
        self.check(after.seen >= before.seen, "law 8", f"`seen` of {id[:6]} went back")
        shortens = any(one.sets_lifetime or one.user is not None for one in intents)
        longer = after.expires >= before.expires
        self.check(longer or shortens, "law 8", f"{id[:6]} expires earlier than before")
        self.values.changed(lineage, values_of(before), values_of(after), intents)
        mine = self._running
        if mine is not None and mine.detached and len(intents) == 1:
            same = after.seen == before.seen and after.expires == before.expires
            self.check(same, "law 8", f"work without a request counts as seen in {id[:6]}")

    def _check_expiry(self, before: Record, now: float | None) -> None:
        alive = now is None or before.expires > now
        self.check(alive, "law 8", f"{before.id[:6]} was written after it had expired")

    # -- requests --------------------------------------------------------------------------------

    def begin(self, intent: Intent) -> None:
        """Note what a request intends, before its first call."""
        intent.began = self.step
        self.intents.append(intent)
        self.browsers[intent.number] = intent.browser

    def _of(self, lineage: str) -> Iterator[Intent]:
        """Yield the intents that may change a session now."""
        for intent in self.intents:
            if intent.over is None and (intent.lineage == lineage or intent.ends_user is not None):
                yield intent

    def shown(self, intent: Intent, values: Mapping[str, Any], record: Record | None) -> None:
        """Check the values that a request was given to read.

        record: the record of its token when it began, unless it had expired.
        """
        ended = record is None or record.successor is not None
        ended = ended and intent.began > self.reverted
        self.check(not (ended and values), "law 8", "a request was shown a session that had ended")
        for key in (*CONTAINERS, *PLAIN):
            for number in numbers(values.get(key)):
                owner = self.browsers.get(number)
                own = owner == intent.browser
                self.check(own, "law 6", f"a value of browser {owner} was shown to another one")
        whole = values.get("count", 0) == len(numbers(values.get("log")))
        self.check(whole, "law 11", "a request was shown a part of an update")

    def answered(self, intent: Intent, outcome: str, started: int, found: Record | None) -> None:
        """Check the outcome that a request was told.

        started: the step before its first call.  found: the record at that time.
        """
        if outcome in ("saved", "renewed", "created"):
            others = [
                one
                for one in self.intents
                if one.lineage == intent.lineage and one is not intent and one.overlaps(started)
            ]
            # A sign-in that came late drops the values that it loaded, though it changed them.
            if outcome != "created" or intent.lineage is None:
                self.values.acknowledged(intent, others)
            kept = started > self.reverted
            if kept and outcome == "saved" and found is not None and found.id in self.stored:
                before, after = (pairs_of(values_of(it)) for it in (found, self.stored[found.id]))
                self.values.wiped(intent, before, after, others)
        elif outcome in NOTHING_STORED:
            self.refuse(intent)
        elif outcome in ("unchanged", "touched"):
            self.check(not intent.sure, "law 3", f"{intent.sure} was dropped without a word")
        elif intent.ends and intent.lineage is not None:
            self.session_ended(intent.lineage, started)

    def refuse(self, intent: Intent) -> None:
        """Check that nothing was stored of a request that was told so."""
        intent.over = self.step
        self.values.refuse(intent)

    def session_ended(self, lineage: str, started: int) -> None:
        """Check that a session is not stored under any of its ids."""
        alive = [
            id[:6]
            for id, record in self.stored.items()
            if record.successor is None and self.lineages[id] == lineage
        ]
        lost = started <= self.reverted
        self.check(not alive or lost, "law 5", f"{alive} is stored after its end was acknowledged")

    def user_ended(self, user: str, started: int, now: float, kept: str | None) -> None:
        """Check that the sessions of a user have ended, except for those that began later.

        kept: the first id of a session that was to be kept.
        """
        for id, record in self.stored.items():
            if is_live(record, now) and record.user == user and self.lineages[id] != kept:
                since = self.signed_in[self.lineages[id]]
                later = since > started or started <= self.reverted
                self.check(later, "law 5", f"{id[:6]} of {user} has survived `destroy_user`")

    def cookie_sent(self, intent: Intent, outcome: str, id: str | None) -> None:
        """Check a cookie.  id: that of its token; None if it deletes the client's cookie."""
        stored = outcome not in NOTHING_STORED
        self.check(stored, "law 5", f"a request that was {outcome} changes the client's cookie")
        if id is None:
            return
        if id in self.unnamed and id in self.stored:
            self.values.note(values_of(self.stored[id]))
        self.unnamed.discard(id)
        self.check(id in self.users, "law 5", f"the token of {id[:6]} was sent, but not stored")
        if intent.stays_signed_in and outcome in ("renewed", "created"):
            user = self.users.get(id)
            self.check(user == intent.user, "law 6", f"{user} is signed in, not {intent.user}")

    def seen(self, found: Record, at: float, now: float, started: int, *, lazy: bool) -> None:
        """Check that a request has kept its session alive.

        found: the record when it began.  at: when it began.  now: when it ended.  started: the step
        before its first call.  lazy: whether it began without reading the session.
        """
        id, record = found.id, self.stored.get(found.id)
        # It may have expired on the way to the store, so that the request found none.
        if not is_live(found, now) or record is None or record.successor is not None:
            return
        lineage = self.lineages[id]
        mine = [one for one in self.intents if one.lineage == lineage and one.overlaps(started)]
        if any(one.sets_lifetime or one.user is not None for one in mine):
            return
        idle = record.lifetime or self._settings["max_lifetime"]
        # A lifetime was set by a clock that is behind the one that wrote "last seen", or it was
        # reckoned from a time before that, as a release waited.
        reckoned = record.expires < record.seen + idle
        if self.skewed and reckoned:
            return
        interval = self._settings["touch_interval"]
        # A process that has not read it may not know yet that another has given it a shorter one.
        if record.lifetime is not None and not lazy:
            interval = min(interval, record.lifetime / 60)
        due = at + idle - interval
        # Nor that its own release, which reckoned with the former one, has left the times alone.
        if reckoned or (record.lifetime is not None and lazy):
            due -= TIMEOUT + PATIENCE
        due = min(due, record.created + self._settings["absolute_lifetime"])
        early = due - record.expires
        self.check(early < 1e-6, "law 8", f"{id[:6]} was used, but expires {early:.1f} s too early")
