"""The checks of what a store holds in the end, and of its lists."""

from __future__ import annotations

from sojourn.providers.base import Provider
from sojourn.record import is_live
from sojourn.testing.simulation.checker import Checker


def compare_lists(checker: Checker, provider: Provider, now: float) -> None:
    """Check the lists of the store, which may have other sessions too."""
    live = {id for id, record in checker.stored.items() if is_live(record, now)}
    listed = [record.id for record in provider.find(None, now)]
    mine = {id for id in listed if id in checker.lineages}
    checker.check(mine == live, "law 12", f"{mine ^ live} is listed wrongly")
    checker.check(provider.count(now) == len(listed), "law 12", "the store counts wrongly")
    for user in {record.user for record in checker.stored.values()} - {None}:
        theirs = {id for id in live if checker.stored[id].user == user}
        found = {record.id for record in provider.find(user, now)}
        checker.check(found == theirs, "law 12", f"{found ^ theirs} of {user} is listed wrongly")


def check_orphans(checker: Checker) -> None:
    """Check that no move in several steps has left a record that no token opens."""
    left = checker.unnamed & checker.stored.keys()
    checker.check(not left, "law 9", f"{left} is stored, and no token opens it")
