"""Everything around a view in Flask: templates, hooks, errors, streams, and what is Vary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, render_template_string, stream_with_context
from flask.testing import FlaskClient

from sojourn import Manager, SessionReleased, StoreUnavailable
from sojourn.web.flask import install, session
from tests.web.pallets import cookies, page, put
from tests.web.stores import FAULTS, Failing, values


@pytest.fixture
def app() -> Flask:
    return Flask(__name__)


@pytest.fixture
def store() -> Failing:
    return Failing()


@pytest.fixture
def manager(app: Flask, store: Failing) -> Manager:
    return install(app, store)


@pytest.fixture
def client(app: Flask, manager: Manager) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize(
    ("template", "touches"),
    [
        ("hello", False),
        ("{% if false %}{{ session['n'] }}{% endif %}", False),
        ("{{ session['n'] }}", True),
        ("{{ session.get('n') }}", True),
        ("{% if 'n' in session %}{% endif %}", True),
        ("{{ session | length }}", True),
        ("{% if session %}{% endif %}", True),
        ("{{ get_flashed_messages() }}", True),
    ],
)
def test_a_page_varies_if_its_template_looks_at_the_session(
    template: str, touches: bool, app: Flask, client: FlaskClient
) -> None:
    app.add_url_rule("/", "/", lambda: render_template_string(template))
    answer = client.get("/")
    assert values(answer.headers, "Vary") == ["Cookie"] * touches
    assert cookies(answer) == []


def test_what_the_application_says_of_vary_stays(app: Flask, client: FlaskClient) -> None:
    @app.get("/")
    def index() -> Any:
        return repr(session.get("n")), {"Vary": "Accept"}

    assert values(client.get("/").headers, "Vary") == ["Accept, Cookie"]


def test_hooks_and_blueprints_have_the_same_session(app: Flask, client: FlaskClient) -> None:
    shop = Blueprint("shop", __name__, url_prefix="/shop")
    app.before_request(put("app", "before"))
    shop.before_request(put("shop", "before"))

    @shop.after_request
    def after(response: Any) -> Any:
        session["after"] = "shop"
        return response

    @app.teardown_request
    def teardown(_: BaseException | None) -> None:
        session["teardown"] = "app"

    shop.add_url_rule("/", "index", lambda: "bought")
    app.register_blueprint(shop)
    page(app, "/", lambda: sorted(session.items()))
    client.get("/shop/")
    seen = "[('after', 'shop'), ('app', 'before'), ('shop', 'before'), ('teardown', 'app')]"
    assert client.get("/").text == seen


# -- errors -----------------------------------------------------------------------------------


def test_an_error_that_became_a_page_is_a_page_and_saves(app: Flask, client: FlaskClient) -> None:
    @app.errorhandler(ZeroDivisionError)
    def handle(_: Exception) -> tuple[str, int]:
        session["after"] = 2
        return "sorry", 418

    page(app, "/fail", put("before", 1), lambda: 1 / 0)
    page(app, "/", lambda: sorted(session.items()))
    assert client.get("/fail").status_code == 418
    assert client.get("/").text == "[('after', 2), ('before', 1)]"


@pytest.mark.parametrize("status", [404, 405, 500])
def test_so_are_flasks_own(status: int, app: Flask, client: FlaskClient) -> None:
    app.before_request(put("n", 1))
    app.add_url_rule("/405", "/405", str, methods=["POST"])
    page(app, "/500", lambda: 1 / 0)
    assert client.get(f"/{status}").status_code == status
    assert client.get_cookie("session") is not None


def test_an_error_that_leaves_flask_saves_nothing(
    app: Flask, client: FlaskClient, manager: Manager
) -> None:
    app.testing = True
    page(app, "/", put("n", 1), lambda: session.login("ada"), lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        client.get("/")
    assert manager.active_count() == 0


# -- streams ----------------------------------------------------------------------------------


def test_a_stream_changes_it_before_its_first_part_alone(app: Flask, client: FlaskClient) -> None:
    def parts() -> Iterator[str]:
        session["early"] = 1
        yield "one "
        try:
            session["late"] = 2
        except SessionReleased:
            yield f"too late, but {session['early']} is there"

    app.add_url_rule("/stream", "/stream", lambda: stream_with_context(parts()))
    page(app, "/", lambda: dict(session))
    assert client.get("/stream").text == "one too late, but 1 is there"
    assert client.get("/").text == "{'early': 1}"


# -- the store is down ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["read", "update"])
def test_without_a_store_the_answer_is_503(
    verb: str, fault: type[Any], app: Flask, client: FlaskClient, store: Failing
) -> None:
    store.fault = fault
    page(app, "/", lambda: session.setdefault("list", []).append(1))
    client.get("/")
    store.down = {verb}
    answer = client.get("/")
    assert (answer.status_code, cookies(answer)) == (503, [])


def test_a_view_that_finds_the_store_down_answers_the_same(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    def ask() -> None:
        raise StoreUnavailable("asked the store myself")

    page(app, "/", ask)
    answer = client.get("/")
    assert answer.status_code == 503
    assert "store is unavailable" in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert "asked the store myself" in caplog.text


def test_the_application_may_answer_it_in_its_own_way(app: Flask, client: FlaskClient) -> None:
    def ask() -> None:
        raise StoreUnavailable("asked the store myself")

    page(app, "/", ask)
    app.register_error_handler(StoreUnavailable, lambda _: ("back soon", 503))
    assert client.get("/").text == "back soon"


def test_the_application_may_go_on_without_its_session(app: Flask, store: Failing) -> None:
    install(app, store, on_outage="anonymous")
    page(app, "/", put("n", 1), lambda: session["n"])
    store.down = {"read", "create", "update"}
    answer = app.test_client().get("/")
    assert (answer.text, cookies(answer)) == ("1", [])
