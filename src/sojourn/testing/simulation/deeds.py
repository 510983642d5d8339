"""What a simulated request may do to its session, and what that allows to change in the store.

A request adds its own number to values: to a list, a set, a dict of lists, a log with a counter, or
by assigning it.  So each number that is stored tells which request stored it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sojourn.session import Session

CONTAINERS = ("cart", "tags", "log", "tree", "forest")
"""The keys whose values are containers of numbers."""
PLAIN = ("a", "b")
"""The keys to which numbers are assigned."""
EVERY = (*CONTAINERS, *PLAIN)
Pair = tuple[str, Any]
"""A key, and a number that is added or assigned there."""


@dataclass
class Intent:
    """What a request may change, from its first call of the store until its last one has arrived."""

    number: int
    browser: int
    lineage: str | None = None
    """The first id of the session whose token it carries; None without one."""
    adds: set[Pair] = field(default_factory=set)
    sure: set[Pair] = field(default_factory=set)
    """The pairs of `adds` that the request itself does not remove again."""
    removes: set[str] = field(default_factory=set)
    """The keys whose values it deletes or changes; "*" for all."""
    ends: bool = False
    renews: bool = False
    sets_lifetime: bool = False
    user: str | None = None
    """The user that it signs in."""
    stays_signed_in: bool = False
    """Whether it does not sign that user out again."""
    ends_user: str | None = None
    """The user all of whose sessions it ends."""
    sweeps: float | None = None
    """The time for which it deletes what has expired, if it sweeps the store."""
    began: int = 0
    """The step before its first call."""
    over: int | None = None
    """The step after which none of its calls can reach the store; None as long as one may."""
    wipes: set[str] = field(default_factory=set)
    """The keys whose values it deletes as a whole."""
    clears: bool = False
    """Whether it deletes all values, whatever they are by then."""
    wants: tuple[float | None, bool] | None = None
    """The lifetime that it sets last, and whether the cookie is to last; None if it sets none."""
    keeps: str | None = None
    """The first id of the session that it keeps when it ends those of a user."""
    detached: bool = False
    """Whether it opened the session by its id, without a request."""
    shown: Mapping[str, Any] | None = None
    """The values that it was given to read."""
    events: list[tuple[str, str | None]] = field(default_factory=list)
    """The events that were reported during it."""
    deleted: list[str] = field(default_factory=list)
    """The ids whose records its calls deleted."""
    called: int = 0
    """How often the function that it gave to `on_release` was called."""
    overruled: set[Pair] = field(default_factory=set)
    """The values of others that it has not seen, and replaced, by key and number."""

    def overlaps(self, started: int) -> bool:
        """Return whether it could still change its session after a step."""
        return self.over is None or self.over >= started

    def may_remove(self, key: str) -> bool:
        """Return whether values under a key may vanish because of this request."""
        return "*" in self.removes or key in self.removes or self.user is not None


class Deed(NamedTuple):
    """One thing that a request may do, and its effects, as in `Intent`."""

    do: Callable[[Any, int, str], object]
    """Takes the session, the number of the request, and the user of the browser."""
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    wipes: tuple[str, ...] = ()
    ends: bool = False
    renews: bool = False
    sets_lifetime: bool = False
    signs_in: str | None = None
    """What precedes the browser's user in the name of the user that it signs in."""
    clears: bool = False
    wants: tuple[float, bool] | None = None


def _count(session: Session, number: int, _: str) -> None:
    session.apply("log", lambda log: (*log, number), ())
    session.apply("count", lambda count: count + 1, 0)


def _forget_log(session: Session, _: int, __: str) -> None:
    session.pop("log", None)
    session.pop("count", None)


def _empty(session: Session, _: int, __: str) -> None:
    for key in list(session):
        del session[key]


def _untag(session: Session, _: int, __: str) -> None:
    if session.get("tags"):
        session["tags"].discard(min(session["tags"]))


ADDING: dict[str, Deed] = {
    "append": Deed(lambda s, n, _: s.setdefault("cart", []).append(n), adds=("cart",)),
    "tag": Deed(lambda s, n, _: s.setdefault("tags", set()).add(n), adds=("tags",)),
    "grow": Deed(
        lambda s, n, _: s.setdefault("tree", {}).setdefault("oak", []).append(n), adds=("tree",)
    ),
    "plant": Deed(lambda s, n, _: s.setdefault("forest", {}).update({n: [n]}), adds=("forest",)),
    "count": Deed(_count, adds=("log",)),
    "put a": Deed(lambda s, n, _: s.update(a=n), adds=("a",)),
    "put b": Deed(lambda s, n, _: s.update(b=n), adds=("b",)),
    "put both": Deed(lambda s, n, _: s.update(a=n, b=n), adds=("a", "b")),
}
DEEDS: dict[str, Deed] = ADDING | {
    "look": Deed(lambda s, _, __: dict(s)),
    "drop a": Deed(lambda s, _, __: s.pop("a", None), removes=("a",), wipes=("a",)),
    "drop cart": Deed(lambda s, _, __: s.pop("cart", None), removes=("cart",), wipes=("cart",)),
    "untag": Deed(_untag, removes=("tags",)),
    "forget log": Deed(_forget_log, removes=("log",), wipes=("log",)),
    "empty": Deed(_empty, removes=("*",), wipes=EVERY),
    "clear": Deed(lambda s, _, __: s.clear(), removes=("*",), wipes=EVERY, clears=True),
    "regenerate": Deed(lambda s, _, __: s.regenerate_id(), renews=True),
    "login": Deed(lambda s, _, user: s.login(user), renews=True, signs_in=""),
    "login afresh": Deed(
        lambda s, _, user: s.login(user, keep=False),
        removes=("*",),
        wipes=EVERY,
        renews=True,
        signs_in="",
        clears=True,
    ),
    "login other": Deed(
        lambda s, _, user: s.login(f"other {user}"), removes=("*",), renews=True, signs_in="other "
    ),
    "remember": Deed(
        lambda s, _, user: s.login(user, remember=1800),
        renews=True,
        sets_lifetime=True,
        signs_in="",
        wants=(1800, True),
    ),
    "logout": Deed(lambda s, _, __: s.logout(), removes=("*",), ends=True),
    "lifetime": Deed(lambda s, _, __: s.set_lifetime(900), sets_lifetime=True, wants=(900, False)),
    "shorten": Deed(
        lambda s, _, __: s.set_lifetime(120, persistent=True),
        sets_lifetime=True,
        wants=(120, True),
    ),
}
BLIND = frozenset({"put a", "put b", "put both"})
"""The deeds that do not read the session."""


def intend(intent: Intent, deeds: Sequence[str], user: str) -> None:
    """Add the effects of some deeds to an intent."""
    for name in deeds:
        deed = DEEDS[name]
        if deed.ends or deed.signs_in is not None or "*" in deed.removes:
            intent.sure.clear()
        intent.sure = {pair for pair in intent.sure if pair[0] not in deed.removes}
        added = {(key, intent.number) for key in deed.adds}
        intent.sure |= added
        intent.adds |= added
        intent.removes |= set(deed.removes)
        intent.wipes |= set(deed.wipes)
        intent.ends |= deed.ends
        intent.renews |= deed.renews
        intent.sets_lifetime |= deed.sets_lifetime
        intent.clears |= deed.clears
        # To sign in another user sets the usual one again.
        intent.wants = deed.wants or (intent.wants if deed.signs_in is None else None)
        intent.stays_signed_in &= not deed.ends
        if deed.signs_in is not None:
            intent.user = deed.signs_in + user
            intent.stays_signed_in = True
