"""The contract of `find`, `count` and `gc`, and of the manager's lists of sessions."""

from __future__ import annotations

import pytest

from sojourn._sweeper import Lease
from sojourn.record import Changes, Move
from sojourn.release import ReleaseOutcome
from sojourn.testing._subject import Subject, id_of

USERS = [
    "ada", "Ada", "ADA", "ada ", " ada", "ad\u00e1", "ada\u0301", "\u00e4da", "stra\u00dfe",
    "strasse", "a:b", "a/b", "../ada", ".", "..", "*", "a*", "a?", "[a-z]*", "%", "a_a", "a\\a",
    "{ada}", "'; --", '"', "\n", "\t", "\x01", "None", "0", "00", "\N{FOX FACE}", "u" * 255,
    "\u00fc" * 127,
]  # fmt: skip
"""User names that a store must keep apart.

A store that folds case, pads, normalizes Unicode or treats names as patterns would confuse some.
"""


class Lists(Subject):
    """Queries over many sessions."""

    def ids(self, user: str | None = None) -> list[str]:
        """Return the ids found for a user (None: for all users), sorted."""
        return sorted(record.id for record in self.store.find(user, self.clock()))

    def test_a_user_finds_their_own_sessions(self) -> None:
        """Law 6: `find` returns the sessions of one user, without others' and anonymous ones.

        Without a user it returns all sessions.
        """
        ids: dict[str, list[str]] = {"ada": [], "eve": []}
        for name in ("1", "2"):
            self.created(f"anonymous {name}")
            for user, mine in ids.items():
                mine.append(self.created(user + name, user).id)
        assert self.ids("ada") == sorted(ids["ada"])
        assert self.ids("eve") == sorted(ids["eve"])
        assert self.ids("nobody") == []
        assert len(self.ids()) == 6

    def test_what_is_found_says_whose_and_when(self) -> None:
        """Law 11: `find` returns records with all attributes; only the fields may be left out."""
        record = self.created(user="ada", authenticated=self.clock(), about={"device": "x"})
        for user in ("ada", None):
            [found] = self.store.find(user, self.clock())
            assert found._replace(fields={}, version=0) == record._replace(fields={})

    def test_users_are_compared_byte_by_byte(self) -> None:
        """Law 6: user names are compared byte by byte: names that look alike stay apart."""
        ids = {user: self.created(user, user).id for user in USERS}
        for user, id in ids.items():
            assert self.ids(user) == [id], user

    def test_the_expired_and_tombstones_are_not_found(self) -> None:
        """Law 8: `find` and `count` skip expired sessions and tombstones, even before any `gc`."""
        self.created("short", "ada", expires=self.clock() + 60)
        lives = self.created("long", "ada")
        moved = Move(id_of("next"), "ada", None, None, self.clock() + 600)
        self.store.update(self.created("moved", "ada"), Changes(self.clock(), move=moved))
        # The session "short" expires exactly now; the tombstone of "moved" has 540 seconds left.
        self.clock.advance(60)
        assert self.ids("ada") == self.ids() == sorted([lives.id, moved.id])
        assert self.store.count(self.clock()) == 2

    def test_none_is_missed_while_others_come_and_go(self) -> None:
        """Law 12: `find` misses no session that exists during the whole call.

        Other sessions are destroyed and created during the call.
        """
        ids = {self.created(str(number), "ada", id=spread(number)).id for number in range(150)}
        gone = set(sorted(ids)[::3])
        found = set[str]()
        for number, record in enumerate(self.store.find("ada", self.clock())):
            found.add(record.id)
            # In the middle of the iteration: a store that reads in pages must not skip records when
            # earlier ones are deleted or new ones are inserted.
            if number == 10:
                for id in gone:
                    self.store.destroy(id)
                for late in range(20):
                    self.created(str(late), "ada", id=spread(1000 + late))
        assert ids - gone <= found

    def test_count_says_how_many_live(self) -> None:
        """Law 12: `count` returns the number of living sessions, also of those once touched."""
        assert self.store.count(self.clock()) == 0
        records = [self.created(str(number)) for number in range(12)]
        self.clock.advance(1800)
        for record in records[:5]:
            self.store.update(record, Changes(self.clock(), expires=self.clock() + 3600))
        assert self.store.count(self.clock()) == 12
        self.clock.advance(1800)
        assert self.store.count(self.clock()) == 5
        self.store.destroy(records[0].id)
        assert self.store.count(self.clock()) == 4

    def test_gc_takes_what_has_expired_and_nothing_else(self) -> None:
        """Law 12: `gc` deletes expired sessions and tombstones, and nothing else.

        A session that a touch has extended is kept.
        """
        expired = self.created("expired", "ada", expires=self.clock() + 60)
        touched = self.created("touched", "ada", expires=self.clock() + 60)
        lives = self.created("lives", "ada")
        moved = self.created("moved", "ada")
        move = Move(id_of("next"), "ada", None, None, self.clock() + 60)
        self.store.update(moved, Changes(self.clock(), move=move))
        self.clock.advance(30)
        self.store.update(touched, Changes(self.clock(), expires=self.clock() + 60))
        assert self.store.gc(self.clock(), 100) == 0
        self.clock.advance(30)
        # The session "expired" and the tombstone of "moved".
        assert self.store.gc(self.clock(), 100) == 2
        assert self.stands(expired.id) is self.stands(moved.id) is None
        assert self.ids("ada") == sorted([touched.id, lives.id, move.id])
        assert self.store.gc(self.clock(), 100) == 0

    @pytest.mark.parametrize("apart", [True, False], ids=["apart", "together"])
    def test_gc_works_in_batches(self, apart: bool) -> None:  # noqa: FBT001
        """Law 12: `gc` deletes at most `limit` records per call.

        A lower number means that no expired record is left.
        """
        for number in range(25):
            # A store that is divided by the first two digits of the id has to fill a batch from
            # many parts, or from a single one.
            id = spread(number) if apart else id_of(str(number))
            self.created(str(number), "ada", id=id, expires=self.clock() + 60)
        lives = self.created("lives")
        self.clock.advance(60)
        batches = [self.store.gc(self.clock(), 10) for _ in range(3)]
        assert batches == [10, 10, 5]
        assert self.ids() == [lives.id]

    def test_gc_keeps_no_trace_of_a_user(self) -> None:
        """Law 12: `gc` also deletes the index entries of a record.

        Otherwise a later session with the same id would be listed for the former user.
        """
        record = self.created(user="ada", expires=self.clock() + 60)
        self.clock.advance(60)
        self.store.gc(self.clock(), 10)
        # The same id again, for another user.
        self.created(user="eve", expires=self.clock() + 60)
        assert self.ids("ada") == []
        assert self.ids("eve") == [record.id]

    def test_of_several_processes_one_sweeps(self) -> None:
        """Law 12: processes that share a store take turns to sweep it.

        The lease is stored beside the sessions, and no list and no count contains it.
        """
        leases = [Lease(self.store, self.clock, 300.0) for _ in range(3)]
        if not getattr(self.store, "shared", True):
            assert [lease.acquire() for lease in leases] == [True, True, True]
            return
        assert [lease.acquire() for lease in leases] == [True, False, False]
        lives = self.created("lives")
        assert self.ids() == [lives.id]
        assert self.store.count(self.clock()) == 1
        self.clock.advance(269)
        assert [lease.acquire() for lease in leases] == [False, False, False]
        self.clock.advance(1)
        # The last one may have expired before, or been swept by an operator.
        assert [lease.acquire() for lease in reversed(leases)] == [True, False, False]
        self.clock.advance(270)
        assert self.store.gc(self.clock(), 100) == 1
        assert [lease.acquire() for lease in leases] == [True, False, False]

    # -- through the manager -----------------------------------------------------------------

    def test_the_manager_sweeps_everything(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Law 12: `Manager.gc` runs batches until no expired record is left; it returns the sum."""
        # A small batch, so that seven sessions need three batches.
        monkeypatch.setattr("sojourn.manager.GC_BATCH", 3)
        for number in range(7):
            self.visitor({"number": number})
        self.clock.advance(3600)
        lives = self.visitor({"number": 7})
        self.trips.taken()
        assert self.manager.gc() == 7
        assert self.trips.taken() == ["gc"] * 3
        assert self.manager.active_count() == 1
        assert self.stored(lives) == {"number": 7}

    def test_the_manager_lists_sessions(self) -> None:
        """Law 12: `Manager.sessions` returns the details by which a user can distinguish sessions.

        These are the id, the user, the times, and the description given at sign-in.
        """
        client = self.client()
        began = self.clock()
        with client.visit() as session:
            session["cart"] = ["tea"]
        self.clock.advance(10)
        with client.visit() as session:
            session.login("ada", about={"device": "x"})
        [info] = self.manager.sessions("ada")
        now = self.clock()
        # The session got its new id at the sign-in, but it keeps the time of its creation.
        assert info == (client.id, "ada", began, now, now + 3600, {"device": "x"}, now)
        self.visitor({"a": 1})
        [other] = [info for info in self.manager.sessions() if info.user is None]
        assert (other.about, other.authenticated_at) == ({}, None)

    @pytest.mark.parametrize("keep", [False, True])
    def test_all_sessions_of_a_user_end_at_once(self, keep: bool) -> None:  # noqa: FBT001
        """Law 5: `destroy_user` ends all sessions of a user, but for the one given as `keep`."""
        here, there, other = self.member("ada"), self.member("ada"), self.member("eve")
        assert self.manager.destroy_user("ada", keep=here.id if keep else None) == 2 - keep
        assert (here.start().user, there.start().user) == ("ada" if keep else None, None)
        assert other.start().user == "eve"

    @pytest.mark.parametrize("by", ["id", "session"])
    @pytest.mark.parametrize("renew", ["login", "regenerate_id"])
    def test_the_session_that_is_kept_may_get_a_new_id_in_the_same_request(
        self, renew: str, by: str
    ) -> None:
        """Law 5: `destroy_user` keeps a session that gets a new id in the same request.

        This is the usual change of a password: a new id for this session, and an end to all others.
        """
        here, there = self.member("ada"), self.member("ada")
        with here.visit() as session:
            session["cart"] = ["tea"]
        with here.visit() as session:
            session.login("ada") if renew == "login" else session.regenerate_id()
            assert (
                self.manager.destroy_user("ada", keep=session if by == "session" else session.id)
                == 1
            )
        assert session.released is not None
        assert session.released.outcome is ReleaseOutcome.RENEWED
        assert (here.start().user, self.stored(here)) == ("ada", {"cart": ["tea"]})
        assert there.start().user is None

    @pytest.mark.parametrize("by", ["id", "session"])
    def test_the_session_that_is_kept_may_have_got_a_new_id_meanwhile(self, by: str) -> None:
        """Law 5: `destroy_user` keeps a session to which another tab has just given a new id."""
        here, there = self.member("ada"), self.member("ada")
        tab = here.start()
        with here.visit() as session:
            session.regenerate_id()
        assert self.manager.destroy_user("ada", keep=tab if by == "session" else tab.id) == 1
        assert (here.start().user, there.start().user) == ("ada", None)

    def test_a_user_ends_a_session_that_got_a_new_id_since_the_list_was_made(self) -> None:
        """Law 5: `destroy` with an id from an older list ends the session that moved to a new id.

        With `user` given, it still ends no session of another user.
        """
        here, other = self.member("ada"), self.member("eve")
        ids = here.id, other.id
        for client in (here, other):
            with client.visit() as session:
                session.regenerate_id()
        assert [self.manager.destroy(id, user="ada") for id in ids] == [True, False]
        assert (here.start().user, other.start().user) == (None, "eve")

    def test_a_user_ends_their_own_sessions_alone(self) -> None:
        """Law 5: `destroy` with `user` given ends only sessions of that user.

        The id may come from a forged request.  An anonymous visitor (user None) can end no session.
        """
        clients = self.member("ada"), self.member("eve"), self.visitor({"a": 1})
        ids = [client.id for client in clients]
        assert [self.manager.destroy(id, user=None) for id in ids] == [False] * 3
        assert self.manager.destroy_user(None) == 0
        assert [self.manager.destroy(id, user="ada") for id in ids] == [True, False, False]
        assert [client.start().is_new for client in clients] == [True, False, False]


def spread(number: int) -> str:
    """Return an id whose first two digits depend on `number`, so that ids are spread evenly."""
    return id_of(str(number), like=f"{number * 37 % 256:02x}")
