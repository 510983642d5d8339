"""Law 10, visitors without data leave no trace; law 14, limits are refused with clear errors."""

from __future__ import annotations

import pytest

from sojourn.errors import EncodeError, SessionTooLarge
from sojourn.release import ReleaseOutcome
from sojourn.session import Session
from sojourn.testing._subject import Subject, Work, cookie_of


class Traces(Subject):
    """Which visitors get a record and a cookie, and when a record is removed again."""

    def test_quiet_visitors_leave_no_trace(self) -> None:
        """Law 10: a visitor without data gets no record and no cookie, even after many visits.

        The session is used, but at its release it holds no value and no user.
        """
        for _ in range(50):
            client = self.client()
            with client.visit() as session:
                # A value that is deleted again, and a new id for a session that holds nothing,
                # store nothing.
                session["a"] = 1
                assert "a" in session
                del session["a"]
                session.clear()
                session.regenerate_id()
            assert session.released is not None
            assert session.released.outcome is ReleaseOutcome.UNCHANGED
            assert cookie_of(session.released) is None
        assert self.trips.taken() == []
        assert self.manager.active_count() == 0

    @pytest.mark.parametrize(
        "empty",
        [
            lambda s: s.clear(),
            lambda s: (s.pop("a"), s.pop("b")),
            lambda s: s.popitem() and s.clear(),
        ],
        ids=["clear", "delete", "both"],
    )
    def test_an_emptied_session_ends(self, empty: Work) -> None:
        """Law 10: a session that loses its last value ends: record and cookie are deleted."""
        client = self.visitor({"a": 1, "b": 2})
        id = client.id
        [release] = client.overlap(empty, order=[0])
        assert release.outcome is ReleaseOutcome.ENDED
        assert "Max-Age=0" in str(cookie_of(release))
        assert client.token is None
        assert self.stands(id) is None
        assert ("destroyed", id) in self.events

    def test_a_session_to_which_another_request_adds_is_not_empty(self) -> None:
        """Law 10: a session is empty if the stored record is, not just the copy of one request.

        One request removes the only key that it has read; another one has stored a second key.
        """
        client = self.visitor({"a": 1})
        works: list[Work] = [lambda s: s.pop("a"), lambda s: s.update(b=2)]
        # Released in the order (1, 0), so the request that deletes the key comes last.
        late, first = client.overlap(*works, order=(1, 0))[::-1]
        assert (first.outcome, late.outcome) == (ReleaseOutcome.SAVED, ReleaseOutcome.SAVED)
        assert cookie_of(late) is None
        assert self.stored(client) == {"b": 2}

    def test_a_user_without_data_stays_signed_in(self) -> None:
        """Law 10: a record with a user but without any value is not empty, so it is kept."""
        client = self.member("ada")
        with client.visit() as session:
            session["a"] = 1
        with client.visit() as session:
            session.clear()
        assert client.start().user == "ada"

    def test_a_cookie_is_sent_when_a_session_is_created(self) -> None:
        """Law 10: the cookie is sent when the session is created, not again by later changes."""
        client = self.client()
        sent = []
        for number in range(3):
            with client.visit() as session:
                session["number"] = number
            sent.append(cookie_of(session.released))
        assert str(sent[0]).startswith("session=")
        assert sent[1:] == [None, None]


class Limits(Subject):
    """Limits that are checked before anything is sent to the store."""

    @pytest.mark.parametrize("stored", [False, True], ids=["new", "stored"])
    def test_a_session_may_not_exceed_its_size(self, stored: bool) -> None:  # noqa: FBT001
        """Law 14: a release that exceeds `max_size` stores nothing, not even its small values."""
        manager = self.managed(max_size=1000)
        client = self.visitor({"a": 1} if stored else {}, manager)
        session = client.start()
        session.update(a=2, large="x" * 1000)
        self.trips.taken()
        with pytest.raises(SessionTooLarge, match="max_size"):
            client.release(session)
        assert self.trips.taken() == []
        assert self.stored(client) == ({"a": 1} if stored else {})

    def test_a_session_may_not_grow_beyond_its_size(self) -> None:
        """Law 14: `max_size` limits the whole session: stored fields count, not only new ones."""
        client = self.visitor({"a": "x" * 600}, self.managed(max_size=1000))
        session = client.start()
        session["b"] = "x" * 600
        with pytest.raises(SessionTooLarge):
            client.release(session)
        assert list(self.stored(client)) == ["a"]

    @pytest.mark.parametrize("key", [1.5, True, None, (1, 2.5), [1], frozenset()], ids=repr)
    def test_a_key_of_impossible_shape_is_refused(self, key: object) -> None:
        """Law 14: an invalid key raises at the assignment, where the traceback is useful."""
        session = self.client().start()
        with pytest.raises(EncodeError, match="key"):
            session[key] = 1

    @pytest.mark.parametrize("user", ["", "u" * 256, "\u00fc" * 128, "a\0", "\ud800", 7, None])
    def test_an_impossible_user_is_refused(self, user: str) -> None:
        """Law 14: `login` refuses user names that some store could not keep and compare exactly."""
        session: Session = self.client().start()
        with pytest.raises(EncodeError, match="user"):
            session.login(user)
        assert session.user is None
