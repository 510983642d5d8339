"""Who comes with a token that was given up stores nothing, whatever the settings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.http import HttpRequest
from django.test.utils import override_settings

from sojourn.providers.memory import MemoryProvider
from tests.web.django.conftest import MIDDLEWARES, Site
from tests.web.django.pages import to
from tests.web.django.settings import OTHERS


@pytest.fixture(params=MIDDLEWARES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Where a request may go on without its store."""
    store = MemoryProvider()
    ours = {"provider": store, "on_outage": "anonymous"}
    with override_settings(SOJOURN=ours, MIDDLEWARE=[MIDDLEWARES[request.param], *OTHERS]):
        yield Site(request.param, store)


def sign_out_with_a_word(request: HttpRequest) -> None:
    request.session.flush()
    request.session["words"] = "See you"


def renew(request: HttpRequest) -> None:
    request.session.cycle_key()


@pytest.mark.parametrize("every", [False, True])
def test_a_retired_sign_out_begins_no_session(site: Site, *, every: bool) -> None:
    visitor, tab = site.visitor(), site.client()
    tab.cookies["sessionid"] = visitor.cookies["sessionid"].value
    visitor.get(to(renew))
    with override_settings(SESSION_SAVE_EVERY_REQUEST=every):
        answer = tab.get(to(sign_out_with_a_word))
    assert (list(answer.cookies), site.manager.active_count()) == ([], 1)
