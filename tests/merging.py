"""Two requests that change one list of articles, and what a merge of them must hold to.

Each article has an id, so a list can be read by anybody who knows the ids.  The merge does not
know them: to it they are one entry of many.
"""

from __future__ import annotations

import copy
from random import Random
from typing import Any

Article = dict[str, Any]
Cart = list[Article]


class Side:
    """What one request did, and the list as it left it."""

    def __init__(self, cart: Cart, random: Random, ids: range) -> None:
        self.cart = copy.deepcopy(cart)
        self.random = random
        self.ids = iter(ids)
        self.changed: dict[int, dict[str, Any]] = {}
        self.removed: set[int] = set()
        self.added: set[int] = set()
        self.log: list[str] = []

    def act(self) -> None:
        """Do one thing to the list."""
        ways = ["change", "change", "note", "remove", "add", "add", "insert", "move", "again"]
        way = self.random.choice(ways)
        if way in ("add", "insert"):
            article = {"id": next(self.ids), "n": self.random.randrange(3)}
            self.cart.insert(len(self.cart) if way == "add" else 0, article)
            self.added.add(article["id"])
        elif self.cart:
            place = self.random.randrange(len(self.cart))
            article = self.cart[place]
            self._change(way, article)
            if way == "remove":
                del self.cart[place]
                self.removed.add(article["id"])
            elif way in ("move", "again"):
                self.cart.append(self.cart.pop(place))
        self.log.append(way)

    def _change(self, way: str, article: Article) -> None:
        if way in ("change", "again", "note"):
            key = "note" if way == "note" else "n"
            article[key] = self.random.randrange(3, 99)
            self.changed.setdefault(article["id"], {})[key] = article[key]

    @property
    def touched(self) -> set[int]:
        """The ids of the articles that it changed, removed or added."""
        return self.changed.keys() | self.removed | self.added

    def find(self, id: int) -> Article | None:
        """Return the article with this id."""
        return next((article for article in self.cart if article["id"] == id), None)


def carts(random: Random, *, size: int = 4, deeds: int = 3) -> tuple[Cart, Side, Side]:
    """Return a list, and what two requests made of it."""
    base = [{"id": id, "n": random.randrange(3)} for id in range(random.randrange(size + 1))]
    sides = Side(base, random, range(100, 199)), Side(base, random, range(200, 299))
    for side in sides:
        for _ in range(random.randrange(deeds + 1)):
            side.act()
    return base, *sides


def faults(base: Cart, mine: Side, theirs: Side, merged: Cart, *, lost: bool) -> list[str]:
    """Return in how far the merged list breaks a promise."""
    ids = [article["id"] for article in merged]
    found = [f"{id} is there twice" for id in {*ids} if ids.count(id) > 1]
    for article in merged:
        versions = [
            version
            for version in (*base, *mine.cart, *theirs.cart)
            if version["id"] == article["id"]
        ]
        found += [
            f"{key} of {article['id']} is that of another article"
            for key, value in article.items()
            if value not in [version.get(key) for version in versions]
        ]
    found += missing(mine, None, merged)
    if not lost:
        found += missing(theirs, mine, merged)
        untouched = {article["id"] for article in base} - mine.touched - theirs.touched
        found += [f"{id}, which nobody touched, is gone" for id in untouched.difference(ids)]
    return found


def missing(side: Side, winner: Side | None, merged: Cart) -> list[str]:
    """Return which changes of a side are not in the merged list, but for those of the winner."""
    now = {article["id"]: article for article in merged}
    found = [f"{id} was removed, and is there" for id in side.removed & now.keys()]
    for id in (side.added | side.changed.keys()) - side.removed:
        article = side.find(id)
        assert article is not None
        if id not in now:
            found.append(f"{id} was added or changed, and is gone")
            continue
        for key in article if id in side.added else side.changed[id]:
            overruled = winner is not None and key in winner.changed.get(id, {})
            if now[id].get(key) != article[key] and not overruled:
                found.append(f"{key} of {id} was changed, and is as before")
    return found
