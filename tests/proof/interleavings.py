"""Every order in which the calls of overlapping requests of one session can reach the store.

For each order, there must be one point within each request at which it could have read its session,
and one at which it could have stored its changes, such that the model (`tests.hard.model`), which does
both in one step, gives the same answers and leaves the same record.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sojourn import AsyncCompareAndSwapProvider, AsyncManager, Manager, Provider, Record, Release
from sojourn.testing import FakeClock
from sojourn.testing.simulation.seeding import seeded
from sojourn.testing.simulation.virtual_loop import VirtualLoop
from tests.hard.deeds import Deed, Request, append, change_set, count, grow, log, login, put
from tests.hard.machine import SETTINGS, ordered
from tests.hard.model import RETIRED_FOR, Model, Visit
from tests.proof.gate import Call, Gate, Gated, request
from tests.proof.programs import PROGRAMS, Program
from tests.proof.schedules import Schedule, every

START = 4_000_000_000.0
FIRST: list[Deed] = [
    (append,),
    (put, "one", 1),
    (grow, "oak"),
    (change_set, 1, "add"),
    (count,),
    (log,),
]
"""What the session holds before the requests begin."""
Explained = tuple[float, float]
"""The place of a request's read, and of its write, in the order of the calls."""


class Unexplained(AssertionError):
    """The answers and the record are not those of any order of the requests."""


class GatedSwaps(AsyncCompareAndSwapProvider):
    """A provider each step of which waits at the gate: also those within a merge and a move."""

    def __init__(self, store: Any, gate: Gate) -> None:
        self._store = store
        self._gate = gate

    async def read(self, id: str) -> Record | None:
        record: Record | None = await self._gate.wait("read", lambda: self._store.read(id), id)
        return record

    async def create(self, record: Record) -> bool:
        created: bool = await self._gate.wait("create", lambda: self._store.create(record))
        return created

    async def swap(self, old: Record, new: Record | None) -> bool:
        swapped: bool = await self._gate.wait("swap", lambda: self._store.swap(old, new), old.id)
        return swapped

    async def scan(self) -> AsyncIterator[Record]:
        for record in await self._gate.wait("scan", lambda: list(self._store.scan())):
            yield record


class Setting(NamedTuple):
    """Where the requests run."""

    make: Callable[[], Provider]
    """Returns the store, which must be empty."""
    swaps: bool = False
    """Whether each step of a merge waits at the gate, and not only each call of the manager."""
    managers: int = 1
    """Over how many managers, as of several processes, the requests are divided."""
    member: bool = False
    """Whether a user is signed in before."""


class Answer(NamedTuple):
    """The result of a program."""

    name: str
    program: Program
    shown: dict[str, Any] | None = None
    """What the session held when the request had read it; None if it did not look."""
    release: Release | None = None
    id: str = ""
    """The id of the session afterwards."""
    number: Any = None
    """The result of work without a request."""


class Site:
    """A store with one session, and managers that reach it through a gate."""

    def __init__(self, setting: Setting, schedule: Schedule) -> None:
        self.store = setting.make()
        self.clock = FakeClock(START)
        self.gate = Gate(schedule.choose, self.clock)
        self.direct = Manager(self.store, SETTINGS, clock=self.clock)
        """A manager that does not wait at the gate."""
        self.model = Model()
        first = Request(self.direct.start({}), Visit(), lambda: None, itertools.count(1000))
        first.do(FIRST)
        if setting.member:
            first.do([(login, "ada", True, None)])
        verdict = self.model.release(first.visit, self.clock())
        release = self.direct.release(first.session)
        assert release.token is not None
        assert verdict.life is not None
        self.id = first.session.id
        self.model.begin(self.id, verdict.life, None, self.clock())
        self.headers = {"Cookie": f"session={release.token}"}
        self.swaps = setting.swaps
        gated = GatedSwaps if setting.swaps else Gated
        self.managers = [
            AsyncManager(gated(self.store, self.gate), SETTINGS, clock=self.clock)
            for _ in range(setting.managers)
        ]

    async def run(self, number: int, name: str) -> Answer:
        """Run a program."""
        request.set(number)
        program, manager = PROGRAMS[name], self.managers[number % len(self.managers)]
        if program.job:
            return Answer(name, program, number=await self._job(program, manager))
        shown = None
        if program.lazy:
            session = manager.start_lazily(self.headers)
        else:
            session = await manager.start(self.headers)
            shown = copy.deepcopy(dict(session))
        # The deeds look at the visit to find out what the session holds.
        visit = Visit(base=copy.deepcopy(shown or {}))
        Request(session, visit, lambda: None, _items(number)).do([*program.deeds])
        release = await manager.release(session)
        id = "" if release.token is None else session.id
        return Answer(name, program, shown, release, id)

    async def _job(self, program: Program, manager: AsyncManager) -> object:
        if program.job == "destroy":
            return await manager.destroy(self.id)
        if program.job == "destroy_user":
            return await manager.destroy_user("ada")
        await self.gate.wait("wait", lambda: self.clock.advance(program.waits))
        return await manager.gc()


