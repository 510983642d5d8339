"""Our middleware in place of Django's: every law of a session holds."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test.utils import override_settings

from sojourn import ConfigError, SessionReleased
from sojourn.testing import FakeClock
from sojourn.web.django import SessionStore
from tests.web.django.conftest import Site, set_clock, verbs_of
from tests.web.django.pages import aput, ato, put, to
from tests.web.django.settings import DJANGOS, OTHERS, OURS


@pytest.fixture
def site(under_ours: Site) -> Site:
    return under_ours


# -- when the session is read and written -------------------------------------------------------


def test_it_asks_the_store_no_more_than_it_must(site: Site) -> None:
    def busy(request: Any) -> None:
        for _ in range(3):
            request.session.save()
            request.session["n"] = request.session.get("n", 0) + 1
            request.session.cycle_key()

    def anew(request: Any) -> None:
        request.session.flush()
        put(request)

    assert verbs_of(lambda request: len(request.session), known=False) == []
    assert verbs_of(put, known=False) == ["create"]
    assert verbs_of(lambda request: None) == []
    assert verbs_of(lambda request: request.session.get("n")) == ["read"]
    assert verbs_of(put) == ["read", "update"]
    assert verbs_of(busy) == ["read", "update"]
    assert verbs_of(lambda request: request.session.flush()) == ["read", "destroy"]
    assert verbs_of(anew) == ["read", "destroy", "create"]


@pytest.mark.parametrize("page", [to(put), ato(aput)])
def test_what_comes_late_is_dropped_in_silence(site: Site, page: str) -> None:
    client = site.visitor()

    def deed(request: Any) -> HttpResponse:
        put(request)
        site.manager.destroy(request.session.id)
        return HttpResponse("fine")

    response = client.get(to(deed))
    assert (response.status_code, response.content) == (200, b"fine")
    assert not response.cookies
    assert site.manager.active_count() == 0


def test_a_retired_token_sets_and_deletes_no_cookie(site: Site) -> None:
    client, tab = site.visitor(), site.client()
    tab.cookies["sessionid"] = client.cookies["sessionid"].value
    client.get(to(lambda request: request.session.cycle_key()))
    for deed in (put, lambda request: request.session.flush(), lambda request: None):
        assert not tab.get(to(deed)).cookies
    assert client.get("/count").json()["said"] == 2


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_error_saves_nothing(site: Site, status: int, colour: str) -> None:
    client = site.visitor()

    def fail(request: Any) -> HttpResponse:
        put(request)
        request.session.cycle_key()
        return HttpResponse(status=status)

    async def afail(request: Any) -> HttpResponse:
        return fail(request)

    response = client.get(to(fail) if colour == "sync" else ato(afail))
    assert (response["Vary"], dict(response.cookies)) == ("Cookie", {})
    with pytest.raises(SessionReleased):  # a change after that would be lost in silence
        response.wsgi_request.session["late"] = True
    assert client.get(to(lambda request: dict(request.session))).json()["said"] == {"n": 1}


async def test_an_error_saves_nothing_over_asgi(site: Site) -> None:
    client = site.async_client()

    async def fail(request: Any) -> HttpResponse:
        await aput(request)
        return HttpResponse(status=500)

    response = await client.get(ato(fail))
    assert (response["Vary"], dict(response.cookies)) == ("Cookie", {})
    assert site.manager.active_count() == 0


def test_an_error_of_the_client_saves(site: Site) -> None:
    client = site.visitor()

    def fail(request: Any) -> HttpResponse:
        put(request)
        return HttpResponse(status=404)

    client.get(to(fail))
    assert client.get("/count").json()["said"] == 2
    assert client.get(to(lambda request: request.session["late"])).json()["said"] is True


def test_a_stream_is_told_that_it_is_too_late(site: Site) -> None:
    response = site.client().get("/stream")
    assert response.getvalue() == b"refused"
    assert response.cookies["sessionid"].value


async def test_an_async_stream_streams(site: Site) -> None:
    response: Any = await site.async_client().get("/astream")
    assert [part async for part in response.streaming_content] == [b"one", b"two"]
    assert response.cookies["sessionid"].value


async def test_cookies_may_come_in_several_headers(site: Site) -> None:
    """As HTTP/2 has them; Django's client adds one of its own."""
    client = site.visitor()
    headers = {"cookie": f"sessionid={client.cookies['sessionid'].value}"}
    tab = site.async_client()
    tab.cookies["other"] = "1"
    assert (await tab.get("/count", headers=headers)).json()["said"] == 2


def test_seen_counts_as_django_has_it(site: Site, clock: FakeClock) -> None:
    for every, expected in ((False, 1), (True, 2)):
        with override_settings(SESSION_SAVE_EVERY_REQUEST=every):
            set_clock(clock)
            client = site.visitor()
            for _ in range(2):
                clock.advance(10 * 86_400)
                client.get(to(lambda request: request.session.get("n")))
            assert client.get("/count").json()["said"] == expected


# -- installation -------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [OURS, DJANGOS])
def test_a_second_session_middleware_is_refused(site: Site, before: str) -> None:
    with (
        override_settings(MIDDLEWARE=[before, OURS, *OTHERS]),
        pytest.raises(ConfigError, match=r"request\.session.*installed twice"),
    ):
        site.client().get("/quiet")


@pytest.mark.parametrize("other", [dict, SessionStore])
def test_what_is_put_in_the_place_of_the_session_is_spoken_of(
    site: Site, other: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """So does Django's own middleware, if it stands after ours."""

    def deed(request: Any) -> None:
        request.session = other()

    site.client().get(to(put))
    assert "something else was put" not in caplog.text
    site.client().get(to(deed))
    assert "something else was put under 'request.session'" in caplog.text
