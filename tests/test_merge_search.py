"""Random search: what two requests make of one list, against what a small model says of it.

`SOJOURN_SEARCH` multiplies how long it searches; a failure names the seed.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from sojourn._merge.three_way import reconcile
from sojourn.codec import Codec
from tests.merging import Cart, carts, faults

mark = Codec().mark
FACTOR = int(os.environ.get("SOJOURN_SEARCH", "1"))


def under(key: str, cart: Cart) -> Cart:
    """The same articles with their id under another key."""
    return [
        {key if name == "id" else name: value for name, value in article.items()}
        for article in cart
    ]


def test_no_cart_holds_an_article_twice_or_half() -> None:
    for seed in range(5_000 * FACTOR):
        base, mine, theirs = carts(Random(seed))
        merged, lost = reconcile(base, mine.cart, theirs.cart, mark)
        assert faults(base, mine, theirs, merged, lost=lost) == [], f"seed {seed}"


def test_without_known_ids_nothing_is_stored_twice() -> None:
    """What cannot be seen then: whether an article that shares an entry was put in its place."""
    replaced = 0
    for seed in range(5_000 * FACTOR):
        base, mine, theirs = carts(Random(seed))
        forms = [under("sku", cart) for cart in (base, mine.cart, theirs.cart)]
        merged, lost = reconcile(forms[0], forms[1], forms[2], mark)
        merged = [{"id": a.pop("sku"), **a} for a in map(dict, merged)]
        found = faults(base, mine, theirs, merged, lost=lost)
        assert not [fault for fault in found if "twice" in fault], f"seed {seed}"
        if found:
            assert "of another article" in found[0], f"seed {seed}"
            replaced += 1
    assert replaced < 10 * FACTOR


def shuffled(base: list[int], random: Random, new: range) -> list[int]:
    """What a request may make of a list of numbers: removed, added and moved ones."""
    items = [item for item in base if random.random() < 0.8]
    for item in new:
        items.insert(random.randrange(len(items) + 1), item)
    if random.random() < 0.3:
        random.shuffle(items)
    elif items and random.random() < 0.5:
        items.append(items.pop(random.randrange(len(items))))
    return items


def test_of_plain_items_none_is_lost_in_silence() -> None:
    for seed in range(5_000 * FACTOR):
        random = Random(seed)
        base = [*range(random.randrange(7))]
        mine = shuffled(base, random, range(100, 100 + random.randrange(3)))
        theirs = shuffled(base, random, range(200, 200 + random.randrange(3)))
        merged, lost = reconcile(base, mine, theirs, mark)
        note = f"seed {seed}: {base} {mine} {theirs} -> {merged} {lost}"
        assert len({*merged}) == len(merged), note
        assert {*mine} - {*base} <= {*merged}, note
        assert not ({*base} - {*mine}) & {*merged}, note
        if not lost:
            wanted = ({*mine} & {*theirs}) | ({*mine} ^ {*theirs}) - {*base}
            assert {*merged} == wanted, note
            order: Any = [item for item in mine if item in wanted]
            other = [item for item in theirs if item in wanted]
            common = {*base} & wanted
            orders = [[item for item in side if item in common] for side in (order, other, merged)]
            plain = [item for item in base if item in common]
            assert orders[2] in orders[:2], note
            if orders[0] != plain and orders[1] != plain:
                assert orders[0] == orders[1], note
