"""Law 10: ten thousand visitors who only read leave nothing behind, and cost next to nothing."""

from __future__ import annotations

import asyncio
import base64
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from sojourn import AsyncManager, Manager, Provider, Session
from tests.parallel.visits import at_once, set_cookies

VISITORS, LANES = 10_000, 8
MALFORMED = ("", "x", '"', "=" * 43, "A" * 42 + "B", "../../etc/passwd", "é" * 43, "A" * 5000)


def without(dice: random.Random) -> dict[str, str]:
    return {}


def never_issued(dice: random.Random) -> dict[str, str]:
    token = base64.urlsafe_b64encode(dice.randbytes(32)).rstrip(b"=").decode()
    return {"Cookie": f"session={token}"}


def malformed(dice: random.Random) -> dict[str, str]:
    return {"Cookie": f"session={dice.choice(MALFORMED)}"}


VISITS = {"no cookie": (without, 0), "never issued": (never_issued, 1), "malformed": (malformed, 0)}


class Counted:
    """A provider that counts the calls it passes on."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.calls = Counter[str]()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        return self._counting(name, found) if callable(found) else found

    def _counting(self, name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.calls[name] += 1
            return verb(*args)

        return call


def look_around(session: Session) -> None:
    assert session.is_new
    assert session.user is None
    assert session.get("cart") is None
    assert "cart" not in session
    assert list(session) == []


def arrivals(kind: str, lane: int) -> Iterator[dict[str, str]]:
    dice = random.Random(f"{kind} {lane}")
    return (VISITS[kind][0](dice) for _ in range(VISITORS // LANES))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", VISITS)
def test_readers_leave_nothing_behind(provider: Provider, tmp_path: Path, kind: str) -> None:
    counted = Counted(provider)
    manager = Manager(cast("Provider", counted))

    def visit(lane: int) -> None:
        for headers in arrivals(kind, lane):
            with manager.open(headers) as session:
                look_around(session)
            assert session.released is not None
            assert set_cookies(session.released.headers) == []

    at_once(visit, LANES)
    assert counted.calls["read"] == counted.calls.total() == VISITORS * VISITS[kind][1]
    assert files_in(tmp_path) == []
    assert manager.active_count() == 0


@pytest.mark.parametrize("kind", VISITS)
async def test_readers_leave_nothing_behind_in_tasks(
    provider: Provider, tmp_path: Path, kind: str
) -> None:
    counted = Counted(provider)
    manager = AsyncManager(cast("Provider", counted))

    async def visit(lane: int) -> None:
        for headers in arrivals(kind, lane):
            async with manager.open(headers) as session:
                look_around(session)
            assert session.released is not None
            assert set_cookies(session.released.headers) == []

    await asyncio.gather(*map(visit, range(LANES)))
    assert counted.calls["read"] == counted.calls.total() == VISITORS * VISITS[kind][1]
    assert files_in(tmp_path) == []
    assert await manager.active_count() == 0
