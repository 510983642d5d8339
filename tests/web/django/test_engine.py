"""The store beneath Django's own middleware, which has a will of its own."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import UpdateError
from django.test.utils import override_settings

from tests.web.django.conftest import Site
from tests.web.django.pages import ato, put, to

EVERY = pytest.mark.parametrize("every", [False, True])


@pytest.fixture
def site(under_djangos: Site) -> Site:
    return under_djangos


def renewed(site: Site, client: Any) -> Any:
    """Another tab, whose cookie is of before the session got a new one."""
    tab = site.client()
    tab.cookies["sessionid"] = client.cookies["sessionid"].value
    client.get(to(lambda request: request.session.cycle_key()))
    return tab


def end_meanwhile(site: Site, deed: Any) -> Any:
    """A page during which the session is ended elsewhere."""

    def page(request: Any) -> Any:
        said = deed(request)
        [info] = site.manager.sessions()
        site.manager.destroy(info.id)
        return said

    return to(page)


def test_a_late_save_is_interrupted(site: Site) -> None:
    client = site.visitor()
    before = client.cookies["sessionid"].value
    response = client.get(end_meanwhile(site, put))
    assert response.status_code == 400
    assert (client.cookies["sessionid"].value, site.manager.active_count()) == (before, 0)
    assert not response.cookies


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_late_save_of_a_view_is_an_update_error(site: Site, colour: str) -> None:
    client = site.visitor()

    def deed(request: Any) -> None:
        request.session["late"] = True
        site.manager.destroy(request.session.id)
        for _ in range(2):
            with pytest.raises(UpdateError, match="ended"):
                request.session.save()

    async def adeed(request: Any) -> None:
        await request.session.aset("late", value=True)
        site.manager.destroy(request.session.id)
        with pytest.raises(UpdateError, match="ended"):
            await request.session.asave()

    client.get(to(deed) if colour == "sync" else ato(adeed))
    assert site.manager.active_count() == 0


def test_a_late_emptying_is_interrupted(site: Site) -> None:
    client = site.visitor()
    response = client.get(end_meanwhile(site, lambda request: request.session.clear()))
    assert response.status_code == 400
    assert not response.cookies


def test_a_late_look_is_none(site: Site) -> None:
    client = site.visitor()
    response = client.get(end_meanwhile(site, lambda request: request.session["n"]))
    assert (response.status_code, response.json()["said"]) == (200, 1)
    assert not response.cookies


@pytest.mark.parametrize(
    "deed",
    [
        lambda request: request.session.get("n"),
        lambda request: request.session.clear(),
        put,
        lambda request: request.session.flush(),
        lambda request: len(request.session),
        lambda request: (request.session.flush(), request.session.get("n")),
    ],
)
@EVERY
def test_a_retired_token_sets_and_deletes_no_cookie(site: Site, deed: Any, every: bool) -> None:
    client = site.visitor()
    tab = renewed(site, client)
    with override_settings(SESSION_SAVE_EVERY_REQUEST=every):
        response = tab.get(to(deed))
    assert not response.cookies
    assert response.status_code == (400 if every else 200)
    assert client.get("/count").json()["said"] == 2


def anew(request: Any) -> None:
    """Sign out, and leave a message."""
    request.session.flush()
    request.session["message"] = "bye"


@EVERY
def test_a_retired_token_begins_nothing(site: Site, every: bool) -> None:
    client = site.visitor()
    tab = renewed(site, client)
    with override_settings(SESSION_SAVE_EVERY_REQUEST=every):
        response = tab.get(to(anew))
    assert (response.status_code, dict(response.cookies)) == (400 if every else 200, {})
    assert site.manager.active_count() == 1


def test_a_late_sign_out_begins_nothing(site: Site) -> None:
    client = site.visitor()

    def deed(request: Any) -> None:
        request.session.get("n")
        site.manager.destroy(request.session.id)
        anew(request)

    assert not client.get(to(deed)).cookies
    assert site.manager.active_count() == 0


def test_a_late_sign_out_may_be_followed_by_a_sign_in(site: Site) -> None:
    client = site.visitor()

    def deed(request: Any) -> None:
        request.session.get("n")
        site.manager.destroy(request.session.id)
        anew(request)
        request.session.login("ada")

    client.get(to(deed))
    said = client.get(to(lambda r: (r.session.user, dict(r.session)))).json()["said"]
    assert said == ["ada", {"message": "bye"}]


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_look_that_overlaps_a_new_key_sends_no_old_one(site: Site, colour: str) -> None:
    client = site.visitor()

    def deed(request: Any) -> None:
        request.session.get("n")
        renewed(site, client)

    async def adeed(request: Any) -> None:
        await request.session.aget("n")
        await sync_to_async(renewed)(site, client)
        with pytest.raises(UpdateError):
            await request.session.asave()

    tab = site.client()
    tab.cookies["sessionid"] = client.cookies["sessionid"].value
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        response = tab.get(to(deed) if colour == "sync" else ato(adeed))
    assert (response.status_code, dict(response.cookies)) == (400, {})
    assert client.get("/count").json()["said"] == 2


def test_a_session_that_two_requests_empty_together_leaves_no_cookie(site: Site) -> None:
    client = site.client()
    client.get(to(lambda request: request.session.update({"a": 1, "b": 2})))

    def deed(request: Any) -> None:
        del request.session["a"]
        with site.manager.open_id(request.session.id) as other:
            del other["b"]

    response = client.get(to(deed))
    assert (response.status_code, dict(response.cookies)) == (400, {})
    assert site.manager.active_count() == 0


def test_a_sign_in_with_a_retired_token_starts_afresh(site: Site) -> None:
    client = site.visitor()
    tab = renewed(site, client)
    tab.get(to(lambda request: request.session.login("ada")))
    assert tab.get(to(lambda request: request.session.user)).json()["said"] == "ada"
    assert site.manager.active_count() == 2


def test_a_late_emptying_that_another_filled_is_none(site: Site) -> None:
    """Whether it is empty by now the store decides."""
    client = site.visitor()

    def deed(request: Any) -> None:
        del request.session["n"]
        with site.manager.open_id(request.session.id) as other:
            other["theirs"] = 1

    response = client.get(to(deed))
    assert response.cookies["sessionid"].value == client.cookies["sessionid"].value != ""
    said = client.get(to(lambda request: dict(request.session))).json()["said"]
    assert said == {"theirs": 1}
