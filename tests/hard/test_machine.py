"""Laws 3 to 6, 8, 10 and 12 under any order of events: requests that overlap at will, against a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from sojourn import Provider
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from tests.contract.own import OwnProvider
from tests.hard.machine import Sessions


def file_store(folder: Path) -> Provider:
    return FileProvider(folder / "sessions")


def own_store(folder: Path) -> Provider:
    return OwnProvider(folder / "sessions.db")


STORES: dict[str, tuple[Callable[[Path], Provider], int]] = {
    "memory": (lambda _: MemoryProvider(), 400),
    "file": (file_store, 60),
    "own": (own_store, 40),
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
