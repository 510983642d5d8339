"""A page of a sibling host sets a cookie whose name is the session's but for a blank of Unicode.

The browser takes it for any other cookie, though no other host could set one with the prefix.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks
from django.test import Client
from django.test.utils import override_settings

from tests.web.django.conftest import MIDDLEWARES, Site
from tests.web.django.settings import OTHERS

NAME = "__Host-sessionid"
HOSTILE = ["\u2000N=T; N=V", "N=V; \u2000N=T", "\x85N=T; N=V", "\x1cN=T; N=V", "N=V; N =U"]


def token_of(count: int) -> str:
    """Begin a session that has counted so far."""
    client = Client()
    for _ in range(count):
        client.get("/count")
    return client.cookies[NAME].value


@pytest.mark.parametrize("header", HOSTILE)
def test_our_middleware_does_not_take_it_for_the_session(site: Site, header: str) -> None:
    with override_settings(SESSION_COOKIE_NAME=NAME, SESSION_COOKIE_SECURE=True):
        words = {"N": NAME, "T": token_of(2), "V": token_of(1), "U": "A" * 40}
        sent = "".join(words.get(letter, letter) for letter in header).encode().decode("latin-1")
        said = Client().get("/count", headers={"cookie": sent}).json()["said"]
    if site.mode == "middleware":
        assert said == 2  # one more than the visitor had
    elif header == HOSTILE[1]:
        assert said == 3  # as Django has it, and `sojourn.W002` says: the session of the attacker


@pytest.mark.parametrize(
    ("mode", "name", "warned"),
    [
        ("engine", NAME, True),
        ("engine", "__SECURE-id", True),
        ("engine", "sessionid", False),
        ("middleware", NAME, False),
    ],
)
def test_before_deployment_it_is_said_where_django_would(
    mode: str, name: str, *, warned: bool
) -> None:
    ours: dict[str, Any] = {"MIDDLEWARE": [MIDDLEWARES[mode], *OTHERS]}
    with override_settings(SESSION_COOKIE_NAME=name, SESSION_COOKIE_SECURE=True, **ours):
        found = checks.run_checks(include_deployment_checks=True)
        assert warned == any(each.id == "sojourn.W002" for each in found)
        assert not [each for each in checks.run_checks() if each.id == "sojourn.W002"]
