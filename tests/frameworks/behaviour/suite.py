"""The behaviour that every framework shows, on every store: each test is written once, here."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import pytest

from sojourn.record import is_id
from tests.frameworks.behaviour.answering import Answering
from tests.frameworks.behaviour.changing import Changing
from tests.frameworks.behaviour.signing import NEVER_ISSUED, Signing, fresh_user
from tests.frameworks.client import Refused
from tests.frameworks.servers import DROP_HEADERS_OF_HANDSHAKES
from tests.frameworks.site import Site
from tests.frameworks.visitor import Visitor


class Behaviour(Signing, Changing, Answering):
    """The whole of it.  A test class gives the fixture `site`."""

    # -- what only some have -------------------------------------------------------------------

    def test_a_websocket_gives_a_session_and_works_on_it(self, visitor: Visitor) -> None:
        site = visitor.site
        site.needs(not site.framework.only_requests, "it has no WebSockets")
        visitor.do("put", key="a", value="1")
        with site.door.talk("/ws", visitor.jar.headers) as talk:
            assert talk.recv() == "accepted"
            for word in ("one", "two"):
                talk.send(word)
                assert talk.recv() == "kept"
            assert visitor.everything() == {"a": "1", "socket": "open", "words": ["one", "two"]}
            old = visitor.copy()
            visitor.do("logout")
            talk.send("three")
            assert talk.recv() == "gone"
        assert site.record(old.token) is None

    def test_the_answer_to_a_handshake_carries_the_cookie(self, visitor: Visitor) -> None:
        site = visitor.site
        site.needs(not site.framework.only_requests, "it has no WebSockets")
        site.needs(site.server not in DROP_HEADERS_OF_HANDSHAKES, "the server drops its headers")
        with site.door.talk("/ws", {}) as talk:
            visitor.jar.take(talk.headers)
            site.tokens.add(visitor.token)
            assert talk.recv() == "accepted"
        assert visitor.everything() == {"socket": "open"}

    def test_without_its_store_no_websocket_opens(self, visitor: Visitor) -> None:
        site = visitor.site
        site.needs(not site.framework.only_requests, "it has no WebSockets")
        visitor.do("put", key="a", value="1")
        for headers in (visitor.jar.headers, {}):
            with site.store.outage(), pytest.raises(Refused), site.door.talk("/ws", headers):
                pass
        assert visitor.everything() == {"a": "1"}

    @pytest.mark.parametrize("how", ["close", "raise"])
    @pytest.mark.parametrize("deed", ["login", "regenerate"])
    def test_a_websocket_that_is_refused_takes_no_session_away(
        self, visitor: Visitor, deed: str, how: str
    ) -> None:
        """Its close has no headers, and so cannot say that the token is another now."""
        visitor.do("put", key="a", value="1")
        refused(visitor, deed, how=how, user=fresh_user())
        assert visitor.everything() == {"a": "1"}

    @pytest.mark.parametrize("how", ["close", "raise"])
    @pytest.mark.parametrize("deed", ["put", "login"])
    def test_a_websocket_that_is_refused_begins_no_session_that_nobody_has(
        self, visitor: Visitor, deed: str, how: str
    ) -> None:
        before = visitor.site.manager.active_count()
        refused(visitor, deed, how=how, key="a", value="1", user=fresh_user())
        given = visitor.token != ""
        assert visitor.site.manager.active_count() == before + given
        assert visitor.do("me")["is_new"] is not given

    def test_a_websocket_that_is_refused_stores_what_needs_no_token(self, visitor: Visitor) -> None:
        visitor.do("put", key="a", value="1")
        refused(visitor, "put", how="close", key="b", value="2")
        assert visitor.everything() == {"a": "1", "b": "2"}
        old = visitor.copy()
        refused(visitor, "logout", how="close")
        assert visitor.site.record(old.token) is None

    def test_work_after_the_answer_opens_the_session_by_its_id(self, visitor: Visitor) -> None:
        site = visitor.site
        site.needs(not site.framework.only_requests, "it has no background tasks")
        visitor.do("put", key="a", value="1")
        assert b"after" in visitor.ask("/after", key="b", value="2").body
        deadline = time.monotonic() + 10
        while len(visitor.everything()) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert visitor.everything() == {"a": "1", "b": "2"}

    # -- secrets -------------------------------------------------------------------------------

    def test_no_token_stands_in_a_log(self, site: Site) -> None:
        """After all that happened here: releases, ends, errors, outages, strange tokens."""
        visitor = Visitor(site)
        visitor.do("login", user=fresh_user())
        visitor.ask("/raise", key="a", value="1")
        Visitor(site).send("/do/get", {"Cookie": f"sid={NEVER_ISSUED}"}, key="a")
        with site.store.outage():
            visitor.ask("/do/get", key="a")
        visitor.do("logout")
        log = site.log()
        length = site.framework.token_length
        sent = {each for each in site.tokens if len(each) == length and not is_id(each)}
        tokens = sent | {NEVER_ISSUED}
        assert "answered 503" in log or site.framework.outage != 503
        assert [token for token in tokens if token in log] == []


def refused(visitor: Visitor, deed: str, **query: str) -> None:
    """Open a WebSocket that does a deed and refuses; keep the cookies of the answer, if any."""
    site = visitor.site
    site.needs(not site.framework.only_requests, "it has no WebSockets")
    site.needs(site.server not in DROP_HEADERS_OF_HANDSHAKES, "the server drops its headers")
    path = f"/refuse/{deed}?{urlencode(query)}"
    with pytest.raises(Refused) as answer, site.door.talk(path, visitor.jar.headers):
        pass
    visitor.jar.take(answer.value.headers)
    site.tokens |= set(visitor.jar._cookies.values())
