"""Laws 3 to 6, 8, 10 and 12 under any order of events: requests that overlap at will, against a model."""

from __future__ import annotations

import copy
import random
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sojourn import Manager, Provider, Session, SessionGone
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock
from tests.contract.own import OwnProvider
from tests.hard.model import ABSOLUTE, IDLE, INTERVAL, RETIRED_FOR, Life, Model, Verdict, Visit

UNKNOWN = "A" * 43
USERS = ["ada", "bob"]
LIFETIMES = [None, 60.0, 300.0, 2000.0]
KEYS = ["one", "two", "count", "list", "set", "tree", "log"]
PAUSES = st.sampled_from([0.25, 1.0, 4.75, 5.0, 10.0, 60.0, 295.0, 599.0, 1900.0])
SETTINGS = {
    "max_lifetime": IDLE,
    "absolute_lifetime": ABSOLUTE,
    "touch_interval": INTERVAL,
    "retired_for": RETIRED_FOR,
}


Deed = tuple[Any, ...]
"""A method of the machine by its name, and its arguments."""

CHOICES: dict[str, tuple[list[Any], ...]] = {
    "put": (["one", "two", "count"], [0, 1, 2]),
    "put_list": (),
    "put_what_was_there": (KEYS,),
    "drop": (KEYS,),
    "drop_all": (),
    "append": (),
    "change_set": ([0, 1, 2], ["add", "discard"]),
    "grow": (["oak", "elm"],),
    "prune": (["oak", "elm"],),
    "count": (),
    "log": (),
    "clear": (),
    "login": (USERS, [True, False], LIFETIMES),
    "regenerate": (),
    "destroy": (),
    "set_lifetime": (LIFETIMES, [True, False]),
}
"""What a request may do, and with which arguments."""

DEED: st.SearchStrategy[Deed] = st.one_of(
    st.tuples(st.just(name), *map(st.sampled_from, choices)) for name, choices in CHOICES.items()
)
DEEDS = st.lists(DEED, max_size=3)
WORKS = st.lists(st.tuples(DEEDS, st.sampled_from([0.0, 0.0, 1.0, 12.0])), min_size=1, max_size=3)
RETIRED = st.runner().flatmap(lambda machine: st.sampled_from(machine.retired()))
LIVING = st.runner().flatmap(lambda machine: st.sampled_from(machine.living()))


def thrown(dice: random.Random) -> list[Deed]:
    """Some deeds, as the dice fall."""
    names = dice.choices(list(CHOICES), k=dice.randrange(4))
    return [(name, *(dice.choice(choices) for choices in CHOICES[name])) for name in names]


class Request(NamedTuple):
    """A request under way: the session, what the model says of it, and how it is released."""

    session: Session
    visit: Visit
    release: Callable[[], object]


