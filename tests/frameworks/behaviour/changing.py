"""What becomes of changes: none is lost, none comes too late, none outlives its session."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import pytest

from tests.frameworks.behaviour.signing import fresh_user
from tests.frameworks.client import Answer
from tests.frameworks.site import Site
from tests.frameworks.visitor import Visitor, cookies_of
from tests.parallel.visits import at_once

AT_ONCE = 8
SLOW = "0.2"
"""Seconds that a slow request takes."""
LONGER = (0.2, 1.0, 5.0)
"""The same, until what is to happen meanwhile did so, however busy the machine is."""


def overlapping(visitor: Visitor, deed: str, **query: str) -> list[Any]:
    """The results of eight requests, each of which reads the session, pauses, and does the deed."""

    def one(number: int) -> Any:
        own = {name: text.format(number) for name, text in query.items()}
        return visitor.copy().result(f"/slow/{deed}", seconds=SLOW, **own)

    return at_once(one, AT_ONCE)


class Interrupted(NamedTuple):
    """What came of slow requests that had read a session before somebody did something to it."""

    old: Visitor
    visitor: Visitor
    answers: list[Answer]


def interrupted(site: Site, slow: str, deed: str, **query: str) -> Interrupted:
    """Begin slow deeds, and do a quick one after they have read and before they do theirs."""
    for seconds in LONGER:
        visitor = Visitor(site)
        visitor.do("append", key="items", value="early")
        old = visitor.copy()
        late = {"key": "items", "value": "late", "seconds": str(seconds), **query}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            begun = time.monotonic()
            asked = [pool.submit(partial(old.copy().ask, slow, **late)) for _ in range(AT_ONCE)]
            time.sleep(seconds / 2)
            quick = time.monotonic()
            visitor.do(deed, **query)
            done = time.monotonic()
            answers = [one.result() for one in asked]
        # Each paused so long between its reading and its deed.
        if time.monotonic() - seconds < quick and done < begun + seconds:
            return Interrupted(old, visitor, answers)
    raise AssertionError("nothing overlapped")


class Changing:
    """What every framework's applications may rely on."""

    def test_a_change_inside_a_value_is_kept(self, visitor: Visitor) -> None:
        for number in range(3):
            visitor.do("append", key="items", value=str(number))
        assert visitor.everything() == {"items": ["0", "1", "2"]}

    def test_what_comes_back_is_what_was_put(self, visitor: Visitor) -> None:
        visitor.do("put-exact")
        assert visitor.do("is-exact") is True

    def test_a_number_is_added_to(self, visitor: Visitor) -> None:
        assert [visitor.do("add", key="n") for _ in range(3)] == [1, 2, 3]

    def test_what_is_deleted_is_gone(self, visitor: Visitor) -> None:
        visitor.do("put", key="a", value="1")
        visitor.do("put", key="b", value="2")
        visitor.do("delete", key="a")
        assert visitor.everything() == {"b": "2"}

    # -- requests that overlap -----------------------------------------------------------------

    def test_overlapping_changes_to_different_keys_all_stand(self, visitor: Visitor) -> None:
        visitor.do("put", key="x", value="before")
        overlapping(visitor, "put", key="k{}", value="{}")
        expected = {f"k{number}": str(number) for number in range(AT_ONCE)}
        assert visitor.everything() == {"x": "before", **expected}

    def test_overlapping_changes_inside_a_list_all_stand(self, visitor: Visitor) -> None:
        visitor.do("append", key="items", value="before")
        seen = overlapping(visitor, "append", key="items", value="{}")
        assert min(map(len, seen)) < AT_ONCE + 1, "nothing overlapped"
        [first, *rest] = visitor.everything()["items"]
        assert (first, sorted(rest)) == ("before", [str(number) for number in range(AT_ONCE)])

    def test_overlapping_requests_that_begin_a_list_all_stand(self, visitor: Visitor) -> None:
        visitor.do("put", key="x", value="before")
        overlapping(visitor, "append", key="items", value="{}")
        assert sorted(visitor.everything()["items"]) == [str(number) for number in range(AT_ONCE)]

    def test_overlapping_additions_all_count(self, visitor: Visitor) -> None:
        visitor.do("add", key="n")
        seen = overlapping(visitor, "add", key="n")
        assert len(set(seen)) < AT_ONCE, "nothing overlapped"
        assert visitor.everything() == {"n": 1 + AT_ONCE}

    def test_visitors_at_once_each_have_their_own(self, site: Site) -> None:
        def one(number: int) -> object:
            visitor = Visitor(site)
            visitor.result("/slow/put", key="mine", value=str(number), seconds=SLOW)
            visitor.result("/slow/append", key="items", value=str(number), seconds=SLOW)
            return visitor.everything()

        expected = [{"mine": str(n), "items": [str(n)]} for n in range(AT_ONCE)]
        assert at_once(one, AT_ONCE) == expected

    # -- requests that come late ---------------------------------------------------------------

    @pytest.mark.parametrize("end", ["logout", "destroy", "empty"])
    def test_nothing_comes_back_to_life(self, site: Site, end: str) -> None:
        """Eight slow requests end after the session did: none stores, none touches a cookie."""
        old, visitor, answers = interrupted(site, "/slow/append", end)
        assert {answer.status for answer in answers} == {site.framework.late}
        assert [cookies_of(answer) for answer in answers] == [[]] * AT_ONCE
        assert site.record(old.token) is None
        assert old.everything() == visitor.everything() == {}

    def test_what_comes_after_a_sign_in_changes_nothing(self, site: Site) -> None:
        old, visitor, answers = interrupted(site, "/slow/append", "login", user=fresh_user())
        assert {answer.status for answer in answers} == {site.framework.late}
        assert [cookies_of(answer) for answer in answers] == [[]] * AT_ONCE
        assert visitor.everything() == {"items": ["early"]}
        assert old.everything() == {}

    def test_who_only_looked_meanwhile_takes_no_cookie_away(self, site: Site) -> None:
        _, visitor, answers = interrupted(site, "/slow/get", "login", user=fresh_user())
        assert {answer.status for answer in answers} == {200}
        assert [cookies_of(answer) for answer in answers] == [[]] * AT_ONCE
        assert visitor.everything() == {"items": ["early"]}

    def test_who_signs_out_is_signed_out_though_the_token_changed_meanwhile(
        self, site: Site
    ) -> None:
        _, visitor, _ = interrupted(site, "/slow/logout", "login", user=fresh_user())
        assert site.record(visitor.token) is None
        assert visitor.do("me")["user"] is None

    def test_a_sign_in_that_comes_too_late_is_one_all_the_same(self, site: Site) -> None:
        """Somebody clicked several times: one session is left, and the last answer opens it."""
        user = fresh_user()
        _, visitor, answers = interrupted(site, "/slow/login", "login", user=user)
        users = [visitor.do("me")["user"]]
        for answer in answers:
            other = Visitor(site)
            other.jar.take(answer.headers)
            users.append(other.do("me")["user"])
        assert sorted(map(str, users)) == sorted([user, *["None"] * AT_ONCE])

    def test_a_session_that_another_fills_is_not_empty(self, site: Site) -> None:
        """What is left in it is known to the store alone."""
        _, visitor, answers = interrupted(site, "/slow/empty", "put", key="other", value="1")
        for answer in answers:
            browser = visitor.copy()
            browser.jar.take(answer.headers)
            assert browser.everything() == {"other": "1"}

    def test_a_session_that_all_empty_together_is_gone(self, visitor: Visitor) -> None:
        """None of them sees it empty; the one that made it so takes the cookie away."""
        keys = [f"k{number}" for number in range(AT_ONCE)]
        for key in keys:
            visitor.do("put", key=key, value="1")
        browsers = [visitor.copy() for _ in keys]

        def one(number: int) -> None:
            browsers[number].ask("/slow/delete", key=keys[number], seconds=SLOW)

        at_once(one, AT_ONCE)
        assert visitor.site.record(visitor.token) is None
        left = [browser.token for browser in browsers]
        taken = 1 if visitor.site.framework.decides_late else 0
        assert (left.count(""), left.count(visitor.token)) == (taken, AT_ONCE - taken)

    # -- time ----------------------------------------------------------------------------------

    def test_a_session_that_is_not_seen_ends(self, visitor: Visitor) -> None:
        visitor.do("put", key="a", value="1")
        idle = visitor.copy()
        visitor.site.age(visitor.token, created=3601, seen=3601, expires=-1)
        assert visitor.everything() == {}
        idle.do("put", key="b", value="2")
        assert idle.token not in ("", visitor.token)
        assert idle.everything() == {"b": "2"}

    def test_a_session_that_is_seen_lives_on(self, visitor: Visitor) -> None:
        visitor.do("put", key="a", value="1")
        visitor.site.age(visitor.token, created=3500, seen=3500, expires=100)
        visitor.do(visitor.site.framework.seen_by, key="seen", value="1")
        record = visitor.site.record(visitor.token)
        assert record is not None
        assert record.expires - time.time() == pytest.approx(3600, abs=30)
        assert visitor.everything()["a"] == "1"

    def test_a_session_ends_however_often_it_is_seen(self, visitor: Visitor) -> None:
        visitor.do("put", key="a", value="1")
        visitor.site.age(visitor.token, created=7100, seen=120, expires=60)
        visitor.do(visitor.site.framework.seen_by, key="seen", value="1")
        record = visitor.site.record(visitor.token)
        assert record is not None
        assert record.expires - record.created == pytest.approx(7200, abs=0.01)
        assert time.time() - record.seen < 60
        assert visitor.everything()["a"] == "1"
        visitor.site.age(visitor.token, created=7201, seen=1, expires=-1)
        assert visitor.everything() == {}
