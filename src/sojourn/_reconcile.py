"""Three-way merge of one value: what two requests did to a container in place, both at once.

Of a value there are three forms: what was loaded (base), what this request made of it (mine), and
what is stored by now (theirs).  A container is taken apart into slots and each is merged for
itself; a slot that both changed is taken apart in turn if it holds containers of one type.  Where
that ends, the two changes contradict each other: mine wins, and that is reported.

`mark` gives equal bytes for what is the same, types and order included: 1, True and 1.0 differ,
and one NaN is like another.  Nothing that is passed in is changed; the result shares the parts
that one side alone touched.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from difflib import SequenceMatcher
from itertools import chain
from typing import Any, NamedTuple

Marker = Callable[[Any], bytes]
Merged = tuple[Any, bool]
Block = tuple[int, int, int]
"""Where a run of equal items stands before, where after, and how many they are."""

_ABSENT: Any = object()
"""What a slot holds on a side that has no such entry."""

_COMPARISONS = 100_000
"""Up to so many pairs of items an alignment may try them all: a few hundredths of a second."""


def reconcile(base: Any, mine: Any, theirs: Any, mark: Marker) -> Merged:
    """The merged value, and whether two changes contradicted each other, so that mine won."""
    before = mark(base)
    if _only_appended(base, mine, theirs, before, mark):
        return theirs + mine[len(base) :], False
    my_mark, their_mark = mark(mine), mark(theirs)
    if my_mark == before:
        return theirs, False
    if their_mark == before:
        return mine, False
    merge = _MERGES.get(type(mine))
    if merge is not None and type(base) is type(mine) is type(theirs):
        return merge(base, mine, theirs, mark)
    return mine, my_mark != their_mark


def _only_appended(base: Any, mine: Any, theirs: Any, before: bytes, mark: Marker) -> bool:
    """Whether both are lists that begin with the base: the usual case, and dear item by item."""
    if not type(base) is type(mine) is type(theirs) is list or len(base) > len(mine):
        return False
    return mark(mine[: len(base)]) == before == mark(theirs[: len(base)])


def _slot(base: Any, mine: Any, theirs: Any, mark: Marker) -> Merged:
    """The same where any may be absent.  The will of mine decides between removed and changed."""
    if mine is base:
        return theirs, False
    if theirs is base:
        return mine, False
    if mine is _ABSENT:
        return _ABSENT, theirs is not _ABSENT and mark(theirs) != mark(base)
    if theirs is _ABSENT:
        changed = mark(mine) != mark(base)
        return (mine if changed else _ABSENT), changed
    if base is _ABSENT:
        return _both_put(mine, theirs, mark)
    return reconcile(base, mine, theirs, mark)


def _both_put(mine: Any, theirs: Any, mark: Marker) -> Merged:
    """The same value is put once; two containers merge as if both had begun with an empty one."""
    if mark(mine) == mark(theirs):
        return mine, False
    if type(mine) is type(theirs) and type(mine) in _MERGES:
        return reconcile(type(mine)(), mine, theirs, mark)
    return mine, True


def _merge_dicts(
    base: dict[Any, Any], mine: dict[Any, Any], theirs: dict[Any, Any], mark: Marker
) -> Merged:
    """Their order first, then the entries that are mine alone."""
    sides = [{mark(key): value for key, value in side.items()} for side in (base, mine, theirs)]
    merged: dict[Any, Any] = {}
    lost = False
    for name, key in {mark(key): key for key in chain(theirs, mine)}.items():
        before, my_value, their_value = (side.get(name, _ABSENT) for side in sides)
        value, contradicted = _slot(before, my_value, their_value, mark)
        lost |= contradicted
        if value is not _ABSENT:
            lost |= merged.pop(key, _ABSENT) is not _ABSENT  # put as 1 by them and as True by me
            merged[key] = value
    return merged, lost


def _merge_sets(base: Any, mine: Any, theirs: Any, mark: Marker) -> Merged:
    """What stands there and what I added, without what I removed."""
    before, ours, stored = ({mark(item): item for item in side} for side in (base, mine, theirs))
    added = {name: item for name, item in ours.items() if name not in before}
    kept = {name: item for name, item in stored.items() if name in ours or name not in before}
    entries = {**added, **kept}
    merged = type(mine)(entries.values())  # of 1 and True the first stays, which is mine
    return merged, len(merged) != len(entries)


def _merge_tuples(
    base: tuple[Any, ...], mine: tuple[Any, ...], theirs: tuple[Any, ...], mark: Marker
) -> Merged:
    """Place by place, if there are equally many."""
    if not len(base) == len(mine) == len(theirs):
        return mine, mark(mine) != mark(theirs)
    places = zip(base, mine, theirs, strict=True)
    merged = [reconcile(*values, mark) for values in places]
    return tuple(value for value, _ in merged), any(lost for _, lost in merged)


def _merge_lists(base: list[Any], mine: list[Any], theirs: list[Any], mark: Marker) -> Merged:
    """What both inserted or appended stands, theirs first; items of the base are slots."""
    names = [mark(item) for item in base]
    my_edits = _edits(base, names, mine, mark)
    their_edits = _edits(base, names, theirs, mark)
    lost = _settle_moves(names, my_edits, their_edits)
    merged: list[Any] = []
    for place in range(len(base) + 1):
        merged += [item for _, item in their_edits.inserted[place]]
        merged += [item for _, item in my_edits.inserted[place]]
        if place < len(base):
            slots = base[place], my_edits.slots[place], their_edits.slots[place]
            value, contradicted = _slot(*slots, mark)
            lost |= contradicted
            merged += [] if value is _ABSENT else [value]
    return merged, lost


class _Edits(NamedTuple):
    """What one side did to a list."""

    slots: list[Any]
    """For each item of the base: itself, what it became, or absent."""
    inserted: defaultdict[int, list[tuple[bytes, Any]]]
    """The new items before each place of the base, with their marks."""

    def places(self) -> defaultdict[bytes, list[int]]:
        """Where the inserted items stand, by their marks."""
        places: defaultdict[bytes, list[int]] = defaultdict(list)
        for place, items in self.inserted.items():
            for name, _ in items:
                places[name].append(place)
        return places


def _edits(base: list[Any], names: list[bytes], side: list[Any], mark: Marker) -> _Edits:
    """Between items that stay, as many or more new ones instead of some: edited, in this order.

    With fewer nobody knows which were removed, and what was only moved is not edited: there all
    were removed, and the others inserted.
    """
    after = [mark(item) for item in side]
    before_all, after_all = set(names), set(after)
    edits = _Edits([_ABSENT] * len(base), defaultdict(list))
    done = used = 0
    for start, found, size in _blocks(names, after):
        old, new = names[done:start], after[used:found]
        moved = not (before_all.isdisjoint(new) and after_all.isdisjoint(old))
        edited = 0 if moved or len(old) > len(new) else len(old)
        edits.slots[done : done + edited] = side[used : used + edited]
        if edited < len(new):
            edits.inserted[start] += zip(new[edited:], side[used + edited : found], strict=True)
        done, used = start + size, found + size
        edits.slots[start:done] = base[start:done]
    return edits


def _settle_moves(names: list[bytes], mine: _Edits, theirs: _Edits) -> bool:
    """Keep what both took from its place from standing at two others: mine decides where.

    Returns whether that contradicts what they decided.
    """
    slots = zip(names, mine.slots, theirs.slots, strict=True)
    gone = [name for name, my_item, item in slots if my_item is _ABSENT and item is _ABSENT]
    my_places, their_places = mine.places(), theirs.places()
    lost = False
    for name in gone:
        here, there = my_places[name][:1], their_places[name][:1]
        del my_places[name][:1], their_places[name][:1]
        lost |= here != there
        twice = mine if here == there else theirs
        for place in there:
            items = twice.inserted[place]
            del items[[other for other, _ in items].index(name)]
    return lost


def _blocks(before: list[bytes], after: list[bytes]) -> Iterator[Block]:
    """The runs that stay, in order; the last reaches the end of both and may be empty."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    rest, new = before[head : len(before) - tail], after[head : len(after) - tail]
    yield 0, 0, head
    for start, found, size in _inner_blocks(rest, new):
        yield head + start, head + found, size
    yield len(before) - tail, len(after) - tail, tail


