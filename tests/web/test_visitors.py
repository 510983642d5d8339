"""No visitor sees the session of another, whatever server the site runs on and whatever its store.

Some servers share a connection between workers or between greenlets if nobody sees to it.  uWSGI
forks its workers in C after the application has used its connections, and gunicorn in Python;
gevent and eventlet switch between greenlets in the middle of a call to the store.  SOJOURN_SEARCH times as many visits, if
that is set.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.frameworks.cable import Cable
from tests.servers.process import Process, free_port
from tests.servers.redis import fresh_prefix
from tests.servers.sql import fresh_table

ROOT = Path(__file__).parents[2]
VISITORS = 10
VISITS = 6 * int(os.environ.get("SOJOURN_SEARCH", "1"))
"""Of each of the two tabs of a visitor."""

APP = "tests.web.visitors_site:app"
EVENTLET = """
import eventlet
eventlet.monkey_patch()
import eventlet.wsgi
import sys
from tests.web.visitors_site import app
eventlet.wsgi.server(eventlet.listen(("127.0.0.1", int(sys.argv[1]))), app)
"""


class Server(NamedTuple):
    """What starts a server."""

    command: str
    asgi: bool = False
    forked: int = 1
    """How many of its processes have to have answered in the end."""


SERVERS = {
    "uwsgi": Server(
        "uwsgi --http-socket 127.0.0.1:{port} --listen 100 --disable-logging --master --processes 4 "
        f"--die-on-term --no-orphans --need-app --module {APP}",
        forked=4,
    ),
    "uwsgi-threads": Server(
        "uwsgi --http-socket 127.0.0.1:{port} --listen 100 --disable-logging --master --threads 8 "
        f"--die-on-term --need-app --module {APP}"
    ),
    "gunicorn": Server(
        "gunicorn --preload --workers 4 --no-control-socket --bind 127.0.0.1:{port} " + APP,
        forked=2,
    ),
    "gevent": Server(
        f"gunicorn --worker-class gevent --no-control-socket --bind 127.0.0.1:{{port}} {APP}"
    ),
    "eventlet": Server("python -W ignore -c EVENTLET {port}"),
    "hypercorn": Server(f"hypercorn --workers 2 --bind 127.0.0.1:{{port}} {APP}", asgi=True),
    "hypercorn-wsgi": Server(f"hypercorn --workers 2 --bind 127.0.0.1:{{port}} wsgi:{APP}"),
    "granian": Server(f"granian --interface asgi --workers 2 --port {{port}} {APP}", asgi=True),
    "granian-wsgi": Server(
        f"granian --interface wsgi --workers 2 --blocking-threads 4 --port {{port}} {APP}"
    ),
}

SHARED = ("file", "sqlite", "redis", "mysqlclient", "pymysql", "postgres")
"""The stores that several processes can use."""
ASYNC = ("file", "sqlite", "redis", "mysql", "postgres")
MYSQL = {"mysql": {}, **{name: {"driver": name} for name in ("mysqlclient", "pymysql")}}
AWAY = 0.003
"""Seconds that an answer of a store takes longer than on this machine.  If two wait for theirs on
one connection, each is there when that of the other comes."""

SITES = [
    *[("uwsgi", store) for store in SHARED],
    ("uwsgi-threads", "memory"),
    *[("gunicorn", store) for store in ("redis", "mysqlclient", "postgres")],
    *[("gevent", store) for store in (*SHARED, "memory")],
    *[("eventlet", store) for store in (*SHARED, "memory")],
    *[("hypercorn", store) for store in ASYNC],
    *[("hypercorn-wsgi", store) for store in ("file", "redis", "pymysql")],
    *[("granian", store) for store in ASYNC],
    *[("granian-wsgi", store) for store in ("sqlite", "redis", "mysqlclient", "postgres")],
]


LOCAL: dict[str, Callable[[Path], str | None]] = {
    "memory": lambda folder: None,
    "file": lambda folder: str(folder / "sessions"),
    "sqlite": lambda folder: str(folder / "sessions.db"),
}
DISTANT = {"redis": "redis_server", "postgres": "postgres"} | dict.fromkeys(MYSQL, "mariadb")
"""The fixtures of the servers."""


@contextmanager
def opened(name: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[dict[str, Any]]:
    """Enter with a provider, and its configuration."""
    if name in LOCAL:
        yield {"provider": name, "config": LOCAL[name](folder)}
        return
    server = request.getfixturevalue(DISTANT[name])
    with Cable(server.port, delay=AWAY) as cable:
        url = server.url().replace(f":{server.port}/", f":{cable.port}/")
        if name == "redis":
            yield {"provider": name, "config": {"address": url, "prefix": fresh_prefix()}}
        else:
            config = {"dsn": url, "table": fresh_table(), **MYSQL.get(name, {})}
            yield {"provider": "mysql" if name in MYSQL else name, "config": config}


class Site(NamedTuple):
    """Where a site listens, and what it runs on."""

    port: int
    server: Server


@pytest.fixture(params=SITES, ids="-".join)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    server, store = SERVERS[request.param[0]], request.param[1]
    port = free_port()
    words = [
        word.replace("EVENTLET", EVENTLET) for word in server.command.format(port=port).split()
    ]
    with opened(store, request, tmp_path) as settings:
        said = json.dumps({**settings, "asgi": server.asgi})
        with Process(
            Path(sys.executable).with_name(words[0]),
            *words[1:],
            port=port,
            cwd=ROOT,
            env={"SOJOURN_SITE": said, "PYTHONPATH": os.pathsep.join(["src", "."])},
        ):
            yield Site(port, server)


def get(port: int, path: str, cookie: str = "") -> tuple[str, str]:
    """Return what the site answers, and the cookie that it sets."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        said = response.read().decode()
        assert response.status == 200, (response.status, said)
        return said, response.getheader("Set-Cookie", "").partition(";")[0]


def test_each_visitor_sees_what_is_his_own(site: Site) -> None:
    """And no visit of his two tabs is lost."""
    port = site.port

    def visit(name: str, cookie: str) -> set[str]:
        pids = set()
        for _ in range(VISITS):
            whose, pid = get(port, "/visit", cookie)[0].split()
            assert whose == name
            pids.add(pid)
        return pids

    names = [f"visitor{number}" for number in range(VISITORS)]
    with ThreadPoolExecutor(8) as tabs:
        cookies = [
            cookie for _, cookie in tabs.map(lambda name: get(port, f"/begin/{name}"), names)
        ]
        pids = set().union(*tabs.map(visit, [*names, *names], [*cookies, *cookies]))
        counts = [
            said for said, _ in tabs.map(lambda cookie: get(port, "/visits", cookie), cookies)
        ]
    assert counts == [str(2 * VISITS)] * VISITORS
    assert len(pids) >= site.server.forked
