"""Law 6, no fixation; law 7, no secret leaves the manager."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64decode

import pytest

from sojourn.errors import SessionError
from sojourn.release import ReleaseOutcome
from sojourn.session import Session
from sojourn.testing._subject import UNKNOWN, Client, Subject, Work, both_orders, cookie_of

RENEWALS = pytest.mark.parametrize(
    "renew", [lambda s: s.regenerate_id(), lambda s: s.login("ada")], ids=["regenerate", "login"]
)


class Renewals(Subject):
    """Which token names which session."""

    def renewed(self, renew: Work) -> tuple[Client, Client]:
        """Return a client with a new token, and one that kept the old one."""
        client = self.visitor({"a": 1})
        old = client.twin()
        with client.visit() as session:
            renew(session)
        self.events.clear()
        return client, old

    def test_a_token_that_nobody_issued_names_nothing(self) -> None:
        """Law 6: what is put then goes into a session with a token of ours."""
        victim = self.client()
        victim.token = planted = UNKNOWN[0]
        with victim.visit() as session:
            assert session.is_new
            session["a"] = 1
        assert session.released is not None
        assert victim.token not in (None, planted)
        assert self.manager.start({"Cookie": f"sid={planted}"}).is_new
        assert ("rejected", self.trips.trips[0].args[0]) in self.events

    def test_a_token_of_an_emptied_store_is_not_adopted(self) -> None:
        """Law 6: though it was ours once."""
        client = self.visitor({"a": 1})
        lost = client.token
        self.store.destroy(client.id)
        with client.visit() as session:
            session["a"] = 2
        assert client.token != lost

    def test_an_id_is_not_a_token(self) -> None:
        """Law 7: whoever reads the store, a list or a log opens no session."""
        client = self.visitor({"a": 1})
        assert self.manager.start({"Cookie": f"sid={client.id}"}).is_new
        assert self.manager.start({"Cookie": f"sid={client.id[:43]}"}).is_new

    @RENEWALS
    def test_a_renewed_session_has_a_new_token(self, renew: Work) -> None:
        """Law 6: and a new id, which was known before the release."""
        client, old = self.renewed(renew)
        assert client.token != old.token
        assert client.id != old.id
        assert self.stored(client) == {"a": 1}
        assert client.start().id == client.id

    @RENEWALS
    def test_a_retired_token_sees_and_stores_nothing(self, renew: Work) -> None:
        """Law 6: it is dead at once, and its answer overwrites no cookie."""
        client, old = self.renewed(renew)
        for advance in (0, 5, 4.9):
            self.clock.advance(advance)
            with old.visit() as session:
                assert (dict(session), session.user) == ({}, None)
                session["stolen"] = 1
                session.regenerate_id()
            assert session.released is not None
            assert session.released.outcome is ReleaseOutcome.RETIRED
            assert cookie_of(session.released) is None
        assert self.events == [("retired", old.id)] * 3
        assert self.stored(client) == {"a": 1}
        assert self.manager.active_count() == 1

    @RENEWALS
    @both_orders
    def test_a_retired_token_hides_no_living_one(self, order: tuple[int, int], renew: Work) -> None:
        """Law 6: two cookies of our name come where the cookie's domain or path was changed."""
        client, old = self.renewed(renew)
        tokens = [(old.token, client.token)[place] for place in order]
        session = self.manager.start({"Cookie": "; ".join(f"sid={token}" for token in tokens)})
        assert (dict(session), session.is_retired) == ({"a": 1}, False)

    @both_orders
    def test_an_unknown_token_hides_no_retired_one(self, order: tuple[int, int]) -> None:
        """Law 6: it must not begin a session whose cookie takes the place of the newer one."""
        _, old = self.renewed(lambda s: s.regenerate_id())
        tokens = [(old.token, UNKNOWN[0])[place] for place in order]
        session = self.manager.start({"Cookie": "; ".join(f"sid={token}" for token in tokens)})
        session["a"] = 2
        assert session.is_retired
        assert self.manager.release(session).outcome is ReleaseOutcome.RETIRED

    @RENEWALS
    def test_after_its_time_a_retired_token_is_unknown(self, renew: Work) -> None:
        """Law 6: its client gets a session and a token of its own."""
        client, old = self.renewed(renew)
        retired = old.token
        self.clock.advance(10)
        with old.visit() as session:
            assert session.is_new
            session["b"] = 2
        assert old.token not in (retired, client.token)
        assert (self.stored(old), self.stored(client)) == ({"b": 2}, {"a": 1})

    def test_the_time_of_the_retired_is_configured(self) -> None:
        """Law 6: `retired_for`."""
        manager = self.managed(retired_for=100)
        client = self.visitor({"a": 1}, manager)
        old = client.twin()
        with client.visit() as session:
            session.regenerate_id()
        for advance, outcome in ((99, ReleaseOutcome.RETIRED), (1, ReleaseOutcome.UNCHANGED)):
            self.clock.advance(advance)
            assert old.release(old.start()).outcome is outcome

    def test_a_retired_token_can_sign_in(self) -> None:
        """Law 6: into a session of its own, which begins with nothing."""
        client, old = self.renewed(lambda s: s.login("ada"))
        with old.visit() as session:
            session["b"] = 2
            session.login("bob")
        assert (old.start().user, self.stored(old)) == ("bob", {"b": 2})
        assert (client.start().user, self.stored(client)) == ("ada", {"a": 1})

    @both_orders
    def test_a_user_never_changes_under_one_id(self, order: tuple[int, int]) -> None:
        """Law 6: of two sign-ins at once each has its own id, and its own user."""
        client = self.visitor({"a": 1})
        first = client.id
        for release in client.overlap(
            lambda s: s.login("ada"), lambda s: s.login("bob"), order=order
        ):
            session = self.manager.start({"Cookie": str(cookie_of(release)).partition(";")[0]})
            assert session.user is not None
            [info] = self.manager.sessions(session.user)
            assert info.id == session.id != first
        assert {info.user for info in self.manager.sessions()} == {"ada", "bob"}

    def test_data_of_another_user_is_dropped(self) -> None:
        """Law 6: what the same user, or nobody, put may stay."""
        client = self.visitor({"anonymous": 1})
        for number, user, keep, expected in [
            (1, "ada", True, {"anonymous", 1}),
            (2, "ada", True, {"anonymous", 1, 2}),
            (3, "bob", True, {3}),
            (4, "bob", False, {4}),
        ]:
            with client.visit() as session:
                session.login(user, keep=keep)
                session[number] = 1
            assert set(self.stored(client)) == expected
            assert client.start().user == user


