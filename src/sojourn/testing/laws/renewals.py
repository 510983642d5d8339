"""Law 6, only tokens issued by the server open sessions; law 7, tokens are never exposed."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64decode

import pytest

from sojourn.errors import SessionError
from sojourn.release import ReleaseOutcome
from sojourn.session import Session
from sojourn.testing._subject import UNKNOWN, Client, Subject, Work, both_orders, cookie_of

# The two operations that give a session a new token and a new id.
RENEWALS = pytest.mark.parametrize(
    "renew", [lambda s: s.regenerate_id(), lambda s: s.login("ada")], ids=["regenerate", "login"]
)


class Renewals(Subject):
    """Which token opens which session, especially after a new id."""

    def renewed(self, renew: Work) -> tuple[Client, Client]:
        """Return a client whose session got a new token, and another one with the old token."""
        client = self.visitor({"a": 1})
        old = client.twin()
        with client.visit() as session:
            renew(session)
        self.events.clear()
        return client, old

    def test_a_token_that_nobody_issued_names_nothing(self) -> None:
        """Law 6: a token that the server did not issue is rejected (no session fixation).

        Data stored by such a request goes into a new session, with a token issued by the server.
        """
        victim = self.client()
        victim.token = planted = UNKNOWN[0]
        with victim.visit() as session:
            assert session.is_new
            session["a"] = 1
        assert session.released is not None
        assert victim.token not in (None, planted)
        assert self.manager.start({"Cookie": f"session={planted}"}).is_new
        # The event names the id that belongs to the token, not the token itself.
        assert ("rejected", self.trips.trips[0].args[0]) in self.events

    def test_a_token_of_an_emptied_store_is_not_adopted(self) -> None:
        """Law 6: the token of a session that the store lost is not used for a new session."""
        client = self.visitor({"a": 1})
        lost = client.token
        self.store.destroy(client.id)
        with client.visit() as session:
            session["a"] = 2
        assert client.token != lost

    def test_an_id_is_not_a_token(self) -> None:
        """Law 7: an id, as found in the store, in lists and in logs, opens no session."""
        client = self.visitor({"a": 1})
        assert self.manager.start({"Cookie": f"session={client.id}"}).is_new
        # Cut to the length of a token, so that it is not rejected for its shape alone.
        assert self.manager.start({"Cookie": f"session={client.id[:43]}"}).is_new

    @RENEWALS
    def test_a_renewed_session_has_a_new_token(self, renew: Work) -> None:
        """Law 6: a sign-in and `regenerate_id` give a session a new token and a new id.

        The new id is already known before the release.
        """
        client, old = self.renewed(renew)
        assert client.token != old.token
        assert client.id != old.id
        assert self.stored(client) == {"a": 1}
        assert client.start().id == client.id

    @RENEWALS
    def test_a_retired_token_sees_and_stores_nothing(self, renew: Work) -> None:
        """Law 6: a replaced token is invalid at once: its requests read and store nothing.

        They also set no cookie, which could overwrite the new one in the browser.
        """
        client, old = self.renewed(renew)
        # At 0, 5 and 9.9 seconds: within the ten seconds of the default `retired_for`.
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
        """Law 6: of a retired and a valid token in one request, the valid one is used.

        Their order does not matter.  Browsers send two cookies of the same name after the domain or
        path of the cookie was changed.
        """
        client, old = self.renewed(renew)
        tokens = [(old.token, client.token)[place] for place in order]
        session = self.manager.start({"Cookie": "; ".join(f"session={token}" for token in tokens)})
        assert (dict(session), session.is_retired) == ({"a": 1}, False)

    @both_orders
    def test_an_unknown_token_hides_no_retired_one(self, order: tuple[int, int]) -> None:
        """Law 6: if a request sends a retired and an unknown token, its session counts as retired.

        A new session would set a cookie, which could overwrite the newer cookie of the browser.
        """
        _, old = self.renewed(lambda s: s.regenerate_id())
        tokens = [(old.token, UNKNOWN[0])[place] for place in order]
        session = self.manager.start({"Cookie": "; ".join(f"session={token}" for token in tokens)})
        session["a"] = 2
        assert session.is_retired
        assert self.manager.release(session).outcome is ReleaseOutcome.RETIRED

    @RENEWALS
    def test_after_its_time_a_retired_token_is_unknown(self, renew: Work) -> None:
        """Law 6: after `retired_for` seconds, a retired token is treated as unknown.

        Its client gets a new session with a new token.
        """
        client, old = self.renewed(renew)
        retired = old.token
        self.clock.advance(10)
        with old.visit() as session:
            assert session.is_new
            session["b"] = 2
        assert old.token not in (retired, client.token)
        assert (self.stored(old), self.stored(client)) == ({"b": 2}, {"a": 1})

    def test_the_time_of_the_retired_is_configured(self) -> None:
        """Law 6: the setting `retired_for` sets how long a replaced token is known as retired."""
        manager = self.managed(retired_for=100)
        client = self.visitor({"a": 1}, manager)
        old = client.twin()
        with client.visit() as session:
            session.regenerate_id()
        # After 99 seconds the token is retired; after 100 it is unknown, and nothing is to be
        # stored.
        for advance, outcome in ((99, ReleaseOutcome.RETIRED), (1, ReleaseOutcome.UNCHANGED)):
            self.clock.advance(advance)
            assert old.release(old.start()).outcome is outcome

    def test_a_retired_token_can_sign_in(self) -> None:
        """Law 6: a sign-in with a retired token creates a new session, without the old data."""
        client, old = self.renewed(lambda s: s.login("ada"))
        with old.visit() as session:
            session["b"] = 2
            session.login("bob")
        assert (old.start().user, self.stored(old)) == ("bob", {"b": 2})
        assert (client.start().user, self.stored(client)) == ("ada", {"a": 1})

    @both_orders
    def test_a_user_never_changes_under_one_id(self, order: tuple[int, int]) -> None:
        """Law 6: of two overlapping sign-ins as different users, each gets a separate session.

        So an id never changes its user.
        """
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
        """Law 6: a sign-in as a different user deletes the data of the former user.

        Data of the same user or of an anonymous visitor is kept, unless `keep` is false.
        """
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
    """Tokens must not appear outside of the manager and the cookie."""

    def lived(self) -> set[str]:
        """Run a session through most of its possible events, and return all tokens used."""
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
        """Law 7: no argument passed to a provider contains a token, as text, as bytes or in hex."""
        tokens = self.lived()
        taken = self.trips.trips
        self.manager.start({"Cookie": f"session={UNKNOWN[0]}"})
        assert len(taken) > 20
        passed = repr(taken)
        for token in tokens:
            # A token is 32 bytes in base64 without padding; look for each form in which it could
            # appear.
            secret = urlsafe_b64decode(token + "=")
            for form in (token, token.encode().hex(), secret.hex(), repr(secret)[2:-1]):
                assert form not in passed

    def test_a_log_sees_no_token(self, caplog: pytest.LogCaptureFixture) -> None:
        """Law 7: neither log messages nor events contain a token."""
        with caplog.at_level(logging.DEBUG):
            tokens = self.lived()
        # Otherwise the test would pass if nothing was logged.
        assert "renewed" in caplog.text
        for token in tokens:
            assert token not in caplog.text + repr(self.events)

    def test_nothing_shows_a_token(self) -> None:
        """Law 7: neither `repr` nor exceptions show a token or the `hash_key`."""
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
    """Sign in as "ada" for a month, with a description of the device."""
    session.login("ada", about={"device": "x"}, remember=86400 * 30)
