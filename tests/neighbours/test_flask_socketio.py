"""Flask-SocketIO, with the sessions of the site in the events of its sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, request
from flask_socketio import SocketIO
from socketio import Client
from werkzeug.serving import make_server

from sojourn.providers.memory import MemoryProvider
from sojourn.web.flask import install, session
from tests.servers.process import BUSY
from tests.web.pallets import page, put, sent_back

TRANSPORTS = (["polling"], ["websocket"], ["polling", "websocket"])


class Site:
    """A site whose sockets read and change the session."""

    def __init__(self, *, socketio_first: bool) -> None:
        self.app = Flask(__name__)
        if socketio_first:
            sockets = self._sockets()
            self.sessions = install(self.app, MemoryProvider())
        else:
            self.sessions = install(self.app, MemoryProvider())
            sockets = self._sockets()
        page(self.app, "/put", put("word", "here"))
        page(self.app, "/get", lambda: session.get("word"))
        page(self.app, "/leave", leave)
        sockets.on_event("read", lambda: session.get("word"))
        sockets.on_event("write", lambda word: session.update(word=word))

    def _sockets(self) -> SocketIO:
        return SocketIO(self.app, manage_session=False, async_mode="threading")

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve it; the value is its address."""
        server = make_server("127.0.0.1", 0, self.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def leave() -> None:
    session.logout()


@contextmanager
def connected(address: str, headers: dict[str, str], transports: list[str]) -> Iterator[Client]:
    """A visitor's socket; each `call` is answered when its event is over."""
    client = Client(reconnection=False)
    client.connect(address, headers={**headers}, transports=transports)  # which it changes
    try:
        yield client
    finally:
        client.disconnect()
        client.wait()


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
@pytest.mark.parametrize("socketio_first", [True, False], ids=["before", "after"])
def test_each_event_has_the_session_as_it_is_then(
    transports: list[str], socketio_first: bool
) -> None:
    """Signed out in another tab: an open socket must not go on reading what the session held."""
    site = Site(socketio_first=socketio_first)
    browser = site.app.test_client(use_cookies=False)
    known = sent_back(browser.get("/put"))
    with site.served() as address, connected(address, known, transports) as socket:
        assert socket.call("read", timeout=BUSY) == "here"
        socket.call("write", "there", timeout=BUSY)
        assert browser.get("/get", headers=known).text == "'there'"
        browser.get("/leave", headers=known)
        assert socket.call("read", timeout=BUSY) is None
        socket.call("write", "after the end", timeout=BUSY)
    assert browser.get("/get", headers=known).text == "None"
    if socketio_first:  # else an event looks like a request, with an answer that takes a token
        assert site.sessions.active_count() == 0


def test_a_context_of_a_kept_environ_has_a_session_of_its_own() -> None:
    """Whoever keeps the environ of a request, and opens it again when that is over."""
    app = Flask(__name__)
    sessions = install(app, MemoryProvider())
    kept: list[dict[str, Any]] = []
    page(app, "/", put("n", 1), lambda: kept.append(request.environ))
    client = app.test_client()
    client.get("/")
    client.get("/")
    with app.request_context(kept[1]):
        assert session["n"] == 1
    [stored] = sessions.sessions()
    sessions.destroy(stored.id)
    with app.request_context(kept[1]):
        assert session.get("n") is None
