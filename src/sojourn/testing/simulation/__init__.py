"""A deterministic simulation of an application, its store, and everything that goes wrong.

In one world, real managers serve the requests of several browsers, over a store behind a network
that delays, reorders and loses calls.  Processes are killed, their clocks disagree, the store
crashes or fails over to a replica that lags.  Time is virtual, and one number, the seed, decides
everything, so it reproduces a history exactly.  The laws are checked after each step.

    from sojourn.testing.simulation import simulate

    for seed in range(1000):
        simulate(seed, OwnProvider)

If a law breaks, the plan is shortened, and the error shows the shortest history that breaks it.
"""

from __future__ import annotations

from collections.abc import Callable

from sojourn.providers.base import Provider
from sojourn.testing.simulation.checker import LawBroken as LawBroken
from sojourn.testing.simulation.plans import Plan, draw, shortened
from sojourn.testing.simulation.remote import SwapStore as SwapStore
from sojourn.testing.simulation.world import World as World


def simulate(seed: int, make: Callable[[], Provider]) -> World:
    """Run the world of a seed, and return it.

    make: returns a synchronous provider.  If it returns a new, empty store each time, as one in
        memory, the world also has failovers, in which the last writes are lost.

    Raises LawBroken, with the shortest history that breaks the same law.
    """
    plan = draw(seed)
    error, world = _run(plan, make)
    if error is None:
        return world
    law = _law(error)
    plan = shortened(plan, lambda less: _law(_run(less, make)[0]) == law)
    again, world = _run(plan, make)
    steps = [f"  {step}" for step in plan.steps]
    text = "\n".join([f"seed {seed}: {again or error}", *steps, *world.checker.lines])
    raise LawBroken(text) from None


def _run(plan: Plan, make: Callable[[], Provider]) -> tuple[LawBroken | None, World]:
    world = World(plan, make)
    try:
        world.run()
    except LawBroken as error:
        return error, world
    return None, world


def _law(error: LawBroken | None) -> str | None:
    return None if error is None else str(error).partition(":")[0]
