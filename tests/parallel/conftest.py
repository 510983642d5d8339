"""The stores that several threads or tasks may share."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn import Provider
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from tests.parallel.rounds import TURNS


@pytest.fixture(params=["memory", "file"])
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> Provider:
    return MemoryProvider() if request.param == "memory" else FileProvider(tmp_path / "sessions")


@pytest.fixture
def turns(provider: Provider) -> int:
    """How many each worker has: fewer over files, where `test_processes` takes all of them."""
    return TURNS if isinstance(provider, MemoryProvider) else TURNS // 4
