"""Pyramid: flash messages, and the rest of `ISession`."""

from __future__ import annotations

import pytest
from pyramid.interfaces import ISession
from pyramid.request import Request
from zope.interface.verify import verifyObject

from sojourn import Manager, SessionReleased
from sojourn.testing import FakeClock
from sojourn.web.pyramid import SessionFactory
from tests.web.pyramid_site import begin, end, stored


@pytest.fixture
def manager() -> Manager:
    return Manager("memory")


# -- ISession ---------------------------------------------------------------------------------


def test_it_is_a_session_of_pyramid(manager: Manager) -> None:
    assert verifyObject(ISession, begin(manager))
    assert verifyObject(ISession, SessionFactory(manager)(Request.blank("/")))


def test_created_is_in_whole_seconds() -> None:
    session = begin(Manager("memory", clock=FakeClock(1_700_000_000.75)))
    assert (session.created, type(session.created)) == (1_700_000_000, int)


def test_a_session_is_new_until_something_is_stored(manager: Manager) -> None:
    session = begin(manager)
    assert session.new
    session["n"] = 1
    assert not begin(manager, end(manager, session)).new


def test_what_is_put_after_invalidate_begins_a_new_session(manager: Manager) -> None:
    session = begin(manager)
    session["n"] = 1
    visitor = end(manager, session)
    session = begin(manager, visitor)
    session.invalidate()
    assert dict(session) == {}
    session["m"] = 2
    after = end(manager, session)
    assert after != visitor
    assert (stored(manager, visitor), stored(manager, after)) == ({}, {"m": 2})


def test_to_say_that_it_changed_changes_nothing_and_can_be_too_late(manager: Manager) -> None:
    session = begin(manager)
    session.changed()
    assert not session.modified
    manager.release(session)
    with pytest.raises(SessionReleased):
        session.changed()


# -- flash messages ---------------------------------------------------------------------------


def test_messages_come_in_order_and_once(manager: Manager) -> None:
    session = begin(manager)
    for text in ("one", "two", "two"):
        session.flash(text)
    session.flash({"level": "error"}, "errors")
    visitor = end(manager, session)
    session = begin(manager, visitor)
    session.flash("three")
    assert session.peek_flash() == ["one", "two", "two", "three"]
    assert session.pop_flash() == ["one", "two", "two", "three"]
    assert session.peek_flash() == session.pop_flash() == []
    visitor = end(manager, session, visitor)
    session = begin(manager, visitor)
    assert session.pop_flash() == []
    assert session.pop_flash("errors") == [{"level": "error"}]


def test_a_duplicate_is_kept_out_of_its_own_queue(manager: Manager) -> None:
    session = begin(manager)
    for queue in ("", "a", "a/b"):
        for text in ("one", "one", "two"):
            session.flash(text, queue, allow_duplicate=False)
    assert [session.peek_flash(queue) for queue in ("", "a", "a/b", "b")] == [
        *[["one", "two"]] * 3,
        [],
    ]


def test_messages_of_overlapping_requests_all_stand(manager: Manager) -> None:
    session = begin(manager)
    session.flash("before")
    visitor = end(manager, session)
    requests = [begin(manager, visitor) for _ in range(8)]
    for number, session in enumerate(requests):
        assert session.peek_flash() == ["before"]
        session.flash(f"from {number}")
    for session in requests:
        end(manager, session)
    expected = ["before", *(f"from {number}" for number in range(8))]
    assert begin(manager, visitor).pop_flash() == expected


def test_a_message_that_comes_while_others_are_shown_is_shown_the_next_time(
    manager: Manager,
) -> None:
    """Whichever of the two requests ends first."""
    for shown_first in (True, False):
        session = begin(manager)
        session.flash("before")
        visitor = end(manager, session)
        showing, adding = begin(manager, visitor), begin(manager, visitor)
        assert showing.pop_flash() == ["before"]
        showing["seen"] = True
        adding.flash("meanwhile")
        for session in (showing, adding) if shown_first else (adding, showing):
            end(manager, session)
        assert begin(manager, visitor).pop_flash() == ["meanwhile"]


def test_when_the_last_message_was_shown_nothing_is_left(manager: Manager) -> None:
    session = begin(manager)
    session.flash("one")
    visitor = end(manager, session)
    session = begin(manager, visitor)
    session.pop_flash()
    assert end(manager, session) == "session="
    session = begin(manager)
    session.flash("shown at once")
    session.pop_flash()
    manager.release(session)
    assert manager.active_count() == 0


def test_other_keys_are_no_messages(manager: Manager) -> None:
    session = begin(manager)
    session.update({1: "int", b"_f_": "bytes", ("_f_", 1): "tuple", "_f_": "text", "x/y": "text"})
    assert session.pop_flash() == []
    assert len(session) == 5


def test_messages_keep_their_order_while_the_clock_stands_still(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a test with a frozen clock, and where the clock is a coarse one."""
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    session = begin(manager)
    for number in range(20):
        session.flash(number)
    assert session.pop_flash() == [*range(20)]
