"""`session_key`: where applications keep it, what they reach by it, and what it is to a client."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test.utils import override_settings

from sojourn.testing import FakeClock
from sojourn.web.django import SessionStore, manager
from tests.web.django.conftest import Site, set_clock
from tests.web.django.pages import ato, to

COLUMN = 40
"""The width of Django's columns for keys, and of those that copy it."""


def key_of(client: Any) -> str:
    key = client.get(to(lambda request: request.session.session_key)).json()["said"]
    assert isinstance(key, str)
    return key


def store_of(*args: Any, **kwargs: Any) -> SessionStore:
    store: SessionStore = import_module(settings.SESSION_ENGINE).SessionStore(*args, **kwargs)
    return store


def test_it_fits_into_a_column(site: Site) -> None:
    client = site.visitor()
    assert len(key_of(client)) == COLUMN
    assert len(store_of(key_of(client)).id) == COLUMN
    store = store_of()
    store.create()
    assert len(store.session_key or "") == COLUMN


@pytest.mark.parametrize("hash_func", ["md5", "sha1", "sha512"])
def test_it_fits_whatever_the_hash(under_ours: Site, hash_func: str) -> None:
    with override_settings(SOJOURN={"provider": under_ours.store, "hash_func": hash_func}):
        key = key_of(under_ours.visitor())
        assert len(key) <= COLUMN
        assert store_of(key)["n"] == 1


def test_a_session_is_reached_by_its_key(site: Site) -> None:
    """As Django's documentation does outside views."""
    client = site.visitor()
    key = key_of(client)
    assert store_of().exists(key)
    store = store_of(session_key=key)
    assert (store["n"], store.session_key) == (1, key)
    store["n"] = 6
    store.save()
    assert (store["n"], store.session_key) == (6, key)
    assert client.get("/count").json()["said"] == 7
    assert store_of(key).load() == {"n": 7}


async def test_a_session_is_reached_by_its_key_in_async_code(under_ours: Site) -> None:
    client = under_ours.async_client()
    await client.get("/count")
    key = (await client.get(to(lambda request: request.session.session_key))).json()["said"]
    assert await store_of().aexists(key)
    store = store_of(key)
    await store.aset("n", 6)
    await store.asave()
    assert (await client.get("/count")).json()["said"] == 7
    assert await store_of(key).aload() == {"n": 7}
    await store_of().adelete(key)
    assert not await store_of().aexists(key)
    assert (await client.get("/count")).json()["said"] == 1


@pytest.mark.parametrize("by", ["key", "id"])
@pytest.mark.parametrize(
    "end",
    [
        lambda key: store_of().delete(key),
        lambda key: store_of(key).delete(key),
    ],
)
def test_a_session_is_ended_by_its_key(site: Site, end: Any, by: str) -> None:
    client, other = site.visitor(), site.visitor()
    key = key_of(client)
    end(key if by == "key" else store_of(key).id)
    assert not store_of().exists(key)
    assert client.get("/count").json()["said"] == 1
    assert other.get("/count").json()["said"] == 2


def test_another_session_is_ended_from_a_request(site: Site) -> None:
    there, here = site.visitor(), site.visitor()
    key = key_of(there)
    here.get(to(lambda request: request.session.delete(key)))
    assert there.get("/count").json()["said"] == 1
    assert here.get("/count").json()["said"] == 2


def test_the_id_opens_nothing_for_a_client(site: Site) -> None:
    """Neither as a cookie, nor under Django's own middleware, which hands cookies to the store."""
    client = site.visitor()
    id = client.get(to(lambda request: request.session.id)).json()["said"]
    thief = site.client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = id
    assert thief.get("/count").json()["said"] == 1
    assert client.get("/count").json()["said"] == 2
    if site.mode == "engine":
        assert "n" not in store_of(id)
        assert "n" not in store_of(session_key=id)


