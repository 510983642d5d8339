"""Laws 5 and 6: a sign-in among slow requests, and one that was clicked twice."""

from __future__ import annotations

import pytest

from sojourn import Manager, Provider, ReleaseOutcome
from tests.parallel.slow import HARMLESS, SLOW, outcomes, released, started, visitor
from tests.parallel.visits import Jar, at_once, set_cookies

CREATED, LATE, RENEWED = ReleaseOutcome.CREATED, ReleaseOutcome.LATE, ReleaseOutcome.RENEWED
DONE = (ReleaseOutcome.SAVED, ReleaseOutcome.TOUCHED)


def test_a_sign_in_keeps_what_came_before_it_and_nothing_later(provider: Provider) -> None:
    manager = Manager(provider, touch_interval=0, cookie_lifetime=3600)
    jar = visitor(manager)
    stale = jar.copy()
    slow = started(manager, jar, HARMLESS)
    signin = manager.start(jar.headers)
    signin.login("ada")
    for answer in released(manager, slow[: SLOW // 2]):
        jar.take(answer.headers)
    assert jar.headers == stale.headers
    jar.take(manager.release(signin).headers)
    late = released(manager, slow[SLOW // 2 :])
    assert outcomes(late) == {LATE}
    assert [set_cookies(answer.headers) for answer in late] == [[]] * (SLOW // 2)
    session = manager.start(jar.headers)
    early = range(SLOW // 2)
    assert session.user == "ada"
    assert {key for key in session if key.startswith("key-")} == {f"key-{n}" for n in early[::4]}
    assert sorted(session["list"]) == list(early[1::4])
    assert session["count"] == len(early[2::4])
    assert manager.active_count() == 1


def test_a_request_comes_before_the_sign_in_or_is_late(provider: Provider) -> None:
    manager = Manager(provider, touch_interval=0, cookie_lifetime=3600)
    for _ in range(5):
        jar = visitor(manager)
        slow = started(manager, jar, HARMLESS)
        slow[SLOW // 2] = signin = manager.start(jar.headers)
        signin.login("ada")
        answers = released(manager, slow)
        for answer in (*answers, answers[SLOW // 2]):  # the store took the sign-in last
            jar.take(answer.headers)
        session = manager.start(jar.headers)
        done = [number for number, answer in enumerate(answers) if answer.outcome in DONE]
        assert session.user == "ada"
        assert {key for key in session if key.startswith("key-")} == {
            f"key-{number}" for number in done if number % 4 == 0
        }
        assert sorted(session["list"]) == [number for number in done if number % 4 == 1]
        assert session.get("count", 0) == sum(number % 4 == 2 for number in done)


def test_the_old_token_stores_nothing_and_sends_no_cookie(provider: Provider) -> None:
    manager = Manager(provider, touch_interval=0, cookie_lifetime=3600)
    jar = visitor(manager)
    stale = jar.copy()
    with manager.open(jar.headers) as session:
        session.login("ada")

    def request(number: int) -> tuple[ReleaseOutcome, list[str]]:
        with manager.open(stale.headers) as session:
            assert session.user is None
            assert len(session) == 0
            session["key"] = number
        assert session.released is not None
        return session.released.outcome, set_cookies(session.released.headers)

    assert at_once(request, SLOW) == [(ReleaseOutcome.RETIRED, [])] * SLOW
    assert manager.active_count() == 1


def test_a_sign_in_after_a_regeneration_starts_afresh(provider: Provider) -> None:
    manager = Manager(provider)
    jar = visitor(manager)
    signin = manager.start(jar.headers)
    assert signin["list"] == []
    signin.login("ada")
    signin["greeting"] = "hello"
    with manager.open(jar.headers) as session:
        session.regenerate_id()
    assert session.released is not None
    jar.take(session.released.headers)
    answer = manager.release(signin)
    assert answer.outcome is CREATED
    jar.take(answer.headers)
    fresh = manager.start(jar.headers)
    assert (fresh.user, dict(fresh)) == ("ada", {"greeting": "hello"})


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "crossed"])
@pytest.mark.parametrize("known", [True, False], ids=["with a cookie", "without"])
def test_a_sign_in_clicked_twice_ends_signed_in(
    provider: Provider, known: bool, order: tuple[int, int]
) -> None:
    """Where the browser had a session, one is left: that of the answer which the store gave last."""
    manager = Manager(provider)
    for repeat in range(20):
        jar = visitor(manager) if known else Jar()
        clicks = [manager.start(jar.headers) for _ in order]
        for number, session in enumerate(clicks):
            session.login("ada")
            session["click"] = number
        answers = released(manager, clicks)
        assert outcomes(answers) == ({CREATED, RENEWED} if known else {CREATED})
        last = [number for number in order if answers[number].outcome is CREATED]
        for number in last:
            jar.take(answers[number].headers)
            session = manager.start(jar.headers)
            assert (session.user, session["click"]) == ("ada", number)
        if known:
            assert len([*manager.sessions("ada")]) == repeat + 1
