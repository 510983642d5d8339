"""The plan of a simulated world: what happens when, drawn at random from one number.

A plan is a value.  If a law breaks, its steps are removed one after the other for as long as the law
still breaks, so that a developer reads the shortest history.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from sojourn.testing.simulation.deeds import ADDING, BLIND, DEEDS
from sojourn.testing.simulation.network import NETWORKS

VARIANTS: dict[str, dict[str, Any]] = {
    "usual": {},
    "lasting cookies": {"cookie_lifetime": 3000.0},
    "seen if changed": {"touch_on": "change"},
    "anonymous in an outage": {"on_outage": "anonymous"},
}
"""Settings in which the managers of a world may differ from those of another."""


class Visit(NamedTuple):
    """A request of a browser."""

    at: float
    """The second at which it begins."""
    browser: int
    process: int
    deeds: tuple[str, ...]
    lazy: bool = False
    """Whether it begins without reading its session."""
    takes: float = 0.0
    """Seconds that its handler takes."""
    response_lost: bool = False
    leaves: float | None = None
    """Seconds after which the client goes away, and the server cancels the request."""
    raises: bool = False
    """Whether its handler fails in the end, so that nothing may be stored."""
    headers: bool = True
    """Whether its response can carry headers, as that of a refused WebSocket cannot."""


class Task(NamedTuple):
    """Work without a request, as `jobs` has it."""

    at: float
    kind: str
    browser: int
    """The browser whose session or user it is about."""
    process: int


TASKS = ("end id", "end user", "end others", "end of another", "list", "open", "open", "gc", "gc")
"""The kinds of work without a request, as often as they are drawn."""


class Fault(NamedTuple):
    """A fault: "crash" or "failover" of the store, "cut", "kill" or "clock" of a process."""

    at: float
    kind: str
    process: int
    amount: float
    """How long it lasts; of a failover the seconds whose writes are lost; of a clock its error."""


Step = Visit | Task | Fault


class Plan(NamedTuple):
    """All that happens in one world."""

    seed: int
    browsers: int
    processes: int
    network: str
    """One of `NETWORKS`."""
    variant: str
    """One of `VARIANTS`."""
    steps: tuple[Step, ...]

    @property
    def is_calm(self) -> bool:
        """Whether no call is lost, and no request is interrupted."""
        faults = any(isinstance(step, Fault) for step in self.steps)
        leaves = any(isinstance(step, Visit) and step.leaves is not None for step in self.steps)
        return self.network == "calm" and not faults and not leaves


def draw(seed: int) -> Plan:
    """Return the plan of a number.

    Requests come in groups, so that they overlap.  Between two groups there is a pause: short, or
    as long as a touch interval, or as the lifetime of a session.
    """
    dice = Random(f"plan {seed}")
    browsers, processes = dice.choice([1, 1, 2, 3]), dice.choice([1, 2, 3])
    network = dice.choice(["calm", "calm", "rough", "storm"])
    faulty = dice.random() < 0.4
    at, steps = 0.0, list[Step]()
    for browser in range(browsers):
        deeds = tuple(dice.sample(list(ADDING), 2)) + ("login",) * (dice.random() < 0.7)
        steps.append(Visit(at, browser, 0, deeds))
    for _ in range(dice.choice([3, 6, 12])):
        at += dice.choice([1.0, 1.0, 5.0, 11.0, 11.0, 40.0, dice.choice([300.0, 590.0, 700.0])])
        for _ in range(dice.choice([1, 2, 3, 5])):
            begin = at + dice.uniform(0, 0.05)
            where = dice.randrange(browsers), dice.randrange(processes)
            steps.append(_step(dice, begin, *where, faulty=faulty))
    if dice.random() < 0.1:  # many at once change one key, so that they are stored together
        deeds = (dice.choice([*ADDING]),)
        steps += [Visit(at + 1 + dice.uniform(0, 0.02), 0, 0, deeds) for _ in range(6)]
    variant = dice.choice(["usual", "usual", "usual", *VARIANTS])
    return Plan(seed, browsers, processes, network, variant, tuple(steps))


def _step(dice: Random, at: float, browser: int, process: int, *, faulty: bool) -> Step:
    luck = dice.random()
    if luck < 0.09:
        return Task(at, dice.choice(TASKS), browser, process)
    if luck < 0.17 and faulty:
        kind = dice.choice(["crash", "failover", "cut", "kill", "clock"])
        amount = dice.uniform(-30, 30) if kind == "clock" else dice.choice([0.01, 0.5, 5.0])
        return Fault(at, kind, process, amount)
    return Visit(
        at,
        browser,
        process,
        *_work(dice),
        dice.choice([0.0, 0.0, 0.01, 0.5, 12.0]),
        response_lost=dice.random() < 0.05,
        leaves=dice.choice([0.001, 0.02, 0.5]) if dice.random() < 0.05 else None,
        raises=dice.random() < 0.03,
        headers=dice.random() >= 0.03,
    )


def _work(dice: Random) -> tuple[tuple[str, ...], bool]:
    """Return the deeds of a request, and whether it begins without reading its session."""
    common = [*ADDING] * 4 if dice.random() < 0.8 else []
    drawn = dice.choices([*common, *DEEDS], k=dice.choice([0, 1, 1, 2, 3]))
    deeds, lazy = tuple(dict.fromkeys(drawn)), dice.random() < 0.35
    # A count that is again what it was is no change (law 3), even if the log was forgotten before.
    if "count" in deeds:
        deeds = tuple(deed for deed in deeds if deed not in ("forget log", "empty"))
    if lazy and dice.random() < 0.5:
        deeds = tuple(deed for deed in deeds if deed in BLIND)
    return deeds, lazy


# -- shortening ------------------------------------------------------------------------------------

_SIMPLE: dict[str, Any] = {
    "lazy": False,
    "takes": 0.0,
    "response_lost": False,
    "leaves": None,
    "raises": False,
    "headers": True,
    "process": 0,
}
"""The simplest values of a visit's settings."""


def shortened(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """Return a plan with few and simple steps that still fails."""
    size = max(len(plan.steps) // 2, 1)
    while size:
        at = 0
        while at < len(plan.steps):
            less = plan._replace(steps=plan.steps[:at] + plan.steps[at + size :])
            if fails(less):
                plan = less
            else:
                at += size
        size //= 2
    for at in range(len(plan.steps)):
        plan = _simplified(plan, at, fails)
    if fails(plan._replace(variant="usual")):
        plan = plan._replace(variant="usual")
    for network in NETWORKS:
        if fails(plan._replace(network=network)):
            return plan._replace(network=network)
    return plan


def _simplified(plan: Plan, at: int, fails: Callable[[Plan], bool]) -> Plan:
    """Return a plan in which one step is as simple as possible."""

    def attempt(step: Step) -> None:
        nonlocal plan
        other = plan._replace(steps=(*plan.steps[:at], step, *plan.steps[at + 1 :]))
        if step != plan.steps[at] and fails(other):
            plan = other

    for name, value in _SIMPLE.items():
        if name in plan.steps[at]._fields:
            attempt(plan.steps[at]._replace(**{name: value}))
    step = plan.steps[at]
    for deed in step.deeds if isinstance(step, Visit) else ():
        current = plan.steps[at]
        assert isinstance(current, Visit)
        attempt(current._replace(deeds=tuple(other for other in current.deeds if other != deed)))
    return plan
