"""Django's page for errors shows settings, the request and the locals of every frame: no secret."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client
from django.test.utils import override_settings

from tests.web.django.conftest import MIDDLEWARES
from tests.web.django.pages import Deed, to
from tests.web.django.settings import OTHERS
from tests.web.stores import Failing

PASSWORD, HASH_KEY = token_hex(), token_hex()  # so that no line of source shows them


def fail(request: HttpRequest) -> None:
    session = request.session  # a local of a frame
    raise LookupError(session["name"])


def put(request: HttpRequest) -> None:
    request.session["name"] = "Bo"


def put_what_cannot_be_stored(request: HttpRequest) -> None:
    request.session.setdefault("things", []).append(object())


def page(deed: Deed, mode: str, *down: str) -> tuple[str, str]:
    """What a visitor who is known sees of an error, and the visitor's token."""
    store = Failing()
    ours: dict[str, Any] = {"provider": store, "hash_key": HASH_KEY, "provider_config": PASSWORD}
    with override_settings(DEBUG=True, SOJOURN=ours, MIDDLEWARE=[MIDDLEWARES[mode], *OTHERS]):
        visitor = Client(raise_request_exception=False)
        visitor.get(to(put))
        store.down.update(down)
        text = visitor.get(to(deed)).content.decode()
        return text, visitor.cookies["sessionid"].value


@pytest.mark.parametrize("mode", MIDDLEWARES)
@pytest.mark.parametrize("deed", [fail, put_what_cannot_be_stored])
def test_the_page_for_an_error_shows_no_secret(deed: Deed, mode: str) -> None:
    shown, token = page(deed, mode)
    assert "Request information" in shown
    assert [secret for secret in (token, PASSWORD, HASH_KEY) if secret in shown] == []


@pytest.mark.parametrize("down", ["read", "update"])
def test_the_page_for_an_outage_shows_no_secret(down: str) -> None:
    """Beneath Django's own middleware, which has no answer to an outage."""
    shown, token = page(lambda request: request.session.pop("name"), "engine", down)
    assert "StoreUnavailable" in shown
    assert [secret for secret in (token, PASSWORD, HASH_KEY) if secret in shown] == []