def _items(number: int) -> Iterator[int]:
    """Return the numbers that a request puts into containers."""
    return itertools.count(100 * (number + 1))


def count_schedules(setting: Setting, names: Sequence[str], loop: VirtualLoop) -> int:
    """Run these programs in every order of their calls; return how many there are.

    Raises Unexplained for an order that the model does not explain.
    """

    def run(schedule: Schedule) -> None:
        site = Site(setting, schedule)
        loop.on_idle = site.gate.open

        async def all_of_them() -> list[Answer]:
            # Each in a task, and so in a context of its own.
            runs = [site.run(number, name) for number, name in enumerate(names)]
            return list(await asyncio.gather(*runs))

        Explanation(site, loop.run(all_of_them())).find()

    def run_seeded(schedule: Schedule) -> None:
        # The order of calls may depend on the ids, as in a set of them.
        with seeded(0):
            run(schedule)

    return sum(1 for _ in every(run_seeded))


class Explanation:
    """Looks for an order of requests, each in one step, that has the same effect."""

    def __init__(self, site: Site, answers: list[Answer]) -> None:
        self._site = site
        self._answers = answers
        self._calls = site.gate.calls

    def find(self) -> None:
        """Raise Unexplained if there is none."""
        places = [self._places(number, answer) for number, answer in enumerate(self._answers)]
        reasons = dict[str, None]()
        for chosen in itertools.product(*places):
            try:
                self._replay(chosen)
            except AssertionError as error:
                reasons[str(error)] = None
            else:
                return
        told = [
            f"{at} {one.name}: {one.release or one.number}" for at, one in enumerate(self._answers)
        ]
        made = [f"  {call.request} {call.verb} -> {call.answer!r}" for call in self._calls]
        raise Unexplained("\n".join([*told, *made, *reasons]))

    def _places(self, number: int, answer: Answer) -> list[Explained]:
        """Return the places at which a request may have read and stored its session.

        A write comes after the call of the same place, and before the next one.
        """
        mine = self._calls_of(number)
        if self._has_steps(answer):
            return [(-1, -1)]
        if not mine:
            return [(-1, -0.5)]
        # Other releases of its process may store its changes together with theirs.
        managers = len(self._site.managers)
        stored = [
            at
            for at, call in enumerate(self._calls)
            if at in mine
            or (call.verb == "update" and call.request % managers == number % managers)
        ]
        reads = mine if answer.shown is None else mine[:1]
        written = stored if answer.shown is None else [at for at in stored if at > mine[0]] or mine
        return [(first, at + 0.5) for first in reads for at in written if at >= first]

    def _calls_of(self, number: int) -> list[int]:
        return [at for at, call in enumerate(self._calls) if call.request == number]

    def _replay(self, chosen: Sequence[Explained]) -> None:
        """Let the model do the same, and compare everything.  Raises AssertionError."""
        model = copy.deepcopy(self._site.model)
        visits = dict[int, Visit]()
        steps = [(place, number) for number, places in enumerate(chosen) for place in places]
        for number, answer in enumerate(self._answers):
            if self._has_steps(answer):
                steps += [(at + 0.5, number) for at in self._calls_of(number)]
        for place, number in sorted(steps):
            answer = self._answers[number]
            call = self._calls[int(place)] if place >= 0 else None
            if self._has_steps(answer):
                self._end_each(model, answer, call)
            elif place == chosen[number][1]:
                made = START if call is None else call.made
                self._store(model, visits.get(number), answer, made)
            elif answer.release is not None:
                # An assignment names its time itself; a record that was read is judged afterwards.
                now = (
                    START if call is None else call.made if call.verb == "assign" else call.executed
                )
                visits[number] = self._visit(model, answer, number, now)
        self._compare(model)

    def _visit(self, model: Model, answer: Answer, number: int, now: float) -> Visit:
        visit = model.visit(self._site.id, now) or self._visit_of_nothing(answer, number, now)
        if answer.shown is not None:
            assert visit.mine == answer.shown, f"{number} was shown {answer.shown}"
        visitor = Request(_Deaf(copy.deepcopy(visit.mine)), visit, lambda: None, _items(number))  # type: ignore[arg-type]
        visitor.do([*answer.program.deeds])
        return visit

    def _visit_of_nothing(self, answer: Answer, number: int, now: float) -> Visit:
        """Return the visit of a request under whose token nothing is stored.

        If it has not looked before, the session may have ended meanwhile (law 5): then it is
        retired.  Its process knows of the ends that it made itself, and assumes one later on.
        """
        managers = len(self._site.managers)
        enders = [at for at, other in enumerate(self._answers) if other.program.ends]
        own = [at for at in enders if at % managers == number % managers]
        waited = now - START > RETIRED_FOR
        if not answer.program.lazy or not (own or waited):
            return Visit()
        known = waited or own == enders
        is_late = answer.release is not None and answer.release.outcome == "retired"
        return Visit(standing="retired") if known or is_late else Visit()

    def _store(self, model: Model, visit: Visit | None, answer: Answer, now: float) -> None:
        if answer.program.job == "destroy":
            assert answer.number == model.end(self._site.id), "`destroy` returned something else"
        elif answer.program.job == "gc":
            assert answer.number == model.sweep(now), "other records were swept"
        else:
            assert visit is not None
            assert answer.release is not None
            verdict = model.release(visit, now)
            # A value that is assigned blindly is stored, though it may be the same (law 3).
            same = answer.release.outcome == verdict.outcome
            blind = answer.program.lazy and answer.release.outcome == "saved"
            assert same or (blind and not visit.changed()), f"{answer.name}: {verdict.outcome}"
            cookie = "Set-Cookie" in dict(answer.release.headers)
            # The answer to `assign` does not tell whether a touch of the same moment was its own; then
            # a cookie that lasts is sent once more.
            again = answer.program.lazy and visit.persistent and cookie
            assert cookie == verdict.cookie or again, f"{answer.name}: a cookie is sent or not"
            if answer.release.token is not None:
                assert verdict.life is not None
                model.begin(answer.id, verdict.life, verdict.former, now)

    def _has_steps(self, answer: Answer) -> bool:
        """Return whether this is work that ends sessions one by one, and not all at once."""
        job = answer.program.job
        return job == "destroy_user" or (job == "gc" and self._site.swaps)

    def _end_each(self, model: Model, answer: Answer, call: Call | None) -> None:
        """Let the model end the session that one call of such work ended."""
        if call is None or call.verb not in ("destroy", "swap") or not call.answer:
            return
        if self._site.swaps and call.id not in model.lives:
            return  # the new record of a move in several steps, which failed or goes on
        life = model.lives.pop(call.id)
        if answer.program.job == "gc":
            assert life.expires <= call.made, "a live session was swept"
        else:
            assert life.successor or life.user == "ada", f"a session of {life.user} was ended"

    def _compare(self, model: Model) -> None:
        site, now = self._site, self._site.clock()
        live = model.live(now)
        stored = {record.id for record in site.store.find(None, now)}
        assert stored == live.keys(), f"{stored} is stored, and not {set(live)}"
        for id, life in live.items():
            record = site.store.read(id)
            assert record is not None
            wanted = life.created, life.seen, life.expires, life.user, life.lifetime
            had = record.created, record.seen, record.expires, record.user, record.lifetime
            assert had == wanted, f"times and user are {had}, and not {wanted}"
            with site.direct.open_id(id) as session:
                values = {key: ordered(value) for key, value in session.items()}
            fields = {key: ordered(value) for key, value in life.fields.items()}
            assert values == fields, f"stored is {values}, and not {fields}"


class _Deaf(dict[str, Any]):
    """Takes the place of a session, when a program is done to the model alone."""

    def apply(self, *_: object) -> None: ...
    def login(self, *_: object, **__: object) -> None: ...
    def regenerate_id(self) -> None: ...
    def destroy(self) -> None: ...
    def set_lifetime(self, *_: object, **__: object) -> None: ...
