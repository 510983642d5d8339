"""Django's sign-in, messages and CSRF in the session, and its test clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth import (
    alogin,
    alogout,
    aupdate_session_auth_hash,
    login,
    logout,
    update_session_auth_hash,
)
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.test import Client
from django.test.utils import override_settings

from sojourn.web.django import async_manager, manager
from tests.web.django.conftest import Site
from tests.web.django.pages import ato, to

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def ada() -> Iterator[Any]:
    yield from user("ada")


@pytest.fixture
def eve() -> Iterator[Any]:
    yield from user("eve")


def user(name: str) -> Iterator[Any]:
    made = User.objects.create_user(name, password="secret")
    yield made
    made.delete()


def sign_in(user: Any) -> str:
    return to(lambda request: login(request, user))


def asign_in(user: Any) -> str:
    async def deed(request: Any) -> None:
        await alogin(request, user)

    return ato(deed)


async def asign_out(request: Any) -> None:
    await alogout(request)


SIGN_INS = pytest.mark.parametrize("page_of", [sign_in, asign_in])


def who(client: Any) -> Any:
    def deed(request: Any) -> Any:
        return request.user.get_username(), request.session.user

    return client.get(to(deed)).json()["said"]


@SIGN_INS
def test_a_sign_in_gives_a_new_token_and_keeps_the_basket(
    site: Site, ada: Any, page_of: Any
) -> None:
    client = site.client()
    client.get("/count")
    old = client.cookies["sessionid"].value
    client.get(page_of(ada), headers={"user-agent": "Firefox"})
    assert who(client) == ["ada", str(ada.pk)]
    assert client.get("/count").json()["said"] == 2
    thief = site.client()
    thief.cookies["sessionid"] = old
    assert who(thief) == ["", None]
    [info] = manager().sessions(str(ada.pk))
    assert info.about == {"address": "127.0.0.1", "device": "Firefox"}


@pytest.mark.parametrize("page", [to(logout), ato(asign_out)])
def test_a_sign_out_ends_the_session(site: Site, ada: Any, page: str) -> None:
    client = site.client()
    client.get(sign_in(ada))
    old = client.cookies["sessionid"].value
    assert client.get(page).cookies["sessionid"].value == ""
    client.cookies["sessionid"] = old
    assert who(client) == ["", None]
    assert manager().active_count() == 0


@SIGN_INS
def test_another_user_gets_nothing_of_the_one_before(
    site: Site, ada: Any, eve: Any, page_of: Any
) -> None:
    client = site.client()
    client.get(page_of(ada))
    client.get("/count")
    client.get(page_of(eve))
    assert who(client) == ["eve", str(eve.pk)]
    assert client.get("/count").json()["said"] == 1
    assert manager().active_count() == 1


def test_a_sign_in_without_a_session_of_ours_is_left_alone(site: Site, ada: Any) -> None:
    for request in (None, HttpRequest()):
        user_logged_in.send(type(ada), request=request, user=ada)
    assert manager().active_count() == 0


def test_a_sign_in_for_something_else_than_the_session_is_left_alone(site: Site, ada: Any) -> None:
    """As libraries signal it that hand out tokens of their own."""

    def deed(request: Any) -> Any:
        user_logged_in.send(type(ada), request=request, user=ada)
        return request.session.user

    client = site.visitor()
    assert client.get(to(deed)).json()["said"] is None
    assert list(manager().sessions(str(ada.pk))) == []


def test_a_user_of_sojourns_own_words_gives_way(site: Site, ada: Any) -> None:
    client = site.client()
    client.get(to(lambda request: request.session.login("somebody")))
    client.get("/count")
    client.get(sign_in(ada))
    assert who(client) == ["ada", str(ada.pk)]
    assert client.get("/count").json()["said"] == 1


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_another_password_ends_the_other_sessions(site: Site, ada: Any, colour: str) -> None:
    here, there = site.client(), site.client()
    here.get(sign_in(ada))
    there.get(sign_in(ada))

    def change(request: Any) -> None:
        request.user.set_password("another")
        request.user.save()
        update_session_auth_hash(request, request.user)

    async def achange(request: Any) -> None:
        user = await request.auser()
        assert request.user == user  # both are known before the password is another one
        user.set_password("another")
        await user.asave()
        await aupdate_session_auth_hash(request, user)

    here.get(to(change) if colour == "sync" else ato(achange))
    assert who(here)[0] == "ada"
    assert who(there) == ["", None]


async def test_a_users_other_sessions_are_listed_and_ended(site: Site, ada: Any) -> None:
    here, there = site.client(), site.client()
    here.get(sign_in(ada))
    there.get(sign_in(ada))

    async def end_others(request: Any) -> Any:
        return await async_manager().destroy_user(str(ada.pk), keep=request.session.id)

    assert len([info async for info in async_manager().sessions(str(ada.pk))]) == 2
    response = await site.async_client().get(ato(end_others))
    assert response.json()["said"] == 2


def test_end_others_keeps_this_one(site: Site, ada: Any) -> None:
    here, there = site.client(), site.client()
    here.get(sign_in(ada))
    there.get(sign_in(ada))
    page = to(lambda r: manager().destroy_user(r.session.user, keep=r.session.id))
    assert here.get(page).json()["said"] == 1
    assert (who(here)[0], who(there)[0]) == ("ada", "")


# -- Django's own test clients --------------------------------------------------------------------


def test_the_test_client_signs_in_and_out(site: Site, ada: Any) -> None:
    client = site.client()
    assert not client.login(username="ada", password="wrong")
    assert client.login(username="ada", password="secret")
    assert who(client) == ["ada", str(ada.pk)]
    client.logout()
    assert who(client) == ["", None]
    assert manager().active_count() == 0
    client.force_login(ada)
    assert who(client)[0] == "ada"


def test_the_test_client_has_the_session(site: Site) -> None:
    client = site.client()
    session = client.session
    session["n"] = 41
    session.save()
    assert client.get("/count").json()["said"] == 42
    assert client.session["n"] == 42
    assert client.session.session_key == client.cookies["sessionid"].value


async def test_the_async_test_client_does_too(site: Site, ada: Any) -> None:
    client = site.async_client()
    session = await client.asession()
    await session.aset("n", 41)
    await session.asave()
    assert (await client.get("/acount")).json()["said"] == 42
    assert await client.alogin(username="ada", password="secret")
    response = await client.get(to(lambda request: request.session.user))
    assert response.json()["said"] == str(ada.pk)
    await client.alogout()
    assert manager().active_count() == 0
    await client.aforce_login(ada)
    assert await (await client.asession()).aget("_auth_user_id") == str(ada.pk)


# -- what Django keeps in the session ---------------------------------------------------------------

STORAGES = pytest.mark.parametrize(
    "storage",
    [
        "django.contrib.messages.storage.session.SessionStorage",
        "django.contrib.messages.storage.fallback.FallbackStorage",
        "sojourn.web.django.MessageStorage",
    ],
)


@STORAGES
def test_messages_come_once(site: Site, storage: str) -> None:
    with override_settings(MESSAGE_STORAGE=storage):
        client = site.client()
        client.get("/say", {"words": "one"})
        client.get("/say", {"words": "two"})
        assert client.get("/hear").json()["said"] == ["one", "two"]
        assert client.get("/hear").json()["said"] == []


@override_settings(CSRF_USE_SESSIONS=True)
def test_the_csrf_token_lives_in_the_session(site: Site) -> None:
    client = Client(enforce_csrf_checks=True)
    token = client.get("/form").content.decode()
    assert client.post("/form").status_code == 403
    assert client.post("/form", {"csrfmiddlewaretoken": token}).content == b"posted"
    client.get(to(lambda request: request.session.flush()))
    assert client.post("/form", {"csrfmiddlewaretoken": token}).status_code == 403


@pytest.mark.parametrize(
    "name",
    [
        "sojourn.web.django.MessageStorage",
        "django.contrib.messages.storage.session.SessionStorage",
    ],
)
def test_messages_are_dropped_unseen(site: Site, name: str) -> None:
    def drop(request: Any) -> None:
        storage: Any = messages.get_messages(request)
        storage.used = True

    with override_settings(MESSAGE_STORAGE=name):
        client = site.client()
        client.get("/say?words=one")
        assert client.get(to(drop)).status_code == 200
        assert client.get("/hear").json()["said"] == []
        assert site.manager.active_count() == 0


def test_the_key_that_a_handler_of_the_sign_in_sees_is_the_key(site: Site, ada: Any) -> None:
    noted: list[str] = []

    def note(request: Any, **_: Any) -> None:
        noted.append(request.session.session_key)

    handlers = list(user_logged_in.receivers)
    user_logged_in.connect(note)
    user_logged_in.receivers.insert(0, user_logged_in.receivers.pop())  # before Sojourn's own
    user_logged_in.sender_receivers_cache.clear()
    try:
        client = site.visitor()
        client.get(to(lambda request: login(request, ada)))
    finally:
        user_logged_in.receivers[:] = handlers
        user_logged_in.sender_receivers_cache.clear()
    assert noted == [client.get(to(lambda request: request.session.session_key)).json()["said"]]
