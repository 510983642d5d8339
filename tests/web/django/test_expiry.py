"""Django's expiries: seconds without being seen, a date that stays, and the end of the browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test.utils import override_settings

from sojourn import ConfigError
from sojourn.testing import FakeClock
from tests.web.django.conftest import Site, set_clock
from tests.web.django.pages import ato, to

HOUR, DAY = 3600, 86_400


def expiry_of(session: Any) -> Any:
    date = session.get_expiry_date() - datetime.now(UTC)
    return (
        session.get_expiry_age(),
        round(date.total_seconds(), -1),
        session.get_expire_at_browser_close(),
    )


async def aexpiry_of(session: Any) -> Any:
    date = await session.aget_expiry_date() - datetime.now(UTC)
    closes = await session.aget_expire_at_browser_close()
    return await session.aget_expiry_age(), round(date.total_seconds(), -1), closes


def begin(site: Site, value: Any) -> tuple[Any, Any]:
    client = site.client()

    def deed(request: Any) -> None:
        request.session["a"] = 1
        request.session.set_expiry(value)

    return client, client.get(to(deed)).cookies["sessionid"]


KINDS: list[tuple[Callable[[], Any], int, bool]] = [
    (lambda: None, 14 * DAY, False),
    (lambda: HOUR, HOUR, False),
    (lambda: timedelta(seconds=HOUR), HOUR, False),
    (lambda: datetime.now(UTC) + timedelta(seconds=HOUR), HOUR, False),
    (lambda: 0, 14 * DAY, True),
]


@pytest.mark.parametrize(("value", "age", "closes"), KINDS)
def test_an_expiry_is_what_was_set(
    site: Site, value: Callable[[], Any], age: int, closes: bool
) -> None:
    client, cookie = begin(site, value())
    expected = [pytest.approx(age, abs=2), pytest.approx(age, abs=10), closes]
    assert client.get(to(lambda r: expiry_of(r.session))).json()["said"] == expected
    max_age = "" if closes else pytest.approx(age, abs=2)
    assert (cookie["max-age"] and int(cookie["max-age"])) == max_age
    [info] = site.manager.sessions()
    assert info.expires_at - info.seen_at == pytest.approx(age, abs=2)


@pytest.mark.parametrize(("value", "age", "closes"), KINDS)
async def test_an_expiry_is_set_in_async_views(
    site: Site, value: Callable[[], Any], age: int, closes: bool
) -> None:
    client = site.async_client()

    async def deed(request: Any) -> None:
        await request.session.aset("a", 1)
        await request.session.aset_expiry(value())

    async def look(request: Any) -> Any:
        return await aexpiry_of(request.session)

    await client.get(ato(deed))
    expected = [pytest.approx(age, abs=2), pytest.approx(age, abs=10), closes]
    assert (await client.get(ato(look))).json()["said"] == expected


@pytest.mark.parametrize("value", [HOUR, 0, timedelta(hours=1)])
def test_none_goes_back_to_what_is_configured(site: Site, value: Any) -> None:
    client, _ = begin(site, value)
    client.get(to(lambda request: request.session.set_expiry(None)))
    said = client.get(to(lambda request: (*expiry_of(request.session), dict(request.session))))
    assert said.json()["said"] == [14 * DAY, 14 * DAY, False, {"a": 1}]


def test_none_where_nothing_was_set_is_no_change(site: Site) -> None:
    client, _ = begin(site, None)
    response = client.get(to(lambda request: request.session.set_expiry(None)))
    assert not response.cookies


def test_seconds_replace_a_date(site: Site) -> None:
    client, _ = begin(site, timedelta(hours=1))
    client.get(to(lambda request: request.session.set_expiry(60)))
    client.get("/count")
    said = client.get(to(lambda r: (r.session.get_expiry_age(), sorted(r.session)))).json()["said"]
    assert said == [60, ["a", "n"]]


def test_clear_takes_an_expiry_along(site: Site) -> None:
    client, _ = begin(site, HOUR)

    def deed(request: Any) -> None:
        request.session.clear()
        request.session["b"] = 1

    client.get(to(deed))
    assert client.get(to(lambda r: expiry_of(r.session))).json()["said"][0] == 14 * DAY


def test_seconds_count_from_when_it_was_last_changed(site: Site, clock: FakeClock) -> None:
    set_clock(clock)
    client, _ = begin(site, HOUR)
    for _ in range(3):
        clock.advance(HOUR - 1)
        assert client.get("/count").status_code == 200
    clock.advance(HOUR + 1)
    assert client.get("/count").json()["said"] == 1


@pytest.mark.parametrize("every", [False, True])
def test_a_date_stays_however_often_it_is_seen(site: Site, clock: FakeClock, every: bool) -> None:
    with override_settings(SESSION_SAVE_EVERY_REQUEST=every):
        set_clock(clock)
        client, _ = begin(site, datetime.fromtimestamp(clock() + HOUR, UTC))
        [before] = site.manager.sessions()
        for page in ("/count", to(lambda request: request.session.get("a")), "/quiet", "/count"):
            clock.advance(600)
            client.get(page)
            [after] = site.manager.sessions()
            assert after.expires_at == pytest.approx(before.expires_at, abs=0.01)
        clock.advance(1201)
        assert client.get("/count").json()["said"] == 1


@pytest.mark.parametrize("value", [-1, timedelta(hours=-1)])  # Django counts by a clock of its own
def test_what_is_over_is_over_at_once(site: Site, clock: FakeClock, value: Any) -> None:
    set_clock(clock)
    client, _ = begin(site, value)
    assert client.get(to(lambda request: dict(request.session))).json()["said"] == {}


def test_longer_than_any_session_may_live_is_refused(site: Site) -> None:
    def deed(request: Any) -> Any:
        for value in (31 * DAY, timedelta(days=31)):
            with pytest.raises(ConfigError, match="absolute_lifetime"):
                request.session.set_expiry(value)
        return request.session.get_expiry_age()

    for value in (None, HOUR, timedelta(hours=1)):
        client, _ = begin(site, value)
        age = client.get(to(lambda request: request.session.get_expiry_age())).json()["said"]
        assert client.get(to(deed)).json()["said"] == pytest.approx(age, abs=2)


def test_a_date_later_than_any_session_may_live_by_now_is_no_error(site: Site) -> None:
    client, _ = begin(site, timedelta(days=20))
    with override_settings(SOJOURN={"provider": site.store, "absolute_lifetime": 15 * DAY}):
        assert client.get("/count").json()["said"] == 1


@override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=True)
def test_the_browsers_end_may_be_the_rule(site: Site) -> None:
    client, cookie = begin(site, None)
    assert cookie["max-age"] == ""
    assert client.get(to(lambda r: expiry_of(r.session))).json()["said"] == [
        14 * DAY,
        14 * DAY,
        True,
    ]
    _, cookie = begin(site, HOUR)
    assert int(cookie["max-age"]) == HOUR


@override_settings(USE_TZ=False)
def test_a_date_may_be_naive(site: Site) -> None:
    client, _ = begin(site, datetime.now() + timedelta(hours=1))  # noqa: DTZ005 - as Django's then
    age = client.get(to(lambda request: request.session.get_expiry_age())).json()["said"]
    assert age == pytest.approx(HOUR, abs=2)


def test_arguments_of_djangos_own_are_heeded(site: Site) -> None:
    now = datetime.now(UTC)

    def deed(request: Any) -> Any:
        return (
            request.session.get_expiry_age(modification=now, expiry=now + timedelta(seconds=9)),
            request.session.get_expiry_age(expiry=8),
        )

    assert site.client().get(to(deed)).json()["said"] == [9, 8]
