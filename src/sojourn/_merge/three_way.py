"""The three-way merge of a value that two requests changed in place at the same time.

There are three versions: the loaded one (base), the one that this request made (mine), and the one
that is stored now (theirs).  If only one side changed something, its change is kept.  If both did,
a container is split up and its entries are merged one by one:

    dict, set       entries added and removed by either side; the order of the side that changed
                    it, followed by the entries that the other side added at the end
    list            items added, removed, edited and moved by either side; if both added items at
                    the same place, theirs come first
    tuple           item by item, if all three have the same length
    anything else   is not split up

If the changes contradict each other, mine wins as a whole, and the loss is reported.  This applies
to a value that both changed, an item that one side removed and the other edited or moved, two new
orders, and list items that cannot be matched.  So nothing is stored twice, no item is mixed from
two others, and no change is lost silently.

A mark is a bytes object that is equal for equal values, types and order included: 1, True and 1.0
differ, and one NaN equals another.  Arguments are never changed; the result shares the
parts that only one side touched.  The work is n log n in the size of the values, and limited:
beyond the limit mine wins, and that is reported too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import Any, NamedTuple

from sojourn._merge.comparer import PLAIN, Comparer, Marker, TooMuchWork
from sojourn._merge.list_diff import NOWHERE, ListDiff, Rewrite, list_diff

ABSENT: Any = object()
"""Represents an entry that does not exist in one of the three versions."""

PER_LIST = 30
"""The minimum work to merge a list, in microseconds."""


def reconcile(base: Any, mine: Any, theirs: Any, mark: Marker | Comparer) -> tuple[Any, bool]:
    """Return the merged value, and whether changes contradicted each other, so that mine won.

    base: ABSENT if both sides stored a value that did not exist before.  Two containers of one type
        are then merged as if both sides had started with an empty one.
    mark: a function that marks values, or a Comparer if several merges share a time limit.
    """
    try:
        merge = _Merge(mark if isinstance(mark, Comparer) else Comparer(mark))
        if base is ABSENT:
            return merge.both_put(mine, theirs), merge.lost
        return merge.value(base, mine, theirs), merge.lost
    except TooMuchWork:
        return mine, True


class _Merge:
    """One merge; it remembers whether a change of theirs was lost."""

    def __init__(self, compare: Comparer) -> None:
        self._compare = compare
        self.mark, self.marks, self.same = compare.mark, compare.marks, compare.same
        self.spend = compare.spend
        self.lost = False

    def value(self, base: Any, mine: Any, theirs: Any) -> Any:
        """Merge a value that exists in all three versions."""
        if type(mine) in PLAIN or type(theirs) in PLAIN:
            return self._plain(base, mine, theirs)
        before = self.mark(base)
        # The most common change of a list needs no comparison item by item.
        if self._only_appended(base, mine, theirs, before):
            return theirs + mine[len(base) :]
        # If only one side changed the value, that side's version is the result.
        my_mark, their_mark = self.mark(mine), self.mark(theirs)
        if my_mark == before:
            return theirs
        if their_mark == before:
            return mine
        if type(base) is type(mine) is type(theirs) and type(mine) in _MERGES:
            return _MERGES[type(mine)](self, base, mine, theirs)
        self.lost |= my_mark != their_mark
        return mine

    def _plain(self, base: Any, mine: Any, theirs: Any) -> Any:
        """Choose between two values of which at least one is not a container."""
        if self.same(mine, base):
            return theirs
        if not self.same(theirs, base):
            self.lost |= not self.same(mine, theirs)
        return mine

    def both_put(self, mine: Any, theirs: Any) -> Any:
        """Merge a value that both sides stored and the base lacks."""
        if self.same(mine, theirs):
            return mine
        if type(mine) is type(theirs) and type(mine) in _MERGES:
            return self.value(type(mine)(), mine, theirs)
        self.lost = True
        return mine

    def _entry(self, base: Any, mine: Any, theirs: Any) -> Any:
        """Merge an entry of a dict that both sides may have changed; one version may be ABSENT."""
        if mine is ABSENT or theirs is ABSENT:  # one side removed it
            # Removal against no change: it is removed.  Removal against an edit: mine wins.
            other = theirs if mine is ABSENT else mine
            edited = not self.same(other, base)
            self.lost |= edited
            return mine if edited else ABSENT
        return self.both_put(mine, theirs) if base is ABSENT else self.value(base, mine, theirs)

    def _only_appended(self, base: Any, mine: Any, theirs: Any, before: bytes) -> bool:
        """Whether both lists begin with the items of the base."""
        if not type(base) is type(mine) is type(theirs) is list or len(base) > len(mine):
            return False
        return self.mark(mine[: len(base)]) == before == self.mark(theirs[: len(base)])

    # -- dicts, sets, tuples -----------------------------------------------------------------------

    def dicts(
        self, base: dict[Any, Any], mine: dict[Any, Any], theirs: dict[Any, Any]
    ) -> dict[Any, Any]:
        """Merge entry by entry."""
        self.spend((len(base) + len(mine) + len(theirs)) // 3)
        kinds = set(map(type, chain(base, mine, theirs)))
        if len(kinds) == 1 and kinds <= PLAIN:  # equal keys are the same
            return self._entries(base, mine, theirs)
        # A dict treats 1 and True as one key, a merge as two: marks tell them apart.
        keys = {
            mark: key
            for side in (theirs, mine)
            for mark, key in zip(self.marks(side), side, strict=True)
        }
        sides = (
            dict(zip(self.marks(side), side.values(), strict=True)) for side in (base, mine, theirs)
        )
        merged: dict[Any, Any] = {}
        for mark, value in self._entries(*sides).items():
            self.lost |= merged.pop(keys[mark], ABSENT) is not ABSENT
            merged[keys[mark]] = value
        return merged

    def _entries(
        self, base: dict[Any, Any], mine: dict[Any, Any], theirs: dict[Any, Any]
    ) -> dict[Any, Any]:
        """Merge entries under the same names, in the order of `_order`."""
        merged = {}
        for name in self._order(base, mine, theirs):
            before, ours = base.get(name, ABSENT), mine.get(name, ABSENT)
            stored = theirs.get(name, ABSENT)
            # Identity settles absent and interned values cheaply; the others need their marks.
            if ours is before:
                value = stored
            elif stored is before:
                value = ours
            else:
                value = self._entry(before, ours, stored)
            if value is not ABSENT:
                merged[name] = value
        return merged

    def _order(
        self, base: dict[Any, Any], mine: dict[Any, Any], theirs: dict[Any, Any]
    ) -> Iterable[Any]:
        """Return the keys of mine and theirs in the order in which they are stored.

        The side that changed the order of the old entries decides, and mine if both did.  Otherwise
        theirs come first, followed by the keys that only mine has.
        """
        if _reordered(base, mine):
            if _reordered(base, theirs):
                common = base.keys() & mine.keys() & theirs.keys()
                my_order = [name for name in mine if name in common]
                self.lost |= my_order != [name for name in theirs if name in common]
            return dict.fromkeys(chain(mine, theirs))
        return dict.fromkeys(chain(theirs, mine))

    def sets(self, base: Any, mine: Any, theirs: Any) -> Any:
        """Return theirs, with the items that mine added, and without those that mine removed."""
        kinds = {*map(type, base), *map(type, mine), *map(type, theirs)}
        if len(kinds) == 1 and kinds <= PLAIN:  # equal items are the same
            return (theirs - (base - mine)) | (mine - base)
        before, ours, stored = (
            dict(zip(self.marks(side), side, strict=True)) for side in (base, mine, theirs)
        )
        added = {name: item for name, item in ours.items() if name not in before}
        kept = {name: item for name, item in stored.items() if name in ours or name not in before}
        entries = {**added, **kept}
        merged = type(mine)(entries.values())  # of 1 and True the first is kept, which is mine
        self.lost |= len(merged) != len(entries)
        return merged

    def tuples(
        self, base: tuple[Any, ...], mine: tuple[Any, ...], theirs: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        """Merge item by item, if the three tuples have the same length."""
        if not len(base) == len(mine) == len(theirs):
            self.lost |= self.mark(mine) != self.mark(theirs)
            return mine
        return tuple(map(self.value, base, mine, theirs))

    # -- lists -------------------------------------------------------------------------------------

    def lists(self, base: list[Any], mine: list[Any], theirs: list[Any]) -> list[Any]:
        """Merge item by item."""
        self.spend(PER_LIST)
        marks = self.marks(base)
        # Both sides are compared with the base, so that their changes refer to the same old items.
        ours = list_diff(base, marks, mine, self._compare)
        stored = list_diff(base, marks, theirs, self._compare)
        restored, dropped = self._settle_rewrites(ours, stored)
        removed = stored.gone - restored
        insisted = removed & (ours.edited | ours.moved)  # removed by them, but changed by mine
        self.lost |= bool(insisted or ours.gone & (stored.edited | stored.moved))
        values = {
            old: self._item(base[old], mine[ours.at[old]], theirs[stored.at[old]])
            for old in ours.edited & stored.edited
        }
        gone = ours.gone | (removed - insisted)
        # The order of the side that moved items is the frame into which the other side is woven.
        if ours.moved:
            self.lost |= bool(stored.moved) and _order_of(ours, stored) != _order_of(stored, ours)
            return _woven(_Side(ours), _Side(stored, dropped), gone, values, theirs_first=False)
        return _woven(_Side(stored, dropped), _Side(ours), gone, values, theirs_first=True)

    def _settle_rewrites(self, ours: ListDiff, stored: ListDiff) -> tuple[set[int], set[int]]:
        """Decide which rewrites apply.  If two rewrites touch the same items, mine does.

        Returns the old items that theirs had removed and that are kept after all, and the new items
        of theirs that are dropped.
        """
        restored: set[int] = set()
        dropped: set[int] = set()
        touched = ours.gone | ours.edited | ours.moved
        mine = {tuple(rewrite.old): rewrite for rewrite in ours.rewrites}
        for rewrite in stored.rewrites:
            if not touched.isdisjoint(rewrite.old):
                other = mine.get(tuple(rewrite.old))
                self.lost |= other is None or not self._same_items(ours, other, stored, rewrite)
                restored.update(rewrite.old)
                dropped.update(rewrite.new)
        touched = (stored.gone - restored) | stored.edited | stored.moved
        self.lost |= any(not touched.isdisjoint(rewrite.old) for rewrite in ours.rewrites)
        return restored, dropped

    def _same_items(self, ours: ListDiff, mine: Rewrite, stored: ListDiff, theirs: Rewrite) -> bool:
        """Whether both sides rewrote the same items in the same way."""
        items = [ours.items[new] for new in mine.new]
        return self.same(items, [stored.items[new] for new in theirs.new])

    def _item(self, base: Any, mine: Any, theirs: Any) -> Any:
        """Merge a list item that both sides edited.

        Two dicts are merged only if some entry is the same in all three versions.  Otherwise one
        side may have replaced the item by another, whose entries must not be mixed with those of
        the old.
        """
        if not type(base) is type(mine) is type(theirs) is dict:
            return self.value(base, mine, theirs)
        self.spend(1 + len(base) // 4)
        for key, value in base.items():
            if self.same(mine.get(key, ABSENT), value) and self.same(
                theirs.get(key, ABSENT), value
            ):
                return self.dicts(base, mine, theirs)
        if not base:
            return self.dicts(base, mine, theirs)
        self.lost |= not self.same(mine, theirs)
        return mine


def _reordered(base: dict[Any, Any], side: dict[Any, Any]) -> bool:
    """Whether the entries that both dicts have are in a different order."""
    return [name for name in base if name in side] != [name for name in side if name in base]


def _order_of(side: ListDiff, other: ListDiff) -> list[int]:
    """Return the old items that both sides still have, in the order of `side`."""
    return [old for old in side.origin if old >= 0 and other.at[old] >= 0]


class _Side(NamedTuple):
    """The changes of one side to a list, and the indexes of its new items that are dropped."""

    diff: ListDiff
    dropped: Collection[int] = ()


def _woven(
    first: _Side, second: _Side, gone: set[int], values: dict[int, Any], *, theirs_first: bool
) -> list[Any]:
    """Return the items of `first` in their order, together with those that only `second` added.

    An added item follows the item that it followed in `second`.  theirs_first: if `first` added
    items at the same place, whether they come before.  values: the merged values of items that both
    edited.
    """
    merged: list[Any] = []
    waiting = _second_alone(first.diff, second, gone)
    held = waiting.pop(NOWHERE, [])
    edited, items, at = second.diff.edited, second.diff.items, second.diff.at
    for place, old in enumerate(first.diff.origin):
        if held and (old >= 0 or not theirs_first):
            merged += held
            held = []
        if old < 0:
            if place not in first.dropped:
                merged.append(first.diff.items[place])
            continue
        if old in values:
            merged.append(values[old])
        elif old not in gone:
            merged.append(items[at[old]] if old in edited else first.diff.items[place])
        if place in waiting:
            held = waiting[place]
    # Items that follow the last one of `first` are still held.
    return merged + held


def _second_alone(first: ListDiff, second: _Side, gone: set[int]) -> defaultdict[int, list[Any]]:
    """Return the items that only `second` has, by the index in `first` of the item they follow."""
    waiting: defaultdict[int, list[Any]] = defaultdict(list)
    follows = NOWHERE
    for place, old in enumerate(second.diff.origin):
        if old >= 0 and first.at[old] >= 0:
            follows = first.at[old]
        elif place not in second.dropped and (old < 0 or old not in gone):
            waiting[follows].append(second.diff.items[place])
    return waiting


_MERGES: dict[type, Callable[[_Merge, Any, Any, Any], Any]] = {
    dict: _Merge.dicts,
    set: _Merge.sets,
    frozenset: _Merge.sets,
    list: _Merge.lists,
    tuple: _Merge.tuples,
}
