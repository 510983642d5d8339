"""SQLite on a disk that is full or takes no writes: nothing acknowledged is missing, and it goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hard.test_disk import own_disks
from tests.sql.disk import SCENARIOS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("scenario", [scenario.__name__ for scenario in SCENARIOS])
def test_a_disk_that_refuses_loses_nothing(tmp_path: Path, scenario: str) -> None:
    before = own_disks() if scenario == "full_disk" else []
    python = [sys.executable, "-B", "-W", "error", "-m", "tests.sql.disk", scenario]
    done = subprocess.run(
        [*before, *python, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
