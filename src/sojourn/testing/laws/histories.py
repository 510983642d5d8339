"""All laws, in simulated worlds over the provider under test."""

from __future__ import annotations

from sojourn.testing._subject import Subject
from sojourn.testing.simulation import simulate

WORLDS = 20
"""How many worlds are simulated."""


class Histories(Subject):
    """Requests of several browsers and processes, under faults of the network."""

    def test_no_simulated_history_breaks_a_law(self) -> None:
        """Every law holds after each call, whatever requests overlap and whichever calls are lost.

        See `sojourn.testing.simulation`.
        """
        with self.simulated() as store:
            for seed in range(WORLDS):
                simulate(seed, lambda: store)
