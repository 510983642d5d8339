"""How a session begins, gets another key and ends: Django's words for it, in both modes."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from sojourn.testing import FakeClock
from sojourn.web.django import SessionStore
from tests.web.django.conftest import Site, set_clock
from tests.web.django.pages import ato, to


def begin(site: Site) -> Any:
    """A visitor of whom something is stored."""
    client = site.client()
    client.get(to(lambda request: request.session.update({"a": 1})))
    return client


def token(client: Any) -> str:
    return str(client.cookies["sessionid"].value)


def data(client: Any) -> Any:
    return client.get(to(lambda request: dict(request.session))).json()["said"]


def key(client: Any) -> Any:
    return client.get(to(lambda request: request.session.session_key)).json()["said"]


def test_a_key_comes_with_what_is_stored(site: Site) -> None:
    client = site.client()
    assert key(client) is None
    client.get("/count")
    expected = [info.id for info in site.manager.sessions()]
    if site.mode == "engine":
        expected = [token(client)]
    assert [key(client)] == expected


def test_the_middleware_says_the_key_to_come(under_ours: Site) -> None:
    def deed(request: Any) -> Any:
        request.session["a"] = 1
        return request.session.session_key

    said = under_ours.client().get(to(deed)).json()["said"]
    assert [info.id for info in under_ours.manager.sessions()] == [said]


def test_create_stores_a_session_with_nothing_in_it(site: Site) -> None:
    """Applications keep a cart under the key of a visitor who has nothing else."""
    client = site.client()

    def deed(request: Any) -> Any:
        if not request.session.session_key:
            request.session.create()
        return request.session.session_key

    first = client.get(to(deed)).json()["said"]
    assert first
    assert site.manager.active_count() == 1
    assert client.get(to(deed)).json()["said"] == key(client) == first
    assert data(client) == {}
    assert client.get(to(lambda request: len(request.session))).json()["said"] == 0


def test_a_created_session_stays_though_it_is_emptied(site: Site) -> None:
    client = site.client()
    client.get(to(lambda request: request.session.create()))
    before = token(client)
    client.get("/count")
    client.get(to(lambda request: request.session.pop("n")))
    assert (token(client), site.manager.active_count()) == (before, 1)


@pytest.mark.parametrize("verb", ["create", "save"])
async def test_what_is_created_in_async_views_is_stored(site: Site, verb: str) -> None:
    client = site.async_client()

    async def deed(request: Any) -> None:
        await getattr(request.session, f"a{verb}")()

    await client.get(ato(deed))
    assert site.manager.active_count() == 1
    assert await client.get("/count")
    assert site.manager.active_count() == 1


def test_save_in_a_view_keeps_what_comes_before_and_after(site: Site) -> None:
    client = site.client()

    def deed(request: Any) -> None:
        request.session["before"] = 1
        request.session.save()
        request.session["after"] = 2

    client.get(to(deed))
    assert data(client) == {"before": 1, "after": 2}
    assert site.manager.active_count() == 1


def test_a_session_that_is_created_anew_takes_its_data_along(site: Site) -> None:
    client = begin(site)
    before = token(client)
    client.get(to(lambda request: request.session.create()))
    assert token(client) != before
    assert data(client) == {"a": 1}
    assert site.manager.active_count() == 1


def cycle(request: Any) -> Any:
    request.session.cycle_key()
    return request.session.session_key


async def acycle(request: Any) -> Any:
    await request.session.acycle_key()
    return request.session.session_key


@pytest.mark.parametrize("page", [to(cycle), ato(acycle)])
def test_cycle_key_keeps_the_data_and_kills_the_old_key(site: Site, page: str) -> None:
    client = begin(site)
    old, key_before = token(client), key(client)
    said = client.get(page).json()["said"]
    assert said == key(client) != key_before
    assert data(client) == {"a": 1}
    thief = site.client()
    thief.cookies["sessionid"] = old
    assert data(thief) == {}


def flush(request: Any) -> Any:
    request.session.flush()
    return request.session.session_key, dict(request.session)


async def aflush(request: Any) -> Any:
    await request.session.aflush()
    return request.session.session_key, dict(await request.session.aitems())


def delete(request: Any) -> Any:
    request.session.delete()
    return request.session.session_key, dict(request.session)


async def adelete(request: Any) -> Any:
    await request.session.adelete()
    return request.session.session_key, dict(await request.session.aitems())


def logout(request: Any) -> Any:
    request.session.logout()
    return request.session.session_key, dict(request.session)


ENDS = [to(flush), ato(aflush), to(delete), ato(adelete), to(logout)]


@pytest.mark.parametrize("page", ENDS)
def test_an_end_takes_the_record_and_the_cookie_away(site: Site, page: str) -> None:
    client = begin(site)
    response = client.get(page)
    assert response.json()["said"] == [None, {}]
    assert site.manager.active_count() == 0
    assert response.cookies["sessionid"]["max-age"] in (0, "0")
    assert response.cookies["sessionid"].value == ""


def test_what_is_put_after_an_end_goes_into_a_new_session(site: Site) -> None:
    client = begin(site)
    old = token(client)

    def deed(request: Any) -> None:
        request.session.flush()
        request.session["b"] = 2

    client.get(to(deed))
    assert data(client) == {"b": 2}
    assert token(client) != old
    assert site.manager.active_count() == 1


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_others_are_known_and_ended_by_their_key(site: Site, colour: str) -> None:
    client, other = begin(site), begin(site)
    their = key(other)

    def deed(request: Any) -> Any:
        session, known = request.session, [request.session.exists(their)]
        session.delete(their)
        return [*known, session.exists(their), session.exists("nonsense")]

    async def adeed(request: Any) -> Any:
        session, known = request.session, [await request.session.aexists(their)]
        await session.adelete(their)
        return [*known, await session.aexists(their), await session.aexists("nonsense")]

    page = to(deed) if colour == "sync" else ato(adeed)
    assert client.get(page).json()["said"] == [True, False, False]
    assert (data(client), data(other)) == ({"a": 1}, {})


def test_an_emptied_session_ends(site: Site) -> None:
    client = begin(site)
    response = client.get(to(lambda request: request.session.pop("a")))
    assert site.manager.active_count() == 0
    assert response.cookies["sessionid"].value == ""


def test_clear_takes_all_data(site: Site) -> None:
    client = begin(site)

    def deed(request: Any) -> None:
        request.session.clear()
        request.session["b"] = 2

    before = token(client)
    client.get(to(deed))
    assert (token(client), data(client)) == (before, {"b": 2})


def test_clearsessions_sweeps_what_has_expired(site: Site, clock: FakeClock) -> None:
    set_clock(clock)
    begin(site)
    clock.advance(14 * 86_400 + 1)
    begin(site)
    assert site.store.count(0) == 2
    call_command("clearsessions")
    assert site.store.count(0) == 1


async def test_it_is_swept_in_async_code(site: Site, clock: FakeClock) -> None:
    set_clock(clock)
    await site.async_client().get("/count")
    clock.advance(14 * 86_400 + 1)
    await SessionStore.aclear_expired()
    assert site.store.count(0) == 0


def test_sojourns_own_words(site: Site) -> None:
    client = begin(site)
    client.get(to(lambda request: request.session.login("ada", about={"device": "test"})))

    def deed(request: Any) -> Any:
        session = request.session
        session.require_fresh(60)
        times = session.created_at <= session.seen_at < session.expires_at
        return session.user, session.is_new, session.authenticated_at > 0, times, session.id

    [info] = site.manager.sessions("ada")
    assert client.get(to(deed)).json()["said"] == ["ada", False, True, True, info.id]
    before = token(client)
    client.get(to(lambda request: request.session.regenerate_id()))
    assert token(client) != before
    client.get(to(lambda request: request.session.set_lifetime(60)))
    [info] = site.manager.sessions("ada")
    assert info.expires_at - info.seen_at == pytest.approx(60)
    client.get(to(lambda request: request.session.destroy()))
    assert list(site.manager.sessions("ada")) == []
