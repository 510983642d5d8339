"""Who a visitor is: signing in and out, new tokens, other sessions, other managers."""

from __future__ import annotations

import secrets

import pytest

from tests.frameworks.site import Site
from tests.frameworks.visitor import Visitor, attributes, cookies_of, header, said

NEVER_ISSUED = secrets.token_urlsafe(32)
TOKENS = {
    "never issued": NEVER_ISSUED,
    "empty": "",
    "short": "x",
    "path": "../../etc/passwd",
    "encoded": "%00",
    "quoted": '"quoted"',
    "long": "a" * 4000,
}


def fresh_user() -> str:
    """A user whom nobody else is: tests share the store."""
    return f"user-{secrets.token_hex(4)}"


class Signing:
    """What every framework's visitors may rely on."""

    # -- signing in ----------------------------------------------------------------------------

    def test_signing_in_changes_the_token_and_keeps_the_data(self, visitor: Visitor) -> None:
        visitor.do("put", key="cart", value="full")
        before = visitor.token
        user = fresh_user()
        assert visitor.do("login", user=user) == user
        assert visitor.token not in ("", before)
        assert visitor.do("me") == {
            "user": user,
            "id": visitor.site.id_of(visitor.token),
            "is_new": False,
        }
        assert visitor.everything() == {"cart": "full"}

    def test_a_visitor_of_whom_nothing_is_stored_may_sign_in(self, visitor: Visitor) -> None:
        visitor.do("login", user=fresh_user())
        assert visitor.do("me")["is_new"] is False

    def test_the_token_from_before_is_dead(self, visitor: Visitor) -> None:
        """It reads nothing, writes nothing, ends nothing, and takes no cookie away."""
        visitor.do("put", key="cart", value="full")
        old = visitor.copy()
        visitor.do("login", user=fresh_user())
        for deed in ("get", "put", "logout", "destroy", "regenerate", "clear"):
            answer = old.copy().ask(f"/do/{deed}", key="cart", value="stolen")
            assert answer.status in (200, old.site.framework.late)
            assert cookies_of(answer) == []
        assert old.do("get", key="cart") is None
        assert old.do("me") == {"user": None, "id": None, "is_new": True}
        assert visitor.everything() == {"cart": "full"}

    def test_another_user_gets_nothing_of_the_first(self, visitor: Visitor) -> None:
        visitor.do("login", user=fresh_user())
        visitor.do("put", key="secret", value="mine")
        visitor.do("login", user=fresh_user())
        assert visitor.everything() == {}

    # -- signing out ---------------------------------------------------------------------------

    @pytest.mark.parametrize("deed", ["logout", "destroy"])
    def test_an_end_is_an_end(self, visitor: Visitor, deed: str) -> None:
        visitor.do("login", user=fresh_user())
        visitor.do("put", key="cart", value="full")
        old = visitor.copy()
        visitor.do(deed)
        assert visitor.token == ""
        assert visitor.site.record(old.token) is None
        assert old.do("me") == {"user": None, "id": None, "is_new": True}

    def test_what_is_put_after_the_end_begins_anew(self, visitor: Visitor) -> None:
        visitor.do("login", user=fresh_user())
        old = visitor.copy()
        visitor.do("logout")
        old_token = old.token
        assert old.do("put", key="a", value="1") == "1"
        assert old.token not in ("", old_token)
        assert old.everything() == {"a": "1"}
        assert visitor.site.record(old_token) is None

    def test_a_new_id_keeps_everything_else(self, visitor: Visitor) -> None:
        user = fresh_user()
        visitor.do("login", user=user)
        visitor.do("put", key="a", value="1")
        old = visitor.copy()
        visitor.do("regenerate")
        assert visitor.token not in ("", old.token)
        assert (visitor.do("me")["user"], visitor.everything()) == (user, {"a": "1"})
        assert old.do("get", key="a") is None

    # -- other sessions ------------------------------------------------------------------------

    def test_a_user_sees_the_other_sessions_and_ends_them(self, site: Site) -> None:
        user = fresh_user()
        visitors = [Visitor(site) for _ in range(3)]
        for visitor in visitors:
            visitor.do("login", user=user)
        ids = sorted(site.id_of(visitor.token) for visitor in visitors)
        assert visitors[0].result("/others", user=user) == ids
        assert visitors[0].result("/end-others", user=user) == 2
        users = [visitor.do("me")["user"] for visitor in visitors]
        assert users == [user, None, None]
        assert visitors[0].result("/others", user=user) == [site.id_of(visitors[0].token)]

    def test_the_sessions_of_two_managers_do_not_disturb_each_other(self, visitor: Visitor) -> None:
        user = fresh_user()
        visitor.do("put", key="a", value="shop")
        visitor.result("/staff/login", user=user)
        visitor.result("/staff/put", key="a", value="staff")
        assert visitor.everything() == {"a": "shop"}
        assert visitor.do("me")["user"] is None
        visitor.do("logout")
        assert visitor.result("/staff/everything") == {"a": "staff"}
        visitor.do("put", key="a", value="shop again")
        visitor.result("/staff/logout")
        assert visitor.everything() == {"a": "shop again"}
        assert visitor.result("/staff/me")["user"] is None

    # -- tokens that are none ------------------------------------------------------------------

    @pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
    def test_a_token_that_was_not_issued_names_nothing(self, visitor: Visitor, token: str) -> None:
        visitor.jar._cookies["sid"] = token
        assert visitor.everything() == {}
        assert visitor.do("me")["is_new"] is True
        visitor.do("put", key="a", value="1")
        assert visitor.token not in ("", token)
        assert visitor.everything() == {"a": "1"}

    def test_an_id_is_no_token(self, visitor: Visitor) -> None:
        visitor.do("put", key="a", value="1")
        visitor.jar._cookies["sid"] = visitor.site.id_of(visitor.token)
        assert visitor.everything() == {}

    def test_of_several_cookies_the_one_that_names_something_counts(self, site: Site) -> None:
        """As a browser sends them that has one for the host and one for the domain."""
        site.needs(not site.framework.own_cookies, "the framework reads one cookie of a name")
        visitor = Visitor(site)
        visitor.do("put", key="a", value="1")
        for cookie in (f"sid={NEVER_ISSUED}; sid={visitor.token}", f"sid={visitor.token}; sid=x"):
            answer = Visitor(site).send("/do/get", {"Cookie": cookie}, key="a")
            assert said(answer) == "1"

    # -- the cookie ----------------------------------------------------------------------------

    def test_the_cookie_says_what_it_should(self, visitor: Visitor) -> None:
        [line] = cookies_of(visitor.ask("/do/put", key="a", value="1"))
        assert attributes(line) == {"sid", "HttpOnly", "Path=/", "SameSite=Strict"}
        assert "max-age" not in line.lower()
        assert len(visitor.token) == visitor.site.framework.token_length

    def test_it_is_secure_over_https(self, visitor: Visitor) -> None:
        site = visitor.site
        site.needs(not site.framework.own_cookies, "the framework knows its scheme otherwise")
        secure = {"X-Forwarded-Proto": "https"}
        [line] = cookies_of(visitor.send("/do/put", secure, key="a", value="1"))
        assert attributes(line) == {"sid", "HttpOnly", "Path=/", "SameSite=Strict", "Secure"}

    def test_nobody_may_store_an_answer_that_carries_a_token(self, visitor: Visitor) -> None:
        answer = visitor.ask("/do/put", key="a", value="1")
        assert header(answer, "Cache-Control") == list(visitor.site.framework.no_store)
