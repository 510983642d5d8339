"""What the laws say of sessions, as a plain machine over dicts.  It knows nothing of the library.

`Visit` is one request: the data that it loaded, what it did to them, and what it wants of its
session.  `Model` is the store and the policy: it says what becomes of a visit that is released.
Values are such that each merge has one result: whole numbers are assigned, counts and logs are
applied, lists only grow, sets lose and gain, a tree is a dict of such lists.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

IDLE, ABSOLUTE, INTERVAL, RETIRED_FOR = 600.0, 2050.0, 10.0, 10.0

Fields = dict[str, Any]


@dataclass
class Life:
    """What stands under an id: a session, or what a new id left under the old one."""

    fields: Fields
    user: str | None
    created: float
    seen: float
    expires: float
    lifetime: float | None = None
    persistent: bool = False
    successor: str | None = None

    def is_live(self, now: float) -> bool:
        return self.successor is None and now < self.expires


@dataclass
class Visit:
    """One request."""

    origin: str | None = None
    standing: str = "new"
    """new, known, retired or job."""
    seen: float = 0.0
    base: Fields = field(default_factory=dict)
    user: str | None = None
    lifetime: float | None = None
    persistent: bool = False
    mine: Fields = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    begun: Fields = field(default_factory=dict)
    """Keys that `setdefault` began, and their defaults."""
    steps: dict[str, list[int]] = field(default_factory=dict)
    """Keys to which functions were applied, and what each adds."""
    cleared: bool = False
    renew: bool = False
    login: bool = False
    relived: bool = False
    doomed: str | None = None
    moved_to: str | None = None
    """Of a retired one: where the session of its token went."""

    def __post_init__(self) -> None:
        self.mine = copy.deepcopy(self.base)

    # -- what the request does ---------------------------------------------------------------

    def assign(self, key: str, value: Any) -> None:
        self._release_key(key)
        self.mine[key] = value
        self.assigned.add(key)

    def drop(self, key: str) -> None:
        self._release_key(key)
        del self.mine[key]
        if key in self.base:
            self.dropped.add(key)

    def begin(self, key: str, default: Any) -> Any:
        if key not in self.mine:
            if self.cleared or key in self.dropped:
                self.assign(key, default)
            else:
                self.begun[key] = copy.deepcopy(default)
                self.mine[key] = default
        return self.mine[key]

    def apply(self, key: str, item: int) -> None:
        now = self.mine.get(key)
        if self.cleared or key in self.assigned or key in self.dropped:
            self.assign(key, applied(key, now, [item]))
        else:
            self.steps.setdefault(key, []).append(item)
            self.mine[key] = applied(key, now, [item])

    def clear(self) -> None:
        self._forget()
        self.cleared = True

    def destroy(self) -> None:
        self.doomed = self.origin or self.doomed
        self._forget()
        self.origin = self.user = self.lifetime = None
        self.renew = self.login = self.relived = self.persistent = False

    def sign_in(self, user: str, *, keep: bool, remember: float | None) -> None:
        stranger = self.user not in (None, user)
        if remember is not None:
            self.live(remember, persistent=True)
        elif stranger:
            self.live(None, persistent=False)
        if stranger or not keep:
            self.clear()
        self.user, self.login, self.renew = user, True, True

    def live(self, seconds: float | None, *, persistent: bool) -> None:
        self.lifetime, self.persistent, self.relived = seconds, persistent, True

    def _release_key(self, key: str) -> None:
        self.assigned.discard(key)
        self.dropped.discard(key)
        self.begun.pop(key, None)
        self.steps.pop(key, None)

    def _forget(self) -> None:
        self.base, self.mine, self.begun, self.steps = {}, {}, {}, {}
        self.assigned, self.dropped, self.cleared = set(), set(), False

    # -- what that means ---------------------------------------------------------------------

    def changed(self) -> bool:
        """Law 3: what was only read, or set to what it was, is no change."""
        touched = any(self._is_changed(key) for key in self.mine)
        return bool(self.cleared or self.dropped or touched)

    def _is_changed(self, key: str) -> bool:
        if key in self.steps or key in self.begun or key not in self.base:
            return True
        return bool(spelled(self.mine[key]) != spelled(self.base[key]))

    def own(self) -> Fields:
        """Law 5: what this request itself put."""
        put = {key: self.mine[key] for key in self.mine if self._is_own(key)}
        for key, items in self.steps.items():
            if key in self.base:
                put[key] = applied(key, None, items)
        return copy.deepcopy(put)

    def _is_own(self, key: str) -> bool:
        return key in self.assigned or key not in self.base or key in self.steps

    def merged(self, stored: Mapping[str, Any]) -> Fields:
        """Law 4: what stands after this request, if `stored` stood at its release."""
        result = {} if self.cleared else dict(stored)
        for key in self.dropped:
            result.pop(key, None)
        for key in self.mine:
            if self._is_changed(key):
                result[key] = self._merged_value(key, result.get(key))
        return copy.deepcopy(result)

    def _merged_value(self, key: str, theirs: Any) -> Any:
        if key in self.steps:
            return applied(key, theirs, self.steps[key])
        base = self.begun.get(key, self.base.get(key))
        mine = self.mine[key]
        if key in self.assigned and base is None and not self.cleared:
            return firsts(mine, theirs)
        if key in self.assigned or theirs is None or base is None:
            return mine
        return both(base, mine, theirs)


def spelled(value: Any) -> Any:
    """The value in its order: a dict in another one is a change."""
    return list(value.items()) if isinstance(value, dict) else value


def applied(key: str, value: Any, items: list[int]) -> Any:
    if key == "count":
        return (value or 0) + len(items)
    return (value or ()) + tuple(items)


def firsts(mine: Any, theirs: Any) -> Any:
    """What two requests put under a key that was empty: containers begin as if empty."""
    if type(mine) is not type(theirs) or spelled(mine) == spelled(theirs):
        return mine
    return both(type(mine)(), mine, theirs) if isinstance(mine, list | dict | set) else mine


def both(base: Any, mine: Any, theirs: Any) -> Any:
    """What two requests did to one container in place."""
    if isinstance(base, set):
        return (theirs - (base - mine)) | (mine - base)
    if isinstance(base, list):
        return [*theirs, *(item for item in mine if item not in base)]
    keys = theirs | mine
    branches = {key: _branch(base.get(key), mine.get(key), theirs.get(key)) for key in keys}
    return {key: branch for key, branch in branches.items() if branch is not None}


def _branch(base: Any, mine: Any, theirs: Any) -> Any:
    if mine == base:
        return theirs
    if theirs == base or mine is None or theirs is None:
        return mine
    return both(base or [], mine, theirs)


class Verdict(NamedTuple):
    """What becomes of a release."""

    outcome: str
    life: Life | None = None
    """What stands afterwards: under the id of the token that is handed out, if one is."""
    cookie: bool = False
    former: str | None = None
    """The id that is given up."""


class Model:
    """The store and the policy."""

    def __init__(self) -> None:
        self.lives: dict[str, Life] = {}

    def visit(self, id: str, now: float) -> Visit | None:
        """What a request with the token of this id gets; None if it names nothing."""
        life = self.lives.get(id)
        if life is None or life.expires <= now:
            return None
        if life.successor is not None:
            return Visit(standing="retired", moved_to=life.successor)
        base = copy.deepcopy(life.fields)
        return Visit(id, "known", life.seen, base, life.user, life.lifetime, life.persistent)

    def end(self, id: str | None) -> bool:
        """Law 5: ending wins over renewing.  Whether a session ended, and not a tombstone alone."""
        while id in self.lives:
            id = self.lives.pop(id).successor
            if id is None:
                return True
        return False

    def kept(self, id: str | None) -> set[str]:
        """The ids under which the session with this id went on."""
        found = set[str]()
        while id is not None and id not in found:
            found.add(id)
            life = self.lives.get(id)
            id = None if life is None else life.successor
        return found

    def live(self, now: float) -> dict[str, Life]:
        return {id: life for id, life in self.lives.items() if life.is_live(now)}

    def sweep(self, now: float) -> int:
        gone = [id for id, life in self.lives.items() if life.expires <= now]
        for id in gone:
            del self.lives[id]
        return len(gone)

    def release(self, visit: Visit, now: float) -> Verdict:
        if visit.standing == "retired" and not visit.login:
            return Verdict("retired")
        if visit.doomed is not None:
            ended = self.end(visit.doomed)
            if not ended and not visit.login:
                return Verdict("late")
            if visit.standing == "job":
                return Verdict("ended")
            return self._born(visit, now) or Verdict("ended", cookie=True)
        if visit.origin is None:
            fallback = self._born(visit, now) or Verdict("unchanged")
            return self._taken_over(visit, visit.moved_to, now) or fallback
        return self._go_on(visit, visit.origin, now)

    def _born(self, visit: Visit, now: float) -> Verdict | None:
        fields = visit.own()
        if not fields and visit.user is None:
            return None
        expires = now + min(visit.lifetime or IDLE, ABSOLUTE)
        times = now, now, expires
        life = Life(fields, visit.user, *times, visit.lifetime, visit.persistent)
        return Verdict("created", life, cookie=True)

    def _afresh(self, visit: Visit, now: float) -> Verdict:
        """Law 5: a sign-in that came late begins with what it said itself, and nothing else."""
        if not visit.relived:
            visit.lifetime, visit.persistent = None, False
        return (
            self._taken_over(visit, visit.origin, now) or self._born(visit, now) or Verdict("late")
        )

    def _taken_over(self, visit: Visit, former: str | None, now: float) -> Verdict | None:
        """Law 5: a second sign-in takes the place of the session that the first one began."""
        while former in self.lives and self.lives[former].expires > now:
            life = self.lives[former]
            if life.successor is None:
                if life.user != visit.user:
                    return None
                expires = min(now + (visit.lifetime or IDLE), life.created + ABSOLUTE)
                times = life.created, max(life.seen, now), expires
                born = Life(visit.own(), visit.user, *times, visit.lifetime, visit.persistent)
                return Verdict("created", born, cookie=True, former=former)
            former = life.successor
        return None

    def _go_on(self, visit: Visit, origin: str, now: float) -> Verdict:
        changed, touch = visit.changed(), self._touch_due(visit, now)
        moves = visit.renew or visit.relived or touch
        if not changed and not moves:
            return Verdict("unchanged")
        life = self.lives.get(origin)
        if life is None or not life.is_live(now):
            return self._afresh(visit, now) if visit.login else Verdict("late")
        fields = visit.merged(life.fields)
        user = visit.user if visit.renew else life.user
        if not fields and user is None:
            del self.lives[origin]
            return Verdict("ended", cookie=visit.standing != "job")
        self._store(visit, life, fields, now, moves=moves)
        if visit.renew:
            born = copy.copy(life)
            born.user = user
            return Verdict("renewed", born, cookie=True, former=origin)
        outcome = "saved" if changed or visit.relived else "touched"
        lasting = visit.standing != "job" and (visit.persistent or visit.relived)
        return Verdict(outcome, life, cookie=moves and lasting)

    def _touch_due(self, visit: Visit, now: float) -> bool:
        interval = min(INTERVAL, (visit.lifetime or IDLE) / 60)
        return visit.standing != "job" and now - visit.seen >= interval

    def _store(self, visit: Visit, life: Life, fields: Fields, now: float, *, moves: bool) -> None:
        """Law 8: a touch does not shorten, and leaves alone what it does not know of."""
        life.fields = fields
        knew = visit.relived or visit.lifetime == life.lifetime
        if visit.relived:
            life.lifetime, life.persistent, life.expires = visit.lifetime, visit.persistent, 0.0
        if moves and knew:
            limit = min(now + (life.lifetime or IDLE), life.created + ABSOLUTE)
            life.seen, life.expires = max(life.seen, now), max(life.expires, limit)

    def begin(self, id: str, life: Life, old: str | None, now: float) -> None:
        """Law 6: the old id is dead at once, and for some time known to have been one."""
        self.lives[id] = life
        if old is not None:
            gone = Life({}, None, life.created, life.seen, now + RETIRED_FOR, successor=id)
            self.lives[old] = gone
