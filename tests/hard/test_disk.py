"""Laws 9 and 11 on a disk that fails: a clear error or none, and nothing acknowledged is lost."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sojourn import Manager, ReleaseOutcome
from sojourn.providers.file import FileProvider
from sojourn.testing import FakeClock
from tests.hard.disk import SCENARIOS, Application
from tests.servers.process import tool

ROOT = Path(__file__).parents[2]
HOUR = 3600.0


def own_disks() -> list[str]:
    """A way to start a process that may mount, and whose disks nobody else sees."""
    alone = [tool("unshare"), "--mount", "--propagation", "private"]
    if os.geteuid() == 0:
        return alone
    if (
        subprocess.run(
            [shutil.which("sudo") or "false", "-n", "true"], capture_output=True, check=False
        ).returncode
        == 0
    ):
        return ["sudo", "-n", *alone]
    return [*alone, "--user", "--map-root-user"]


def run(scenario: str, folder: Path, *, before: list[str]) -> None:
    """Run a scenario in a process of its own, and fail with what it says if it fails."""
    assert scenario in {known.__name__ for known in SCENARIOS}
    python = [sys.executable, "-B", "-W", "error", "-m", "tests.hard.disk"]
    done = subprocess.run(
        [*before, *python, scenario, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("scenario", ["full_of_data", "full_of_files", "full_for_changes"])
def test_a_full_disk_loses_nothing(tmp_path: Path, scenario: str) -> None:
    run(scenario, tmp_path, before=own_disks())


def test_a_disk_that_became_read_only_loses_nothing(tmp_path: Path) -> None:
    run("read_only", tmp_path, before=own_disks())


def test_what_may_not_be_read_is_no_absent_session(tmp_path: Path) -> None:
    run("denied", tmp_path, before=[])


def test_an_odd_umask_loses_nothing(tmp_path: Path) -> None:
    run("odd_umasks", tmp_path, before=[])


def test_a_process_without_descriptors_loses_nothing(tmp_path: Path) -> None:
    run("no_descriptors", tmp_path, before=[])


def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    application = Application(tmp_path / "sessions")
    token = application.begin("ada")
    late = application.manager.start(application.headers(token))
    late["n"] = 2
    shutil.rmtree(application.folder)
    application.acknowledged.clear()
    assert application.manager.release(late).outcome is ReleaseOutcome.LATE
    assert application.manager.start(application.headers(token)).is_new
    assert application.manager.gc() == 0
    application.check()
    application.change(application.begin("ada"))
    application.check()
    inside = [path for path in application.folder.rglob("*") if path.is_dir()]
    modes = {stat.S_IMODE(folder.stat().st_mode) for folder in (application.folder, *inside)}
    assert modes == {0o700}


def test_two_applications_share_a_folder(tmp_path: Path) -> None:
    """They agree on the hash alone: names of cookies and lifetimes are their own."""
    clock = FakeClock()
    provider = FileProvider(tmp_path)
    shop = Manager(provider, cookie_name="shop", max_lifetime=60.0, clock=clock)
    blog = Manager(FileProvider(tmp_path), cookie_name="blog", max_lifetime=HOUR, clock=clock)
    browser = ""
    for manager in (shop, blog):
        with manager.open({"Cookie": browser}) as session:
            session["name"] = manager.config.cookie_name
            session.login("ada")
        assert session.released is not None
        browser += dict(session.released.headers)["Set-Cookie"].partition(";")[0] + "; "
    for manager in (shop, blog):
        with manager.open({"Cookie": browser}) as session:
            assert dict(session) == {"name": manager.config.cookie_name}
            session["seen"] = True
    clock.advance(61)
    assert shop.gc() == 1
    assert shop.start({"Cookie": browser}).is_new
    with blog.open({"Cookie": browser}) as session:
        assert dict(session) == {"name": "blog", "seen": True}
    with shop.open({"Cookie": browser}) as session:
        session.login("ada")
    session = shop.start({"Cookie": f"shop={session.released.token}"})  # type: ignore[union-attr]
    session.logout()
    shop.release(session)
    assert blog.start({"Cookie": browser}).user == "ada"


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_clock_that_was_wrong_for_a_while_loses_nothing(tmp_path: Path, step: float) -> None:
    """What a wrong clock calls expired is back with the right time, unless it was swept."""
    clock = FakeClock()
    application = Application(tmp_path / "sessions", clock=clock, max_lifetime=600.0)
    tokens = [application.begin(), application.begin("ada")]
    clock.advance(step)
    wrong = application.begin("bob")
    application.change(wrong)
    if step < 0:
        for token in tokens:
            application.change(token)
        assert application.manager.gc() == 0
        application.check()
        application.acknowledged.pop(wrong)
    else:
        assert application.manager.start(application.headers(tokens[0])).is_new
        assert application.manager.active_count() == 1
    clock.advance(-step)
    application.check()
    for token in tokens:
        application.change(token)
    application.check()


def test_after_a_clock_that_was_behind_sessions_are_touched_again(tmp_path: Path) -> None:
    clock = FakeClock()
    application = Application(tmp_path / "sessions", clock=clock, max_lifetime=2 * HOUR)
    token = application.begin()
    before = next(application.manager.sessions())
    clock.advance(-HOUR)
    application.change(token)
    assert next(application.manager.sessions())[3:] == before[3:]
    clock.advance(2 * HOUR)
    application.change(token)
    after = next(application.manager.sessions())
    assert after.seen_at == before.seen_at + HOUR
    assert after.expires_at == before.expires_at + HOUR
