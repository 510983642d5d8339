"""What one request may do with its session, done to the session and to what the model says of it."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any, NamedTuple

from hypothesis import strategies as st

from sojourn import Session, SessionGone
from tests.hard.model import Visit

Deed = tuple[Callable[..., None], *tuple[Any, ...]]
"""A function below, and its arguments."""

KEYS = ["one", "two", "count", "list", "set", "tree", "log"]
USERS = ["ada", "bob"]
LIFETIMES = [None, 60.0, 300.0, 2000.0]


class Request(NamedTuple):
    """A request under way: the session, what the model says of it, and how it is released."""

    session: Session
    visit: Visit
    release: Callable[[], object]
    items: Iterator[int]
    """Numbers that were in no container yet."""

    def do(self, deeds: list[Deed]) -> Request:
        for deed, *arguments in deeds:
            ended = self.visit.standing == "job" and self.visit.doomed is not None
            with suppress(SessionGone) if ended else nullcontext():
                deed(self, *arguments)
        return self


def put(request: Request, key: str, number: int) -> None:
    request.session[key] = number
    request.visit.assign(key, number)


def put_list(request: Request) -> None:
    item = next(request.items)
    request.session["list"] = [item]
    request.visit.assign("list", [item])


def put_what_was_there(request: Request, key: str) -> None:
    if key in request.visit.mine:
        value = request.visit.mine[key]
        request.session[key] = copy.deepcopy(value)
        request.visit.assign(key, copy.deepcopy(value))


def drop(request: Request, key: str) -> None:
    if key in request.visit.mine:
        del request.session[key]
        request.visit.drop(key)


def drop_all(request: Request) -> None:
    for key in list(request.session):
        drop(request, key)


def append(request: Request) -> None:
    item = next(request.items)
    request.session.setdefault("list", []).append(item)
    request.visit.begin("list", []).append(item)


def change_set(request: Request, number: int, verb: str) -> None:
    getattr(request.session.setdefault("set", set()), verb)(number)
    getattr(request.visit.begin("set", set()), verb)(number)


def grow(request: Request, branch: str) -> None:
    tree = request.visit.begin("tree", {})
    theirs = request.session.setdefault("tree", {})
    if branch in tree or branch not in request.visit.base.get("tree", {}):
        item = next(request.items)
        tree.setdefault(branch, []).append(item)
        theirs.setdefault(branch, []).append(item)


def prune(request: Request, branch: str) -> None:
    if branch in request.visit.mine.get("tree", {}):
        del request.visit.mine["tree"][branch]
        del request.session["tree"][branch]


def count(request: Request) -> None:
    request.session.apply("count", lambda count: count + 1, 0)
    request.visit.apply("count", 1)


def log(request: Request) -> None:
    item = next(request.items)
    request.session.apply("log", lambda log: (*log, item), ())
    request.visit.apply("log", item)


def clear(request: Request) -> None:
    request.session.clear()
    request.visit.clear()


def login(request: Request, user: str, keep: bool, remember: float | None) -> None:
    if request.visit.standing != "job":
        request.session.login(user, keep=keep, remember=remember)
        request.visit.sign_in(user, keep=keep, remember=remember)


def regenerate(request: Request) -> None:
    if request.visit.standing != "job":
        request.session.regenerate_id()
        request.visit.renew = True


def destroy(request: Request) -> None:
    request.session.destroy()
    request.visit.destroy()


def set_lifetime(request: Request, seconds: float | None, persistent: bool) -> None:
    request.session.set_lifetime(seconds, persistent=persistent)
    request.visit.live(seconds, persistent=persistent)


CHOICES: dict[Callable[..., None], tuple[list[Any], ...]] = {
    put: (["one", "two", "count"], [0, 1, 2]),
    put_list: (),
    put_what_was_there: (KEYS,),
    drop: (KEYS,),
    drop_all: (),
    append: (),
    change_set: ([0, 1, 2], ["add", "discard"]),
    grow: (["oak", "elm"],),
    prune: (["oak", "elm"],),
    count: (),
    log: (),
    clear: (),
    login: (USERS, [True, False], LIFETIMES),
    regenerate: (),
    destroy: (),
    set_lifetime: (LIFETIMES, [True, False]),
}
"""All deeds, and the arguments that each may have."""

EACH = [
    st.tuples(st.just(deed), *map(st.sampled_from, choices)) for deed, choices in CHOICES.items()
]
DEEDS: st.SearchStrategy[list[Deed]] = st.lists(st.one_of(EACH), max_size=3)


def thrown(dice: random.Random) -> list[Deed]:
    """Some deeds, as the dice fall."""
    deeds = dice.choices(list(CHOICES), k=dice.randrange(4))
    return [(deed, *(dice.choice(choices) for choices in CHOICES[deed])) for deed in deeds]
