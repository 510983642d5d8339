"""A folder that root made, and a process of another user that is to keep sessions in it.

A command of an administrator imports the application, and with it the manager, as another user than
the one the application runs as.  That alone must make nothing in which the application cannot write.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sojourn import Manager
from sojourn.errors import ConfigError
from sojourn.providers.file import FileProvider
from tests.servers.process import workshop

ROOT, NOBODY, NAMELESS = 0, 65_534, 64_999
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
STORES = {"file": "sessions", "sqlite": "sessions.db"}

AS_NOBODY = """
import os, sys
from contextlib import closing
from pathlib import Path
# The other user may be unable to read the interpreter's library, so all is imported as root.
import encodings.idna, pwd, sojourn.providers.file, sojourn.providers.sql
from sojourn import ConfigError, Manager, StoreUnavailable

store, folder, owner = sys.argv[1], Path(sys.argv[2]), int(sys.argv[4])
path = folder / sys.argv[3]
os.chown(folder, owner, owner)


def manager():
    return Manager(store, provider_config=str(path))


def sign_in(manager):
    session = manager.start({})
    session.login("ada")
    manager.release(session)


def refused(call, kind):
    try:
        call()
    except kind as error:
        return str(error)
    raise SystemExit("it was not refused")


def become_nobody():
    os.setgroups([])
    os.setgid(65_534)
    os.setuid(65_534)

"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's own are not."""
    folder = workshop() / f"owners-{os.getpid()}"
    folder.mkdir(mode=0o755)
    yield folder
    subprocess.run([*AS_ROOT, "rm", "-rf", folder], check=True)


def run(script: str, store: str, folder: Path, *, owner: int) -> None:
    """Run a script as root, who becomes nobody in it.  owner: whose the folder is."""
    code = AS_NOBODY + textwrap.dedent(script)
    python = [*AS_ROOT, sys.executable, "-Werror", "-c", code]
    command = [*python, store, str(folder), STORES[store], str(owner)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("store", STORES)
def test_a_manager_makes_nothing_before_the_first_session(tmp_path: Path, store: str) -> None:
    path = tmp_path / STORES[store]
    with closing(Manager(store, provider_config=str(path))) as manager:
        assert list(tmp_path.iterdir()) == []
        with manager.open({}) as session:
            session["cart"] = ["apple"]
    assert path.exists()


def test_a_folder_that_is_not_there_holds_no_sessions(tmp_path: Path) -> None:
    """Whatever only looks makes no folder either: the operator's command may run as root."""
    with closing(Manager("file", provider_config=str(tmp_path / "sessions"))) as manager:
        assert manager.active_count() == 0
        assert list(manager.sessions()) == []
        assert list(manager.sessions("ada")) == []
        assert manager.gc() == 0
        assert not manager.destroy("a" * 64)
        assert manager.destroy_user("ada") == 0
        with manager.open({"Cookie": f"{manager.config.cookie_name}={'a' * 43}"}) as session:
            assert "cart" not in session
    assert list(tmp_path.iterdir()) == []


def test_folders_above_are_made_too(tmp_path: Path) -> None:
    manager = Manager("file", provider_config=str(tmp_path / "a" / "b" / "c"))
    with manager.open({}) as session:
        session["cart"] = ["apple"]
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["c"]
    assert (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("path", ["file/sessions", "file", "link", "a\0b"])
def test_a_folder_that_could_not_be_made_is_refused_at_construction(
    tmp_path: Path, path: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="provider_config"):
        FileProvider(f"{tmp_path}/{path}")


@pytest.mark.parametrize("store", STORES)
def test_a_manager_that_root_makes_is_in_nobodys_way(folder: Path, store: str) -> None:
    """As in `manage.py collectstatic`, run by root at an installation."""
    script = """
        manager().close()
        become_nobody()
        with closing(manager()) as application:
            sign_in(application)
            assert application.active_count() == 1
    """
    run(script, store, folder, owner=NOBODY)


@pytest.mark.parametrize("store", STORES)
def test_what_belongs_to_another_user_is_refused_with_its_owner(folder: Path, store: str) -> None:
    script = """
        with closing(manager()) as application:
            sign_in(application)
        become_nobody()
        said = refused(manager, ConfigError)
        assert f"{path} belongs to root, and this process runs as nobody" in said, said
    """
    run(script, store, folder, owner=ROOT)


@pytest.mark.parametrize("store", STORES)
def test_a_folder_in_which_nothing_can_be_made_is_refused_with_its_owner(
    folder: Path, store: str
) -> None:
    script = """
        become_nobody()
        said = refused(manager, ConfigError)
        assert f"{folder} belongs to root, and this process runs as nobody" in said, said
    """
    run(script, store, folder, owner=ROOT)


@pytest.mark.parametrize("store", STORES)
def test_a_folder_taken_over_while_the_application_runs_is_named_with_its_owner(
    folder: Path, store: str
) -> None:
    """Every verb that is refused says so: here one that writes, and one that reads."""
    script = """
        os.seteuid(65_534)
        application = manager()
        os.seteuid(0)
        with closing(manager()) as roots:
            sign_in(roots)
        become_nobody()
        for call in (lambda: sign_in(application), lambda: list(application.sessions("ada"))):
            said = refused(call, StoreUnavailable)
            assert f"{path} belongs to root, and this process runs as nobody" in said, said
    """
    run(script, store, folder, owner=NOBODY)


def test_a_folder_inside_the_store_is_named_with_its_owner(folder: Path) -> None:
    """Root wrote one session into the application's folder: its folder within is root's."""
    script = """
        path.mkdir()
        os.chown(path, 65_534, 65_534)
        for digit in "0123456789abcdef":
            (path / digit).mkdir(mode=0o700)
        become_nobody()
        said = refused(lambda: sign_in(manager()), StoreUnavailable)
        assert str(path) in said and "belongs to root" in said, said
        assert f"{path} belongs" not in said, said
    """
    run(script, "file", folder, owner=NOBODY)


def test_a_user_without_a_name_is_named_by_number(folder: Path) -> None:
    script = """
        become_nobody()
        said = refused(manager, ConfigError)
        assert f"{folder} belongs to user 64999" in said, said
    """
    run(script, "file", folder, owner=NAMELESS)
