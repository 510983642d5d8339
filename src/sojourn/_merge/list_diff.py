"""Finds the changes that a request made to a list: items kept, moved, edited, removed and added.

Only the lists before and after are known, not the calls in between, so items must be recognised.
This takes three steps, each linear or n log n in the number of items:

1. Items that are the same and in the same order are kept (`_align`).
2. Of the others, an item that is the same at another place was moved.
3. Of the others, an old and a new item between the same neighbours are one edited item, if it is
   clear which new item belongs to which old one.  Two containers that share an entry which no other
   item has belong together; two dicts with different values under "id" never do.

If it is not clear, for instance because one item replaced two, the old and the new items form a
`Rewrite`, which a merge accepts or rejects as a whole.

Items are compared by their marks: bytes that are equal for equal values.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sojourn._merge.comparer import Comparer

NOWHERE = -1
PER_SHIFTED = 3
"""The work, in microseconds, to find an item that is not at its old place."""
CONTAINERS = (dict, list, set, frozenset, tuple)

Gap = tuple[int, int, int, int]
"""A stretch without kept items: start and end in the old list, start and end in the new one."""


class Rewrite(NamedTuple):
    """Old items that were replaced by new ones, without a clear match between them."""

    old: list[int]
    new: list[int]


class ListDiff(NamedTuple):
    """The difference between two lists.  Items are identified by their index."""

    items: list[Any]
    """The new list."""
    at: list[int]
    """For each old item its index in the new list, NOWHERE if it is gone."""
    origin: list[int]
    """For each new item its index in the old list, NOWHERE if it was added."""
    moved: set[int]
    """Old items that are unchanged, but have another place among the others."""
    edited: set[int]
    """Old items that have a different value now."""
    gone: set[int]
    """Old items that no longer exist, including those of rewrites."""
    rewrites: list[Rewrite]


def list_diff(
    before: list[Any], marks: list[bytes], after: list[Any], compare: Comparer
) -> ListDiff:
    """Return the difference between `before` and `after`.

    marks: the marks of the items of `before`.  Raises TooMuchWork at the limit of `compare`.
    """
    numbers: dict[bytes, int] = {}  # small ints are compared and looked up faster than marks
    old = [numbers.setdefault(mark, len(numbers)) for mark in marks]
    new = [numbers.setdefault(mark, len(numbers)) for mark in compare.marks(after)]
    at = _align(old, new, compare)
    origin = [NOWHERE] * len(new)
    for place, found in enumerate(at):
        if found >= 0:
            origin[found] = place
    hunks = _Hunks(at, len(new))
    # The hunks are numbered before moved items are matched, since only kept items separate hunks.
    moved = _match_moved(old, new, at, origin)
    hunks.disturb(moved, at)
    # Only these items can be edited ones: all others have a match that is the same.
    gone = {place for place, found in enumerate(at) if found < 0}
    added = [place for place, found in enumerate(origin) if found < 0]
    edited: set[int] = set()
    rewrites: list[Rewrite] = []
    if gone and added:
        compare.spend(2 * (len(gone) + len(added)))
        pairs, rewrites = _Pairing(before, after, compare, hunks).pair(sorted(gone), added)
        for place, found in pairs:
            at[place], origin[found] = found, place
            edited.add(place)
    return ListDiff(after, at, origin, moved, edited, gone - edited, rewrites)


def _match_moved(old: list[int], new: list[int], at: list[int], origin: list[int]) -> set[int]:
    """Match items that are the same at another place; return their old indexes."""
    left = [place for place, found in enumerate(at) if found < 0]
    moved = _ranked(old, left, new, [place for place, found in enumerate(origin) if found < 0])
    for place, found in moved:
        at[place], origin[found] = found, place
    return {place for place, _ in moved}


# -- items that are kept in order ------------------------------------------------------------------


def _align(old: list[int], new: list[int], compare: Comparer) -> list[int]:
    """Return for each old item the index of the same new item, with the order of both kept.

    Items that occur once in each list are matched first, since they cannot be confused; then the
    others between them, the first of equal ones with the first.  The result is not always the
    longest common subsequence, which would take quadratic time to find.
    """
    # A shortcut for edits in place, the common case, which needs no search.
    if len(old) == len(new):
        other = [place for place, number in enumerate(old) if number != new[place]]
        if {old[place] for place in other}.isdisjoint(new[place] for place in other):
            at = [*range(len(old))]  # some were edited in place, and none was shifted
            for place in other:
                at[place] = NOWHERE
            return at
    at = [NOWHERE] * len(old)
    start, end, new_start, new_end = _trim(old, new, at, (0, len(old), 0, len(new)))
    compare.spend(PER_SHIFTED * (end - start + new_end - new_start))
    inner, new_inner = range(start, end), range(new_start, new_end)
    counts, new_counts = Counter(old[start:end]), Counter(new[new_start:new_end])
    unique = [place for place in inner if counts[old[place]] == new_counts[old[place]] == 1]
    new_unique = [place for place in new_inner if counts[new[place]] == new_counts[new[place]] == 1]
    _keep_in_order(_ranked(old, unique, new, new_unique), at)
    if len(unique) < len(inner) and len(new_unique) < len(new_inner):
        # A list of the gaps, since the loop changes `at`, from which they are computed.
        for gap in [*_gaps(at, len(new))]:
            start, end, new_start, new_end = _trim(old, new, at, gap)
            _keep_in_order(_ranked(old, range(start, end), new, range(new_start, new_end)), at)
        # The items kept just now have split the gaps, and the new ends may be equal again.
        for gap in [*_gaps(at, len(new))]:
            _trim(old, new, at, gap)
    return at


def _gaps(at: list[int], size: int) -> Iterator[Gap]:
    """Yield the stretches between kept items that have items in both lists."""
    start, new_start = 0, 0
    for place, found in enumerate(at):
        if found >= 0:
            if start < place and new_start < found:
                yield start, place, new_start, found
            start, new_start = place + 1, found + 1
    if start < len(at) and new_start < size:
        yield start, len(at), new_start, size


def _trim(old: list[int], new: list[int], at: list[int], gap: Gap) -> Gap:
    """Match equal items at both ends of a gap; return the gap that remains."""
    start, end, new_start, new_end = gap
    while start < end and new_start < new_end and old[start] == new[new_start]:
        at[start] = new_start
        start, new_start = start + 1, new_start + 1
    while start < end and new_start < new_end and old[end - 1] == new[new_end - 1]:
        end, new_end = end - 1, new_end - 1
        at[end] = new_end
    return start, end, new_start, new_end


def _ranked(
    old: list[int], places: Sequence[int], new: list[int], new_places: Sequence[int]
) -> list[tuple[int, int]]:
    """Pair equal items: the first of them with the first, the second with the second."""
    first: dict[int, int] = {}
    following: dict[int, int] = {}
    # Backwards, so that `first` ends with the first index and `following` links to the next ones.
    for place in reversed(new_places):
        number = new[place]
        if number in first:
            following[place] = first[number]
        first[number] = place
    pairs = []
    for place in places:
        found = first.get(old[place], NOWHERE)
        if found >= 0:
            pairs.append((place, found))
            first[old[place]] = following.get(found, NOWHERE)
    return pairs


def _keep_in_order(pairs: list[tuple[int, int]], at: list[int]) -> None:
    """Keep the longest series of pairs in which the new indexes increase as the old ones do.

    This is patience sorting.  For each length, `series` holds the last pair of the series of that
    length with the smallest end, and `ends` that end; `links` leads from a pair to the one before
    it.
    """
    ends: list[int] = []
    series: list[int] = []
    links: list[int] = []
    for number, (_, found) in enumerate(pairs):
        length = bisect_left(ends, found)
        links.append(series[length - 1] if length else NOWHERE)
        if length == len(ends):
            ends.append(found)
            series.append(number)
        else:
            ends[length], series[length] = found, number
    number = series[-1] if series else NOWHERE
    while number >= 0:
        place, found = pairs[number]
        at[place] = found
        number = links[number]


# -- items that were edited ------------------------------------------------------------------------


class _Hunks:
    """Numbers the stretches between kept items; old and new items of one stretch share a number."""

    def __init__(self, at: list[int], size: int) -> None:
        self.of_old: list[int] = []
        self.of_new = [0] * size
        number, reached = 0, 0
        for new in at:
            if new >= 0:
                self.of_new[reached:new] = [number] * (new - reached)
                number, reached = number + 1, new + 1
            self.of_old.append(number)
        self.of_new[reached:] = [number] * (size - reached)
        self.disturbed: set[int] = set()
        """Stretches that an item moved out of or into: neighbours there identify no other item."""

    def disturb(self, moved: set[int], at: list[int]) -> None:
        """Note the stretches of moved items."""
        self.disturbed.update(self.of_old[old] for old in moved)
        self.disturbed.update(self.of_new[at[old]] for old in moved)


class _Pairing:
    """Decides which new items are edited old ones."""

    def __init__(
        self, before: list[Any], after: list[Any], compare: Comparer, hunks: _Hunks
    ) -> None:
        self._before = before
        self._after = after
        self._compare = compare
        self._hunks = hunks

    def pair(
        self, gone: list[int], added: list[int]
    ) -> tuple[list[tuple[int, int]], list[Rewrite]]:
        """Return the pairs of old and new indexes of edited items, and the unclear items."""
        pairs, rewrites = self._linked(gone, added)
        used_old = {old for old, _ in pairs}.union(*(rewrite.old for rewrite in rewrites))
        used_new = {new for _, new in pairs}.union(*(rewrite.new for rewrite in rewrites))
        olds = self._by_stretch(gone, used_old, self._hunks.of_old, dict(pairs))
        turned = {new: old for old, new in pairs}
        news = self._by_stretch(added, used_new, self._hunks.of_new, turned)
        moved_over = Rewrite([], [])
        for (hunk, number), old in olds.items():
            new = news.get((hunk, number), [])
            if hunk in self._hunks.disturbed:
                # An item moved here or away, so it is unclear which of the others belong together.
                moved_over.old.extend(old)
            # Places alone decide here, as no shared entry has linked these items.
            elif new and self._belong(old, new):
                pairs += zip(old, new, strict=False)
            elif new:
                rewrites.append(Rewrite(old, new))
        for (hunk, _), new in news.items():
            if hunk in self._hunks.disturbed:
                moved_over.new.extend(new)
        if moved_over.old and moved_over.new:
            rewrites.append(moved_over)
        return pairs, rewrites

    def _belong(self, old: list[int], new: list[int]) -> bool:
        """Whether new items between the same neighbours are the old items, in the same order.

        They are if both are equally many and no ids differ.  If there are more new items, they are
        only if the old ones are not containers, since no part of such an item can end up in another;
        the surplus items count as added.
        """
        pairs = zip(old, new, strict=False)
        if any(
            _are_others(self._before[place], self._after[found], self._compare)
            for place, found in pairs
        ):
            return False
        if len(old) == len(new):
            return True
        return len(old) < len(new) and not any(
            isinstance(self._before[place], CONTAINERS) for place in old
        )

    def _by_stretch(
        self, places: list[int], used: set[int], hunk_of: list[int], edited: dict[int, int]
    ) -> dict[tuple[int, int], list[int]]:
        """Group the remaining items by hunk and by the number of edited items before them in it."""
        stretches: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        seen: Counter[int] = Counter()
        for place in places:
            hunk = hunk_of[place]
            if place in edited:
                seen[hunk] += 1
            elif place not in used:
                stretches[hunk, seen[hunk]].append(place)
        return stretches

    def _linked(
        self, gone: list[int], added: list[int]
    ) -> tuple[list[tuple[int, int]], list[Rewrite]]:
        """Pair containers that share an entry no other has; unclear ones become rewrites."""
        links, back = self._links(gone, added)
        pairs: list[tuple[int, int]] = []
        rewrites: list[Rewrite] = []
        last: dict[int, int] = {}
        done: set[int] = set()
        for old in sorted(links):
            if old in done:
                continue
            rewrite = _component(old, links, back)
            done.update(rewrite.old)
            new, hunk = rewrite.new[0], self._hunks.of_old[old]
            # Several items on one side: it is unclear which new item belongs to which old one.
            alone = len(rewrite.old) == len(rewrite.new) == 1
            # Linked items are one edited item only if it stayed between its neighbours, in order.
            here = hunk == self._hunks.of_new[new] and hunk not in self._hunks.disturbed
            if alone and here and last.get(hunk, NOWHERE) < new:
                last[hunk] = new
                pairs.append((old, new))
            else:
                rewrites.append(rewrite)
        return pairs, rewrites

    def _links(
        self, gone: list[int], added: list[int]
    ) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
        """Return which old and new containers share an entry, in both directions."""
        if len(gone) == len(added) == 1:  # there is nothing to confuse
            old, new = gone[0], added[0]
            if self._hunks.of_old[old] == self._hunks.of_new[new]:
                return {}, {}
        owners = self._owners(self._before, gone)
        links: defaultdict[int, set[int]] = defaultdict(set)
        back: defaultdict[int, set[int]] = defaultdict(set)
        if owners:
            for part, new in self._owners(self._after, added).items():
                old = owners.get(part, NOWHERE)
                if old < 0 or new < 0:
                    continue
                if not _are_others(self._before[old], self._after[new], self._compare):
                    links[old].add(new)
                    back[new].add(old)
        return links, back

    def _owners(self, items: list[Any], places: list[int]) -> dict[tuple[type, bytes], int]:
        """Return for each entry of these containers the index of its owner; NOWHERE if several."""
        owners: dict[tuple[type, bytes], int] = {}
        for place in places:
            kind = type(items[place])
            if kind in CONTAINERS:
                # A set, since an item that contains an entry twice is still its only owner.
                for mark in set(_parts(items[place], self._compare)):
                    owners[kind, mark] = NOWHERE if (kind, mark) in owners else place
        return owners


def _parts(value: Any, compare: Comparer) -> list[bytes]:
    """Return the marks of a container's items; for a dict, of its pairs of key and value."""
    if type(value) is not dict:
        return compare.marks(value)
    return compare.marks([key, entry] for key, entry in value.items())


def _are_others(item: Any, other: Any, compare: Comparer) -> bool:
    """Whether these are dicts with different ids, so that neither can be an edit of the other."""
    both = type(item) is dict and type(other) is dict and "id" in item and "id" in other
    return both and not compare.same(item["id"], other["id"])


def _component(old: int, links: dict[int, set[int]], back: dict[int, set[int]]) -> Rewrite:
    """Return all items that are linked with an old item, directly or through others."""
    olds, news, todo = {old}, set[int](), [old]
    while todo:
        for new in links[todo.pop()]:
            if new not in news:
                news.add(new)
                todo += back[new] - olds
                olds |= back[new]
    return Rewrite(sorted(olds), sorted(news))
