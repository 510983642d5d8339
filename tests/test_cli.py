"""The command: what it prints, what it ends, and how it says what went wrong."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from sojourn import CompareAndSwapProvider, Manager, Record, register
from sojourn.cli import main
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider

LOCAL = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
UNUSED = "0" * 64

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def run(store: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the store; returns its status, and what it printed on stdout."""

    def call(*words: str) -> tuple[int, str]:
        status = main([*words, "--provider", "file", "--provider-config", str(store)])
        printed = capsys.readouterr()
        assert printed.err == ""
        return status, printed.out

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must go wrong; returns the one line that it said."""

    def call(*words: str) -> str:
        assert main(words) == 2
        return the_line(capsys)

    return call


def the_line(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    start, _, message = line.partition("sojourn: ")
    assert start == ""
    return message


def sign_in(
    store: Path, user: str | None, *, at: float | None = None, about: dict[str, str] | None = None
) -> str:
    """A session of that user, made at that time; its id."""
    manager = Manager(FileProvider(store), clock=time.time if at is None else lambda: at)
    with manager.open({}) as session:
        session["cart"] = ["a secret wish"]
        if user is not None:
            session.login(user, about=about)
    return session.id


def listed(run: Run, *words: str) -> list[dict[str, object]]:
    status, out = run("list", "--json", *words)
    assert status == 0
    found: list[dict[str, object]] = json.loads(out)
    return found


# -- count, gc, check ------------------------------------------------------------------------------


def test_count_says_how_many_live(run: Run, store: Path) -> None:
    sign_in(store, "ada")
    sign_in(store, None)
    sign_in(store, "eve", at=time.time() - 7200)
    assert run("count") == (0, "2 live\n")
    assert run("count", "--json") == (0, '{"live": 2}\n')


def test_gc_removes_what_has_expired_and_says_how_much(run: Run, store: Path) -> None:
    living = sign_in(store, "ada")
    for _ in range(3):
        sign_in(store, "eve", at=time.time() - 7200)
    assert run("gc") == (0, "3 removed\n")
    assert run("gc", "--json") == (0, '{"removed": 0}\n')
    assert [info["id"] for info in listed(run)] == [living]


def test_check_is_content_with_a_folder_of_ones_own(run: Run) -> None:
    assert run("check") == (0, "ok\n")
    assert run("check", "--json") == (0, '{"ok": true, "warnings": []}\n')


def test_check_warns_of_a_folder_open_to_others(run: Run, store: Path) -> None:
    store.mkdir()
    store.chmod(0o777)
    status, out = run("check")
    assert status == 1
    assert "written by others" in out
    status, out = run("check", "--json")
    assert status == 1
    assert json.loads(out) == {
        "ok": False,
        "warnings": [out[len('{"ok": false, "warnings": ["') : -4]],
    }


# -- list ------------------------------------------------------------------------------------------


def test_list_prints_a_table_the_one_seen_last_first(run: Run, store: Path) -> None:
    now = time.time()
    early = sign_in(store, "ada", at=now - 60, about={"device": "Firefox", "from": "Turin"})
    late = sign_in(store, None, at=now - 30)
    status, out = run("list")
    heading, first, second = out.splitlines()
    assert status == 0
    assert re.split("  +", heading) == ["id", "user", "created", "last seen", "expires", "about"]
    assert re.fullmatch(rf"{late} +{LOCAL}  {LOCAL}  {LOCAL}", first)
    assert re.fullmatch(
        rf"{early}  ada   {LOCAL}  {LOCAL}  {LOCAL}  device: Firefox, from: Turin", second
    )


def test_times_in_the_table_are_local_and_to_the_second(store: Path, run: Run, zone: None) -> None:
    sign_in(store, "ada", at=4_000_000_000.9)
    assert "2096-10-02T12:51:40" in run("list")[1]  # 07:06:40 in Greenwich


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "NPT-5:45")
        time.tzset()
        yield
    time.tzset()


def test_list_can_be_of_one_user(run: Run, store: Path) -> None:
    mine = sign_in(store, "ada")
    sign_in(store, "eve")
    sign_in(store, None)
    assert [info["id"] for info in listed(run, "--user", "ada")] == [mine]
    assert listed(run, "--user", "nobody") == []


def test_an_empty_list_is_a_heading(run: Run) -> None:
    assert run("list") == (0, "id  user  created  last seen  expires  about\n")


def test_list_as_json_has_times_in_seconds_and_no_data(run: Run, store: Path) -> None:
    at = time.time() - 10
    id = sign_in(store, "ada", at=at, about={"device": "Lynx"})
    assert listed(run) == [
        {
            "id": id,
            "user": "ada",
            "created_at": at,
            "seen_at": at,
            "expires_at": at + 3600,
            "about": {"device": "Lynx"},
            "authenticated_at": at,
        }
    ]
    assert "secret" not in run("list")[1]


def test_what_a_stranger_wrote_does_not_command_the_terminal(run: Run, store: Path) -> None:
    sign_in(store, "ada\nroot", about={"device": "\x1b]0;owned\x07\u202e"})
    _, out = run("list")
    assert len(out.splitlines()) == 2
    assert r"ada\nroot" in out
    assert r"\x1b]0;owned\x07\u202e" in out


# -- destroy ---------------------------------------------------------------------------------------


def test_destroy_ends_sessions_by_their_ids(run: Run, store: Path) -> None:
    one, two, three = (sign_in(store, "ada") for _ in range(3))
    assert run("destroy", one, three, UNUSED) == (0, "2 ended\n")
    assert [info["id"] for info in listed(run)] == [two]
    assert run("destroy", one) == (1, "0 ended\n")
    assert run("destroy", "--json", two) == (0, '{"ended": 1}\n')


def test_destroy_ends_the_sessions_of_a_user(run: Run, store: Path) -> None:
    kept, other = sign_in(store, "ada"), sign_in(store, "eve")
    sign_in(store, "ada")
    assert run("destroy", "--user", "ada", "--keep", kept) == (0, "1 ended\n")
    assert {info["id"] for info in listed(run)} == {kept, other}
    assert run("destroy", "--user", "ada") == (0, "1 ended\n")
    assert run("destroy", "--user", "ada") == (1, "0 ended\n")


def test_repair_has_nothing_to_do_in_a_store_without_indexes(run: Run, store: Path) -> None:
    sign_in(store, "ada")
    assert run("repair") == (0, "0 repaired\n")
    assert run("repair", "--json") == (0, '{"repaired": 0}\n')


def test_destroy_needs_no_hash_settings(run: Run, store: Path) -> None:
    settings = {"hash_func": "sha512", "hash_key": "of the application"}
    with Manager(FileProvider(store), settings).open({}) as session:
        session["x"] = 1
    assert run("destroy", session.id) == (0, "1 ended\n")


@pytest.mark.parametrize("id", ["", "4be7", "../../../../etc/passwd", UNUSED.replace("0", "G")])
def test_an_id_is_given_whole(refused: Callable[..., str], store: Path, id: str) -> None:
    options = ("--provider", "file", "--provider-config", str(store))
    for words in ([id], ["--user", "ada", "--keep", id]):
        assert refused("destroy", *words, *options) == (
            f"{id!r} is no id: give it whole, as `sojourn list` shows it"
        )


@pytest.mark.parametrize("words", [[], [UNUSED, "--user", "ada"], [UNUSED, "--keep", UNUSED]])
def test_destroy_wants_ids_or_a_user(
    refused: Callable[..., str], store: Path, words: list[str]
) -> None:
    options = ("--provider", "file", "--provider-config", str(store))
    assert refused("destroy", *words, *options).startswith("destroy: give one or more ids, or")


# -- which store -----------------------------------------------------------------------------------


def configured(folder: Path, settings: object) -> str:
    path = folder / "sojourn.json"
    path.write_text(json.dumps(settings))
    return str(path)


@pytest.mark.parametrize(
    "settings",
    [
        {"provider": "file", "provider_config": "./sessions", "max_lifetime": 60},
        {"provider": "file", "provider_config": {"path": "./sessions", "fsync": True}},
        {"provider": "file", "providerConfig": "./sessions", "enableSetCookie,omitempty": True},
    ],
    ids=["ours", "keywords", "Beego's"],
)
def test_a_file_names_the_store(
    tmp_path: Path,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, object],
) -> None:
    sign_in(store, "ada")
    monkeypatch.chdir(tmp_path)
    assert main(["count", "--config", configured(tmp_path, settings)]) == 0
    assert main(["--config", "sojourn.json", "count"]) == 0
    assert capsys.readouterr().out == "1 live\n" * 2


def test_options_override_the_file(run: Run, store: Path, tmp_path: Path) -> None:
    sign_in(store, "ada")
    elsewhere = {"provider": "redis", "provider_config": str(tmp_path / "elsewhere")}
    assert run("count", "--config", configured(tmp_path, elsewhere)) == (0, "1 live\n")


def test_an_own_provider_is_known_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    register("empty", lambda _: Empty())
    assert main(["count", "--provider", "empty"]) == 0
    assert capsys.readouterr().out == "0 live\n"


class Empty(CompareAndSwapProvider):
    def read(self, id: str) -> Record | None:
        return None

    def create(self, record: Record) -> bool:
        return False

    def swap(self, old: Record, new: Record | None) -> bool:
        return False

    def scan(self) -> Iterator[Record]:
        return iter(())


# -- what goes wrong -------------------------------------------------------------------------------


def test_memory_is_refused_with_a_reason(refused: Callable[..., str]) -> None:
    assert "application's own process" in refused("list", "--provider", "memory")


def test_a_store_must_be_named(refused: Callable[..., str], tmp_path: Path) -> None:
    assert refused("count").startswith("which store?")
    assert refused("count", "--config", configured(tmp_path, {})).startswith("which store?")


def test_an_unknown_provider_is_refused(refused: Callable[..., str]) -> None:
    assert "'file'?" in refused("count", "--provider", "fil")


def test_a_folder_that_cannot_serve_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.touch()
    said = refused("count", "--provider", "file", "--provider-config", str(blocked))
    assert "cannot hold sessions" in said


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('{\n  "provider" "file"\n}', "no JSON at line 2, column 14: "),
        (b"\xe9", "no JSON: the file is not in UTF-8"),
        ("[]", "give an object of JSON"),
        ("", "no JSON at line 1, column 1: "),
    ],
    ids=["comma", "latin-1", "list", "empty"],
)
def test_bad_json_is_told_with_its_place(
    refused: Callable[..., str], tmp_path: Path, written: str | bytes, says: str
) -> None:
    path = tmp_path / "sojourn.json"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    assert refused("count", "--config", str(path)).startswith(f"{path}: {says}")


def test_a_file_that_is_not_there_is_told(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "missing.json"
    assert refused("count", "--config", str(path)) == f"{path}: No such file or directory"
    assert refused("count", "--config", str(tmp_path)) == f"{tmp_path}: Is a directory"


def test_a_wrong_setting_is_told_and_no_secret_is(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    settings = {"provider": "file", "hash_key": "hush", "max_lifetim": 60}
    said = refused("count", "--config", configured(tmp_path, settings))
    assert "'max_lifetime'?" in said
    assert "hush" not in said


@pytest.mark.parametrize("words", [[], ["lst"], ["count", "--wrong"], ["list", "--user"]])
def test_a_wrong_command_is_one_line_too(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert the_line(capsys).endswith("--help")


# -- as a process ----------------------------------------------------------------------------------


def options(store: Path) -> list[str]:
    return ["--provider", "file", "--provider-config", str(store)]


@pytest.mark.parametrize(
    "command",
    [[sys.executable, "-m", "sojourn"], [str(Path(sys.executable).with_name("sojourn"))]],
    ids=["python -m sojourn", "sojourn"],
)
def test_it_runs_as_a_command(store: Path, command: list[str]) -> None:
    id = sign_in(store, "ada")
    words = [*command, *options(store), "destroy", id]
    for status, out in ((0, "1 ended\n"), (1, "0 ended\n")):
        ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (status, out, "")


def test_a_reader_that_has_seen_enough_is_no_error(store: Path) -> None:
    sign_in(store, "ada")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "sojourn", "list", *options(store)]
    ran = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, "")


def test_a_terminal_of_few_letters_is_shown_the_rest_in_escapes(store: Path) -> None:
    sign_in(store, "Čapek")
    command = [sys.executable, "-m", "sojourn", "list", *options(store)]
    ran = subprocess.run(
        command,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert rb"\u010capek" in ran.stdout


# -- init ------------------------------------------------------------------------------------------


def on_sqlite(path: Path, *words: str) -> int:
    return main([*words, "--provider", "sqlite", "--provider-config", str(path)])


def test_init_makes_the_table(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    assert on_sqlite(path, "init") == 0
    manager = Manager("sqlite", provider_config={"path": str(path), "create_table": False})
    assert manager.active_count() == 0
    manager.close()


def test_what_init_prints_makes_the_same_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sessions.db"
    assert on_sqlite(path, "init", "--print") == 0
    assert not path.exists()
    with closing(sqlite3.connect(path)) as database:
        database.executescript(capsys.readouterr().out)
    manager = Manager("sqlite", provider_config={"path": str(path), "create_table": False})
    assert manager.active_count() == 0
    manager.close()


@pytest.mark.parametrize("words", [["--json", "count"], ["count", "--json"]])
def test_options_may_come_before_the_command_or_after_it(run: Run, words: list[str]) -> None:
    assert run(*words) == (0, '{"live": 0}\n')


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"sojourn {version('sojourn')}\n"


class Interrupted(MemoryProvider):
    """A store at which the operator loses patience."""

    def count(self, now: float) -> int:
        raise KeyboardInterrupt


def test_ctrl_c_ends_a_command_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    register("interrupted", lambda config: Interrupted())
    assert main(["count", "--provider", "interrupted"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_store_that_needs_nothing_has_nothing_to_init(run: Run) -> None:
    assert run("init") == (0, "ok\n")
    assert run("init", "--print") == (0, "")
    assert run("init", "--json") == (0, '{"ok": true}\n')
