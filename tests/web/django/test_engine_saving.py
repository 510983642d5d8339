"""When the store beneath Django's own middleware saves, and what its cookie does then."""

from __future__ import annotations

from typing import Any

import pytest
from django.test.utils import override_settings

from sojourn import StoreUnavailable
from sojourn.testing import FakeClock
from tests.web.django.conftest import Site, set_clock, verbs_of
from tests.web.django.pages import put, to
from tests.web.stores import Failing

DEAD = ["A" * 43, "nonsense", "x; sessionid=y"]
"""What a cookie may hold that names no session; the first is spelled like a token."""
EVERY = pytest.mark.parametrize("every", [False, True])


@pytest.fixture
def site(under_djangos: Site) -> Site:
    return under_djangos


@pytest.mark.parametrize("token", DEAD)
def test_a_cookie_that_names_nothing_is_left_alone(site: Site, token: str) -> None:
    """But what never was a token may go."""
    client = site.client()
    client.cookies["sessionid"] = token
    response = client.get(
        to(lambda request: (request.session.get("a"), request.session.is_empty()))
    )
    assert [each.value for each in response.cookies.values()] == [""] * (len(token) != 43)
    client.cookies["sessionid"] = token
    assert client.get("/count").cookies["sessionid"].value not in ("", token)


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
    client = site.visitor()
    clock.advance(10 * 86_400)
    assert client.get("/quiet").cookies["sessionid"].value == client.cookies["sessionid"].value
    clock.advance(10 * 86_400)
    assert client.get("/count").json()["said"] == 2


def test_a_look_extends_nothing(site: Site, clock: FakeClock) -> None:
    set_clock(clock)
    client = site.visitor()
    clock.advance(10 * 86_400)
    client.get(to(lambda request: request.session.get("n")))
    clock.advance(10 * 86_400)
    assert client.get("/count").json()["said"] == 1


def test_a_view_that_saved_itself_gives_the_client_its_cookie(site: Site) -> None:
    client = site.visitor()

    def deed(request: Any) -> None:
        request.session.cycle_key()
        request.session.save()

    client.get(to(deed))
    assert client.get("/count").json()["said"] == 2


def test_a_view_that_saved_another_expiry_gives_the_client_its_cookie(site: Site) -> None:
    client = site.visitor()

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
    assert site.visitor().get(to(deed))["Vary"] == "Cookie"


@pytest.mark.parametrize("token", DEAD)
def test_what_is_no_token_is_no_key(site: Site, token: str) -> None:
    client = site.client()
    client.cookies["sessionid"] = token
    said = client.get(to(lambda request: request.session.session_key)).json()["said"]
    assert said == (token if len(token) == 43 else None)


def test_a_view_that_saved_itself_may_be_late_afterwards(site: Site) -> None:
    def deed(request: Any) -> None:
        put(request)
        request.session.save()
        [info] = site.manager.sessions()
        site.manager.destroy(info.id)

    response = site.client().get(to(deed))
    assert (response.status_code, dict(response.cookies)) == (400, {})
    assert site.manager.active_count() == 0


def test_a_session_may_end_and_begin_at_once(site: Site) -> None:
    client = site.visitor()

    def deed(request: Any) -> None:
        for _ in range(2):
            request.session.flush()
            request.session.create()

    assert client.get(to(deed)).status_code == 200
    assert (client.get("/count").json()["said"], site.manager.active_count()) == (1, 1)


def test_an_error_saves_nothing(site: Site) -> None:
    client = site.visitor()
    client.raise_request_exception = False

    def fail(request: Any) -> None:
        put(request)
        raise LookupError("broken")

    assert client.get(to(fail)).status_code == 500
    assert client.get(to(lambda request: dict(request.session))).json()["said"] == {"n": 1}


def test_a_cookie_named_after_the_end_of_a_session_goes(site: Site) -> None:
    client = site.visitor()

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
        client = site.visitor() if known else site.client()
        token = client.cookies["sessionid"].value if known else None
        store.down = down
        for deed in (put, lambda request: request.session.clear(), lambda request: None):
            response = client.get(to(deed))
            assert response.status_code == 200
            sent = response.cookies.get("sessionid")
            assert sent is None or sent.value == token
        store.down = set()
        assert client.get("/count").json()["said"] == (2 if known else 1)
        store.down = down
        stranger = site.client()
        stranger.cookies["sessionid"] = "nonsense"
        assert stranger.get(to(put)).status_code == 200


def test_where_it_may_go_on_without_a_store_it_is_stored_as_ever(site: Site) -> None:
    with override_settings(SOJOURN={"provider": site.store, "on_outage": "anonymous"}):
        client = site.visitor()
        assert client.get("/count").json()["said"] == 2
        assert site.manager.active_count() == 1


def test_a_store_that_is_down_is_an_error(site: Site) -> None:
    store = Failing()
    with override_settings(SOJOURN={"provider": store}):
        client = site.visitor()
        store.down = {"update"}
        with pytest.raises(StoreUnavailable):
            client.get("/count")
        client.raise_request_exception = False
        assert client.get("/count").status_code == 500
