"""The checks of what a request is told: its outcome, the headers, the events, and its callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sojourn.record import Record
from sojourn.release import Release
from sojourn.testing.simulation.checker import CLOCKS, NOTHING_STORED, Checker
from sojourn.testing.simulation.deeds import PLAIN, Intent
from sojourn.testing.simulation.values import pairs_of, values_of


class Told(NamedTuple):
    """An answer, and what the checks of it have to know."""

    intent: Intent
    release: Release
    id: str | None
    """The id of the token in its cookie; None if it has no cookie, or deletes the client's."""
    found: Record | None
    """What was stored under its token when it began, unless it had expired by every clock."""
    absent: bool
    """Whether nothing at all was stored under its token."""
    started: int
    arrived: float
    now: float
    """The times at which it began and ended, by the clock of its process."""
    steady: bool
    """Whether the clock was not set in between."""
    lazy: bool
    """Whether it began without reading its session."""
    with_headers: bool
    """Whether its response can carry headers."""

    @property
    def outcome(self) -> str:
        """The outcome, as a text."""
        return self.release.outcome.value


class Answers:
    """Checks the answers to the requests of a world."""

    def __init__(self, checker: Checker, settings: Mapping[str, Any]) -> None:
        """settings: those of the managers."""
        self._checker = checker
        self._check = checker.check
        self._settings = settings

    # -- events ----------------------------------------------------------------------------------

    def event(self, number: int | None, name: str, id: str | None) -> None:
        """Note an event, and check that it may be reported at this moment."""
        checker = self._checker
        intent = None if number is None else checker.intent_of(number)
        if intent is None:
            return
        intent.events.append((name, id))
        if name in ("created", "renewed"):
            self._check(id in checker.users, "events", f"{name} is reported before it is stored")
        if name == "rejected" and id is not None:
            unknown = id not in checker.stored or checker.reverted >= 0
            self._check(unknown, "events", f"{id[:6]} is stored, and reported as rejected")

    def _check_events(self, told: Told, others: list[Intent]) -> None:
        """Check that each outcome is reported once, and nothing else is."""
        names = [name for name, _ in told.intent.events]
        outcome = told.outcome
        for name in ("created", "renewed", "late"):
            wanted = int(outcome == name)
            self._check(
                names.count(name) == wanted, "events", f"{name} is reported {names}: {outcome}"
            )
        destroyed = names.count("destroyed")
        if outcome == "ended":
            self._check(destroyed == 1, "events", f"an end is reported {destroyed} times")
        elif outcome not in ("created", "outage"):
            self._check(not destroyed, "events", f"destroyed is reported: {outcome}")
        if told.id is not None and outcome in ("created", "renewed"):
            same = (outcome, told.id) in told.intent.events
            self._check(same, "events", f"{outcome} is not reported with the id of the token")
        if outcome == "retired":
            seen = {"retired", "rejected", "expired"}.intersection(names)
            self._check(seen, "events", "a retired token is not reported")
        self._check_collided(told, others)

    def _check_collided(self, told: Told, others: list[Intent]) -> None:
        if told.started <= self._checker.reverted:
            return  # a failover has changed the values, too
        intent = told.intent
        collided = ("collided", None if told.found is None else told.found.id) in intent.events
        if collided:
            rivals = any(_contradict(intent, one) or _contradict(one, intent) for one in others)
            self._check(rivals, "law 4", "collided is reported, and no other request contradicts")
        elif told.outcome in ("saved", "renewed"):
            self._check(not intent.overruled, "law 4", f"{intent.overruled} was replaced silently")

    # -- the whole answer ------------------------------------------------------------------------

    def check(self, told: Told) -> None:
        """Check one answer."""
        others = [
            one
            for one in self._checker.intents
            if one is not told.intent
            and one.lineage == told.intent.lineage
            and one.overlaps(told.started)
        ]
        self._check_events(told, others)
        self._check_callback(told)
        self._check_token(told)
        self._check_touch(told)
        self._check_headers(told)
        if told.started > self._checker.reverted and told.outcome not in NOTHING_STORED:
            self._check_lasting(told, others)
            self._check_record(told, others)
            self._check_other_session(told)

    def _check_callback(self, told: Told) -> None:
        if told.intent.shown is None:
            return  # it was given none
        wanted = {0} if told.outcome in NOTHING_STORED else {1}
        called = told.intent.called
        self._check(called in wanted, "on_release", f"called {called} times: {told.outcome}")

    def _check_token(self, told: Told) -> None:
        """Check what a request with a retired or unknown token was told."""
        outcome, found = told.outcome, told.found
        if told.started <= self._checker.reverted:
            return
        former = None if found is None else self._checker.stored.get(found.id)
        if outcome == "renewed" and former is not None:
            replaced = former.successor is not None
            self._check(replaced, "law 6", f"{former.id[:6]} lives on after it got a new id")
        # A process notes an end of its own when the store has answered, which may be after the arrival.
        rivals = any(
            one.overlaps(told.started) and (one.ends or one.ends_user or one.removes)
            for one in self._checker.intents
            if one is not told.intent
        )
        if told.absent and not rivals and told.now - told.arrived < self._settings["retired_for"]:
            new = outcome in ("unchanged", "created", "discarded", "outage")
            self._check(new, "law 6", f"nothing is stored under a token: {outcome}")
        if found is None or found.successor is None or told.intent.user is not None:
            return
        if found.expires <= told.arrived and not told.lazy and told.steady:
            self._check(outcome != "retired", "law 6", "a token is retired for too long")
        # Unless an end of the session has deleted the tombstone before it was read.
        stands = found.id in self._checker.stored
        if told.steady and stands and found.expires > told.now:
            retired = outcome in ("retired", "unchanged", "outage")
            self._check(retired, "law 6", f"a request with a retired token was {outcome}")

    def _check_touch(self, told: Told) -> None:
        """Check that the times were not written without need."""
        found = told.found
        if told.outcome != "touched" or found is None:
            return
        by_request = self._settings.get("touch_on") != "change"
        self._check(by_request, "law 8", "a request that changed nothing counts as seen")
        if self._checker.skewed or told.started <= self._checker.reverted or found.lifetime:
            return
        due = told.now - found.seen >= self._settings["touch_interval"]
        self._check(due, "law 8", f"{found.id[:6]} was touched again before it was due")

    # -- headers ---------------------------------------------------------------------------------

    def _check_headers(self, told: Told) -> None:
        headers, outcome = dict(told.release.headers), told.outcome
        cookie = headers.get("Set-Cookie")
        # The response depends on the visitor, since each request of a world looks at its session.
        if told.intent.shown is not None:
            vary = headers.get("Vary", "")
            self._check("Cookie" in vary, "headers", f"an answer without Vary: {outcome}")
        if cookie is not None:
            stays = "no-store" in headers.get("Cache-Control", "")
            self._check(stays, "headers", "a cookie may be kept by caches")
        gone = cookie is not None and "; Max-Age=0" in cookie
        self._check(
            gone == (outcome == "ended"), "headers", f"{outcome}: a cookie is deleted, or not"
        )
        if outcome in ("created", "renewed"):
            self._check(told.id is not None, "headers", f"{outcome} without a cookie")
            given = told.with_headers
            self._check(given, "law 10", f"a session is {outcome}, whose token nobody is given")

    def _check_lasting(self, told: Told, others: list[Intent]) -> None:
        """Check whether the cookie lasts as long as the session does."""
        intent, found = told.intent, told.found
        rivals = any(one.sets_lifetime or one.user is not None for one in others)
        if told.id is None:
            sets = intent.sets_lifetime and told.outcome == "saved" and not intent.ends
            renews = found is not None and found.persistent and told.outcome == "touched"
            silent = (sets or renews) and not rivals
            self._check(not silent, "cookie", f"the cookie is not renewed: {told.outcome}")
            return
        versions = self._versions(told.id, told.started)
        # Otherwise the cookie is as the request knew the session, and the record as another set it.
        sure = told.outcome == "created" or (intent.sets_lifetime and told.outcome == "renewed")
        if not versions or (rivals and not sure):
            return
        cookie = dict(told.release.headers)["Set-Cookie"]
        age = cookie.partition("Max-Age=")[2].partition(";")[0]
        lasts = any(record.persistent == bool(age) for record in versions)
        self._check(lasts, "cookie", f"{told.id[:6]} is persistent or not, and its cookie not so")
        if age:
            configured = self._settings.get("cookie_lifetime")
            ages = [
                configured
                if configured and record.lifetime is None
                else record.expires - record.seen
                for record in versions
            ]
            right = any(abs(wanted - int(age)) <= CLOCKS for wanted in ages)
            self._check(right, "cookie", f"the cookie of {told.id[:6]} lasts for {age} s")

    def _versions(self, id: str, started: int) -> list[Record]:
        """Return the records that were stored under an id since a step."""
        versions = list[Record]()
        ended = False
        for step, record in self._checker.versions.get(id, []):
            if record is None:
                ended = True
            elif step > started and record.successor is None:
                # A move in several steps that failed has deleted its record, and made another.
                versions = [record] if ended else [*versions, record]
                ended = False
        return versions

    # -- the record ------------------------------------------------------------------------------

    def _check_record(self, told: Told, others: list[Intent]) -> None:
        """Check the record that a request has stored: its values, user and lifetime."""
        intent, found = told.intent, told.found
        id = told.id or (None if found is None else found.id)
        versions = [] if id is None else self._versions(id, told.started)
        if told.outcome not in ("created", "renewed", "saved") or not versions:
            return
        first = versions[0]
        if told.outcome != "saved" and intent.user is not None and intent.stays_signed_in:
            fresh = first.authenticated is not None and first.authenticated >= told.arrived - 61
            self._check(fresh, "law 6", f"{first.id[:6]} was signed in at {first.authenticated}")
        other_user = found is not None and found.user not in (None, intent.user)
        stranger = intent.user is not None and other_user
        replaced = told.outcome == "created" or intent.clears or stranger
        if told.outcome != "saved" and replaced:
            kept = pairs_of(values_of(first)) - intent.adds
            self._check(not kept, "law 6", f"{first.id[:6]} begins with {kept} of another session")
        rivals = any(one.sets_lifetime or one.user is not None for one in others)
        if intent.ends or (told.outcome == "saved" and rivals):
            return
        wanted = intent.wants
        if stranger and not intent.sets_lifetime:
            wanted = None, bool(self._settings.get("cookie_lifetime"))
        if wanted is not None:
            mine = versions if told.outcome == "saved" else versions[:1]
            had = {(record.lifetime, record.persistent) for record in mine}
            self._check(wanted in had, "law 8", f"the lifetime is {had}, and not {wanted}")

    def _check_other_session(self, told: Told) -> None:
        """Check that a second sign-in of one browser has left no session beside its own."""
        intent, found, checker = told.intent, told.found, self._checker
        if told.outcome != "created" or found is None or found.successor is None:
            return
        if not told.steady or found.expires <= told.now or not intent.stays_signed_in:
            return
        rivals = any(
            one is not intent and one.overlaps(told.started) and (one.renews or one.ends)
            for one in checker.intents
            if one.lineage == intent.lineage
        )
        id, record = found.successor, checker.stored.get(found.successor)
        while record is not None and record.successor is not None:
            id, record = record.successor, checker.stored.get(record.successor)
        left = record is not None and record.user == intent.user and record.expires > told.now + 60
        alone = not left or rivals or id == told.id
        self._check(alone, "law 5", f"{id[:6]} is left behind by a second sign-in")


def _contradict(one: Intent, other: Intent) -> bool:
    """Return whether a change of one request may contradict one of another."""
    if one.removes or one.clears or one.user is not None:
        return True
    assigned = {key for key, _ in one.adds if key in PLAIN}
    return bool(assigned & ({key for key, _ in other.adds} | other.wipes))
