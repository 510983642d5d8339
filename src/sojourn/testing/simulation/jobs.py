"""Work without a request: sweeps, ends by id and by user, lists, and sessions opened by an id."""

from __future__ import annotations

from typing import NamedTuple

from sojourn.errors import SessionGone, StoreUnavailable
from sojourn.manager import AsyncManager
from sojourn.record import is_live
from sojourn.testing.simulation.checker import Checker
from sojourn.testing.simulation.deeds import ADDING, DEEDS, Intent, intend

DETACHED = (*ADDING, "drop a", "drop cart", "clear", "logout")
"""What may be done to a session that was opened by its id."""


class Job(NamedTuple):
    """One piece of work in a process."""

    checker: Checker
    manager: AsyncManager
    intent: Intent
    id: str
    """The id of the session that it is about; "" if there is none."""
    user: str
    now: float
    """When it begins, by the clock of its process."""

    async def run(self, kind: str) -> None:
        """Do work of a kind."""
        await getattr(self, f"_{kind.replace(' ', '_')}")()

    async def _gc(self) -> None:
        checker, intent = self.checker, self.intent
        intent.sweeps = self.now
        checker.begin(intent)
        before, started = dict(checker.stored), checker.step
        await self.manager.gc()
        left = [
            id[:6]
            for id, record in before.items()
            if record.expires <= self.now and checker.stored.get(id) == record
        ]
        sure = checker.sweeps and started > checker.reverted
        checker.check(not (left and sure), "law 12", f"a sweep left {left}, which had expired")

    async def _end_user(self) -> None:
        await self._end_sessions(None)

    async def _end_others(self) -> None:
        if self.id in self.checker.lineages:
            await self._end_sessions(self.id)

    async def _end_sessions(self, keep: str | None) -> None:
        checker, intent, started = self.checker, self.intent, self.checker.step
        intent.ends_user = self.user
        intent.keeps = None if keep is None else checker.lineages[keep]
        checker.begin(intent)
        ended = await self.manager.destroy_user(self.user, keep=keep)
        checker.user_ended(self.user, started, self.now, intent.keeps)
        self._check_reported(ended)

    async def _end_id(self) -> None:
        checker, intent, started = self.checker, self.intent, self.checker.step
        if self.id not in checker.lineages:
            return
        intent.lineage, intent.ends = checker.lineages[self.id], True
        checker.begin(intent)
        ended = await self.manager.destroy(self.id)
        if ended:
            checker.session_ended(intent.lineage, started)
        gone = self.id not in checker.stored or started <= checker.reverted
        checker.check(gone, "law 5", f"{self.id[:6]} is stored after `destroy`")
        self._check_reported(int(ended))

    async def _end_of_another(self) -> None:
        """End a session for a user to whom it does not belong: nothing may happen."""
        checker = self.checker
        if self.id not in checker.lineages:
            return
        self.intent.lineage = checker.lineages[self.id]
        checker.begin(self.intent)
        ended = await self.manager.destroy(self.id, user="nobody of all these")
        checker.check(not ended, "law 5", "`destroy` ended the session of another user")

    def _check_reported(self, ended: int) -> None:
        """Check that as many ends are reported as were returned, and that something was deleted."""
        reported = [name for name, _ in self.intent.events].count("destroyed")
        self.checker.check(ended == reported, "events", f"{ended} ends, {reported} are reported")
        # The answer to an earlier attempt of the same call may have been lost; then it raised.
        enough = len(self.intent.deleted) >= ended
        self.checker.check(enough, "law 5", f"{ended} ends, of {len(self.intent.deleted)} records")

    async def _list(self) -> None:
        checker = self.checker
        checker.begin(self.intent)
        started = checker.step
        users = {info.user async for info in self.manager.sessions(self.user)}
        checker.check(users <= {self.user}, "law 12", f"a list of {self.user} has {users}")
        counted = await self.manager.active_count()
        live = sum(is_live(record, self.now) for record in checker.stored.values())
        still = checker.step == started + 2 and self.now == self.manager._life.now()
        checker.check(not still or counted >= live, "law 12", f"{counted} counted of {live}")

    async def _open(self) -> None:
        """Change a session that is opened by its id."""
        checker, intent, started = self.checker, self.intent, self.checker.step
        if self.id not in checker.lineages:
            return
        intent.lineage = checker.lineages[self.id]
        dice = intent.number
        deeds = [DETACHED[dice % len(DETACHED)], DETACHED[dice * 7 % len(DETACHED)]]
        deeds = sorted({*deeds}, key=lambda name: (name == "logout", name))  # nothing can follow it
        intend(intent, deeds, self.user)
        intent.detached = True
        checker.begin(intent)
        found = checker.stored.get(self.id)
        try:
            async with self.manager.open_id(self.id) as session:
                intent.shown = dict(session)
                for name in deeds:
                    DEEDS[name].do(session, intent.number, self.user)
        except SessionGone:
            checker.refuse(intent)
            return
        release = session.released
        assert release is not None
        outcome = release.outcome.value
        if outcome == "outage":  # whether its calls have reached the store is not known
            raise StoreUnavailable("the store was down")
        checker.check(not release.headers or "Vary" in dict(release.headers), "law 6", "headers")
        checker.check("Set-Cookie" not in dict(release.headers), "law 6", "a job sends a cookie")
        known = outcome in ("saved", "unchanged", "ended")
        checker.check(known, "law 5", f"a session that was opened by its id was {outcome}")
        checker.answered(intent, outcome, started, found)
