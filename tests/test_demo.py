"""The stores of the demonstration: each is one that it finds, or makes and ends."""

from __future__ import annotations

import http.client
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from examples.demo import stores
from examples.demo.app import application
from sojourn import Manager, StoreUnavailable
from tests.servers.process import Process, free_port, wait_until
from tests.servers.redis import Redis

ROOT = Path(__file__).parents[1]
ALONE = """
import sys, time
from pathlib import Path
from examples.demo import stores
stores.USUAL_REDIS = sys.argv[1]
with stores.config_of("redis", None, Path(sys.argv[2])) as config:
    print(config["address"], flush=True)
    time.sleep(60)
"""


@pytest.fixture
def nowhere() -> str:
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.fixture(autouse=True)
def _no_redis_is_known(monkeypatch: pytest.MonkeyPatch, nowhere: str) -> None:
    monkeypatch.setattr(stores, "USUAL_REDIS", nowhere)
    monkeypatch.delenv("REDIS_URL", raising=False)


def live(store: str, config: stores.Config) -> int:
    with closing(Manager(store, provider_config=config)) as manager:
        return manager.active_count()


def keep_one(store: str, config: stores.Config) -> None:
    with closing(Manager(store, provider_config=config)) as manager, manager.open({}) as session:
        session["basket"] = ["map"]


def answers(address: str) -> bool:
    try:
        return live("redis", address) >= 0
    except StoreUnavailable:
        return False


@pytest.mark.parametrize("store", ["file", "sqlite", "redis"])
def test_what_it_makes_itself_survives_a_restart(store: str, tmp_path: Path) -> None:
    with stores.config_of(store, None, tmp_path / "demo") as config:
        keep_one(store, config)
    with stores.config_of(store, None, tmp_path / "demo") as config:
        assert live(store, config) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_the_memory_needs_nothing(tmp_path: Path) -> None:
    with stores.config_of("memory", None, tmp_path / "demo") as config:
        assert live("memory", config) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", ["by REDIS_URL", "by its address", "where it usually is"])
def test_it_finds_a_redis(
    redis_server: Redis, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named == "by REDIS_URL":
        monkeypatch.setenv("REDIS_URL", redis_server.url())
    if named == "where it usually is":
        monkeypatch.setattr(stores, "USUAL_REDIS", redis_server.url())
    address = redis_server.url() if named == "by its address" else None
    with stores.config_of("redis", address, tmp_path / "demo") as config:
        assert config == {"address": redis_server.url(), "prefix": "sojourn-demo"}
    assert list(tmp_path.iterdir()) == []


def test_its_own_redis_ends_with_it(tmp_path: Path) -> None:
    with stores.config_of("redis", None, tmp_path) as config:
        assert isinstance(config, dict)
        assert answers(config["address"])
    assert not answers(config["address"])


def test_its_own_redis_ends_when_it_is_killed(tmp_path: Path, nowhere: str) -> None:
    command = [sys.executable, "-c", ALONE, nowhere, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        *_, address = [process.stdout.readline().strip() for _ in range(2)]
        assert answers(address)
        process.kill()
    wait_until(lambda: not answers(address), "its Redis has ended")


@pytest.mark.parametrize("store", ["mysql", "postgres"])
def test_a_database_has_to_be_named(store: str, tmp_path: Path) -> None:
    with (
        pytest.raises(SystemExit, match=f"PROVIDER={store} ADDRESS="),
        stores.config_of(store, None, tmp_path),
    ):
        raise AssertionError
    with stores.config_of(store, "somewhere", tmp_path) as config:
        assert config == "somewhere"


COMMAND = (sys.executable, "-m", "examples.demo")


def test_it_is_served_from_the_store_that_is_named(redis_server: Redis, tmp_path: Path) -> None:
    port, config = free_port(), {"address": redis_server.url(), "prefix": stores.PREFIX}
    before = live("redis", config)
    words = ("--provider", "redis", "--address", redis_server.url(), "--folder", str(tmp_path))
    with Process(*COMMAND, "--port", str(port), *words, port=port, cwd=ROOT):
        shop = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with closing(shop):
            origin = {"Origin": f"http://127.0.0.1:{port}"}
            shop.request("POST", "/basket/add", "article=map", origin)
            assert shop.getresponse().status == 303
    assert live("redis", config) == before + 1
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_does_not_answer_is_told_of_at_once(nowhere: str) -> None:
    command = [*COMMAND, "--provider", "redis", "--address", nowhere]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "Redis cannot be reached\n"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ([], []),
        (["PROVIDER=redis"], ["--provider", "redis"]),
        (
            ["PROVIDER=mysql", "ADDRESS=a:b@tcp(c)/d", "DEMO_ARGS=--port 1"],
            ["--provider", "mysql", "--address", "'a:b@tcp(c)/d'", "--port", "1"],
        ),
    ],
)
def test_make_passes_on_what_it_is_given(given: list[str], meant: list[str]) -> None:
    made = subprocess.run(
        ["make", "-n", "--no-print-directory", "demo", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.splitlines()[-1].split()[1:] == ["-m", "examples.demo", *meant]


@pytest.mark.parametrize("store", stores.WHERE)
def test_the_page_names_the_store(store: str) -> None:
    shop = application(Manager("memory"), stores.WHERE[store])
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": ""}
    environ["wsgi.url_scheme"] = "http"
    page = b"".join(shop(environ, lambda *_: lambda _: None)).decode()
    assert f"The sessions of this shop are kept {stores.WHERE[store]}." in page