def test_an_id_loads_nothing_where_channels_hands_cookies_to_the_store(
    under_ours: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of(under_ours.visitor())
    monkeypatch.setitem(sys.modules, "channels.sessions", ModuleType("channels.sessions"))
    assert "n" not in store_of(key)
    assert store_of().exists(key)


def test_one_that_ended_meanwhile_is_not_saved(under_ours: Site) -> None:
    from django.contrib.sessions.backends.base import UpdateError  # noqa: PLC0415

    key = key_of(under_ours.visitor())
    store = store_of(key)
    store["late"] = True
    store_of().delete(key)
    with pytest.raises(UpdateError):
        store.save()
    assert manager().active_count() == 0


def test_a_key_of_nothing_begins_nothing(site: Site) -> None:
    store = store_of("0" * COLUMN)
    assert store.load() == {}
    assert not store_of().exists("0" * COLUMN)
    store_of().delete("0" * COLUMN)
    for text in ("", "no key", "-" * 43, "a" * 32):
        assert not store_of().exists(text)
        store_of().delete(text)
    assert manager().active_count() == 0


# -- renewals ------------------------------------------------------------------------------------


def test_the_old_key_may_be_deleted_after_a_renewal(site: Site) -> None:
    """As code does that leaves one session to each user; Django finds nothing under the old key."""

    def deed(request: Any) -> str:
        old = request.session.session_key
        request.session.cycle_key()
        request.session.delete(old)
        request.session["renewed"] = True
        return str(old)

    client = site.visitor()
    old = client.get(to(deed)).json()["said"]
    if site.mode == "middleware":
        assert client.get(to(lambda request: request.session.delete(old))).status_code == 200
        assert client.get("/count").json()["said"] == 2


# -- what applications do with the class, and with `modified` ------------------------------------


def reload(request: Any) -> HttpResponse:
    """As django-allauth does before a social sign-in."""
    request.session["states"] = {"s": 1}
    request.session.save()
    request.session = request.session.__class__(request.session.session_key)
    request.session.modified = True
    return HttpResponse(str(dict(request.session.items())))


async def areload(request: Any) -> HttpResponse:
    return reload(request)


@pytest.mark.parametrize("known", [True, False])
def test_a_session_is_loaded_anew_by_its_class(site: Site, known: bool) -> None:
    client = site.visitor() if known else site.client()
    assert b"{'s': 1}" in client.get(to(reload)).content
    assert client.get(to(lambda request: request.session["states"])).json()["said"] == {"s": 1}
    assert client.get("/count").json()["said"] == 1 + known


async def test_a_session_is_loaded_anew_in_an_async_view(under_ours: Site) -> None:
    client = under_ours.async_client()
    assert (await client.get(ato(areload))).content == b"{'states': {'s': 1}}"
    said = await client.get(to(lambda request: request.session["states"]))
    assert said.json()["said"] == {"s": 1}


def test_the_class_reaches_other_sessions(under_ours: Site) -> None:
    other = key_of(under_ours.visitor())

    def deed(request: Any) -> Any:
        kind = type(request.session)
        return kind(other)["n"], kind().session_key, kind(None).is_empty()

    assert under_ours.client().get(to(deed)).json()["said"] == [1, None, True]


def test_modified_keeps_a_session_alive(site: Site, clock: FakeClock) -> None:
    set_clock(clock)
    client = site.visitor()

    def ping(request: Any) -> Any:
        request.session.modified = True
        return request.session.modified, request.session.get("n")

    for _ in range(3):
        clock.advance(settings.SESSION_COOKIE_AGE * 0.6)
        response = client.get(to(ping))
        assert response.json()["said"] == [True, 1]
        assert response.cookies
    clock.advance(settings.SESSION_COOKIE_AGE)
    assert client.get(to(ping)).json()["said"] == [True, None]


def test_save_keeps_a_session_alive(site: Site, clock: FakeClock) -> None:
    set_clock(clock)
    client = site.visitor()
    for _ in range(3):
        clock.advance(settings.SESSION_COOKIE_AGE * 0.6)
        client.get(to(lambda request: request.session.save()))
    assert client.get("/count").json()["said"] == 2


def test_accessed_says_that_the_response_depends_on_the_visitor(site: Site) -> None:
    def deed(request: Any) -> None:
        request.session.accessed = True

    assert site.visitor().get(to(deed))["Vary"] == "Cookie"


def test_load_returns_what_is_stored(site: Site) -> None:
    def deed(request: Any) -> Any:
        request.session["n"] = 7
        return request.session.load(), request.session["n"]

    assert site.visitor().get(to(deed)).json()["said"] == [{"n": 1}, 7]
    assert site.client().get(to(deed)).json()["said"] == [{}, 7]


def test_a_change_after_a_save_of_what_was_ended_meanwhile_is_refused(under_djangos: Site) -> None:
    def deed(request: Any) -> None:
        request.session["step"] = 1
        request.session.save()
        store_of().delete(request.session.session_key)
        request.session["draft"] = "half a letter"

    client = under_djangos.visitor()
    assert client.get(to(deed)).status_code == 400
    assert manager().active_count() == 0


def test_a_job_does_not_see_what_keeps_an_empty_session(site: Site) -> None:
    def deed(request: Any) -> Any:
        request.session.create()
        return request.session.session_key

    client = site.client()
    key = client.get(to(deed)).json()["said"]
    with manager().open_id(store_of(key).id) as session:
        assert dict(session) == {}
        session.clear()
    assert manager().active_count() == 1
