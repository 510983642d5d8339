"""A folder of sessions in which somebody else has put something: it stops nobody but itself."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sojourn.errors import CorruptRecord, StoreUnavailable
from sojourn.providers.file import FileProvider, locked_folder
from sojourn.providers.file.tree import Tree
from sojourn.providers.file.user_index import UserIndex
from sojourn.providers.serialization import pack
from sojourn.record import Changes, Move, Outcome, Record

NOW = 1100.0
ADA, BOB, NEXT = ("ab" + digit * 62 for digit in "012")
FAR = "cd" + "0" * 62


def record(id: str, user: str | None = None, *, expires: float = 2000.0) -> Record:
    return Record(id, {b"k": b"v"}, 1000.0, 1000.0, expires, user)


def make_socket(path: Path) -> None:
    """Under a short name first: no longer one can be given to a socket."""
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"{folder}/socket")
        Path(folder, "socket").rename(path)


def make_full_folder(path: Path) -> None:
    path.mkdir()
    (path / ADA).write_bytes(b"theirs")


KINDS: dict[str, Callable[[Path], object]] = {
    "an empty file": Path.touch,
    "a file": lambda path: path.write_bytes(b"\xc1" * 300),
    "a large file": lambda path: path.write_bytes(b"\x9c" * 300_000),
    "an empty folder": Path.mkdir,
    "a full folder": make_full_folder,
    "a fifo": os.mkfifo,
    "a socket": make_socket,
    "a link to a file": lambda path: path.symlink_to(__file__),
    "a link to a folder": lambda path: path.symlink_to(Path(__file__).parent),
    "a link to nothing": lambda path: path.symlink_to("/nothing/here"),
    "a link to itself": lambda path: path.symlink_to(path),
}
LINKS = {kind: make for kind, make in KINDS.items() if "link" in kind}
NO_FOLDERS = [kind for kind in KINDS if "empty folder" not in kind and "full folder" not in kind]
any_kind = pytest.mark.parametrize("kind", KINDS)


def soon(call: Callable[[], Any]) -> Any:
    """Return what it returns; fail if it waits for something."""
    results: list[Any] = []

    def work() -> None:
        try:
            results.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised below
            results.append((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    assert results, "it hangs"
    value, error = results[0]
    if error is not None:
        raise error
    return value


def ids(found: Iterator[Record]) -> list[str]:
    return sorted(one.id for one in found)


@pytest.fixture
def provider(tmp_path: Path) -> FileProvider:
    """Ada and Bob share a folder; somebody else is elsewhere."""
    made = FileProvider(tmp_path)
    for one in (record(ADA, "ada"), record(BOB, "bob"), record(FAR, "ada")):
        made.create(one)
    return made


def check_all_goes_on(provider: FileProvider) -> None:
    assert soon(lambda: provider.count(NOW)) == 3
    assert soon(lambda: ids(provider.find(None, NOW))) == [ADA, BOB, FAR]
    assert soon(lambda: ids(provider.find("ada", NOW))) == [ADA, FAR]
    expired = record("ef" + "0" * 62, expires=NOW - 1)
    provider.create(expired)
    assert soon(lambda: provider.gc(NOW, 10)) == 1
    changes = Changes(NOW, 2100.0, put={b"x": b"y"})
    assert soon(lambda: provider.update(record(ADA), changes)) is Outcome.APPLIED
    move = Changes(NOW, move=Move(NEXT, "ada", NOW, None, NOW + 10))
    assert soon(lambda: provider.update(record(ADA), move)) is Outcome.APPLIED
    assert soon(lambda: ids(provider.find("ada", NOW))) == [NEXT, FAR]
    assert soon(lambda: provider.destroy(BOB)) is not None
    assert soon(lambda: provider.gc(5000.0, 10)) == 3


NAMES = [
    "x", "lost+found", ".snapshot", ".new", ".new.x", "ab", ADA + "~", ADA.upper(), ADA[:-1],
    "cd" + "1" * 62, "ab\udcff",
]  # fmt: skip


@any_kind
def test_foreign_things_beside_the_sessions_stop_nobody(
    provider: FileProvider, tmp_path: Path, kind: str
) -> None:
    for name in NAMES:
        KINDS[kind](tmp_path / "a" / "b" / name)
    check_all_goes_on(provider)
    is_folder = "folder" in kind and "link" not in kind
    for name in NAMES:
        stays = is_folder or not name.startswith(".new")
        assert os.path.lexists(tmp_path / "a" / "b" / name) == stays


@any_kind
def test_a_foreign_thing_under_the_root_stops_nobody(
    provider: FileProvider, tmp_path: Path, kind: str
) -> None:
    for name in ("x", "lost+found", "users.bak", "ab"):
        KINDS[kind](tmp_path / name)
    check_all_goes_on(provider)


@any_kind
def test_a_foreign_thing_in_the_place_of_a_session_is_corrupt(
    provider: FileProvider, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "a" / "b" / ADA
    path.unlink()
    KINDS[kind](path)
    with pytest.raises(CorruptRecord):
        soon(lambda: provider.read(ADA))
    with pytest.raises(CorruptRecord):
        soon(lambda: provider.update(record(ADA), Changes(NOW, put={b"x": b"y"})))
    assert not soon(lambda: provider.create(record(ADA)))
    assert soon(lambda: ids(provider.find(None, NOW))) == [BOB, FAR]
    assert soon(lambda: ids(provider.find("ada", NOW))) == [FAR]
    assert soon(lambda: provider.count(NOW)) in (2, 3)
    if not stat.S_ISLNK(path.lstat().st_mode):
        os.utime(path, (500, 500))
    soon(lambda: provider.gc(NOW, 10))
    assert soon(lambda: ids(provider.find(None, NOW))) == [BOB, FAR]


@any_kind
def test_what_is_in_the_place_of_a_session_can_be_destroyed_but_for_a_folder(
    provider: FileProvider, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "a" / "b" / ADA
    path.unlink()
    KINDS[kind](path)
    if kind.endswith(" folder") and "link" not in kind:
        with pytest.raises(StoreUnavailable, match=f"a/b/{ADA}: Is a directory"):
            soon(lambda: provider.destroy(ADA))
    else:
        assert soon(lambda: provider.destroy(ADA)) is not None
        assert not os.path.lexists(path)
    assert Path(__file__).exists()
    assert ids(provider.find(None, NOW)) == [BOB, FAR]


@pytest.mark.parametrize("kind", NO_FOLDERS)
@pytest.mark.parametrize("place", ["a", "a/b"])
def test_a_foreign_thing_on_the_way_is_in_the_way_of_its_own_sessions_alone(
    provider: FileProvider, tmp_path: Path, kind: str, place: str
) -> None:
    (tmp_path / place).rename(tmp_path / "away")
    KINDS[kind](tmp_path / place)
    calls: list[Callable[[], object]] = [
        lambda: provider.create(record(NEXT, "eve")),
        lambda: provider.read(ADA),  # a fault, and not an absence
        lambda: provider.update(record(ADA), Changes(NOW, put={b"x": b"y"})),
        lambda: provider.destroy(ADA),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match=f"{tmp_path}/{place} must be a folder"):
            soon(call)
    assert soon(lambda: provider.count(NOW)) == 1
    assert soon(lambda: ids(provider.find(None, NOW))) == [FAR]
    assert soon(lambda: ids(provider.find("ada", NOW))) == [FAR]
    assert soon(lambda: provider.gc(NOW, 10)) == 0
    assert f"{tmp_path}/{place} must be a folder" in "".join(provider.check())
    assert soon(lambda: provider.destroy(FAR)) is not None
    (tmp_path / place).unlink()
    (tmp_path / "away").rename(tmp_path / place)
    assert ids(provider.find(None, NOW)) == [ADA, BOB]


@pytest.mark.parametrize("place", ["a", "a/b", "users", "users/*"])
@pytest.mark.parametrize("known", [True, False], ids=["used-before", "new"])
def test_nothing_is_written_through_a_link_on_the_way(
    tmp_path: Path, place: str, known: bool
) -> None:
    """Even if all that was there is found at the other end."""
    root, elsewhere = tmp_path / "sessions", tmp_path / "elsewhere"
    provider = FileProvider(root)
    provider.create(record(ADA, "ada"))
    [real] = root.glob(place)
    real.rename(elsewhere)
    real.symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    if not known:
        provider = FileProvider(root)
    assert provider.read(ADA) == record(ADA, "ada")
    assert ids(provider.find("ada", NOW)) == [ADA]
    refused: list[Callable[[], object]] = [
        lambda: provider.create(record(NEXT, "ada")),
        lambda: provider.update(record(ADA), Changes(NOW, move=Move(BOB, "ada", 0, None, NOW + 9))),
    ]
    if not place.startswith("users"):
        refused += [
            lambda: provider.update(record(ADA), Changes(NOW, put={b"x": b"y"})),
            lambda: provider.destroy(ADA),
        ]
    for write in refused:
        with pytest.raises(StoreUnavailable, match=f"{real} must be a folder, and no symbolic"):
            write()
    # The session itself is not behind the link: it ends, and its marker stays.
    assert provider.gc(5000.0, 10) == (1 if place.startswith("users") else 0)
    after = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("kind", NO_FOLDERS)
def test_a_foreign_thing_in_the_place_of_the_markers_is_an_error(
    provider: FileProvider, tmp_path: Path, kind: str
) -> None:
    """Or sessions of the user would be overlooked in silence."""
    (tmp_path / "users").rename(tmp_path / "away")
    KINDS[kind](tmp_path / "users")
    with pytest.raises(StoreUnavailable, match=f"{tmp_path}/users must be a folder"):
        soon(lambda: provider.create(record(NEXT, "ada")))
    if kind not in LINKS:
        with pytest.raises(StoreUnavailable, match=f"{tmp_path}/users must be a folder"):
            soon(lambda: ids(provider.find("ada", NOW)))
    assert ids(provider.find(None, NOW)) == [ADA, BOB, FAR]


@any_kind
def test_a_marker_that_names_no_id_is_passed_by(
    provider: FileProvider, tmp_path: Path, kind: str
) -> None:
    [marker] = (tmp_path / "users").glob(f"*/*.{FAR}")
    for rest in ("", "a", "x" * 64, "..", ADA + "0", ADA.upper(), "ab\udcff"):
        KINDS[kind](Path(f"{str(marker).removesuffix(FAR)}{rest}"))
    assert soon(lambda: ids(provider.find("ada", NOW))) == [ADA, FAR]


@any_kind
def test_a_marker_may_be_anything(provider: FileProvider, tmp_path: Path, kind: str) -> None:
    """Its name is all that counts."""
    [marker] = (tmp_path / "users").glob(f"*/*.{FAR}")
    marker.unlink()
    KINDS[kind](marker)
    assert soon(lambda: ids(provider.find("ada", NOW))) == [ADA, FAR]
    soon(lambda: UserIndex(Tree(str(tmp_path), fsync=False), "users").add("ada", FAR))
    assert soon(lambda: provider.destroy(FAR)) is not None
    assert soon(lambda: ids(provider.find("ada", NOW))) == [ADA]


def test_tombstones_that_lead_in_a_circle_are_no_session(
    provider: FileProvider, tmp_path: Path
) -> None:
    for one, other in ((BOB, NEXT), (NEXT, BOB)):
        tombstone = pack(record(one)._replace(successor=other))
        (tmp_path / "a" / "b" / one).write_bytes(tombstone)
    assert soon(lambda: ids(provider.find("bob", NOW))) == []
    assert soon(lambda: ids(provider.find(None, NOW))) == [ADA, FAR]


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277, 0o377, 0o477, 0o777])
def test_an_umask_changes_no_mode(tmp_path: Path, umask: int) -> None:
    """Without the owner's bit for writing, a session would be counted as a tombstone."""
    before = os.umask(umask)
    try:
        provider = FileProvider(tmp_path / "new")
        provider.create(record(ADA, "ada"))
        provider.create(record(BOB, "bob"))
        move = Changes(NOW, move=Move(NEXT, "ada", NOW, None, NOW + 10))
        assert provider.update(record(ADA), move) is Outcome.APPLIED
    finally:
        os.umask(before)
    assert provider.count(NOW) == 2
    for path in (tmp_path / "new").glob("?/**/*"):
        expected = 0o700 if path.is_dir() else 0o400 if path.name == ADA else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    assert ids(provider.find("ada", NOW)) == [NEXT]


def test_one_folder_that_fails_does_not_keep_gc_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is raised at the end, and names the folder."""
    monkeypatch.setattr(locked_folder, "PATIENCE", 0.05)
    provider = FileProvider(tmp_path)
    for number in range(256):
        provider.create(record(f"{number:02x}" + "0" * 62))
    with Tree(str(tmp_path), fsync=False).open("0/3").locked():
        assert provider.gc(3000.0, 100) == 100
        assert provider.gc(3000.0, 100) == 100
        with pytest.raises(StoreUnavailable, match=f"held the lock of {tmp_path}/0/3"):
            provider.gc(3000.0, 100)
    assert provider.count(1500.0) == 1
    assert provider.gc(3001.0, 100) == 1


def test_a_device_is_read_to_no_end() -> None:
    assert len(soon(lambda: locked_folder.read("/dev/zero"))) < 1_000_000
