"""What an answer says, and when a session is released into it."""

from __future__ import annotations

import pytest

from tests.frameworks.client import Answer
from tests.frameworks.site import Site
from tests.frameworks.visitor import Visitor, attributes, cookies_of, header, vary_of

ONE_AND_TWO = ["data: one", "data: two"]

READS = ("get", "has", "size", "everything")
"""The deeds that only look at a session."""


def silent(answer: Answer) -> bool:
    """Whether it says nothing of a session."""
    return cookies_of(answer) == [] and header(answer, "Cache-Control") == []


class Answering:
    """What every framework's clients and caches may rely on."""

    # -- visitors who leave no trace -----------------------------------------------------------

    def test_a_page_without_the_session_does_not_depend_on_it(self, visitor: Visitor) -> None:
        answer = visitor.ask("/quiet")
        assert (answer.status, answer.body, vary_of(answer)) == (200, b"quiet", [])
        assert silent(answer)
        visitor.do("put", key="a", value="1")
        answer = visitor.ask("/quiet")
        assert (answer.status, vary_of(answer), silent(answer)) == (200, [], True)

    def test_who_only_looks_leaves_no_trace(self, site: Site) -> None:
        before = site.manager.active_count()
        for deed in READS:
            answer = Visitor(site).ask(f"/do/{deed}", key="a")
            assert (answer.status, vary_of(answer), silent(answer)) == (200, ["Cookie"], True)
        assert site.manager.active_count() == before

    def test_who_looks_at_what_is_stored_changes_nothing(self, visitor: Visitor) -> None:
        visitor.do("append", key="a", value="1")
        before = visitor.site.record(visitor.token)
        for deed in READS:
            answer = visitor.ask(f"/do/{deed}", key="a")
            assert (answer.status, vary_of(answer), silent(answer)) == (200, ["Cookie"], True)
        assert visitor.site.record(visitor.token) == before

    # -- headers -------------------------------------------------------------------------------

    @pytest.mark.parametrize("deed", ["put", "add", "append", "login", "logout", "regenerate"])
    def test_an_answer_that_changed_the_session_depends_on_it(
        self, visitor: Visitor, deed: str
    ) -> None:
        answer = visitor.ask(f"/do/{deed}", key="a", value="1", user="ann")
        assert (answer.status, vary_of(answer)) == (200, ["Cookie"])

    def test_what_the_application_says_of_caches_stays(self, visitor: Visitor) -> None:
        visitor.do("put", key="x", value="1")
        answer = visitor.ask("/cached")
        assert vary_of(answer) == ["Accept", "Cookie"]
        assert header(answer, "Cache-Control") == ["public"]

    @pytest.mark.parametrize("deed", ["empty", "clear", "logout", "destroy"])
    def test_the_cookie_of_a_session_that_ended_is_taken_back(
        self, visitor: Visitor, deed: str
    ) -> None:
        """With the attributes with which it was set: another cookie would be deleted otherwise."""
        [given] = cookies_of(visitor.ask("/do/put", key="a", value="1"))
        token = visitor.token
        answer = visitor.ask(f"/do/{deed}")
        [taken] = cookies_of(answer)
        without = visitor.site.framework.taken_without
        assert (attributes(given) - without, visitor.token) == (attributes(taken), "")
        assert vary_of(answer) == ["Cookie"]
        assert visitor.site.record(token) is None

    # -- responses of every kind ---------------------------------------------------------------

    def test_a_stream_is_released_before_its_first_byte(self, visitor: Visitor) -> None:
        answer = visitor.ask("/stream", key="a", value="1")
        assert answer.body.decode() == "onetwo" + visitor.site.framework.after_first_byte
        assert vary_of(answer) == ["Cookie"]
        assert visitor.everything() == {"a": "1"}

    def test_events_are_released_before_the_first(self, visitor: Visitor) -> None:
        answer = visitor.ask("/events", key="a", value="1")
        assert answer.body.decode().replace("\r\n", "\n").strip().split("\n\n") == ONE_AND_TWO
        assert header(answer, "Content-Type")[0].startswith("text/event-stream")
        assert visitor.everything() == {"a": "1"}

    def test_an_error_that_nobody_handles_saves_nothing(self, visitor: Visitor) -> None:
        """Unless the framework makes a response of it, which is a response like any other."""
        visitor.do("put", key="a", value="1")
        assert visitor.ask("/raise", key="a", value="2").status == 500
        kept = "2" if visitor.site.framework.keeps_errors else "1"
        assert visitor.everything() == {"a": kept}

    def test_an_error_that_is_handled_saves(self, visitor: Visitor) -> None:
        assert visitor.ask("/handled", key="a", value="1").status == 418
        assert visitor.everything() == {"a": "1", "handled": "yes"}

    def test_a_redirect_carries_the_cookie(self, visitor: Visitor) -> None:
        answer = visitor.ask("/redirect", key="a", value="1")
        assert answer.status == 302
        [there] = header(answer, "Location")
        assert there.endswith("/do/everything")
        assert visitor.result("/do/everything") == {"a": "1"}

    def test_not_modified_still_depends_on_the_session(self, visitor: Visitor) -> None:
        """RFC 9110, 15.4.5: Vary as in a 200."""
        visitor.do("put", key="x", value="1")
        answer = visitor.ask("/not-modified")
        assert (answer.status, answer.body, vary_of(answer)) == (304, b"", ["Cookie"])
        assert silent(answer)

    def test_head_does_all_but_the_body(self, visitor: Visitor) -> None:
        answer = visitor.ask("/do/put", "HEAD", key="a", value="1")
        assert (answer.status, answer.body, vary_of(answer)) == (200, b"", ["Cookie"])
        assert visitor.everything() == {"a": "1"}
        read = visitor.ask("/do/get", "HEAD", key="a")
        assert (read.status, read.body, vary_of(read), silent(read)) == (200, b"", ["Cookie"], True)

    # -- the store is out of reach -------------------------------------------------------------

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_without_its_store_it_is_unavailable(self, visitor: Visitor, method: str) -> None:
        """For who has a session, and for who is to get one; and afterwards all is as it was."""
        visitor.do("put", key="a", value="1")
        token, stranger = visitor.token, Visitor(visitor.site)
        with visitor.site.store.outage():
            for one, deed in ((visitor, "get"), (visitor, "put"), (stranger, "put")):
                answer = one.ask(f"/do/{deed}", method, key="a", value="2")
                assert answer.status == visitor.site.framework.outage
                assert cookies_of(answer) == []
                if answer.status == 503:
                    assert int(*header(answer, "Retry-After")) > 0
                    assert header(answer, "Cache-Control") == ["no-store"]
                    assert (b"unavailable" in answer.body) is (method == "GET")
        assert (visitor.token, stranger.token) == (token, "")
        assert visitor.everything() == {"a": "1"}

    def test_what_a_view_says_that_asks_the_store_in_vain(self, visitor: Visitor) -> None:
        with visitor.site.store.outage():
            answer = visitor.ask("/others", user="ann")
        assert answer.status == visitor.site.framework.outage_in_view
        assert answer.status != 503 or int(*header(answer, "Retry-After")) > 0

    def test_without_its_store_a_stranger_is_still_served(self, visitor: Visitor) -> None:
        with visitor.site.store.outage():
            assert visitor.ask("/quiet").status == 200
