"""A simulated world: browsers, processes with real managers, a network, and one store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

from sojourn.errors import StoreError, StoreUnavailable
from sojourn.manager import AsyncManager
from sojourn.providers.base import Provider
from sojourn.record import Record
from sojourn.release import Release
from sojourn.testing.simulation.answers import Answers, Told
from sojourn.testing.simulation.checker import Checker
from sojourn.testing.simulation.deeds import BLIND, DEEDS, Intent, intend
from sojourn.testing.simulation.jobs import Job
from sojourn.testing.simulation.lists import check_orphans, compare_lists
from sojourn.testing.simulation.network import NETWORKS, Caller, Link, Server, caller
from sojourn.testing.simulation.plans import VARIANTS, Fault, Plan, Step, Task, Visit
from sojourn.testing.simulation.remote import Remote, RemoteSwaps, SwapStore
from sojourn.testing.simulation.seeding import captured, seeded
from sojourn.testing.simulation.virtual_loop import VirtualLoop

SETTINGS: dict[str, Any] = {
    "max_lifetime": 600.0,
    "absolute_lifetime": 2050.0,
    "touch_interval": 10.0,
    "retired_for": 10.0,
}
"""The settings of every manager, in seconds; see also `VARIANTS`."""
EPOCH = 4_000_000_000.0
"""When a world begins, in seconds since the epoch.

It is far in the future, since some stores delete by the real time what has expired."""
SEEN = frozenset({"unchanged", "touched", "saved"})
"""The outcomes of requests that leave their session alive under its id."""
PATIENCE = 60
"""Seconds after the last step until every call has arrived, and every queue has given up."""


class _HandlerFailed(Exception):
    """The handler of a request raised."""


class Process:
    """A process of the application: a manager, a clock, and connections to the store."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.clock_error = 0.0
        self.link: Link
        self.manager: AsyncManager
        self.restart()

    def restart(self) -> None:
        """Begin with an empty memory.  What was under way never receives an answer."""
        world = self._world
        self.link = Link(world.server, NETWORKS[world.plan.network])
        provider = (
            RemoteSwaps(self.link)
            if world.checker.moves_in_steps
            else Remote(self.link, assigns=hasattr(world.store, "assign"))
        )
        self.manager = AsyncManager(
            provider, world.settings, clock=self.clock, on_event=world.note_event
        )

    def clock(self) -> float:
        """Return the time by the clock of this process, in seconds since the epoch."""
        return EPOCH + self._world.loop.time() + self.clock_error

    def id_of(self, token: str) -> str:
        """Return the id of a token."""
        return self.manager._life.id_of(token)


class _Request(NamedTuple):
    """A request under way."""

    intent: Intent
    token: str | None
    found: Record | None
    """What was stored under its token when it arrived, unless it had expired."""
    absent: bool
    """Whether it has a token under which nothing at all was stored."""
    started: int
    """The step of the store before its first call."""
    arrived: float
    """The time by the clock of its process."""
    clock_error: float


