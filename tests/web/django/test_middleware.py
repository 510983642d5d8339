"""Our middleware in place of Django's: every law of a session holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.http import FileResponse, HttpResponse
from django.test.utils import override_settings

from sojourn import ConfigError, EncodeError
from sojourn.testing import FakeClock
from tests.web.django.conftest import Site, set_clock, verbs_of
from tests.web.django.pages import ato, to
from tests.web.django.settings import DJANGOS, OTHERS, OURS
from tests.web.stores import FAULTS, MERGED, Failing, Pairs

LOCAL = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture
def site(under_ours: Site) -> Site:
    return under_ours


def begin(site: Site) -> Any:
    client = site.client()
    client.get("/count")
    return client


def put(request: Any) -> None:
    request.session["late"] = True


async def aput(request: Any) -> None:
    await request.session.aset("late", value=True)


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
    assert verbs_of(lambda request: None) == ["read"]
    assert verbs_of(lambda request: request.session.get("n")) == ["read"]
    assert verbs_of(put) == ["read", "update"]
    assert verbs_of(busy) == ["read", "update"]
    assert verbs_of(lambda request: request.session.flush()) == ["read", "destroy"]
    assert verbs_of(anew) == ["read", "destroy", "create"]


@pytest.mark.parametrize("page", [to(put), ato(aput)])
def test_what_comes_late_is_dropped_in_silence(site: Site, page: str) -> None:
    client = begin(site)

    def deed(request: Any) -> HttpResponse:
        put(request)
        site.manager.destroy(request.session.id)
        return HttpResponse("fine")

    response = client.get(to(deed))
    assert (response.status_code, response.content) == (200, b"fine")
    assert not response.cookies
    assert site.manager.active_count() == 0


def test_a_retired_token_sets_and_deletes_no_cookie(site: Site) -> None:
    client, tab = begin(site), site.client()
    tab.cookies["sessionid"] = client.cookies["sessionid"].value
    client.get(to(lambda request: request.session.cycle_key()))
    for deed in (put, lambda request: request.session.flush(), lambda request: None):
        assert not tab.get(to(deed)).cookies
    assert client.get("/count").json()["said"] == 2


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_error_saves_nothing(site: Site, status: int, colour: str) -> None:
    client = begin(site)

    def fail(request: Any) -> HttpResponse:
        put(request)
        request.session.cycle_key()
        return HttpResponse(status=status)

    async def afail(request: Any) -> HttpResponse:
        return fail(request)

    response = client.get(to(fail) if colour == "sync" else ato(afail))
    assert (response["Vary"], dict(response.cookies)) == ("Cookie", {})
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
    client = begin(site)

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


def test_seen_counts_as_django_has_it(site: Site, clock: FakeClock) -> None:
    for every, expected in ((False, 1), (True, 2)):
        with override_settings(SESSION_SAVE_EVERY_REQUEST=every):
            set_clock(clock)
            client = begin(site)
            for _ in range(2):
                clock.advance(10 * 86_400)
                client.get(to(lambda request: request.session.get("n")))
            assert client.get("/count").json()["said"] == expected


# -- headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("headers", "vary", "cache"), MERGED)
def test_headers_are_merged(site: Site, headers: Pairs, vary: list[str], cache: list[str]) -> None:
    def deed(request: Any) -> HttpResponse:
        put(request)
        response = HttpResponse()
        for name, value in headers:
            known = response.get(name)
            response[name] = f"{known}, {value}" if known else value
        return response

    response = site.client().get(to(deed))
    assert ([response["Vary"]], [response["Cache-Control"]]) == (vary, cache)


def test_a_quiet_page_has_no_header(site: Site) -> None:
    response = begin(site).get("/quiet")
    assert not {"Vary", "Cache-Control", "Set-Cookie"} & set(response.headers)


@override_settings(
    SESSION_COOKIE_NAME="__Secure-own",
    SESSION_COOKIE_SECURE=True,
    SESSION_COOKIE_DOMAIN="example.com",
    SESSION_COOKIE_PATH="/shop",
    SESSION_COOKIE_SAMESITE="None",
    SESSION_COOKIE_HTTPONLY=False,
    SESSION_COOKIE_AGE=60,
)
def test_djangos_settings_of_the_cookie_are_kept(site: Site) -> None:
    with override_settings(SOJOURN={"provider": site.store, "partitioned": True}):
        client = site.client()
        cookie = client.get("/count", secure=True).cookies["__Secure-own"]
        assert client.get("/count", secure=True).json()["said"] == 2
    line = cookie.output().partition("; ")[2]
    assert line == "Path=/shop; Domain=example.com; Max-Age=60; Secure; SameSite=None; Partitioned"
    assert (cookie["path"], cookie["secure"], cookie["httponly"]) == ("/shop", True, "")


def test_the_cookie_is_secure_over_https(site: Site) -> None:
    assert site.client().get("/count", secure=True).cookies["sessionid"]["secure"] is True
    assert site.client().get("/count").cookies["sessionid"]["secure"] == ""


def test_the_token_may_travel_in_a_header(site: Site) -> None:
    with override_settings(SOJOURN={"provider": site.store, "header_name": "X-Token"}):
        client = site.client()
        first = client.get("/count", headers={"x-token": ""})
        assert not first.cookies
        assert "X-Token" in first["Vary"]
        headers = {"x-token": first["X-Token"]}
        assert client.get("/count", headers=headers).json()["said"] == 2
        fail = to(lambda request: HttpResponse(request.session.get("n"), status=500))
        assert client.get(fail, headers=headers)["Vary"] == "Cookie, X-Token"


CACHED = [
    "django.middleware.cache.UpdateCacheMiddleware",
    OURS,
    "django.middleware.cache.FetchFromCacheMiddleware",
]


def test_no_page_with_a_token_goes_into_djangos_cache(site: Site) -> None:
    with override_settings(MIDDLEWARE=CACHED, CACHES=LOCAL):
        page_cache: Any = caches["default"]
        client = begin(site)
        page = to(lambda request: request.session.cycle_key())
        before = client.cookies["sessionid"].value
        client.get(page)
        assert client.cookies["sessionid"].value != before
        assert not page_cache._cache
        client.get(to(lambda request: request.session.get("n")))
        assert page_cache._cache
        page_cache.clear()


# -- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["read", "update"])
@pytest.mark.parametrize("page", ["/count", "/acount"])
def test_a_store_that_is_down_is_a_503(site: Site, verb: str, fault: Any, page: str) -> None:
    store = Failing(fault)
    with override_settings(SOJOURN={"provider": store}):
        client = begin(site)
        store.down = {verb}
        response = client.get(page)
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        assert not response.cookies
        store.down = set()
        assert client.get("/count").json()["said"] == 2


@pytest.mark.parametrize("verb", ["read", "update"])
@pytest.mark.parametrize("page", ["/count", "/acount"])
async def test_a_store_that_is_down_is_a_503_over_asgi(site: Site, verb: str, page: str) -> None:
    store = Failing()
    with override_settings(SOJOURN={"provider": store}):
        client = site.async_client()
        await client.get(page)
        store.down = {verb}
        response = await client.get(page)
        assert (response.status_code, response["Cache-Control"]) == (503, "no-store")


def test_a_store_that_a_view_finds_down_is_a_503(site: Site) -> None:
    store = Failing()
    with override_settings(SOJOURN={"provider": store}):
        client = begin(site)

        def deed(request: Any) -> None:
            id, store.down = request.session.id, {"read"}
            request.session.exists(id)

        assert client.get(to(deed)).status_code == 503


def test_a_request_may_go_on_without_the_store(site: Site) -> None:
    store = Failing()
    with override_settings(SOJOURN={"provider": store, "on_outage": "anonymous"}):
        client = begin(site)
        store.down = {"read", "create"}
        response = client.get("/count")
        assert (response.json()["said"], dict(response.cookies)) == (1, {})


def test_what_the_dropped_response_holds_open_is_closed(site: Site, tmp_path: Path) -> None:
    store = Failing()
    (tmp_path / "file").write_text("text")
    with override_settings(SOJOURN={"provider": store}), (tmp_path / "file").open("rb") as file:

        def deed(request: Any) -> Any:
            put(request)
            store.down = {"create"}
            return FileResponse(file)

        assert site.client().get(to(deed)).status_code == 503
        assert file.closed


def test_what_cannot_be_stored_is_an_error_and_not_sent(site: Site) -> None:
    client = begin(site)

    def deed(request: Any) -> None:
        request.session["list"] = []
        request.session["list"].append(object())

    with pytest.raises(EncodeError):
        client.get(to(deed))
    assert client.get("/count").json()["said"] == 2


# -- installation -------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [OURS, DJANGOS])
def test_a_second_session_middleware_is_refused(site: Site, before: str) -> None:
    with (
        override_settings(MIDDLEWARE=[before, OURS, *OTHERS]),
        pytest.raises(ConfigError, match=r"request\.session.*installed twice"),
    ):
        site.client().get("/quiet")
