"""Law 5: what has ended is never written again, and no late release hurts a newer session."""

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
    """Let the session run out."""
    laws.clock.advance(3600)


def end_by(work: Work) -> Callable[[Subject, Client], object]:
    """End it in a request."""
    return lambda _, client: client.overlap(work, order=[0])


ENDS: dict[str, Callable[[Subject, Client], object]] = {
    "destroyed": end_by(lambda s: s.destroy()),
    "signed out": end_by(lambda s: s.logout()),
    "destroyed by id": lambda laws, client: laws.manager.destroy(client.id),
    "emptied": end_by(lambda s: s.clear()),
    "regenerated away": end_by(lambda s: s.regenerate_id()),
    "signed in": end_by(lambda s: s.login("ada")),
    "expired": expire,
}

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
    """Late releases."""

    def ended_meanwhile(self, end: str, work: Work) -> tuple[Client, Session, Release]:
        """Begin a request, end its session from another, then release it."""
        client = self.visitor({"a": 1, "cart": ["tea"]})
        self.clock.advance(60)
        session = client.twin().start()
        work(session)
        ENDS[end](self, client)
        return client, session, self.manager.release(session)

    @pytest.mark.parametrize("work", LATECOMERS)
    @pytest.mark.parametrize("end", ENDS)
    def test_what_comes_late_is_dropped(self, end: str, work: str) -> None:
        """Law 5: nothing is stored, no cookie is sent, and it is reported."""
        client, _, release = self.ended_meanwhile(end, LATECOMERS[work])
        assert release.outcome is LATE
        assert cookie_of(release) is None
        assert [name for name, _ in self.events].count("late") == 1
        going_on = end in {"regenerated away", "signed in"}
        assert self.manager.active_count() == going_on
        assert self.stored(client) == ({"a": 1, "cart": ["tea"]} if going_on else {})
        if not going_on:
            assert self.manager.start({"Cookie": f"sid={client.token}"}).is_new

    @pytest.mark.parametrize("end", ["destroyed", "signed out", "destroyed by id", "emptied"])
    def test_an_end_that_comes_late_is_dropped(self, end: str) -> None:
        """Law 5: the client may hold the cookie of a new session by now."""
        _, _, release = self.ended_meanwhile(end, lambda s: s.destroy() or s.update(new=1))
        assert release.outcome is LATE
        assert cookie_of(release) is None
        assert self.manager.active_count() == 0

    @pytest.mark.parametrize("end", ENDS)
    def test_a_sign_in_that_comes_late_starts_afresh(self, end: str) -> None:
        """Law 5: with the user, and only with what the request itself put."""
        _, session, release = self.ended_meanwhile(end, sign_in)
        assert release.outcome is ReleaseOutcome.CREATED
        token = str(cookie_of(release)).partition("=")[2].partition(";")[0]
        fresh = self.manager.start({"Cookie": f"sid={token}"})
        assert (fresh.user, fresh.id) == ("bob", session.id)
        assert dict(fresh) == {"mine": 1}
        assert fresh.created_at == self.clock()

    @pytest.mark.parametrize("before", ["ada", "bob"])
    def test_a_sign_in_that_comes_late_inherits_no_lifetime(self, before: str) -> None:
        """Law 5: "remember me" was said of the session that ended."""
        client = self.client()
        client.overlap(lambda s: s.login(before, remember=86400), order=[0])
        release = client.overlap(lambda s: s.logout(), sign_in, order=(0, 1))[1]
        assert release.outcome is ReleaseOutcome.CREATED
        fresh = client.start()
        assert (fresh.user, fresh.expires_at) == ("bob", self.clock() + 3600)
        assert "Max-Age" not in str(cookie_of(release))

    @both_orders
    def test_a_sign_in_clicked_twice_ends_signed_in(self, order: tuple[int, int]) -> None:
        """Law 5: whichever answer comes last, its cookie opens a session of that user."""
        client = self.visitor({"cart": ["tea"]})
        releases = client.overlap(sign_in, sign_in, order=order)
        assert [release.outcome for release in releases] == ["renewed", "created"]
        for release in releases:
            headers = {"Cookie": str(cookie_of(release)).partition(";")[0]}
            assert self.manager.start(headers).user == "bob"

    @both_orders
    @pytest.mark.parametrize("renew", ["regenerate_id", "login"])
    def test_ending_wins_over_renewing(self, renew: str, order: tuple[int, int]) -> None:
        """Law 5: a sign-out ends the session, though another request has just renewed its id."""
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
        """Law 5: along the whole chain."""
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
        """Law 5: it leads on as long as the tombstone stands."""
        client = self.visitor({"a": 1})
        first = client.id
        with client.visit() as session:
            session.regenerate_id()
        self.clock.advance(10)
        assert self.manager.gc() == 1
        assert self.manager.destroy(first) is False
        assert self.stored(client) == {"a": 1}

    @pytest.mark.parametrize("end", ["destroy", "logout", "clear"])
    def test_a_retired_token_can_end_nothing(self, end: str) -> None:
        """Law 5: whoever has only an old one has no say."""
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
        """Law 5: of two sign-outs one ends it; the other tells the client nothing."""
        client = self.visitor({"a": 1})
        end: Work = lambda s: s.destroy()  # noqa: E731
        first, second = client.overlap(end, end, order=(0, 1))
        assert (first.outcome, second.outcome) == (ReleaseOutcome.ENDED, LATE)
        assert "Max-Age=0" in str(cookie_of(first))
        assert cookie_of(second) is None
        assert [name for name, _ in self.events] == ["destroyed", "late"]


class Jobs(Subject):
    """Work on a session without a request, under the same laws."""

    def test_a_job_changes_a_session(self) -> None:
        """Law 4: what requests change meanwhile stands; it counts as no visit."""
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
        """Law 5: absent, retired or expired."""
        client = self.visitor({"a": 1})
        first = client.id
        with client.visit() as session:
            session.regenerate_id()
        self.clock.advance(3600)
        for id in (self.client().start().id, first, client.id):
            with pytest.raises(SessionGone), self.manager.open_id(id):
                pytest.fail("it was opened")

    def test_a_job_that_comes_late_is_told(self) -> None:
        """Law 5: nothing was stored."""
        client = self.visitor({"a": 1})

        def work() -> None:
            with self.manager.open_id(client.id) as job:
                job["late"] = 1
                self.manager.destroy(client.id)

        with pytest.raises(SessionGone):
            work()
        assert self.manager.active_count() == 0

    def test_a_job_can_end_a_session(self) -> None:
        """And then it is over."""
        client = self.visitor({"a": 1})
        with self.manager.open_id(client.id) as job:
            job.destroy()
        assert client.start().is_new


def sign_in(session: Any) -> None:
    """Sign in, and put something."""
    session["mine"] = 1
    session.login("bob")
