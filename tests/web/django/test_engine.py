"""The store beneath Django's own middleware, which has a will of its own."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.test.utils import override_settings

from sojourn import StoreUnavailable
from sojourn.testing import FakeClock
from tests.web.django.conftest import Site, set_clock, verbs_of
from tests.web.django.pages import ato, to
from tests.web.stores import Failing

EVERY = pytest.mark.parametrize("every", [False, True])


@pytest.fixture
def site(under_djangos: Site) -> Site:
    return under_djangos


def begin(site: Site) -> Any:
    client = site.client()
    client.get("/count")
    return client


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


def put(request: Any) -> None:
    request.session["late"] = True


def test_a_late_save_is_interrupted(site: Site) -> None:
    client = begin(site)
    before = client.cookies["sessionid"].value
    response = client.get(end_meanwhile(site, put))
    assert response.status_code == 400
    assert (client.cookies["sessionid"].value, site.manager.active_count()) == (before, 0)
    assert not response.cookies


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_late_save_of_a_view_is_an_update_error(site: Site, colour: str) -> None:
    client = begin(site)

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
    client = begin(site)
    response = client.get(end_meanwhile(site, lambda request: request.session.clear()))
    assert response.status_code == 400
    assert not response.cookies


def test_a_late_look_is_none(site: Site) -> None:
    client = begin(site)
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
    client = begin(site)
    tab = renewed(site, client)
    with override_settings(SESSION_SAVE_EVERY_REQUEST=every):
        response = tab.get(to(deed))
    assert not response.cookies
    assert response.status_code == (400 if every else 200)
    assert client.get("/count").json()["said"] == 2


def test_a_sign_in_with_a_retired_token_starts_afresh(site: Site) -> None:
    client = begin(site)
    tab = renewed(site, client)
    tab.get(to(lambda request: request.session.login("ada")))
    assert tab.get(to(lambda request: request.session.user)).json()["said"] == "ada"
    assert site.manager.active_count() == 2


def test_a_late_emptying_that_another_filled_is_none(site: Site) -> None:
    """Whether it is empty by now the store decides."""
    client = begin(site)

    def deed(request: Any) -> None:
        del request.session["n"]
        with site.manager.open_id(request.session.id) as other:
            other["theirs"] = 1

    response = client.get(to(deed))
    assert response.cookies["sessionid"].value == client.cookies["sessionid"].value != ""
    said = client.get(to(lambda request: dict(request.session))).json()["said"]
    assert said == {"theirs": 1}


DEAD = ["A" * 43, "nonsense", "x; sessionid=y"]


@pytest.mark.parametrize("token", DEAD)
def test_a_cookie_that_names_nothing_is_left_alone(site: Site, token: str) -> None:
    client = site.client()
    client.cookies["sessionid"] = token
    response = client.get(
        to(lambda request: (request.session.get("a"), request.session.is_empty()))
    )
    assert not response.cookies
    assert client.get("/count").cookies["sessionid"].value != token


@override_settings(SESSION_SAVE_EVERY_REQUEST=True)
def test_a_cookie_that_names_nothing_is_deleted_where_every_request_saves(site: Site) -> None:
    client = site.client()
    client.cookies["sessionid"] = "A" * 43
    response = client.get(to(lambda request: request.session.get("a")))
    assert (response.status_code, response.cookies["sessionid"].value) == (200, "")
    assert site.manager.active_count() == 0
    assert not site.client().get("/quiet").cookies


@override_settings(SESSION_SAVE_EVERY_REQUEST=True)
def test_every_request_may_save(site: Site, clock: FakeClock) -> None:
    set_clock(clock)
    client = begin(site)
    clock.advance(10 * 86_400)
    assert client.get("/quiet").cookies["sessionid"].value == client.cookies["sessionid"].value
    clock.advance(10 * 86_400)
    assert client.get("/count").json()["said"] == 2


def test_a_look_extends_nothing(site: Site, clock: FakeClock) -> None:
    set_clock(clock)
    client = begin(site)
    clock.advance(10 * 86_400)
    client.get(to(lambda request: request.session.get("n")))
    clock.advance(10 * 86_400)
    assert client.get("/count").json()["said"] == 1


def test_a_view_that_saved_itself_gives_the_client_its_cookie(site: Site) -> None:
    client = begin(site)

    def deed(request: Any) -> None:
        request.session.cycle_key()
        request.session.save()

    client.get(to(deed))
    assert client.get("/count").json()["said"] == 2


def test_a_view_that_saved_another_expiry_gives_the_client_its_cookie(site: Site) -> None:
    client = begin(site)

    def deed(request: Any) -> None:
        request.session.set_expiry(60)
        request.session.save()

    assert client.get(to(deed)).cookies["sessionid"]["max-age"] == 60


@pytest.mark.parametrize(
    "deed",
    [
        lambda request: request.session.session_key,
        lambda request: (request.session.get("n"), request.session.save()),
    ],
)
def test_a_look_is_a_look_whatever_comes_after(site: Site, deed: Any) -> None:
    assert begin(site).get(to(deed))["Vary"] == "Cookie"


@pytest.mark.parametrize("token", DEAD)
def test_what_is_no_token_is_no_key(site: Site, token: str) -> None:
    client = site.client()
    client.cookies["sessionid"] = token
    said = client.get(to(lambda request: request.session.session_key)).json()["said"]
    assert said == (token if len(token) == 43 else None)


def test_an_error_saves_nothing(site: Site) -> None:
    client = begin(site)
    client.raise_request_exception = False

    def fail(request: Any) -> None:
        put(request)
        raise LookupError("broken")

    assert client.get(to(fail)).status_code == 500
    assert client.get(to(lambda request: dict(request.session))).json()["said"] == {"n": 1}


def test_a_cookie_named_after_the_end_of_a_session_goes(site: Site) -> None:
    client = begin(site)

    def deed(request: Any) -> Any:
        request.session.flush()
        return request.session.get("a"), len(request.session)

    assert client.get(to(deed)).cookies["sessionid"].value == ""


def test_it_asks_the_store_no_more_than_it_must(site: Site) -> None:
    assert verbs_of(lambda request: None) == []
    assert verbs_of(lambda request: len(request.session), known=False) == []
    assert verbs_of(put, known=False) == ["create"]
    assert verbs_of(lambda request: request.session.get("n")) == ["read"]
    assert verbs_of(put) == ["read", "update"]
    assert verbs_of(lambda request: request.session.clear()) == ["read", "update"]
    assert verbs_of(lambda request: request.session.cycle_key()) == ["read", "update"]
    assert verbs_of(lambda request: request.session.flush()) == ["read", "destroy"]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("down", [{"read", "create", "update"}, {"create", "update"}])
@EVERY
def test_a_request_may_go_on_without_the_store(
    site: Site, known: bool, down: set[str], every: bool
) -> None:
    store = Failing()
    with override_settings(
        SOJOURN={"provider": store, "on_outage": "anonymous"}, SESSION_SAVE_EVERY_REQUEST=every
    ):
        client = begin(site) if known else site.client()
        token = client.cookies["sessionid"].value if known else None
        store.down = down
        for deed in (put, lambda request: request.session.clear(), lambda request: None):
            response = client.get(to(deed))
            assert response.status_code == 200
            sent = response.cookies.get("sessionid")
            assert sent is None or sent.value == token
        store.down = set()
        assert client.get("/count").json()["said"] == (2 if known else 1)


def test_where_it_may_go_on_without_a_store_it_is_stored_as_ever(site: Site) -> None:
    with override_settings(SOJOURN={"provider": site.store, "on_outage": "anonymous"}):
        client = begin(site)
        assert client.get("/count").json()["said"] == 2
        assert site.manager.active_count() == 1


def test_a_store_that_is_down_is_an_error(site: Site) -> None:
    store = Failing()
    with override_settings(SOJOURN={"provider": store}):
        client = begin(site)
        store.down = {"update"}
        with pytest.raises(StoreUnavailable):
            client.get("/count")
        client.raise_request_exception = False
        assert client.get("/count").status_code == 500
