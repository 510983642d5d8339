"""A file system that fails at chosen calls, and what must be true of the sessions afterwards."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sojourn import Manager, OutcomeUnknown, Session, StoreError, StoreUnavailable
from sojourn.providers.file import FileProvider, locked_folder, provider, tree, user_index
from sojourn.record import Record
from sojourn.testing import FakeClock
from tests.hard.disk import open_descriptors

MODULES: list[Any] = [provider, locked_folder, user_index, tree]
"""Those that call the system."""
CALLS = {
    "chmod", "close", "fchmod", "fstat", "fsync", "lstat", "mkdir", "open", "preadv", "read",
    "rename", "rmdir", "scandir", "stat", "unlink", "utime", "write",
}  # fmt: skip
LASTING = {"fsync", "mkdir", "rename", "rmdir", "unlink", "write", "close"}
"""Calls that may have been done though they report an error."""
ERRORS = [errno.ENOSPC, errno.EMFILE, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EACCES]
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where folders cost least."""
IDS = [f"ab{number:062x}" for number in range(3)]


class Faults:
    """Stands in the place of `os` in the provider's modules, and fails at the calls of its plan."""

    def __init__(self, plan: dict[int, int], *, after: bool = False) -> None:
        """Plan: the number of a call, from 0 on, to the errno with which it fails.

        after: do what was asked, and fail then.
        """
        self.plan = plan
        self.after = after
        self.calls = list[str]()
        self.hit = list[str]()

    def __getattr__(self, name: str) -> Any:
        function = getattr(os, name)
        return self._failing(name, function) if name in CALLS else function

    def _failing(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            number = len(self.calls)
            self.calls.append(name)
            code = self.plan.get(number)
            if code is None:
                return function(*args, **kwargs)
            self.hit.append(name)
            if name == "close" or (self.after and name in LASTING):
                function(*args, **kwargs)
            raise OSError(code, os.strerror(code))

        return call

    @contextlib.contextmanager
    def injected(self) -> Iterator[None]:
        for module in MODULES:
            module.os = self
        try:
            yield
        finally:
            for module in MODULES:
                module.os = os


class World:
    """One folder in which ada is signed in, and what it looks like to somebody without faults."""

    def __init__(self, folder: Path, *, fsync: bool, leftover: bool = False) -> None:
        self.clock = FakeClock()
        self.folder = folder
        self.manager = Manager(FileProvider(folder, fsync=fsync), clock=self.clock)
        session = self.manager.start({})
        session["a"] = 1
        session.login("ada")
        self.token = self.manager.release(session).token
        self.session = self.manager.start(self.cookie(self.token))
        self.id = self.session.id
        self.session["a"]
        if leftover:
            (folder / self.id[0] / self.id[1] / ".new").write_bytes(b"half a rec")
        self.fresh = Manager(FileProvider(folder), clock=self.clock)

    def cookie(self, token: str | None) -> dict[str, str]:
        return {"Cookie": f"{self.manager.config.cookie_name}={token}"}

    def users(self) -> list[str | None]:
        """Who lives; each is found in the lists of its user too, and count agrees."""
        living = [(info.id, info.user) for info in self.fresh.sessions()]
        for id, user in living:
            if user is not None:
                assert id in {info.id for info in self.fresh.sessions(user)}
        assert self.fresh.active_count() == len(living)
        return sorted((user for _, user in living), key=str)

    def opens(self, token: str | None) -> dict[str, object] | None:
        session = self.fresh.start(self.cookie(token))
        return None if session.is_new else {**session, "user": session.user}


Deed = Callable[[World], Any]
Check = Callable[[World, Any], None]
"""Gets the world, and what the deed returned or raised."""

ADA: dict[str, object] = {"a": 1, "user": "ada"}


def as_before(world: World) -> None:
    assert world.opens(world.token) == ADA
    assert world.users() == ["ada"]


def changed(work: Callable[[Session], object]) -> Deed:
    def deed(world: World) -> Any:
        work(world.session)
        return world.manager.release(world.session)

    return deed


def begun(user: str | None) -> Deed:
    def deed(world: World) -> Any:
        session = world.manager.start({})
        session["b"] = 2
        if user is not None:
            session.login(user)
        return world.manager.release(session)

    return deed


def check_begun(user: str | None) -> Check:
    def check(world: World, result: Any) -> None:
        both = sorted([user, "ada"], key=str)
        assert world.opens(world.token) == ADA
        if isinstance(result, OutcomeUnknown):
            assert world.users() in (["ada"], both)
        elif isinstance(result, StoreUnavailable):
            as_before(world)
        else:
            assert world.opens(result.token) == {"b": 2, "user": user}
            assert world.users() == both

    return check


def check_moved(user: str, data: dict[str, object]) -> Check:
    def check(world: World, result: Any) -> None:
        if isinstance(result, OutcomeUnknown):
            assert world.users() in (["ada"], [user])
        elif isinstance(result, StoreUnavailable):
            as_before(world)
        else:
            assert world.opens(result.token) == {**data, "user": user}
            assert world.users() == [user]

    return check


def check_saved(world: World, result: Any) -> None:
    after = {**ADA, "b": 2}
    assert world.users() == ["ada"]
    if isinstance(result, OutcomeUnknown):
        assert world.opens(world.token) in (ADA, after)
    else:
        failed = isinstance(result, StoreUnavailable)
        assert world.opens(world.token) == (ADA if failed else after)


def check_ended(world: World, result: Any) -> None:
    if isinstance(result, OutcomeUnknown):
        assert world.users() in (["ada"], [])
    elif isinstance(result, StoreUnavailable):
        as_before(world)
    else:
        assert world.users() == []


def check_all_ended(world: World, result: Any) -> None:
    """It looks again after it has ended them, and that may fail too."""
    if isinstance(result, StoreError):
        assert world.users() in (["ada"], [])
    else:
        assert world.users() == []


def swept(world: World) -> Any:
    now = world.clock()
    for id in IDS:
        record = Record(id, {b"k": b"v"}, now - 60, now - 60, now - 1, "eve")
        world.fresh._provider.create(record)
    return world.manager.gc()


def check_swept(world: World, result: Any) -> None:
    as_before(world)
    again = world.fresh.gc()
    assert again <= len(IDS)
    if not isinstance(result, StoreError):
        assert result + again == len(IDS)
        assert again == 0
    assert all(world.fresh._provider.read(id) is None for id in IDS)


def listed(world: World) -> Any:
    """One marker leads nowhere, and is to be deleted."""
    [marker] = (world.folder / "users").glob("*/*")
    (marker.parent / marker.name.replace(world.id, IDS[0])).touch()
    return [info.id for info in world.manager.sessions("ada")]


def check_listed(world: World, result: Any) -> None:
    as_before(world)
    assert isinstance(result, StoreError) or result == [world.id]


def counted(world: World) -> Any:
    return world.manager.active_count()


def check_counted(world: World, result: Any) -> None:
    as_before(world)
    assert isinstance(result, StoreError) or result == 1


DEEDS: dict[str, tuple[Deed, Check]] = {
    "begin": (begun(None), check_begun(None)),
    "begin signed in": (begun("bob"), check_begun("bob")),
    "save": (changed(lambda s: s.update(b=2)), check_saved),
    "renew": (changed(lambda s: s.regenerate_id()), check_moved("ada", {"a": 1})),
    "login bob": (changed(lambda s: s.login("bob")), check_moved("bob", {})),
    "logout": (changed(lambda s: s.logout()), check_ended),
    "destroy": (lambda world: world.manager.destroy(world.id), check_ended),
    "destroy the user": (lambda world: world.manager.destroy_user("ada"), check_all_ended),
    "gc": (swept, check_swept),
    "list": (listed, check_listed),
    "count": (counted, check_counted),
}


def outcome_of(deed: Deed, world: World, faults: Faults) -> Any:
    """Return what it returns, or the StoreError that it raises; no descriptor is left open."""
    before = open_descriptors()
    with faults.injected():
        try:
            result = deed(world)
        except StoreError as error:
            result = error
    assert open_descriptors() == before
    return result


def tried(name: str, faults: Faults, *, fsync: bool, leftover: bool = False) -> Any:
    """Do one deed in a new world with these faults, and check what is left."""
    deed, check = DEEDS[name]
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        world = World(Path(folder), fsync=fsync, leftover=leftover)
        result = outcome_of(deed, world, faults)
        check(world, result)
        if isinstance(result, OutcomeUnknown):
            assert "fsync" in faults.hit or len(faults.hit) > 1, "one fault, and nobody can tell"
        world.fresh.gc()
        assert not list(Path(folder).rglob(".new*"))
    return result


class Search:
    """Random deeds with up to three faults each."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def one(self) -> None:
        chosen = self.random
        name = chosen.choice(list(DEEDS))
        fsync, leftover, after = (chosen.random() < 0.4 for _ in range(3))
        first = int(chosen.random() ** 2 * 60)
        numbers = {first, *(first + chosen.randrange(1, 8) for _ in range(chosen.randrange(3)))}
        plan = {number: chosen.choice(ERRORS) for number in numbers}
        faults = Faults(plan, after=after)
        try:
            tried(name, faults, fsync=fsync, leftover=leftover)
        except BaseException as error:
            error.add_note(f"{name}, {fsync=}, {leftover=}, {after=}, {plan=}: {faults.calls}")
            raise
