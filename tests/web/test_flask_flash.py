"""Flask's flashed messages: each is shown once, whatever overlaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, flash, get_flashed_messages, stream_template_string
from flask.testing import FlaskClient

from sojourn import Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.web.flask import install
from tests.web.pallets import page, put, sent_back

Deed = Callable[[], Any]


@pytest.fixture
def app() -> Flask:
    return Flask(__name__)


@pytest.fixture
def sessions(app: Flask) -> Manager:
    return install(app, MemoryProvider())


@pytest.fixture
def client(app: Flask, sessions: Manager) -> FlaskClient:
    return app.test_client()


def say(message: str) -> Deed:
    return lambda: flash(message)


def overlapping(app: Flask, before: Deed, *, slow: Deed, fast: Deed) -> tuple[str, str]:
    """Run two requests of one visitor, of which `fast` overtakes `slow`; show what is left."""
    client = app.test_client(use_cookies=False)
    page(app, "/begin", put("known", "yes"), before)
    page(app, "/fast", fast)
    page(app, "/slow", slow, lambda: client.get("/fast", headers=known).text)
    page(app, "/show", get_flashed_messages)
    known = sent_back(client.get("/begin"))
    client.get("/slow", headers=known)
    return (client.get("/show", headers=known).text, client.get("/show", headers=known).text)


@pytest.mark.usefixtures("sessions")
def test_the_first_messages_of_two_requests_both_stand(app: Flask) -> None:
    left, then = overlapping(app, lambda: None, slow=say("one"), fast=say("two"))
    assert (left, then) == ("['two', 'one']", "[]")


@pytest.mark.usefixtures("sessions")
def test_a_message_that_comes_while_others_are_shown_is_shown_next(app: Flask) -> None:
    left, then = overlapping(app, say("before"), slow=say("after"), fast=get_flashed_messages)
    assert (left, then) == ("['after']", "[]")


@pytest.mark.usefixtures("sessions")
def test_messages_that_are_shown_take_no_later_one_away(app: Flask) -> None:
    left, then = overlapping(app, say("before"), slow=get_flashed_messages, fast=say("after"))
    assert (left, then) == ("['after']", "[]")


def test_a_visitor_with_nothing_but_messages_leaves_no_trace(
    app: Flask, client: FlaskClient, sessions: Manager
) -> None:
    page(app, "/do", say("saved"), say("and sent"))
    page(app, "/", get_flashed_messages)
    client.get("/do")
    assert client.get("/").text == "['saved', 'and sent']"
    assert sessions.active_count() == 0


def test_a_streamed_template_shows_them(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """And goes on.  They stay, as with Flask's own sessions, for nothing can be stored by then."""
    page(app, "/do", say("saved"))
    source = "<h1>Shop</h1>{{ get_flashed_messages() }}{{ 'the rest' }}"
    app.add_url_rule("/", "stream", lambda: stream_template_string(source, autoescape=False))
    client.get("/do")
    for _ in range(2):
        text = client.get("/").text
        assert "saved" in text
        assert text.endswith("the rest")
    assert "call get_flashed_messages() before a stream begins" in caplog.text


def test_a_test_reads_them_after_the_request(app: Flask, client: FlaskClient) -> None:
    page(app, "/do", say("saved"))
    with client:
        client.get("/do")
        assert get_flashed_messages() == ["saved"]


def test_a_test_prepares_them(app: Flask, client: FlaskClient) -> None:
    page(app, "/", get_flashed_messages)
    with client.session_transaction() as prepared:
        prepared["_flashes"] = [("message", "saved")]
    with client.session_transaction() as prepared:
        assert prepared["_flashes"] == [("message", "saved")]
        prepared["_flashes"] = [("message", "another")]
    assert client.get("/").text == "['another']"


def test_other_values_are_taken_out_as_from_any_mapping(client: FlaskClient) -> None:
    with client.session_transaction() as prepared:
        prepared["n"] = 1
        assert prepared.pop("n") == 1
        assert prepared.pop("n", None) is None
        assert prepared.pop("n", default="none") == "none"  # type: ignore[call-overload]
        with pytest.raises(KeyError):
            prepared.pop("_flashes")
