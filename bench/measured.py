"""All measurements of one run, which the pages about performance show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.rush import Pace
from bench.serving.measure import Figures
from bench.shares import Shares
from bench.size import Sweep, Weight
from bench.speed import Speeds


class Measured(NamedTuple):
    """The measurements, the machine on which they were made, and how often they were repeated."""

    machine: str
    versions: str
    rounds: int
    speeds: Speeds
    shares: Shares
    paces: Sequence[Pace]
    weights: Sequence[Weight]
    kept: Sequence[Weight]
    sweeps: Mapping[str, Sweep]
    imports: Mapping[str, float]
    phases: str
    serving: Figures
