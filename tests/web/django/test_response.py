"""What a response says under our middleware: its headers, and what becomes of it without a store."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.http import FileResponse, HttpResponse
from django.test.utils import override_settings

from sojourn import EncodeError
from tests.web.django.conftest import Site
from tests.web.django.pages import put, to
from tests.web.django.settings import OURS
from tests.web.stores import FAULTS, MERGED, Failing, Pairs

PAGES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture
def site(under_ours: Site) -> Site:
    return under_ours


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
    response = site.visitor().get("/quiet")
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
    cookie = pickle.loads(pickle.dumps(cookie))  # as a cache keeps a response
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
    with override_settings(MIDDLEWARE=CACHED, CACHES=PAGES):
        page_cache: Any = caches["default"]
        client = site.visitor()
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
        client = site.visitor()
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
        client = site.visitor()

        def deed(request: Any) -> None:
            id, store.down = request.session.id, {"read"}
            request.session.exists(id)

        assert client.get(to(deed)).status_code == 503


def test_a_request_may_go_on_without_the_store(site: Site) -> None:
    store = Failing()
    with override_settings(SOJOURN={"provider": store, "on_outage": "anonymous"}):
        client = site.visitor()
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
    client = site.visitor()

    def deed(request: Any) -> None:
        request.session["list"] = []
        request.session["list"].append(object())

    with pytest.raises(EncodeError):
        client.get(to(deed))
    assert client.get("/count").json()["said"] == 2
