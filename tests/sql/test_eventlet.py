"""eventlet, which takes `select.poll` away from the process that it patches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sql.stores import Server

ROOT = Path(__file__).parents[2]

# Some greenlets at once, and connections that lay idle meanwhile.
SCRIPT = """
import eventlet
eventlet.monkey_patch()
import sys
from sojourn import Manager

provider, url, table, *driver = sys.argv[1:]
settings = {"dsn": url, "table": table, **({"driver": driver[0]} if driver else {})}
manager = Manager(provider, provider_config=settings)

def visit(number):
    with manager.open({}) as session:
        session["number"] = number
    for _ in range(5):
        eventlet.sleep(0.001)
        again = manager.start({"Cookie": f"session={session.released.token}"})
        assert again["number"] == number
    return True

assert all(eventlet.GreenPool().imap(visit, range(8)))
manager.close()
"""


@pytest.mark.parametrize("way", ["mysqlclient", "pymysql", "psycopg"])
def test_a_process_of_eventlet_stores_and_reads(way: str, server: Server, table: str) -> None:
    words = ["postgres", server.url(), table]
    if way != "psycopg":
        words = ["mysql", server.url(), table, way]
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, *words]
    subprocess.run(command, check=True, timeout=60, cwd=ROOT)