class Secrets(Subject):
    """What is seen outside."""

    def lived(self) -> set[str]:
        """Live through much of what a session can live through; return the tokens used."""
        client = self.client()
        client.overlap(lambda s: s.update(a=1, cart=[]), order=[0])
        tokens = {str(client.token)}
        for work in (sign_in, lambda s: s.regenerate_id(), lambda s: s.set_lifetime(60)):
            old = client.twin()
            client.overlap(work, lambda s: s["cart"].append(1), order=(0, 1))
            old.overlap(lambda s: s.login("bob"), order=[0])
            tokens |= {str(client.token), str(old.token)}
        with client.visit() as session:
            session.destroy()
            session["b"] = 1
        return {*tokens, str(client.token), UNKNOWN[0]}

    def test_a_provider_sees_no_token(self) -> None:
        """Law 7: neither as text nor as bytes, in anything that it is passed."""
        tokens = self.lived()
        taken = self.trips.trips
        self.manager.start({"Cookie": f"sid={UNKNOWN[0]}"})
        assert len(taken) > 20
        passed = repr(taken)
        for token in tokens:
            secret = urlsafe_b64decode(token + "=")
            for form in (token, token.encode().hex(), secret.hex(), repr(secret)[2:-1]):
                assert form not in passed

    def test_a_log_sees_no_token(self, caplog: pytest.LogCaptureFixture) -> None:
        """Law 7: nor does the function that hears of events."""
        with caplog.at_level(logging.DEBUG):
            tokens = self.lived()
        assert "renewed" in caplog.text
        for token in tokens:
            assert token not in caplog.text + repr(self.events)

    def test_nothing_shows_a_token(self) -> None:
        """Law 7: no repr, and no exception."""
        manager = self.managed(max_size=100, hash_key="the key of the ids")
        client = self.client(manager)
        session = client.start()
        session.login("ada")
        release = client.release(session)
        large = client.start()
        large["large"] = "x" * 100
        shown = [repr(thing) for thing in (session, release, large, manager, manager.config)]
        for fail in (
            lambda: client.release(large),
            lambda: client.release(session),
            lambda: session.update(a=1),
        ):
            with pytest.raises(SessionError) as caught:
                fail()
            shown.append(f"{caught.value!r} {caught.value}")
        assert client.token is not None
        assert client.token not in "".join(shown)
        assert "the key of the ids" not in "".join(shown)


def sign_in(session: Session) -> None:
    """Sign in for a month, from somewhere."""
    session.login("ada", about={"device": "x"}, remember=86400 * 30)
