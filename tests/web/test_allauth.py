"""django-allauth, on a project of its own: its tests are run as those of any project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.postgres import Postgres
from tests.servers.sql import DATABASE
from tests.web.django_projects import MIDDLEWARES, run


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A database of Django's, as a setting: PostgreSQL holds columns to their width."""
    if request.param == "sqlite":
        yield {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as name:
        address = {key.upper(): value for key, value in server.address.items()}
        yield {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE,
            "TEST": {"NAME": name},
            **address,
        }


@pytest.mark.parametrize("middleware", MIDDLEWARES)
def test_social_sign_ins_and_lists_of_sessions(middleware: str, database: dict[str, Any]) -> None:
    run("allauth_site", middleware, "SocialSignIns", "Lists", DATABASE=json.dumps(database))


@pytest.mark.parametrize("middleware", MIDDLEWARES)
def test_a_sign_up(middleware: str, database: dict[str, Any]) -> None:
    run("allauth_site", middleware, "SignUps", DATABASE=json.dumps(database))
