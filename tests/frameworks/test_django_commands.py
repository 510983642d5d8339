"""Django's own commands, run in the project."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.frameworks.django_project.served import Site
from tests.servers.certificates import Certificate
from tests.servers.mariadb import MariaDB
from tests.servers.sql import fresh_table


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
@pytest.mark.parametrize("middleware", ["sojourn", "django"])
def test_the_checks_find_nothing(tmp_path: Path, server: str, middleware: str) -> None:
    """Those of the admin too, which looks for Django's own middleware."""
    site = Site(tmp_path, ("memory", None), server, middleware)
    assert "no issues" in site.command("check", "--fail-level", "INFO")


@pytest.mark.parametrize("middleware", ["sojourn", "django"])
def test_a_project_over_https_is_ready_to_be_deployed(tmp_path: Path, middleware: str) -> None:
    provider = ("file", str(tmp_path / "sessions"))
    site = Site(tmp_path, provider, "gunicorn", middleware, Certificate.new())
    assert "no issues" in site.command("check", "--deploy", "--fail-level", "INFO")


def test_what_has_expired_is_cleared_and_nothing_else(tmp_path: Path, mariadb: MariaDB) -> None:
    table = fresh_table()
    site = Site(tmp_path, ("mysql", {"dsn": mariadb.dsn(), "table": table}))
    long_ago = site.manager_at(lambda: time.time() - 90 * 24 * 3600)
    for manager in (long_ago, site.manager):
        with manager.open([]) as session:
            session["x"] = 1
        manager.close()
    assert site.command("clearsessions") == ""
    assert mariadb.sql(f"SELECT count(*) FROM sojourn.{table}") == [(1,)]
