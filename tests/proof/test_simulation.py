"""All laws, in simulated worlds with faults of the network, the store, the processes and clocks."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from sojourn import Provider
from sojourn.providers.memory import MemoryProvider
from sojourn.testing.simulation import LawBroken, SwapStore, simulate
from sojourn.testing.simulation.plans import Visit, draw
from tests.proof.assigning import AssigningMemory
from tests.proof.planted_answers import PLANTED

FACTOR = int(os.environ.get("SOJOURN_SEARCH", "1"))
WORLDS: dict[str, tuple[Callable[[], Provider], int]] = {
    "memory": (MemoryProvider, 1000),
    "assigning": (AssigningMemory, 500),
    "swaps": (SwapStore, 1000),
}
"""Each store, and how many worlds of it are tried."""


@pytest.mark.parametrize("store", WORLDS)
def test_no_law_breaks(store: str) -> None:
    make, worlds = WORLDS[store]
    for seed in range(worlds * FACTOR):
        simulate(seed, make)


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_faults_are_found(fault: str) -> None:
    with PLANTED[fault].plant():
        assert _broken(PLANTED[fault].store) is not None


def test_a_seed_reproduces_its_history() -> None:
    for seed in range(20):
        histories = [simulate(seed, MemoryProvider).checker.lines for _ in range(2)]
        assert histories[0] == histories[1]


def test_the_worlds_contain_everything() -> None:
    """Each outcome, each fault and each deed occurs, so that the worlds test something."""
    outcomes, steps = set[str](), set[str]()
    for seed in range(200):
        outcomes.update(simulate(seed, MemoryProvider).outcomes)
        for step in draw(seed).steps:
            steps.update(step.deeds if isinstance(step, Visit) else [step.kind])
    assert outcomes == {
        "unchanged", "touched", "created", "saved", "renewed", "ended", "late", "retired",
        "discarded", "outage",
    }  # fmt: skip
    assert len(steps) == 23 + 7 + 5


def test_a_broken_law_is_shown_by_its_shortest_history() -> None:
    with PLANTED["a merge that drops deletions"].plant():
        text = _broken(MemoryProvider)
    assert text is not None
    assert text.startswith("seed ")
    assert text.count("Visit(") <= 3
    assert "update" in text


def _broken(make: Callable[[], Provider]) -> str | None:
    """Return the first history that breaks a law; None if there is none in 2,000 worlds."""
    for seed in range(2000):
        try:
            simulate(seed, make)
        except LawBroken as error:
            return str(error)
    return None
