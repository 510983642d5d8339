"""Any requests in any order over one store, compared with the model after each step."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
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
)

from sojourn import Manager, Provider, SessionGone
from sojourn.testing import FakeClock
from tests.hard.deeds import DEEDS, USERS, Deed, Request, append, grow, login, put, thrown
from tests.hard.model import ABSOLUTE, IDLE, INTERVAL, RETIRED_FOR, Life, Model, Verdict, Visit

UNKNOWN = "A" * 43
PAUSES = st.sampled_from([-20.0, 0.25, 1.0, 4.75, 5.0, 10.0, 60.0, 295.0, 599.0, 1900.0])
SETTINGS = {
    "max_lifetime": IDLE,
    "absolute_lifetime": ABSOLUTE,
    "touch_interval": INTERVAL,
    "retired_for": RETIRED_FOR,
}
WORKS = st.lists(st.tuples(DEEDS, st.sampled_from([0.0, 0.0, 1.0, 12.0])), min_size=1, max_size=3)
RETIRED = st.runner().flatmap(lambda machine: st.sampled_from(machine.retired()))
LIVING = st.runner().flatmap(lambda machine: st.sampled_from(machine.living()))


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
        self.items = itertools.count()

    def teardown(self) -> None:
        self.stack.close()

    # -- requests begin ----------------------------------------------------------------------

    @initialize(target=tokens)
    def two_are_known(self) -> MultipleResults[str]:
        requests = [self.begin([]), self.begin([])]
        for request in requests:
            request.do([(append,), (put, "one", 1), (grow, "oak")])
        requests[1].do([(login, "ada", True, None)])
        return multiple(*self.settle_all(requests))

    @rule(target=requests, deeds=DEEDS)
    def new_visitor_comes(self, deeds: list[Deed]) -> Request:
        return self.begin([]).do(deeds)

    @rule(target=requests, token=tokens, deeds=DEEDS)
    def visitor_comes_back(self, token: str, deeds: list[Deed]) -> Request:
        return self.begin([token]).do(deeds)

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
            requests.append(self.begin([token]).do(deeds))
            self.clock.advance(pause)
        return self.settle_all(requests[at] for at in order)

    @precondition(lambda self: self.retired())
    @rule(target=tokens, token=RETIRED, deeds=DEEDS)
    def visitor_comes_with_a_retired_token(
        self, token: str, deeds: list[Deed]
    ) -> MultipleResults[str]:
        return multiple(*self.settle_all([self.begin([token]).do(deeds)]))

    @rule(target=tokens, dice=st.randoms(use_true_random=True))
    def crowds_overlap(self, dice: random.Random) -> MultipleResults[str]:
        """The same many times over: one draw for all of it makes for more of it."""
        handed = list[str]()
        for _ in range(6):
            if living := self.living():
                works = [
                    (thrown(dice), dice.choice([-5.0, 0.0, 0.0, 1.0, 12.0, 70.0])) for _ in range(3)
                ]
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
        return self.begin(tokens).do(deeds)

    def begin(self, tokens: list[str]) -> Request:
        session = self.manager.start([("Cookie", f"session={token}") for token in tokens])
        candidates = [self.issued.get(token, "") for token in dict.fromkeys(tokens)]
        visits = [self.model.visit(id, self.clock()) for id in candidates]
        found = [visit for visit in visits if visit is not None]
        # A retired token does not hide a living one that comes after it.
        found.sort(key=lambda visit: visit.standing == "retired")
        visit = found[0] if found else Visit()
        assert dict(session) == visit.mine
        assert session.is_new == (visit.origin is None)
        assert session.user == visit.user
        return Request(session, visit, partial(self.manager.release, session), self.items)

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
        leave = partial(opened.__exit__, None, None, None)
        return Request(session, visit, leave, self.items).do(deeds)

    # -- what requests do --------------------------------------------------------------------

    @rule(request=requests, deeds=DEEDS)
    def request_goes_on(self, request: Request, deeds: list[Deed]) -> None:
        request.do(deeds)

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
        release = request.session.released
        assert release is not None
        assert release.outcome == verdict.outcome
        assert ("Set-Cookie" in dict(release.headers)) == verdict.cookie
        assert (release.token is not None) == (verdict.outcome in ("created", "renewed"))
        if release.token is not None and verdict.life is not None:
            assert release.token not in self.issued
            self.issued[release.token] = id = request.session.id
            self.model.begin(id, verdict.life, verdict.former, self.clock())
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
        kept = self.model.kept(keep)
        theirs = [id for id, life in live.items() if life.user == user and id not in kept]
        assert self.manager.destroy_user(user, keep=keep) == len(theirs)
        for id in theirs:
            self.model.end(id)

    @invariant()
    def lists_agree(self) -> None:
        live = self.model.live(self.clock())
        assert self.manager.active_count() == len(live)
        listed = {info.id: (info.user, info.expires_at) for info in self.manager.sessions()}
        assert listed == {id: (life.user, life.expires) for id, life in live.items()}
        for user in USERS:
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
