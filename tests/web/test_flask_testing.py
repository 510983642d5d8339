"""How an application is tested, what it stands beside, and what stands before it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, Response
from flask import request as flask_request
from flask.sessions import SessionMixin
from flask.testing import FlaskClient
from freezegun import freeze_time
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from sojourn import Manager, SessionReleased
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock
from sojourn.web import wsgi
from sojourn.web.flask import FlaskSession, install, session
from tests.web.pallets import cookies, page, put, sent_back
from tests.web.stores import values


@pytest.fixture
def app() -> Flask:
    return Flask(__name__)


@pytest.fixture
def manager(app: Flask) -> Manager:
    return install(app, MemoryProvider())


@pytest.fixture
def client(app: Flask, manager: Manager) -> FlaskClient:
    return app.test_client()


# -- the test client --------------------------------------------------------------------------


def test_what_a_transaction_puts_reaches_the_application(app: Flask, client: FlaskClient) -> None:
    page(app, "/", lambda: (session.user, dict(session)))
    with client.session_transaction() as prepared:
        prepared["cart"] = ["pear"]
    with client.session_transaction() as prepared:
        assert isinstance(prepared, FlaskSession)
        prepared["cart"].append("plum")
        prepared.login("ada")
    assert client.get("/").text == "('ada', {'cart': ['pear', 'plum']})"


def test_it_is_a_session_mixin(client: FlaskClient) -> None:
    """By which extensions know a session of Flask."""
    with client.session_transaction() as prepared:
        assert isinstance(prepared, SessionMixin)


def test_time_passes_as_a_test_says(app: Flask) -> None:
    clock = FakeClock()
    app.config["PERMANENT_SESSION_LIFETIME"] = 1800
    install(app, MemoryProvider(), clock=clock)
    page(app, "/put", put("n", 1))
    page(app, "/", lambda: session.get("n"))
    client = app.test_client()
    client.get("/put")
    assert client.get("/").text == "1"
    clock.advance(1801)
    assert client.get("/").text == "None"


def test_time_may_be_frozen(app: Flask) -> None:
    app.config["PERMANENT_SESSION_LIFETIME"] = 1800
    install(app, MemoryProvider())
    page(app, "/put", put("n", 1))
    page(app, "/", lambda: session.get("n"))
    client = app.test_client()
    with freeze_time("2027-03-01 12:00"):
        client.get("/put")
        assert client.get("/").text == "1"
    with freeze_time("2027-03-01 13:00"):
        assert client.get("/").text == "None"


def test_a_transaction_sees_what_the_application_put(app: Flask, client: FlaskClient) -> None:
    page(app, "/", put("n", 1))
    client.get("/")
    with client.session_transaction() as found:
        assert dict(found) == {"n": 1}


def test_a_transaction_may_empty_the_session(
    app: Flask, client: FlaskClient, manager: Manager
) -> None:
    with client.session_transaction() as prepared:
        prepared["n"] = 1
    assert client.get_cookie("session") is not None
    with client.session_transaction() as prepared:
        prepared.clear()
    assert client.get_cookie("session") is None
    assert manager.active_count() == 0


def test_a_transaction_that_does_nothing_leaves_no_trace(
    client: FlaskClient, manager: Manager
) -> None:
    with client.session_transaction() as prepared:
        assert prepared.get("n") is None
    assert client.get_cookie("session") is None
    assert manager.active_count() == 0


def test_a_transaction_that_fails_saves_nothing(client: FlaskClient, manager: Manager) -> None:
    with pytest.raises(LookupError), client.session_transaction() as prepared:  # noqa: PT012
        prepared["n"] = 1
        raise LookupError
    assert manager.active_count() == 0


def test_a_transaction_over_https_sets_a_secure_cookie(client: FlaskClient) -> None:
    with client.session_transaction(base_url="https://localhost") as prepared:
        prepared["n"] = 1
    found = client.get_cookie("session")
    assert found is not None
    assert found.secure


def test_the_session_can_be_read_after_the_response(app: Flask, manager: Manager) -> None:
    page(app, "/", put("n", 1))
    with app.test_client() as client:
        client.get("/")
        assert session["n"] == 1
        assert session.permanent is False
        with pytest.raises(SessionReleased):
            session["n"] = 2


def test_a_test_context_has_the_session_that_its_cookie_names(
    app: Flask, client: FlaskClient, manager: Manager
) -> None:
    page(app, "/", put("n", 1))
    cookie = sent_back(client.get("/"))
    with app.test_request_context(headers=cookie):
        assert session["n"] == 1
        session["n"] = 2  # which nobody releases
    with app.test_request_context(headers=cookie):
        assert session["n"] == 1


def test_a_test_context_releases_into_the_response_that_it_processes(
    app: Flask, manager: Manager
) -> None:
    with app.test_request_context():
        session["n"] = 1
        answer = app.process_response(Response(headers={"Vary": "Accept"}))
    assert len(cookies(answer)) == 1
    assert values(answer.headers, "Vary") == ["Accept, Cookie"]
    assert values(answer.headers, "Cache-Control") == ["no-store, private"]
    assert manager.active_count() == 1


def test_a_test_context_heeds_the_session_header(app: Flask) -> None:
    install(app, MemoryProvider(), header_name="X-Session")
    with app.test_request_context(headers={"X-Session": ""}):
        session["n"] = 1
        answer = app.process_response(Response())
    with app.test_request_context(headers={"X-Session": answer.headers["X-Session"]}):
        assert session["n"] == 1


# -- several applications, several managers ---------------------------------------------------


def counting(name: str, **config: Any) -> Flask:
    app = Flask(name)
    app.config.update(config)
    install(app, MemoryProvider())
    page(app, "/", lambda: session.apply("n", lambda n: n + 1, 0))
    return app


def test_applications_of_one_process_have_sessions_of_their_own() -> None:
    front = counting("front", SESSION_COOKIE_NAME="front")
    back = counting("back", SESSION_COOKIE_NAME="back", APPLICATION_ROOT="/back")
    client = Client(DispatcherMiddleware(front, {"/back": back}))
    assert [client.get(path).text for path in ("/", "/back/", "/", "/back/", "/")] == list("11223")
    assert client.get_cookie("front", path="/") is not None
    assert client.get_cookie("back", path="/back") is not None


def test_an_application_may_be_mounted_in_another() -> None:
    front, back = counting("front"), counting("back", SESSION_COOKIE_NAME="back")
    front.wsgi_app = DispatcherMiddleware(front.wsgi_app, {"/back": back})  # type: ignore[method-assign]
    client = front.test_client()
    assert [client.get(path).text for path in ("/", "/back/", "/back/")] == ["1", "1", "2"]


def test_a_second_manager_has_a_key_of_its_own(app: Flask, client: FlaskClient) -> None:
    staff = Manager(MemoryProvider(), cookie_name="staff")
    app.wsgi_app = wsgi.SessionMiddleware(  # type: ignore[method-assign]
        app.wsgi_app, staff, key="staff"
    )

    @app.get("/")
    def index() -> str:
        staff_session = flask_request.environ["staff"]
        staff_session.login("root")
        session.login("ada")
        return f"{staff_session.user} {session.user}"

    answer = client.get("/")
    assert answer.text == "root ada"
    names = sorted(line.partition("=")[0] for line in cookies(answer))
    assert names == ["session", "staff"]


# -- behind a proxy ---------------------------------------------------------------------------


@pytest.mark.parametrize("fixed", ["before", "after", "never"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_scheme_of_the_client_makes_the_cookie_secure(fixed: str, scheme: str) -> None:
    app = Flask(__name__)
    if fixed == "before":
        app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    install(app, MemoryProvider())
    if fixed == "after":
        app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    page(app, "/", put("n", 1))
    [line] = cookies(app.test_client().get("/", headers={"X-Forwarded-Proto": scheme}))
    assert ("; Secure" in line) is (scheme == "https")
