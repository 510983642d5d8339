"""An application that goes on without its store, and has a cookie of its own making."""

from __future__ import annotations

from tests.frameworks.site import Site
from tests.frameworks.visitor import Visitor, attributes, cookies_of, vary_of

SETTINGS = {"on_outage": "anonymous", "cookie_path": "/do", "same_site": "Lax"}
COOKIE = {"sid", "HttpOnly", "Path=/do", "SameSite=Lax"}


class Opened:
    """What visitors may rely on then.  A test class gives the fixture `site`."""

    def test_without_the_store_it_goes_on(self, visitor: Visitor) -> None:
        """Empty, and no cookie is set or taken away; afterwards all is as it was."""
        visitor.do("put", key="a", value="1")
        stranger = Visitor(visitor.site)
        with visitor.site.store.outage():
            for one in (visitor.copy(), stranger):
                for deed in ("get", "put", "append", "login", "logout", "regenerate", "clear"):
                    answer = one.ask(f"/do/{deed}", key="a", value="2", user="ann")
                    assert (answer.status, cookies_of(answer)) == (200, [])
                    assert vary_of(answer) == ["Cookie"]
            assert visitor.do("me") == {"user": None, "id": None, "is_new": True}
            assert visitor.everything() == {}
        assert visitor.everything() == {"a": "1"}

    def test_the_cookie_is_given_and_taken_with_the_same_attributes(self, site: Site) -> None:
        for deed in ("empty", "clear", "logout", "destroy"):
            visitor = Visitor(site)
            [given] = cookies_of(visitor.ask("/do/put", key="a", value="1"))
            [taken] = cookies_of(visitor.ask(f"/do/{deed}"))
            assert attributes(given) == COOKIE
            assert attributes(taken) == COOKIE - site.framework.taken_without
            assert visitor.token == ""