class Sessions(RuleBasedStateMachine):
    """Any requests in any order over one store."""

    tokens: Bundle[str] = Bundle("tokens")
    requests: Bundle[Request] = Bundle("requests")
    open_store: Callable[[Path], Provider]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.clock = FakeClock(1_800_000_000.0)
        self.provider = type(self).open_store(folder)
        self.manager = Manager(self.provider, SETTINGS, clock=self.clock)
        self.model = Model()
        self.issued: dict[str, str] = {}
        self.item = 0

    def teardown(self) -> None:
        self.stack.close()

    def next_item(self) -> int:
        self.item += 1
        return self.item

    # -- requests begin ----------------------------------------------------------------------

    @initialize(target=tokens)
    def two_are_known(self) -> MultipleResults[str]:
        requests = [self.begin([]), self.begin([])]
        for request in requests:
            self.do(request, [("append",), ("put", "one", 1), ("grow", "oak")])
        self.login(requests[1], "ada", keep=True, remember=None)
        return multiple(*self.settle_all(requests))

    @rule(target=requests, deeds=DEEDS)
    def new_visitor_comes(self, deeds: list[Deed]) -> Request:
        return self.do(self.begin([]), deeds)

    @rule(target=requests, token=tokens, deeds=DEEDS)
    def visitor_comes_back(self, token: str, deeds: list[Deed]) -> Request:
        return self.do(self.begin([token]), deeds)

    @precondition(lambda self: self.living())
    @rule(target=tokens, token=LIVING, works=WORKS, order=st.permutations(range(3)))
    def requests_overlap(
        self, token: str, works: list[tuple[list[Deed], float]], order: list[int]
    ) -> MultipleResults[str]:
        return multiple(*self.overlap(token, works, [at for at in order if at < len(works)]))

    def overlap(
        self, token: str, works: list[tuple[list[Deed], float]], order: list[int]
    ) -> list[str]:
        """Begin some with one token, a pause after each; release them in some order."""
        requests = []
        for deeds, pause in works:
            requests.append(self.do(self.begin([token]), deeds))
            self.clock.advance(pause)
        return self.settle_all(requests[at] for at in order)

    @precondition(lambda self: self.retired())
    @rule(target=tokens, token=RETIRED, deeds=DEEDS)
    def visitor_comes_with_a_retired_token(
        self, token: str, deeds: list[Deed]
    ) -> MultipleResults[str]:
        return multiple(*self.settle_all([self.do(self.begin([token]), deeds)]))

    @rule(target=tokens, dice=st.randoms(use_true_random=True))
    def crowds_overlap(self, dice: random.Random) -> MultipleResults[str]:
        """The same many times over: one draw for all of it makes for more of it."""
        handed = list[str]()
        for _ in range(6):
            if living := self.living():
                works = [(thrown(dice), dice.choice([0.0, 0.0, 1.0, 12.0])) for _ in range(3)]
                order = dice.sample(range(3), dice.choice([1, 2, 2, 3]))
                handed += self.overlap(dice.choice(living), works, order)
        return multiple(*handed)

    def retired(self) -> list[str]:
        found = ((token, self.model.visit(id, self.clock())) for token, id in self.issued.items())
        return [token for token, visit in found if visit and visit.standing == "retired"]

    def living(self) -> list[str]:
        live = self.model.live(self.clock())
        return [token for token, id in self.issued.items() if id in live]

    @rule(target=requests, tokens=st.lists(tokens | st.just(UNKNOWN), max_size=4), deeds=DEEDS)
    def request_with_several_cookies(self, tokens: list[str], deeds: list[Deed]) -> Request:
        return self.do(self.begin(tokens), deeds)

    def begin(self, tokens: list[str]) -> Request:
        session = self.manager.start([("Cookie", f"sid={token}") for token in tokens])
        candidates = [self.issued.get(token, "") for token in list(dict.fromkeys(tokens))[:3]]
        found = (self.model.visit(id, self.clock()) for id in candidates)
        visit = next((visit for visit in found if visit is not None), Visit())
        assert dict(session) == visit.mine
        assert session.is_new == (visit.origin is None)
        assert session.user == visit.user
        return Request(session, visit, lambda: self.manager.release(session))

    @rule(target=requests, token=tokens, deeds=DEEDS)
    def job_begins(self, token: str, deeds: list[Deed]) -> Request | MultipleResults[Request]:
        id = self.issued[token]
        visit = self.model.visit(id, self.clock())
        opened = self.manager.open_id(id)
        if visit is None or visit.standing == "retired":
            with pytest.raises(SessionGone):
                opened.__enter__()
            return multiple()
        session = opened.__enter__()
        visit.standing = "job"
        assert dict(session) == visit.mine
        return self.do(Request(session, visit, lambda: opened.__exit__(None, None, None)), deeds)

    # -- what requests do --------------------------------------------------------------------

    @rule(request=requests, deeds=DEEDS)
    def request_goes_on(self, request: Request, deeds: list[Deed]) -> None:
        self.do(request, deeds)

    def do(self, request: Request, deeds: list[Deed]) -> Request:
        for name, *args in deeds:
            getattr(self, name)(request, *args)
        return request

    def put(self, request: Request, key: str, number: int) -> None:
        request.session[key] = number
        request.visit.assign(key, number)

    def put_list(self, request: Request) -> None:
        item = self.next_item()
        request.session["list"] = [item]
        request.visit.assign("list", [item])

    def put_what_was_there(self, request: Request, key: str) -> None:
        if key in request.visit.mine:
            value = request.visit.mine[key]
            request.session[key] = copy.deepcopy(value)
            request.visit.assign(key, copy.deepcopy(value))

    def drop(self, request: Request, key: str) -> None:
        if key in request.visit.mine:
            del request.session[key]
            request.visit.drop(key)

    def drop_all(self, request: Request) -> None:
        for key in list(request.session):
            self.drop(request, key)

    def append(self, request: Request) -> None:
        item = self.next_item()
        request.session.setdefault("list", []).append(item)
        request.visit.begin("list", []).append(item)

    def change_set(self, request: Request, number: int, verb: str) -> None:
        getattr(request.session.setdefault("set", set()), verb)(number)
        getattr(request.visit.begin("set", set()), verb)(number)

    def grow(self, request: Request, branch: str) -> None:
        tree = request.visit.begin("tree", {})
        theirs = request.session.setdefault("tree", {})
        if branch in tree or branch not in request.visit.base.get("tree", {}):
            item = self.next_item()
            tree.setdefault(branch, []).append(item)
            theirs.setdefault(branch, []).append(item)

    def prune(self, request: Request, branch: str) -> None:
        if branch in request.visit.mine.get("tree", {}):
            del request.visit.mine["tree"][branch]
            del request.session["tree"][branch]

    def count(self, request: Request) -> None:
        request.session.apply("count", lambda count: count + 1, 0)
        request.visit.apply("count", 1)

    def log(self, request: Request) -> None:
        item = self.next_item()
        request.session.apply("log", lambda log: (*log, item), ())
        request.visit.apply("log", item)

    def clear(self, request: Request) -> None:
        request.session.clear()
        request.visit.clear()

    # -- what requests want of their sessions ------------------------------------------------

    def login(self, request: Request, user: str, keep: bool, remember: float | None) -> None:
        if request.visit.standing != "job":
            request.session.login(user, keep=keep, remember=remember)
            request.visit.sign_in(user, keep=keep, remember=remember)

    def regenerate(self, request: Request) -> None:
        if request.visit.standing != "job":
            request.session.regenerate_id()
            request.visit.renew = True

    def destroy(self, request: Request) -> None:
        request.session.destroy()
        request.visit.destroy()

    def set_lifetime(self, request: Request, seconds: float | None, persistent: bool) -> None:
        request.session.set_lifetime(seconds, persistent=persistent)
        request.visit.live(seconds, persistent=persistent)

    # -- requests end ------------------------------------------------------------------------

    @rule(request=consumes(requests))
    def fail(self, request: Request) -> None:
        """The handler raised: nothing is released, and so nothing stored."""

    @rule(target=tokens, some=st.lists(consumes(requests), min_size=1, max_size=3))
    def release(self, some: list[Request]) -> MultipleResults[str]:
        return multiple(*self.settle_all(some))

    def settle_all(self, requests: Iterable[Request]) -> list[str]:
        """Release them in turn; return the tokens that were handed out."""
        return [token for request in requests if (token := self.settle(request)) is not None]

    def settle(self, request: Request) -> str | None:
        verdict = self.model.release(request.visit, self.clock())
        try:
            request.release()
            assert (verdict.outcome, request.visit.standing) != ("late", "job")
        except SessionGone:
            assert (verdict.outcome, request.visit.standing) == ("late", "job")
        return self.compare(request, verdict)

    def compare(self, request: Request, verdict: Verdict) -> str | None:
        """Check the answer and what stands now; return the token that was handed out."""
        release, visit = request.session.released, request.visit
        assert release is not None
        assert release.outcome == verdict.outcome
        assert ("Set-Cookie" in dict(release.headers)) == verdict.cookie
        assert (release.token is not None) == (verdict.outcome in ("created", "renewed"))
        if release.token is not None and verdict.life is not None:
            assert release.token not in self.issued
            self.issued[release.token] = id = request.session.id
            old = visit.origin if verdict.outcome == "renewed" else None
            self.model.begin(id, verdict.life, old, self.clock())
        if verdict.life is not None:
            self.compare_record(request.session.id, verdict.life)
        return release.token

    def compare_record(self, id: str, life: Life) -> None:
        record = self.provider.read(id)
        assert record is not None
        times = life.created, life.seen, life.expires
        assert (record.created, record.seen, record.expires) == times
        assert (record.user, record.lifetime) == (life.user, life.lifetime)
        with self.manager.open_id(id) as session:
            stored = {key: ordered(value) for key, value in session.items()}
            assert stored == {key: ordered(value) for key, value in life.fields.items()}
            life.fields = dict(session)  # of the orders within the law, the real one

    # -- the rest of the world ---------------------------------------------------------------

    @rule(seconds=PAUSES)
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        assert self.manager.gc() == self.model.sweep(self.clock())

    @rule(token=tokens)
    def destroy_by_id(self, token: str) -> None:
        id = self.issued[token]
        assert self.manager.destroy(id) == self.model.end(id)

    @rule(user=st.sampled_from(USERS), token=st.none() | tokens)
    def destroy_user(self, user: str, token: str | None) -> None:
        keep = None if token is None else self.issued[token]
        live = self.model.live(self.clock())
        theirs = [id for id, life in live.items() if life.user == user and id != keep]
        assert self.manager.destroy_user(user, keep=keep) == len(theirs)
        for id in theirs:
            self.model.end(id)

    @invariant()
    def lists_agree(self) -> None:
        live = self.model.live(self.clock())
        assert self.manager.active_count() == len(live)
        listed = {info.id: (info.user, info.expires_at) for info in self.manager.sessions()}
        assert listed == {id: (life.user, life.expires) for id, life in live.items()}
        for user in ("ada", "bob"):
            theirs = {info.id for info in self.manager.sessions(user)}
            assert theirs == {id for id, life in live.items() if life.user == user}

    @invariant()
    def nothing_lives_too_long(self) -> None:
        """Law 8, told without the history: by what was seen last, and when it began."""
        for life in self.model.live(self.clock()).values():
            assert self.clock() < life.created + ABSOLUTE
            assert self.clock() < life.seen + (life.lifetime or IDLE)


def ordered(value: Any) -> Any:
    """A value without the order that a merge of lists may choose."""
    if isinstance(value, dict):
        return {key: sorted(items) for key, items in value.items()}
    return sorted(value) if isinstance(value, list) else value


def file_store(folder: Path) -> Provider:
    return FileProvider(folder / "sessions")


def own_store(folder: Path) -> Provider:
    return OwnProvider(folder / "sessions.db")


STORES: dict[str, tuple[Callable[[Path], Provider], int]] = {
    "memory": (lambda _: MemoryProvider(), 120),
    "file": (file_store, 40),
    "own": (own_store, 15),
}
"""Each store, and how many histories of it are tried."""


def machine_over(store: Callable[[Path], Provider]) -> type[Sessions]:
    return type("Machine", (Sessions,), {"open_store": staticmethod(store)})


@pytest.mark.parametrize("store", STORES)
def test_any_history_goes_as_the_laws_say(store: str) -> None:
    """Laws 3 to 6, 8, 10, 12."""
    open_store, examples = STORES[store]
    profile = settings(
        max_examples=examples,
        stateful_step_count=60,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine_over(open_store), settings=profile)