class World:
    """One history of a store, from its plan to its last check."""

    def __init__(self, plan: Plan, make: Callable[[], Provider]) -> None:
        """Set the plan.  make: returns the store; another, empty one for a replica if it can."""
        self.plan = plan
        self.settings = {**SETTINGS, **VARIANTS[plan.variant]}
        self.store = make()
        self.checker = Checker(SETTINGS, moves_in_steps=isinstance(self.store, SwapStore))
        self.checker.alone = make() is not self.store
        self.checker.sweeps = getattr(self.store, "needs_gc", True)
        self.answers = Answers(self.checker, self.settings)
        self.server = Server(self._execute)
        self.loop = VirtualLoop()
        self.outcomes: list[str] = []
        """The outcomes that requests were told."""
        self.acknowledged = 0
        """How many changes were acknowledged."""
        self._make = make
        self._tokens: dict[int, str] = {}
        """The token in the cookie jar of each browser."""
        self._issued: set[str] = set()
        self._logged: list[str] = []
        self._failover = float("-inf")
        self._tasks: list[asyncio.Task[None]] = []
        self._processes = [Process(self) for _ in range(plan.processes)]

    def run(self) -> None:
        """Follow the plan.  Raises LawBroken."""
        try:
            with seeded(self.plan.seed), captured(self._logged):
                try:
                    self.loop.run(self._live())
                finally:
                    self.server.up = False
                    self.loop.run(self._stop())
        finally:
            self.loop.close()
            # Another world may use the same store, and one of the same seed has the same ids.
            for id in self.checker.lineages:
                self.store.destroy(id)
        text = "\n".join([*self._logged, *self.checker.lines])
        for token in self._issued:
            self.checker.check(token not in text, "law 7", "a token was logged")

    def note_event(self, name: str, id: str | None) -> None:
        """Keep an event of a manager, to look for tokens in it."""
        self._logged.append(f"{name} {id}")
        mine = caller.get(None)
        self.answers.event(None if mine is None else int(mine.name.partition(" ")[0]), name, id)

    def _execute(self, time: float, name: str, verb: str, args: tuple[Any, ...]) -> Any:
        return self.checker.execute(self.store, time, name, verb, args)

    def _note(self, line: str) -> None:
        self.checker.note(self.loop.time(), line)

    def _user(self, browser: int) -> str:
        # Several worlds may use the same store.
        return f"user {browser} of {self.plan.seed}"

    async def _live(self) -> None:
        for number, step in enumerate(self.plan.steps):
            await asyncio.sleep(max(step.at - self.loop.time(), 0.0))
            self._tasks.append(self._begin(number, step))
            self._raise_errors()
        for _ in range(10):
            await asyncio.sleep(PATIENCE / 10)
            self._raise_errors()
        if self.plan.is_calm:
            check_orphans(self.checker)
        for ahead in (0.0, SETTINGS["retired_for"], SETTINGS["max_lifetime"]):
            compare_lists(self.checker, self.store, EPOCH + self.loop.time() + ahead)

    async def _stop(self) -> None:
        """Cancel what is still under way."""
        others = asyncio.all_tasks() - {asyncio.current_task(), *self._tasks}
        # In their order, so that the history of a seed is always the same.
        tasks = [*self._tasks, *others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, number: int, step: Step) -> asyncio.Task[None]:
        name = f"{number} {_step_text(step)}"
        caller.set(Caller(name, Random(f"{self.plan.seed} {number}")))
        process = self._processes[step.process]
        if isinstance(step, Fault):
            return asyncio.create_task(self._break(step, process))
        if isinstance(step, Task):
            return asyncio.create_task(self._work(number, step, process))
        task = asyncio.create_task(self._serve(number, step, process))
        if step.leaves is not None:
            self.loop.call_later(step.leaves, task.cancel)
        return task

    def _raise_errors(self) -> None:
        if self.checker.broken is not None:
            raise self.checker.broken
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    # -- requests ------------------------------------------------------------------------------

    async def _serve(self, number: int, step: Visit, process: Process) -> None:
        """Serve a request, and check its answer."""
        request = self._arrive(number, step, process)
        try:
            release = await self._handle(step, request, process.manager)
        except (_HandlerFailed, StoreUnavailable) as error:
            self._note(f"{number} fails: {error!r}")
            self.checker.refuse(request.intent)
            return
        except (StoreError, asyncio.CancelledError) as error:
            # Its changes may be stored or not, and its calls may still reach the store.
            self._note(f"{number} fails: {error!r}")
            return
        self._check(step, request, release, process)
        # The responses of two requests may overtake each other.
        await asyncio.sleep(caller.get().dice.uniform(0, 0.05))
        if not step.response_lost:
            self._receive(step.browser, _token_of(release))

    def _arrive(self, number: int, step: Visit, process: Process) -> _Request:
        """Note what a request intends, and what is stored under its token."""
        token, checker = self._tokens.get(step.browser), self.checker
        id = "" if token is None else process.id_of(token)
        intent = Intent(number, step.browser, checker.lineages.get(id))
        intend(intent, step.deeds, self._user(step.browser))
        checker.begin(intent)
        found, now = checker.stored.get(id), process.clock()
        absent = token is not None and found is None
        # By every clock, which are up to 30 s wrong in either direction.
        if found is not None and found.expires <= now - 60:
            found = None
        return _Request(intent, token, found, absent, checker.step, now, process.clock_error)

    def _check(self, step: Visit, request: _Request, release: Release, process: Process) -> None:
        """Check the answer to a request."""
        checker, intent, found = self.checker, request.intent, request.found
        outcome = release.outcome.value
        self._note(f"{intent.number} is answered: {outcome}")
        self.outcomes.append(outcome)
        self.acknowledged += len(intent.adds)
        token = _token_of(release)
        id = process.id_of(token) if token else None
        same_clock = request.clock_error == process.clock_error
        span = request.arrived, process.clock()
        how = same_clock, step.lazy, step.headers
        told = Told(intent, release, id, found, request.absent, request.started, *span, *how)
        self.answers.check(told)
        if token is not None:
            self._issued |= {token} - {""}
            checker.cookie_sent(intent, outcome, id)
        if outcome == "outage":
            return  # nothing is known to have been stored, and calls may still reach the store
        checker.answered(intent, outcome, request.started, found)
        # A failover may have lost that it was seen, and a clock that was set back hides how long ago.
        steady = self.loop.time() - self._failover > SETTINGS["touch_interval"]
        counts = outcome == "saved" or self.settings.get("touch_on") != "change"
        if found is not None and steady and same_clock and counts and outcome in SEEN:
            checker.seen(found, *span, request.started, lazy=step.lazy)
        intent.over = checker.step

    def _receive(self, browser: int, token: str | None) -> None:
        """Let a browser receive a cookie: with a token, without one to delete it, or none."""
        if token:
            self._tokens[browser] = token
        elif token is not None:
            self._tokens.pop(browser, None)

    async def _handle(self, step: Visit, request: _Request, manager: AsyncManager) -> Release:
        headers = {} if request.token is None else {"Cookie": f"session={request.token}"}
        reads = not step.lazy or not BLIND.issuperset(step.deeds)
        if not step.lazy:
            session = await manager.start(headers)
        else:
            session = manager.start_lazily(headers)
            if reads:
                await asyncio.sleep(step.takes / 2)
                await session.load()
        if reads:
            request.intent.shown = dict(session)
            self.checker.shown(request.intent, request.intent.shown, request.found)
            session.on_release(lambda: _call(request.intent))
        for name in step.deeds:
            DEEDS[name].do(session, request.intent.number, self._user(step.browser))
        await asyncio.sleep(step.takes)
        if step.raises:
            raise _HandlerFailed
        return await manager.release(session, headers=step.headers)

    async def _work(self, number: int, step: Task, process: Process) -> None:
        """Do work without a request."""
        token = self._tokens.get(step.browser)
        id = "" if token is None else process.id_of(token)
        intent, user = Intent(number, step.browser), self._user(step.browser)
        job = Job(self.checker, process.manager, intent, id, user, process.clock())
        with suppress(StoreError):
            await job.run(step.kind)
            intent.over = self.checker.step

    # -- faults --------------------------------------------------------------------------------

    async def _break(self, step: Fault, process: Process) -> None:
        self._note(f"{step.kind} ({step.amount:.2f} s, process {step.process})")
        if step.kind == "crash":
            self.server.up = False
            await asyncio.sleep(step.amount)
            self.server.up = True
        elif step.kind == "cut":
            process.link.cut = True
            await asyncio.sleep(step.amount)
            process.link.cut = False
        elif step.kind == "kill":
            process.link.alive = False
            process.restart()
        elif step.kind == "clock":
            process.clock_error, self.checker.skewed = step.amount, True
        else:
            self._fail_over(step.amount)

    def _fail_over(self, lag: float) -> None:
        """Continue with a replica that lacks the writes of the last seconds."""
        replica = self._make()
        # A store on disk keeps its records, whoever opens it.
        if replica is self.store or any(replica.read(id) for id in self.checker.stored):
            return
        now, records = self.loop.time(), dict[str, Record]()
        for time, stored in self.checker.history:
            if time <= now - lag:
                records = dict(stored)
        for record in records.values():
            replica.create(record)
        self.store = replica
        self._failover = now
        kept = {id: copy for id in records if (copy := replica.read(id)) is not None}
        self.checker.revert(now, kept)


def _call(intent: Intent) -> None:
    intent.called += 1


def _step_text(step: Step) -> str:
    if isinstance(step, Visit):
        how = " lazily" * step.lazy
        return f"(browser {step.browser}, process {step.process}{how}, {' + '.join(step.deeds)})"
    return f"({step.kind}, process {step.process})"


def _token_of(release: Release) -> str | None:
    """Return the value of the cookie that a response sets: "" deletes it, None leaves it alone."""
    for name, value in release.headers:
        if name == "Set-Cookie":
            return value.partition("=")[2].partition(";")[0]
    return None
