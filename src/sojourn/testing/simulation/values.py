"""The checks of the values in sessions: none is lost, doubled, or stored though nobody wanted it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from sojourn.codec import Codec
from sojourn.codec.codec import decode_key
from sojourn.record import Record
from sojourn.testing.simulation.deeds import CONTAINERS, EVERY, PLAIN, Intent, Pair

Check = Callable[[object, str, str], None]
"""Takes a condition, the law that it is about, and a sentence to raise if the condition is false."""
_CODEC = Codec()


class Values:
    """The numbers that were stored, and the checks of each change."""

    def __init__(self, check: Check, *, moves_in_steps: bool) -> None:
        """moves_in_steps: whether a move stores its new record before it replaces the old one."""
        self._check = check
        self._moves_in_steps = moves_in_steps
        self.stored: set[Pair] = set()
        """All pairs that were ever stored."""
        self.refused: set[Pair] = set()
        """The pairs of which a request was told that they were not stored."""
        self._assigned: dict[tuple[str, str], list[Any]] = {}
        """Of each lineage and plain key, the numbers that were stored there, in order."""

    def forget(self, lineage: str | None = None) -> None:
        """Forget in which order values were assigned: of one session, or of all."""
        for key in list(self._assigned):
            if lineage in (None, key[0]):
                del self._assigned[key]

    def note(self, values: Mapping[str, Any]) -> None:
        """Note that values are stored, without checking them."""
        self.stored |= pairs_of(values)

    def changed(
        self,
        lineage: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        intents: Collection[Intent],
    ) -> None:
        """Check what became of the values of a session in one step.

        intents: those of the requests that may change it now.
        """
        for key in CONTAINERS:
            old, new = numbers(before.get(key)), numbers(after.get(key))
            self._check(len(new) == len(set(new)), "law 4", f"{key} holds a number twice: {new}")
            lost = set(old) - set(new)
            if lost:
                self._removed(key, lost, intents)
            self._added(key, set(new) - set(old), intents)
        for key in PLAIN:
            if before.get(key) != after.get(key):
                self._replaced(lineage, key, after.get(key), intents)
                _note_overruled(key, before.get(key), after.get(key), intents)
        counted, logged = after.get("count", 0), len(numbers(after.get("log")))
        self._check(counted == logged, "law 4", f"count is {counted}, and the log has {logged}")

    def _removed(self, key: str, lost: set[Any], intents: Iterable[Intent]) -> None:
        wanted = any(intent.may_remove(key) for intent in intents)
        self._check(wanted, "law 4", f"{key} lost {lost}, and no request removes that")

    def _replaced(self, lineage: str, key: str, new: Any, intents: Iterable[Intent]) -> None:
        if new is None:
            self._removed(key, {None}, intents)
            return
        former = self._assigned.setdefault((lineage, key), [])
        self._check(new not in former, "law 4", f"{key} is {new} again, after {former}")
        former.append(new)
        self._added(key, {new}, intents)

    def _added(self, key: str, new: set[Any], intents: Iterable[Intent]) -> None:
        for number in new:
            pair = key, number
            wanted = any(pair in intent.adds for intent in intents)
            if not wanted and pair in self.stored and self._may_return(key, intents):
                continue
            self._check(wanted, "law 4", f"{key} got {number}, and no request adds that")
            told = pair not in self.refused
            self._check(told, "law 9", f"{key} got {number}, though its request was told otherwise")
            self.stored.add(pair)

    def _may_return(self, key: str, intents: Iterable[Intent]) -> bool:
        """Return whether a number that was removed may come back.

        It may with a change in place to a value that was deleted meanwhile, since the last of two
        contradicting changes wins; and with the new record of a move in several steps.
        """
        changed = any(
            key in intent.removes or any(key == other for other, _ in intent.adds)
            for intent in intents
        )
        return changed or self._moves_in_steps

    def acknowledged(self, intent: Intent, others: Collection[Intent]) -> None:
        """Check that what a request was told to be stored was stored.

        others: the intents of overlapping requests of the same session.
        """
        for pair in intent.sure - self.stored:
            key = pair[0]
            # Changes that are stored together may replace it before it was ever stored.
            replaced = any(other.may_remove(key) for other in others) or (
                key in PLAIN and any(key == added for other in others for added, _ in other.adds)
            )
            self._check(replaced, "law 4", f"{pair} was acknowledged, but is not stored")

    def wiped(
        self, intent: Intent, before: set[Pair], after: set[Pair], others: Collection[Intent]
    ) -> None:
        """Check that the values that a request deleted are gone.

        before, after: what was stored when it began, and is stored now.  others: the intents of
        overlapping requests of the same session.
        """
        for key in intent.wipes:
            # A change in place by another request puts a deleted value back: the last one wins.
            if any(key in one.removes or any(key == it for it, _ in one.adds) for one in others):
                continue
            left = {number for it, number in before & after if it == key}
            self._check(not left, "law 4", f"{key} still has {left}, which a request deleted")

    def refuse(self, intent: Intent) -> None:
        """Check that what a request was told not to be stored was not stored, and never will be."""
        for pair in intent.adds:
            told = pair not in self.stored
            self._check(told, "law 9", f"{pair} was stored, though its request was told otherwise")
        self.refused |= intent.adds


def _note_overruled(key: str, old: Any, new: Any, intents: Iterable[Intent]) -> None:
    """Note that a request has replaced a value that it has not seen."""
    for intent in intents:
        if intent.number != new or intent.shown is None or None in (old, new):
            continue
        # After `clear`, and a sign-in of another user, nothing is expected to be there.
        if not intent.clears and intent.user is None and intent.shown.get(key) != old:
            intent.overruled.add((key, old))


def values_of(record: Record) -> dict[str, Any]:
    """Return the decoded values of a record."""
    decode = _CODEC.decode
    return {str(decode_key(key)): decode(value) for key, value in record.fields.items()}


def pairs_of(values: Mapping[str, Any]) -> set[Pair]:
    """Return the pairs of keys and numbers that some values hold."""
    return {(key, number) for key in EVERY for number in numbers(values.get(key))}


def numbers(value: Any) -> list[Any]:
    """Return the numbers that a value holds."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [number for branch in value.values() for number in branch]
    return list(value) if isinstance(value, list | tuple | set) else [value]
