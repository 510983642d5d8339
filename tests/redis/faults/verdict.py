"""What stands in Redis after a fault, compared with what every visitor was told."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable

from tests.faults import verdict
from tests.faults.load import COLOURS
from tests.redis.faults.load import Load
from tests.servers.redis import Redis

LOG = logging.getLogger(__name__)


class Verdict(verdict.Verdict):
    """What differs from what was acknowledged."""

    def __init__(self, load: Load, since: float = math.inf) -> None:
        super().__init__(load, since)
        self._prefix: str = load.settings["prefix"]

    def check_whole(self, masters: Iterable[Redis]) -> None:
        """See that every hash is a record, and stands in the lists: of all, and of its user."""
        keys: list[bytes] = []
        for master in masters:
            with master.enter() as client:
                keys += client.scan_iter(f"{self._prefix}:*")
        ids = re.findall(r":([0-9a-f]{64})\b", b"\n".join(keys).decode())
        records = list(filter(None, map(self._provider.read, ids)))
        living = sorted(record.id for record in records if record.successor is None)
        assert living == sorted(info.id for info in self._manager.sessions())
        assert len(living) == self._manager.active_count()
        for record in records:
            if record.user is not None:
                assert record.id in {info.id for info in self._manager.sessions(record.user)}


def nothing_is_lost(load: Load, masters: Iterable[Redis]) -> None:
    """Everything is as it was acknowledged, and each request answered in time."""
    verdict = Verdict(load)
    LOG.info("%s: %s", load, verdict)
    assert not verdict.faults, f"{load}: {verdict}"
    verdict.check_whole(masters)
    assert any(map(load.errors, COLOURS)), f"nobody noticed anything: {load}"
    for colour in COLOURS:
        assert load.slowest(colour) < load.bound, load


def waiting_keeps_ends(quick: Load, careful: Load, since: float, masters: Iterable[Redis]) -> bool:
    """Of what was acknowledged since then something may be lost, but no end that replicas knew of.

    Returns whether any was lost that they did not know of: else nothing was at stake.
    """
    verdicts = Verdict(quick, since), Verdict(careful, since)
    figures = f"without waiting: {quick}: {verdicts[0]}\nwaiting: {careful}: {verdicts[1]}"
    LOG.info(figures)
    assert not verdicts[0].faults, figures
    assert not verdicts[1].faults, figures
    assert not verdicts[1].undone, figures
    for each in verdicts:
        each.check_whole(masters)
    for colour in COLOURS:
        assert max(quick.slowest(colour), careful.slowest(colour)) < quick.bound, figures
    return bool(verdicts[0].undone)