def _common(before: list[bytes], after: list[bytes]) -> int:
    """How many items both begin with."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(before), len(after)))


def _inner_blocks(before: list[bytes], after: list[bytes]) -> Iterable[Block]:
    if len(before) * len(after) <= _COMPARISONS:
        return SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return _unique_blocks(before, after)


def _unique_blocks(before: list[bytes], after: list[bytes]) -> list[Block]:
    """The longest series of items that are unique on both sides and in the same order on both.

    It takes n log n steps where comparing all with all takes n squared.
    """
    counts, new_counts = Counter(before), Counter(after)
    found = {name: at for at, name in enumerate(after) if new_counts[name] == counts[name] == 1}
    ends: list[int] = []  # for each length, where the series that ends earliest does
    series: list[tuple[Block, Any]] = []  # and that series, from its last item to its first
    for start, name in enumerate(before):
        if name in found:
            length = bisect_left(ends, found[name])
            longer = (start, found[name], 1), series[length - 1] if length else None
            ends[length : length + 1] = [found[name]]
            series[length : length + 1] = [longer]
    blocks, link = [], series[-1] if series else None
    while link is not None:
        block, link = link
        blocks.append(block)
    return blocks[::-1]


_MERGES: dict[type, Callable[[Any, Any, Any, Marker], Merged]] = {
    dict: _merge_dicts,
    set: _merge_sets,
    frozenset: _merge_sets,
    list: _merge_lists,
    tuple: _merge_tuples,
}
