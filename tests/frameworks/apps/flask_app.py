"""The probe in Flask."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, jsonify, redirect, request, stream_with_context

from sojourn import SessionReleased
from sojourn.web import flask, wsgi
from sojourn.web.flask import session
from tests.frameworks.probe import STAFF, Handled, Plan, do, put

FLASKS = {
    "cookie_name": "SESSION_COOKIE_NAME",
    "cookie_path": "SESSION_COOKIE_PATH",
    "same_site": "SESSION_COOKIE_SAMESITE",
    "max_lifetime": "PERMANENT_SESSION_LIFETIME",
}
"""What Flask, and Quart, have settings of their own for."""


def make(plan: Plan) -> Flask:
    app = Flask(__name__)
    theirs, ours = parted(plan.settings)
    app.config.update(theirs)
    sessions = flask.install(app, plan.provider, provider_config=plan.provider_config, **ours)
    staff = wsgi.SessionMiddleware(app.wsgi_app, plan.manager(**STAFF), key="staff")
    app.wsgi_app = staff  # type: ignore[method-assign]

    @app.get("/do/<deed>")
    def done(deed: str) -> Response:
        return jsonify(do(deed, session, request.args))

    @app.get("/slow/<deed>")
    def slow(deed: str) -> Response:
        session.get("x")
        time.sleep(float(request.args["seconds"]))
        return jsonify(do(deed, session, request.args))

    @app.get("/staff/<deed>")
    def of_staff(deed: str) -> Response:
        return jsonify(do(deed, request.environ["staff"], request.args))

    @app.get("/others")
    def others() -> Response:
        return jsonify(sorted(info.id for info in sessions.sessions(request.args["user"])))

    @app.get("/end-others")
    def end_others() -> Response:
        return jsonify(sessions.destroy_user(request.args["user"], keep=session.id))

    add_answers(app)
    return app


def add_answers(app: Flask) -> None:
    """The routes that are about responses."""

    @app.get("/quiet")
    def quiet() -> Response:
        return Response("quiet", mimetype="text/plain")

    @app.get("/stream")
    def stream() -> Response:
        put(session, request.args)
        return Response(stream_with_context(parts()), mimetype="text/plain")

    @app.get("/events")
    def events() -> Response:
        put(session, request.args)
        return Response(iter(["data: one\n\n", "data: two\n\n"]), mimetype="text/event-stream")

    @app.get("/raise")
    def fail() -> Response:
        put(session, request.args)
        raise RuntimeError("nobody handles this")

    @app.get("/handled")
    def handled() -> Response:
        put(session, request.args)
        raise Handled

    @app.errorhandler(Handled)
    def handle(_: Handled) -> tuple[str, int]:
        session["handled"] = "yes"
        return "handled", 418

    @app.get("/redirect")
    def away() -> Any:
        put(session, request.args)
        return redirect("/do/everything")

    @app.get("/not-modified")
    def not_modified() -> tuple[str, int]:
        session.get("x")
        return "", 304

    @app.get("/cached")
    def cached() -> Response:
        session.get("x")
        answer = jsonify("cached")
        answer.headers.update({"Vary": "Accept", "Cache-Control": "public"})
        return answer


def parts() -> Iterator[str]:
    yield "one"
    yield "two"
    try:
        session["late"] = "yes"
    except SessionReleased as error:
        yield type(error).__name__


def parted(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said in Flask's settings, and what is said to `install`."""
    theirs = {FLASKS[key]: value for key, value in settings.items() if key in FLASKS}
    return theirs, {key: value for key, value in settings.items() if key not in FLASKS}
