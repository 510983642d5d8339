"""What one of several overlapping requests does: everything that can be done to a session."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.hard.deeds import (
    Deed,
    append,
    change_set,
    clear,
    count,
    destroy,
    drop,
    drop_all,
    grow,
    log,
    login,
    prune,
    put,
    put_list,
    put_what_was_there,
    regenerate,
    set_lifetime,
)


class Program(NamedTuple):
    """The work of one request, or work without one."""

    deeds: tuple[Deed, ...] = ()
    lazy: bool = False
    """Whether it begins without reading its session."""
    job: str = ""
    """Work without a request: "destroy", "destroy_user", or "gc"."""
    waits: float = 0.0
    """Seconds by which it moves the clock forward first."""

    @property
    def ends(self) -> bool:
        """Whether it may end the session, or give it a new id, under the id that all begin with."""
        deeds = {deed[0] for deed in self.deeds}
        ending = deeds & {destroy, drop_all, login, regenerate}
        return self.job in ("destroy", "destroy_user") or bool(ending)


def _program(*deeds: Any, **more: Any) -> Program:
    return Program(tuple(deed if isinstance(deed, tuple) else (deed,) for deed in deeds), **more)


PROGRAMS = {
    "read": _program(),
    "assign": _program((put, "one", 2)),
    "assign another key": _program((put, "two", 2)),
    "assign the same value": _program((put_what_was_there, "one")),
    "assign a list": _program(put_list),
    "delete": _program((drop, "list")),
    "delete all": _program(drop_all),
    "append": _program(append),
    "add to a set": _program((change_set, 2, "add")),
    "remove from a set": _program((change_set, 1, "discard")),
    "change a branch": _program((grow, "oak")),
    "begin a branch": _program((grow, "elm")),
    "delete a branch": _program((prune, "oak")),
    "apply": _program(count),
    "apply and assign": _program(log, (put, "one", 3)),
    "clear": _program(clear, (put, "two", 4)),
    "sign in": _program((login, "ada", True, None)),
    "sign in another user": _program((login, "bob", False, None), (put, "two", 5)),
    "remember": _program((login, "ada", True, 2000.0), append),
    "regenerate": _program(regenerate, append),
    "destroy": _program(destroy),
    "destroy, assign": _program(destroy, (put, "two", 6)),
    "destroy, sign in": _program(destroy, (login, "bob", True, None)),
    "set the lifetime": _program((set_lifetime, 60.0, True)),
    "never use": _program(lazy=True),
    "assign blindly": _program((put, "one", 7), lazy=True),
    "assign another blindly": _program((put, "two", 8), lazy=True),
    "destroy by id": Program(job="destroy"),
    "destroy by user": Program(job="destroy_user"),
    "wait for a touch": Program(job="gc", waits=12.0),
    "wait for the expiry": Program(job="gc", waits=601.0),
}
"""The programs by their names."""

ESSENTIAL = (
    "assign",
    "append",
    "clear",
    "sign in",
    "destroy",
    "assign blindly",
    "apply and assign",
    "delete all",
    "regenerate",
)
"""The programs that differ most.  All triples of the first six are tried by the tests."""
