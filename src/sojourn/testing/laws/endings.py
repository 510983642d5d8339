"""Law 5: a session that has ended is never written again, and a late release harms no newer one.

A release is "late" if its session ended after the request had begun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sojourn.errors import SessionGone
from sojourn.release import Release, ReleaseOutcome
from sojourn.session import Session
from sojourn.testing._subject import Client, Subject, Work, both_orders, cookie_of

LATE = ReleaseOutcome.LATE


def expire(laws: Subject, _: Client) -> None:
    """Let the session expire."""
    laws.clock.advance(3600)


def end_by(work: Work) -> Callable[[Subject, Client], object]:
    """Return a function that ends the session in a request that does this work."""
    return lambda _, client: client.overlap(work, order=[0])


# Each way for a session to end.  After the two that give it a new id, it continues under that id.
ENDS: dict[str, Callable[[Subject, Client], object]] = {
    "destroyed": end_by(lambda s: s.destroy()),
    "signed out": end_by(lambda s: s.logout()),
    "destroyed by id": lambda laws, client: laws.manager.destroy(client.id),
    "emptied": end_by(lambda s: s.clear()),
    "regenerated away": end_by(lambda s: s.regenerate_id()),
    "signed in": end_by(lambda s: s.login("ada")),
    "expired": expire,
}

# Work of a request that has no effect if its session has ended in the meantime.
LATECOMERS: dict[str, Work] = {
    "change": lambda s: s.update(late=1),
    "in-place": lambda s: s["cart"].append("late"),
    "apply": lambda s: s.apply("a", lambda value: value + 1),
    "delete": lambda s: s.pop("a"),
    "clear": lambda s: s.clear() or s.update(late=1),
    "empty": lambda s: s.clear(),
    "lifetime": lambda s: s.set_lifetime(86400, persistent=True),
    "regenerate": lambda s: s.regenerate_id() or s.update(late=1),
    "touch": lambda _: None,
}


class Endings(Subject):
    """Requests that are released after their session has ended."""

    def ended_meanwhile(self, end: str, work: Work) -> tuple[Client, Session, Release]:
        """Start a request, end its session by another one, and release the first request.

        Returns the client of the other request, and the session and the release of the late one.
        """
        client = self.visitor({"a": 1, "cart": ["tea"]})
        # After a touch interval, so that even a request without changes has something to write.
        self.clock.advance(60)
        # Another client object, because the ending request replaces or deletes the cookie of
        # `client`.
        session = client.twin().start()
        work(session)
        ENDS[end](self, client)
        return client, session, self.manager.release(session)

    @pytest.mark.parametrize("work", LATECOMERS)
    @pytest.mark.parametrize("end", ENDS)
    def test_what_comes_late_is_dropped(self, end: str, work: str) -> None:
        """Law 5: a late release stores nothing, sends no cookie, and is reported once as `late`.

        If the session continued under a new id, that one is unchanged.
        """
        client, _, release = self.ended_meanwhile(end, LATECOMERS[work])
        assert release.outcome is LATE
        assert cookie_of(release) is None
        assert [name for name, _ in self.events].count("late") == 1
        going_on = end in {"regenerated away", "signed in"}
        assert self.manager.active_count() == going_on
        assert self.stored(client) == ({"a": 1, "cart": ["tea"]} if going_on else {})
        # The ended session must not be opened by its last token either.
        if not going_on:
            assert self.manager.start({"Cookie": f"session={client.token}"}).is_new

    @pytest.mark.parametrize("end", ["destroyed", "signed out", "destroyed by id", "emptied"])
    def test_an_end_that_comes_late_is_dropped(self, end: str) -> None:
        """Law 5: a late `destroy` deletes no cookie.

        The client may have the cookie of a new session by now.
        """
        _, _, release = self.ended_meanwhile(end, lambda s: s.destroy() or s.update(new=1))
        assert release.outcome is LATE
        assert cookie_of(release) is None
        assert self.manager.active_count() == 0

    @pytest.mark.parametrize("end", ENDS)
    def test_a_sign_in_that_comes_late_starts_afresh(self, end: str) -> None:
        """Law 5: a late sign-in creates a new session, with the data of only this request."""
        _, session, release = self.ended_meanwhile(end, sign_in)
        assert release.outcome is ReleaseOutcome.CREATED
        token = str(cookie_of(release)).partition("=")[2].partition(";")[0]
        fresh = self.manager.start({"Cookie": f"session={token}"})
        assert (fresh.user, fresh.id) == ("bob", session.id)
        assert dict(fresh) == {"mine": 1}
        assert fresh.created_at == self.clock()

    @pytest.mark.parametrize("before", ["ada", "bob"])
    def test_a_sign_in_that_comes_late_inherits_no_lifetime(self, before: str) -> None:
        """Law 5: the new session of a late sign-in does not take over a "remember me" lifetime.

        That lifetime was set for the session that has ended.
        """
        client = self.client()
        client.overlap(lambda s: s.login(before, remember=86400), order=[0])
        release = client.overlap(lambda s: s.logout(), sign_in, order=(0, 1))[1]
        assert release.outcome is ReleaseOutcome.CREATED
        # 3600 seconds is the configured idle lifetime.
        fresh = client.start()
        assert (fresh.user, fresh.expires_at) == ("bob", self.clock() + 3600)
        assert "Max-Age" not in str(cookie_of(release))

    @both_orders
    def test_a_sign_in_clicked_twice_ends_signed_in(self, order: tuple[int, int]) -> None:
        """Law 5: two overlapping sign-ins of one user leave one session.

        The cookie of the later response opens it.
        """
        client = self.visitor({"cart": ["tea"]})
        releases = client.overlap(sign_in, sign_in, order=order)
        assert [release.outcome for release in releases] == ["renewed", "created"]
        assert client.start().user == "bob"
        assert self.manager.active_count() == 1

    @pytest.mark.parametrize("reads", ["before", "after"])
    def test_a_sign_in_clicked_twice_leaves_nothing_behind_a_sign_out(self, reads: str) -> None:
        """Law 5: after two sign-ins with one old cookie, a sign-out leaves no session behind.

        This holds whether the second request began before or after the first one was released.
        """
        client = self.visitor({"a": 1})
        token = client.token
        second = client.start() if reads == "before" else None
        with client.visit() as first:
            first.login("bob")
        # The second click was sent with the old cookie, before the first response arrived.
        client.token = token
        # With "after", the session is already a tombstone when the second request reads it.
        second = second or client.start()
        second.login("bob")
        client.release(second)
        with client.visit() as session:
            assert session.user == "bob"
            session.logout()
        assert self.manager.active_count() == 0
        assert list(self.manager.sessions("bob")) == []

    def test_a_sign_in_clicked_many_times_leaves_one_session(self) -> None:
        """Law 5: any number of sign-ins of one user with the same old cookie leaves one session.

        This holds for requests that began before and after the first response.
        """
        client = self.visitor({"a": 1})
        token = client.token
        sessions = [client.start() for _ in range(3)]
        with client.visit() as first:
            first.login("bob")
        client.token = token
        sessions += [client.start() for _ in range(2)]
        for session in sessions:
            session["mine"] = session.id
            session.login("bob")
            client.release(session)
            assert self.manager.active_count() == 1
            assert self.stored(client) == {"mine": session["mine"]}

    def test_a_second_sign_in_ends_no_session_of_another_user(self) -> None:
        """Law 5: a sign-in with a retired token does not end the session of another user.

        A retired token may be in the hands of a stranger.
        """
        client = self.visitor({"a": 1})
        stranger = client.twin()
        with client.visit() as session:
            session.login("ada")
        with stranger.visit() as session:
            session.login("mallory")
        assert client.start().user == "ada"

    @both_orders
    @pytest.mark.parametrize("renew", ["regenerate_id", "login"])
    def test_ending_wins_over_renewing(self, renew: str, order: tuple[int, int]) -> None:
        """Law 5: a sign-out ends the session even if another request has just given it a new id.

        If the sign-out comes first, a new id has no effect, and a sign-in creates a new session.
        """
        client = self.visitor({"a": 1})
        works: list[Work] = [
            lambda s: s.login("ada") if renew == "login" else s.regenerate_id(),
            lambda s: s.destroy(),
        ]
        releases = client.overlap(*works, order=order)
        outcomes = [release.outcome for release in releases]
        if order == (0, 1):
            assert outcomes == [ReleaseOutcome.RENEWED, ReleaseOutcome.ENDED]
            assert self.manager.active_count() == 0
            assert client.token is None
        else:
            late = ReleaseOutcome.CREATED if renew == "login" else LATE
            assert outcomes == [ReleaseOutcome.ENDED, late]
            assert self.stored(client) == {}

    def test_an_old_id_leads_to_the_end_of_its_successors(self) -> None:
        """Law 5: `destroy` with an old id follows all moves and ends the current session."""
        client = self.visitor({"a": 1})
        first = client.id
        for _ in range(3):
            with client.visit() as session:
                session.regenerate_id()
        assert self.manager.destroy(first) is True
        assert self.manager.active_count() == 0
        assert client.start().is_new
        assert self.manager.destroy(first) is False

    def test_an_old_id_ends_nothing_once_its_tombstone_is_gone(self) -> None:
        """Law 5: an old id leads to the current session only as long as its tombstone is stored."""
        client = self.visitor({"a": 1})
        first = client.id
        with client.visit() as session:
            session.regenerate_id()
        self.clock.advance(10)
        # The tombstone has expired, and is swept like an expired session.
        assert self.manager.gc() == 1
        assert self.manager.destroy(first) is False
        assert self.stored(client) == {"a": 1}

    @pytest.mark.parametrize("end", ["destroy", "logout", "clear"])
    def test_a_retired_token_can_end_nothing(self, end: str) -> None:
        """Law 5: a request that began with a retired token cannot end the current session."""
        client = self.visitor({"a": 1})
        thief = client.twin()
        with client.visit() as session:
            session.regenerate_id()
        session = thief.start()
        getattr(session, end)()
        session["new"] = 1
        release = thief.release(session)
        assert release.outcome is ReleaseOutcome.RETIRED
        assert cookie_of(release) is None
        assert self.stored(client) == {"a": 1}

    def test_a_session_ends_once(self) -> None:
        """Law 5: of two overlapping sign-outs, one ends the session and deletes the cookie.

        The other one is reported as late and sends no cookie.
        """
        client = self.visitor({"a": 1})
        end: Work = lambda s: s.destroy()  # noqa: E731
        first, second = client.overlap(end, end, order=(0, 1))
        assert (first.outcome, second.outcome) == (ReleaseOutcome.ENDED, LATE)
        assert "Max-Age=0" in str(cookie_of(first))
        assert cookie_of(second) is None
        assert [name for name, _ in self.events] == ["destroyed", "late"]


class LateUses(Subject):
    """Law 5: requests that first use their session long after they began."""

    @pytest.mark.parametrize(
        "end",
        [
            lambda client: client.manager.destroy(client.id),
            lambda client: client.overlap(lambda s: s.regenerate_id(), order=[0]),
            lambda client: client.overlap(lambda s: s.destroy(), order=[0]),
        ],
        ids=["destroyed", "renewed", "signed-out"],
    )
    def test_a_late_use_takes_no_newer_cookie_away(self, end: Callable[[Client], object]) -> None:
        """Law 5: the client may have signed in again meanwhile, so such a request sends no cookie.

        For `retired_for` seconds after it began, a tombstone shows that its session has moved.
        """
        client = self.visitor({"a": 1})
        slow = client.twin()
        session = self.manager.start_lazily(slow.headers)
        end(client)
        # The tombstone of a session that has moved is forgotten by then.
        self.clock.advance(11)
        self.manager.gc()
        session["b"] = 2
        release = slow.release(session)
        assert release.outcome is ReleaseOutcome.RETIRED
        assert "Set-Cookie" not in dict(release.headers)

    def test_a_use_after_the_end_takes_no_newer_cookie_away(self) -> None:
        """Law 5: a request that began before the end of its session is late, whenever it reads it.

        One that begins after the end, with the same cookie, begins a new session.
        """
        client = self.visitor({"a": 1})
        slow = client.twin()
        session = self.manager.start_lazily(slow.headers)
        self.manager.destroy(client.id)
        session["b"] = 2
        release = slow.release(session)
        assert release.outcome is ReleaseOutcome.RETIRED
        assert "Set-Cookie" not in dict(release.headers)
        session = self.manager.start_lazily(slow.headers)
        session["b"] = 2
        assert slow.release(session).outcome is ReleaseOutcome.CREATED

    def test_a_late_sign_in_begins_a_session(self) -> None:
        """Law 5: a user who signs in at the end of a slow request is signed in."""
        client = self.visitor({"a": 1})
        session = self.manager.start_lazily(client.headers)
        self.manager.destroy(client.id)
        self.clock.advance(11)
        self.call(session.load)
        session.login("ada")
        assert client.release(session).outcome is ReleaseOutcome.CREATED
        with client.visit() as session:
            assert session.user == "ada"

    def test_a_late_first_use_without_a_token_begins_a_session(self) -> None:
        """Law 5: a visitor without a token has no newer one to lose."""
        client = self.client()
        session = self.manager.start_lazily({})
        self.clock.advance(11)
        self.call(session.load)
        session["a"] = 1
        assert client.release(session).outcome is ReleaseOutcome.CREATED


class Jobs(Subject):
    """Sessions opened by their id, without a request: the same laws hold for background jobs."""

    def test_a_job_changes_a_session(self) -> None:
        """Law 4: a job and an overlapping request keep each other's changes.

        A job does not count as a visit: it sends no cookie and does not extend the session.
        """
        client = self.visitor({"cart": ["tea"]})
        seen = client.start().seen_at
        self.clock.advance(120)
        with self.manager.open_id(client.id) as job:
            job["cart"].append("milk")
            with client.visit() as session:
                session["a"] = 1
            self.clock.advance(120)
        assert cookie_of(job.released) is None
        assert self.stored(client) == {"a": 1, "cart": ["tea", "milk"]}
        assert client.start().seen_at == seen + 120

    def test_a_job_without_a_session_does_not_begin(self) -> None:
        """Law 5: `open_id` raises SessionGone for an absent, expired or moved session."""
        client = self.visitor({"a": 1})
        first = client.id
        with client.visit() as session:
            session.regenerate_id()
        # Now the session has expired under its new id, and the old id leads nowhere.
        self.clock.advance(3600)
        for id in (self.client().start().id, first, client.id):
            with pytest.raises(SessionGone), self.manager.open_id(id):
                pytest.fail("it was opened")

    def test_a_job_that_comes_late_is_told(self) -> None:
        """Law 5: a job whose session ends during it raises SessionGone, and stores nothing."""
        client = self.visitor({"a": 1})

        def work() -> None:
            with self.manager.open_id(client.id) as job:
                job["late"] = 1
                self.manager.destroy(client.id)

        with pytest.raises(SessionGone):
            work()
        assert self.manager.active_count() == 0

    def test_a_job_can_end_a_session(self) -> None:
        """Law 5: a job can end a session, and the client then begins with a new one."""
        client = self.visitor({"a": 1})
        with self.manager.open_id(client.id) as job:
            job.destroy()
        assert client.start().is_new


def sign_in(session: Any) -> None:
    """Store a value, and sign in as "bob"."""
    session["mine"] = 1
    session.login("bob")
