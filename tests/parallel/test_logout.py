"""Law 5: no request that was under way at a logout brings the session back, or sends a cookie."""

from __future__ import annotations

import asyncio

from sojourn import AsyncManager, Manager, Provider, ReleaseOutcome
from tests.parallel.slow import EVERYTHING, SLOW, outcomes, released, started, visitor
from tests.parallel.visits import Jar, set_cookies

LATE = ReleaseOutcome.LATE


def test_what_is_released_after_the_logout_is_late(provider: Provider) -> None:
    manager = Manager(provider, touch_interval=0, cookie_lifetime=3600)
    jar = visitor(manager, "ada")
    stale = jar.copy()
    slow = started(manager, jar, EVERYTHING)
    with manager.open(jar.headers) as logout:
        ended = logout.id
        logout.logout()
    assert logout.released is not None
    jar.take(logout.released.headers)
    answers = released(manager, slow)
    assert outcomes(answers) == {LATE}
    assert [set_cookies(answer.headers) for answer in answers] == [[]] * SLOW
    assert jar.headers == {}
    assert manager.active_count() == 0
    assert manager.start(stale.headers).is_new
    assert provider.read(ended) is None


def test_a_logout_ends_what_was_regenerated_meanwhile(provider: Provider) -> None:
    manager = Manager(provider, touch_interval=0)
    jar = visitor(manager, "ada")
    stale = jar.copy()
    slow = started(manager, jar, EVERYTHING)
    logout = manager.start(jar.headers)
    early = released(manager, slow[: SLOW // 2])
    renewed = [answer for answer in early if answer.outcome is ReleaseOutcome.RENEWED]
    assert len(renewed) == 1  # of all that regenerate, one can
    jar.take(renewed[0].headers)
    assert manager.start(jar.headers).user == "ada"
    logout.logout()
    assert manager.release(logout).outcome is ReleaseOutcome.ENDED
    assert outcomes(released(manager, slow[SLOW // 2 :])) == {LATE}
    assert manager.active_count() == 0
    assert manager.start(stale.headers).is_new
    assert manager.start(jar.headers).is_new


def test_nothing_survives_a_logout_among_a_hundred_releases(provider: Provider) -> None:
    manager = Manager(provider, touch_interval=0)
    for _ in range(5):
        jar = visitor(manager, "ada")
        slow = started(manager, jar, EVERYTHING)
        slow[SLOW // 2] = logout = manager.start(jar.headers)
        logout.logout()
        answers = released(manager, slow)
        assert answers[SLOW // 2].outcome is ReleaseOutcome.ENDED
        for answer in answers:
            jar.take(answer.headers)
            assert manager.start(jar.headers).is_new
        assert manager.active_count() == 0


async def test_tasks_released_after_the_logout_are_late(provider: Provider) -> None:
    manager = AsyncManager(provider, touch_interval=0, cookie_lifetime=3600)
    async with manager.open({}) as session:
        session["list"] = []
        session.login("ada")
    assert session.released is not None
    jar = Jar()
    jar.take(session.released.headers)
    slow = await asyncio.gather(*(manager.start(jar.headers) for _ in range(SLOW)))
    for number, request in enumerate(slow):
        EVERYTHING[number % len(EVERYTHING)](request, number)
    async with manager.open(jar.headers) as logout:
        logout.logout()
    answers = await asyncio.gather(*map(manager.release, slow))
    assert outcomes(answers) == {LATE}
    assert [set_cookies(answer.headers) for answer in answers] == [[]] * SLOW
    assert await manager.active_count() == 0
    assert (await manager.start(jar.headers)).is_new
