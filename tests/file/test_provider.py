"""What only the file provider does: folders, modes, hints, markers, leftovers."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sojourn.errors import ConfigError, CorruptRecord, StoreUnavailable
from sojourn.providers.file import FileProvider
from sojourn.providers.file.locked_folder import NEW
from sojourn.providers.file.tree import Tree
from sojourn.record import Changes, Move, Outcome, Record
from tests.forks import FORKS, child_of, wait_for

A = "ab" + "0" * 62
B = "ab" + "1" * 62


def record(id: str = A, *, expires: float = 2000.0, user: str | None = None) -> Record:
    return Record(id, {b"k": b"v"}, 1000.0, 1000.0, expires, user)


def move_to(id: str, *, now: float = 1100.0) -> Changes:
    return Changes(now, 2100.0, move=Move(id, "ada", now, None, now + 10))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def markers(path: Path) -> list[Path]:
    return [found for found in (path / "users").rglob("*") if found.is_file()]


def test_two_levels_of_folders_from_the_first_two_digits(tmp_path: Path) -> None:
    FileProvider(tmp_path).create(record())
    assert (tmp_path / "a" / "b" / A).is_file()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_may_enter_and_read(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        FileProvider(tmp_path / "new").create(record(user="ada"))
    finally:
        os.umask(before)
    for path in (tmp_path / "new").rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_a_tombstone_is_a_file_that_nobody_may_write(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record())
    assert provider.update(record(), move_to(B)) is Outcome.APPLIED
    assert mode(tmp_path / "a" / "b" / A) == 0o400
    assert mode(tmp_path / "a" / "b" / B) == 0o600
    assert provider.count(1100.0) == 1


def test_a_symbolic_link_is_no_record(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record())
    (tmp_path / "a" / "b" / B).symlink_to(tmp_path / "a" / "b" / A)
    with pytest.raises(CorruptRecord):
        provider.read(B)


def test_a_folder_under_an_id_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / A).mkdir(parents=True)
    with pytest.raises(CorruptRecord):
        FileProvider(tmp_path).read(A)


def test_what_a_killed_writer_left_is_in_nobodys_way(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record())
    leftover = tmp_path / "a" / "b" / NEW
    leftover.write_bytes(b"half a rec")
    assert provider.update(record(), Changes(1100.0, put={b"x": b"y"})) is Outcome.APPLIED
    assert not leftover.exists()
    leftover.write_bytes(b"half a rec")
    assert provider.count(1100.0) == 1
    assert [found.id for found in provider.find(None, 1100.0)] == [A]
    assert provider.gc(1100.0, 10) == 0
    assert not leftover.exists()


def test_the_file_is_the_truth_and_its_time_a_hint(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record())
    path = tmp_path / "a" / "b" / A
    os.utime(path, (0, 0))  # as after a copy that kept no times
    assert provider.gc(1100.0, 10) == 0
    assert path.stat().st_mtime == 2000.0
    assert provider.count(1100.0) == 1


def test_a_corrupt_file_goes_when_its_time_has_come(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record())
    path = tmp_path / "a" / "b" / A
    path.write_bytes(b"\xc1")
    os.utime(path, (2000, 2000))
    assert provider.gc(1100.0, 10) == 0
    assert provider.gc(2000.0, 10) == 1
    assert not path.exists()


def test_a_large_record_is_read_whole(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    large = record()._replace(fields={b"k": os.urandom(300_000)})
    provider.create(large)
    assert provider.read(A) == large


def test_markers_follow_the_session(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record(user="ada"))
    assert [found.id for found in provider.find("ada", 1100.0)] == [A]
    provider.update(record(user="ada"), move_to(B))
    assert [path.name.partition(".")[2] for path in markers(tmp_path)] == [B]
    provider.destroy(B)
    assert markers(tmp_path) == []


def test_a_marker_left_by_a_killed_process_is_taken_away(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record(user="ada"))
    (tmp_path / "a" / "b" / A).unlink()
    assert list(provider.find("ada", 1100.0)) == []
    assert markers(tmp_path) == []


def test_the_marker_of_an_unreadable_session_stays(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record(user="ada"))
    (tmp_path / "a" / "b" / A).write_bytes(b"\xc1")
    assert list(provider.find("ada", 1100.0)) == []
    assert len(markers(tmp_path)) == 1


def test_a_user_may_be_called_anything(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    users = ["../../ada", "ada", "Ada", "ada ", "a/b", "*", "ä" * 127]
    for number, user in enumerate(users):
        provider.create(record(f"{number:064x}", user=user))
    for number, user in enumerate(users):
        assert [found.id for found in provider.find(user, 1100.0)] == [f"{number:064x}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "users"]


def test_gc_goes_on_where_it_reached_its_limit(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    for number in range(512):
        provider.create(record(f"{number % 256:02x}{number:062x}"))
    assert [provider.gc(3000.0, 200) for _ in range(4)] == [200, 200, 112, 0]


def test_many_sweeps_at_once_share_the_work(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    for number in range(64):
        provider.create(record(f"{number:02x}" + "0" * 62))
    with ThreadPoolExecutor(8) as pool:
        removed = list(pool.map(lambda _: provider.gc(3000.0, 1000), range(64)))
    assert sum(removed) == 64
    assert provider.gc(3000.0, 10) == 0


def test_counting_while_sessions_end(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    ids = [f"ab{number:04x}" + "0" * 58 for number in range(400)]
    for id in ids:
        provider.create(record(id))
    with ThreadPoolExecutor(2) as pool:
        ending = pool.submit(lambda: [provider.destroy(id) for id in ids])
        counts = [provider.count(1100.0)]
        while not ending.done():
            counts.append(provider.count(1100.0))
            assert len(list(provider.find(None, 1100.0))) <= 400
    assert all(0 <= count <= 400 for count in counts)
    assert provider.count(1100.0) == 0


def test_a_folder_deleted_under_the_application(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path / "sessions")
    provider.create(record())
    (tmp_path / "sessions").rename(tmp_path / "away")
    assert provider.read(A) is None
    assert provider.update(record(), Changes(1100.0, put={b"a": b"b"})) is Outcome.GONE
    assert provider.destroy(A) is None
    assert (provider.count(1100.0), provider.gc(3000.0, 10)) == (0, 0)
    assert list(provider.find("ada", 1100.0)) == []
    assert provider.create(record(user="ada"))
    assert provider.count(1100.0) == 1


def test_a_file_in_the_way_is_a_fault_and_not_an_absence(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    (tmp_path / "a").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="a must be a folder"):
        provider.read(A)
    with pytest.raises(StoreUnavailable):
        provider.create(record())


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record())

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(StoreUnavailable, match="No space left on device"):
        provider.update(record(), Changes(1100.0, put={b"x": b"y"}))
    monkeypatch.undo()
    assert provider.read(A) == record()
    assert not (tmp_path / "a" / "b" / NEW).exists()


def test_a_move_to_another_folder_is_refused(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record())
    with pytest.raises(Exception, match="same first two digits"):
        provider.update(record(), move_to("cd" + "1" * 62))
    assert provider.read(A) == record()


def test_fsync_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(fd).st_mode))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    FileProvider(tmp_path).create(record())
    assert synced == []
    FileProvider(tmp_path, fsync=True).update(record(), Changes(1100.0, put={b"x": b"y"}))
    assert synced == [False, True]
    FileProvider(tmp_path, fsync=True).destroy(A)
    assert synced == [False, True, True]


def test_a_second_writer_waits_for_the_lock(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    provider.create(record())
    held = Tree(str(tmp_path), fsync=False).open("a/b").locked()
    with held, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sojourn.providers.file.locked_folder.PATIENCE", 0.05)
        with pytest.raises(StoreUnavailable, match="held the lock"):
            provider.destroy(A)
        assert provider.read(A) == record()
    assert provider.destroy(A) == record()


@pytest.mark.parametrize("path", ["", 7, None])
def test_a_path_that_is_none(path: object) -> None:
    with pytest.raises(ConfigError, match="must be the path of a folder"):
        FileProvider(path)  # type: ignore[arg-type]


def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is no folder"):
        FileProvider(tmp_path / "file")


def test_a_path_below_what_is_no_folder() -> None:
    with pytest.raises(ConfigError, match="cannot hold sessions"):
        FileProvider("/dev/null/sessions")


def test_check_warns_of_a_folder_that_others_can_write(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path)
    tmp_path.chmod(0o700)
    assert provider.check() == []
    tmp_path.chmod(0o777)
    assert "chmod 0700" in provider.check()[0]


@pytest.mark.parametrize("user", ["ada", None])
def test_a_session_that_moves_while_others_are_listed_is_not_missed(
    tmp_path: Path, user: str | None
) -> None:
    provider = FileProvider(tmp_path)
    ids = [f"ab{number}" + "0" * 61 for number in range(4)]
    for id in ids:
        provider.create(record(id, user="ada"))
    found = provider.find(user, 1100.0)
    seen = [next(found).id]
    for id in ids:
        if id not in seen:
            provider.update(record(id, user="ada"), move_to(id.replace("0", "f")))
    seen += [one.id for one in found]
    assert sorted(seen) == sorted([seen[0], *(i.replace("0", "f") for i in ids if i != seen[0])])
    again = [one.id for one in provider.find(user, 1100.0)]
    assert sorted(again) == sorted(seen)


@pytest.mark.parametrize("fork", FORKS)
def test_a_child_holds_no_lock_of_its_parent(tmp_path: Path, fork: str) -> None:
    """A lock belongs to the open folder, which the child has too, and never closes."""
    provider = FileProvider(tmp_path)
    provider.create(record())
    reading, writing = os.pipe()
    with Tree(str(tmp_path), fsync=False).open("a/b").locked():
        child = child_of(lambda: os.read(reading, 1), fork)
    change = Changes(1100.0, put={b"k": b"w"})
    try:
        assert provider.update(record(), change) is Outcome.APPLIED
    finally:
        os.write(writing, b".")
        wait_for(child)
        os.close(reading)
        os.close(writing)
