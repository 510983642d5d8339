"""Law 8: when a session expires, and when a visit extends it.

A "touch" is the update with which a visit stores the time of its request and a new expiry.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sojourn.errors import ConfigError
from sojourn.record import Changes
from sojourn.release import ReleaseOutcome
from sojourn.session import Session
from sojourn.testing._subject import Subject, Work, cookie_of

HOUR = 3600.0

# Everything that a request can do to extend a session.
EXTENDING: dict[str, Callable[[Session], object]] = {
    "touch": lambda _: None,
    "change": lambda s: s.update(b=2),
    "regenerate": lambda s: s.regenerate_id(),
    "login": lambda s: s.login("ada"),
    "login to stay": lambda s: s.login("ada", remember=2 * HOUR),
    "lifetime": lambda s: s.set_lifetime(2 * HOUR),
}


class Lifetimes(Subject):
    """The idle lifetime, the absolute lifetime, and a lifetime set for one session."""

    def test_a_session_expires_when_it_was_not_seen(self) -> None:
        """Law 8: a session expires `max_lifetime` after its last visit, to the second.

        This holds even if `gc` never ran.
        """
        client = self.visitor({"a": 1})
        self.clock.advance(HOUR - 1)
        assert self.manager.active_count() == 1
        assert client.start()["a"] == 1
        self.clock.advance(1)
        assert client.start().is_new
        assert self.events == [("expired", client.id)]
        assert self.manager.active_count() == 0
        assert list(self.manager.sessions()) == []

    def test_being_seen_keeps_it_alive(self) -> None:
        """Law 8: each visit restarts the idle lifetime."""
        client = self.visitor({"a": 1})
        for _ in range(5):
            self.clock.advance(HOUR - 60)
            with client.visit() as session:
                assert session["a"] == 1
        assert client.start().expires_at == self.clock() + HOUR
        assert client.start().seen_at == self.clock()

    @pytest.mark.parametrize("work", EXTENDING)
    def test_nothing_extends_the_absolute_lifetime(self, work: str) -> None:
        """Law 8: the absolute lifetime counts from the creation, and no operation extends it."""
        client = self.visitor({"a": 1}, self.managed(absolute_lifetime=2 * HOUR))
        created = self.clock()
        for _ in range(4):
            # Visits often enough that the idle lifetime never ends the session.
            self.clock.advance(HOUR / 2 - 1)
            with client.visit() as session:
                EXTENDING[work](session)
            assert client.start().created_at == created
            assert client.start().expires_at <= created + 2 * HOUR
        self.clock.now = created + 2 * HOUR - 1
        assert client.start()["a"] == 1
        self.clock.advance(1)
        assert client.start().is_new

    def test_a_session_may_have_a_lifetime_of_its_own(self) -> None:
        """Law 8: `set_lifetime` can give one session a longer idle lifetime.

        With `persistent=True` its cookie gets the same lifetime as Max-Age.
        """
        client = self.visitor({"a": 1})
        [release] = client.overlap(lambda s: s.set_lifetime(10 * HOUR, persistent=True), order=[0])
        assert f"Max-Age={int(10 * HOUR)}" in str(cookie_of(release))
        for _ in range(3):
            self.clock.advance(10 * HOUR - 1)
            client.overlap(len, order=[0])
        assert self.stored(client) == {"a": 1}
        self.clock.advance(10 * HOUR)
        assert client.start().is_new

    def test_a_lifetime_of_its_own_may_be_shorter(self) -> None:
        """Law 8: `set_lifetime` can shorten a lifetime.

        Requests that began before do not extend it again.
        """
        client = self.visitor({"a": 1})
        self.clock.advance(60)
        # The touch and the change began with the longer lifetime, and are released after the
        # shorter one.
        client.overlap(lambda s: s.set_lifetime(60), len, lambda s: s.update(b=2), order=(0, 1, 2))
        self.clock.advance(59)
        assert self.stored(client) == {"a": 1, "b": 2}
        self.clock.advance(1)
        assert client.start().is_new

    def test_a_lifetime_that_was_taken_back_stays_so(self) -> None:
        """Law 8: `set_lifetime(None)` restores the configured lifetime.

        Requests that began before, with the longer one, do not restore it.
        """
        client = self.visitor({"a": 1})
        client.overlap(lambda s: s.set_lifetime(10 * HOUR), order=[0])
        self.clock.advance(60)
        client.overlap(lambda s: s.set_lifetime(None), len, order=(0, 1))
        assert client.start().expires_at == self.clock() + HOUR

    def test_a_lifetime_survives_a_new_id(self) -> None:
        """Law 8: a lifetime set for one session is kept when the session gets a new id."""
        client = self.visitor({"a": 1})
        client.overlap(lambda s: s.set_lifetime(10 * HOUR), order=[0])
        client.overlap(lambda s: s.regenerate_id(), order=[0])
        self.clock.advance(10 * HOUR - 1)
        assert self.stored(client) == {"a": 1}

    @pytest.mark.parametrize("seconds", [0, -1, 3 * HOUR, float("nan"), float("inf")])
    def test_an_impossible_lifetime_is_refused(self, seconds: float) -> None:
        """Law 8: `set_lifetime` refuses values not above 0, or above `absolute_lifetime`."""
        session = self.client(self.managed(absolute_lifetime=2 * HOUR)).start()
        with pytest.raises(ConfigError, match="lifetime"):
            session.set_lifetime(seconds)

    def test_an_expired_session_leaves_nothing_behind(self) -> None:
        """Law 6: the client of an expired session begins with a new token and without any data."""
        client = self.visitor({"a": 1})
        expired = client.token
        self.clock.advance(HOUR)
        with client.visit() as session:
            session["b"] = 2
        assert client.token != expired
        assert self.stored(client) == {"b": 2}


class Touches(Subject):
    """When the time of the last visit is written to the store."""

    def test_a_touch_is_written_once_in_an_interval(self) -> None:
        """Law 8: a touch is written at most once per interval: here for two of ten visits."""
        client = self.visitor({"a": 1})
        outcomes = []
        for _ in range(10):
            # Five visits take 60 seconds, which is the interval by default.
            self.clock.advance(12)
            with client.visit() as session:
                assert session["a"] == 1
            assert session.released is not None
            outcomes.append(session.released.outcome)
        assert outcomes == ([ReleaseOutcome.UNCHANGED] * 4 + [ReleaseOutcome.TOUCHED]) * 2
        assert self.trips.taken().count("update") == 2

    def test_a_write_moves_the_times_no_more_often(self) -> None:
        """Law 8: requests that write update the times at most once per interval, too."""
        client = self.visitor({"a": 1})
        began = self.clock()
        # `seen` moves only when a whole interval of 60 seconds has passed.
        for advance, seen in ((59, began), (1, began + 60), (59, began + 60), (1, began + 120)):
            self.clock.advance(advance)
            with client.visit() as session:
                session["a"] = self.clock()
            assert client.start().seen_at == seen
            assert client.start().expires_at == seen + HOUR

    def test_the_interval_is_configured(self) -> None:
        """Law 8: the setting `touch_interval` determines how often a touch is written."""
        client = self.visitor({"a": 1}, self.managed(touch_interval=10))
        outcomes = []
        for advance in (9, 1):
            self.clock.advance(advance)
            outcomes.append(client.release(client.start()).outcome)
        assert outcomes == [ReleaseOutcome.UNCHANGED, ReleaseOutcome.TOUCHED]

    def test_where_only_changes_count_a_read_is_no_touch(self) -> None:
        """Law 8: with `touch_on="change"`, a request that only reads extends nothing."""
        client = self.visitor({"a": 1}, self.managed(touch_on="change"))
        began = self.clock()
        self.clock.advance(HOUR / 2)
        assert client.release(client.start()).outcome is ReleaseOutcome.UNCHANGED
        assert client.start().seen_at == began
        client.overlap(lambda s: s.update(a=2), order=[0])
        assert client.start().expires_at == began + 1.5 * HOUR

    def test_a_short_session_is_touched_in_time(self) -> None:
        """Law 8: the interval is at most a sixtieth of the lifetime of the session.

        Otherwise a short session could expire between two visits, before a touch is due.
        """
        client = self.visitor({"a": 1})
        client.overlap(lambda s: s.set_lifetime(60), order=[0])
        for _ in range(5):
            self.clock.advance(50)
            assert self.stored(client) == {"a": 1}
            client.overlap(len, order=[0])

    def test_unused_sessions_are_touched_as_often_as_others(self) -> None:
        """Law 8: "last seen" moves at the same times, whether or not requests use their sessions."""
        user, other = self.visitor({"a": 1}), self.visitor({"a": 1})
        for seconds in (0, 1, 30, 28, 1, 61, 59, 2, 119, 0.5, 59.5, 1000, 60):
            self.clock.advance(seconds)
            used, unused = user.release(user.start()), other.pass_by()
            assert used == unused
            seen = [self.store.read(client.id) for client in (user, other)]
            assert len({record and record.seen for record in seen}) == 1

    def test_an_unused_short_session_is_touched_in_time(self) -> None:
        """Law 8: a session with a lifetime of its own has a shorter interval, used or not."""
        client = self.visitor({"a": 1})
        client.pass_by()
        client.overlap(lambda s: s.set_lifetime(60), order=[0])
        for _ in range(5):
            self.clock.advance(50)
            client.pass_by()
        assert self.stored(client) == {"a": 1}

    def test_a_touch_carries_nothing(self) -> None:
        """Law 8: a touch contains no field, so it is cheap and never collides with a change."""
        client = self.visitor({"a": 1, "large": "x" * 10_000})
        self.clock.advance(60)
        with client.visit() as session:
            assert session["large"]
        changes = self.trips.trips[-1].args[1]
        touch = Changes(now=self.clock(), expires=self.clock() + HOUR)
        assert changes._replace(drop=tuple(changes.drop)) == touch

    def test_a_touch_does_not_shorten_a_session_that_is_to_stay(self) -> None:
        """Law 8: a touch does not shorten a lifetime set by an overlapping request.

        Its request began before the user ticked "remember me".
        """
        client = self.visitor({"a": 1})
        self.clock.advance(60)
        # `len` only reads, so the release of that request is a touch.
        works: list[Work] = [lambda s: s.set_lifetime(10 * HOUR), len]
        client.overlap(*works, order=(0, 1))
        assert client.start().expires_at == self.clock() + 10 * HOUR

    def test_a_lasting_cookie_is_sent_with_a_touch(self) -> None:
        """Law 5: a persistent cookie is sent again with each touch that is written, and only then.

        Its Max-Age must be renewed, or the browser would drop the cookie before the session ends.
        """
        client = self.client()
        client.overlap(lambda s: s.login("ada", remember=10 * HOUR), order=[0])
        token = client.token
        cookies = []
        # Of the visits after 30, 60 and 90 seconds, only the second one writes a touch.
        for advance in (30, 30, 30):
            self.clock.advance(advance)
            cookies.append(cookie_of(client.release(client.start())))
        assert cookies[::2] == [None, None]
        assert str(cookies[1]).startswith(f"session={token};")
        assert f"Max-Age={int(10 * HOUR)}" in str(cookies[1])

    def test_a_cookie_of_the_browser_session_is_not_sent_again(self) -> None:
        """Law 5: a cookie without Max-Age is not sent again by a touch."""
        client = self.visitor({"a": 1})
        self.clock.advance(60)
        release = client.release(client.start())
        assert release.outcome is ReleaseOutcome.TOUCHED
        assert cookie_of(release) is None
