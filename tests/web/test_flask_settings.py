"""What Flask's settings mean, what `install` refuses, and the command."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from sojourn import AsyncManager, ConfigError, Manager
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.redis import AsyncRedisProvider
from sojourn.web import _versions
from sojourn.web.flask import SessionInterface, install, session
from tests.web.pallets import cookies, keep, page, put

DAY = 86_400


def installed(config: dict[str, Any], **settings: Any) -> tuple[Flask, Manager]:
    app = Flask(__name__)
    app.config.update(config)
    return app, install(app, MemoryProvider(), **settings)


@pytest.mark.parametrize(
    ("config", "name", "attributes"),
    [
        ({}, "session", "Path=/ HttpOnly SameSite=Lax"),
        ({"SESSION_COOKIE_NAME": "shop"}, "shop", "Path=/ HttpOnly SameSite=Lax"),
        (
            {"SESSION_COOKIE_DOMAIN": "localhost"},
            "session",
            "Path=/ HttpOnly SameSite=Lax Domain=localhost",
        ),
        ({"SESSION_COOKIE_DOMAIN": False}, "session", "Path=/ HttpOnly SameSite=Lax"),
        ({"SESSION_COOKIE_PATH": "/a"}, "session", "Path=/a HttpOnly SameSite=Lax"),
        ({"APPLICATION_ROOT": "/b"}, "session", "Path=/b HttpOnly SameSite=Lax"),
        (
            {"SESSION_COOKIE_PATH": "/a", "APPLICATION_ROOT": "/b"},
            "session",
            "Path=/a HttpOnly SameSite=Lax",
        ),
        ({"SESSION_COOKIE_HTTPONLY": False}, "session", "Path=/ SameSite=Lax"),
        ({"SESSION_COOKIE_SECURE": True}, "session", "Path=/ HttpOnly SameSite=Lax Secure"),
        ({"SESSION_COOKIE_SAMESITE": "Strict"}, "session", "Path=/ HttpOnly SameSite=Strict"),
        ({"SESSION_COOKIE_SAMESITE": "None"}, "session", "Path=/ HttpOnly SameSite=None Secure"),
        (
            {"SESSION_COOKIE_PARTITIONED": True},
            "session",
            "Path=/ HttpOnly SameSite=Lax Secure Partitioned",
        ),
        (
            {"SESSION_COOKIE_NAME": "__Host-a"},
            "__Host-a",
            "Path=/ HttpOnly SameSite=Lax Secure",
        ),
    ],
)
def test_the_cookie_is_as_flask_says(config: dict[str, Any], name: str, attributes: str) -> None:
    app, _ = installed(config)
    page(app, "/", put("n", 1))
    [line] = cookies(app.test_client().get("/"))
    pair, *given = line.split("; ")
    assert pair.startswith(f"{name}=")
    assert sorted(given) == sorted(attributes.split())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_cookie_that_need_not_be_secure_is_so_over_https(scheme: str) -> None:
    app, _ = installed({"SESSION_COOKIE_SECURE": False})
    page(app, "/", put("n", 1))
    [line] = cookies(app.test_client().get("/", base_url=f"{scheme}://localhost"))
    assert ("; Secure" in line) is (scheme == "https")


@pytest.mark.parametrize("lifetime", [1800, timedelta(minutes=30)])
def test_the_lifetime_is_that_of_all_sessions(lifetime: Any) -> None:
    app, manager = installed({"PERMANENT_SESSION_LIFETIME": lifetime})
    assert manager.config.max_lifetime == 1800
    page(app, "/", put("n", 1))
    page(app, "/keep", put("n", 1), keep)
    assert "Max-Age" not in cookies(app.test_client().get("/"))[0]
    assert "; Max-Age=1800;" in cookies(app.test_client().get("/keep"))[0]


@pytest.mark.parametrize(
    ("days", "settings", "absolute"),
    [
        (1, {}, 30 * DAY),
        (31, {}, 31 * DAY),
        (31, {"absolute_lifetime": 7 * DAY}, 7 * DAY),
        (31, {"absolute_lifetime": None}, None),
    ],
)
def test_no_session_lives_for_ever_unless_that_is_said(
    days: int, settings: dict[str, Any], absolute: float | None
) -> None:
    lifetime = {"PERMANENT_SESSION_LIFETIME": timedelta(days=days)}
    assert installed(lifetime, **settings)[1].config.absolute_lifetime == absolute


@pytest.mark.parametrize("each", [True, False])
def test_a_session_is_refreshed_by_each_request_or_by_changes(each: bool) -> None:
    config = {"SESSION_REFRESH_EACH_REQUEST": each, "PERMANENT_SESSION_LIFETIME": 1800}
    app, manager = installed(config, touch_interval=0)
    page(app, "/keep", put("n", 1), keep)
    page(app, "/change", lambda: session.apply("n", lambda n: n + 1))
    page(app, "/", lambda: session["n"])
    client = app.test_client()
    client.get("/keep")
    [first] = manager.sessions()
    assert len(cookies(client.get("/"))) == each
    [second] = manager.sessions()
    assert (second.seen_at > first.seen_at) is each
    assert len(cookies(client.get("/change"))) == 1
    [third] = manager.sessions()
    assert third.seen_at > second.seen_at


def test_what_flask_has_no_setting_for_is_said_to_install() -> None:
    app, manager = installed({}, header_name="X-Session", gc_interval=60)
    assert (manager.config.header_name, manager.config.gc_interval) == ("X-Session", 60)
    page(app, "/", put("n", 1))
    answer = app.test_client().get("/", headers={"X-Session": ""})
    assert len(answer.headers["X-Session"]) == 43
    assert cookies(answer) == []


def test_a_provider_may_be_given_by_name(tmp_path: Path) -> None:
    app = Flask(__name__)
    manager = install(app, "file", provider_config=str(tmp_path / "sessions"))
    page(app, "/", put("n", 1))
    app.test_client().get("/")
    assert (tmp_path / "sessions").is_dir()
    assert manager.active_count() == 1
    assert app.extensions["sojourn"] is manager


# -- what is said after `install` -------------------------------------------------------------

LATE = {
    "SESSION_COOKIE_NAME": "__Host-shop",
    "SESSION_COOKIE_SECURE": True,
    "SESSION_COOKIE_SAMESITE": "Strict",
    "PERMANENT_SESSION_LIFETIME": 600,
}


def test_what_is_said_after_install_counts() -> None:
    app, manager = installed({}, gc_interval=60)
    app.config.update(LATE)
    page(app, "/", put("n", 1), keep)
    [line] = cookies(app.test_client().get("/", base_url="https://localhost"))
    pair, *given = line.split("; ")
    assert pair.startswith("__Host-shop=")
    assert {"Secure", "SameSite=Strict", "Max-Age=600"} <= {*given}
    assert (manager.config.max_lifetime, manager.config.gc_interval) == (600, 60)


def test_what_is_said_after_the_first_request_counts_as_it_does_in_flask() -> None:
    app, _ = installed({})
    page(app, "/", put("n", 1))
    assert "Lax" in cookies(app.test_client().get("/"))[0]
    app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
    assert "Strict" in cookies(app.test_client().get("/"))[0]


def test_what_the_first_request_says_counts_for_its_own_cookie() -> None:
    """As in Flask, which reads its settings when it saves the session."""
    app, _ = installed({})
    app.before_request(lambda: app.config.update(SESSION_COOKIE_SECURE=True))
    page(app, "/", put("n", 1))
    [line] = cookies(app.test_client().get("/"))
    assert "Secure" in line.split("; ")


def test_a_session_that_a_test_prepares_has_the_late_settings_too() -> None:
    app, _ = installed({})
    app.config["SESSION_COOKIE_NAME"] = "shop"
    client = app.test_client()
    with client.session_transaction() as prepared:
        prepared["n"] = 1
    assert client.get_cookie("shop") is not None


def test_what_was_said_to_the_manager_itself_stays() -> None:
    app, manager = installed({})
    manager.set_secure(value=True)
    app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
    page(app, "/", put("n", 1))
    [line] = cookies(app.test_client().get("/"))
    assert {"Secure", "SameSite=Strict"} <= {*line.split("; ")}


def test_a_wrong_setting_that_comes_late_is_refused_at_each_request() -> None:
    app, _ = installed({})
    app.config["SESSION_COOKIE_SAMESITE"] = "Some"
    for _ in range(2):
        with pytest.raises(ConfigError, match="SESSION_COOKIE_SAMESITE='Some': give 'Lax'"):
            app.test_client().get("/")


def test_another_session_interface_is_noticed_at_the_first_request() -> None:
    app, _ = installed({})
    app.session_interface = SecureCookieSessionInterface()
    with pytest.raises(ConfigError, match=r"flask\.sessions\.SecureCookieSessionInterface was put"):
        app.test_client().get("/")


def test_a_session_interface_may_be_derived_from_ours() -> None:
    class Own(SessionInterface):
        """What an application adds to it."""

    app, _ = installed({})
    app.session_interface.__class__ = Own
    page(app, "/", put("n", 1))
    assert len(cookies(app.test_client().get("/"))) == 1


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("cookie_name", "sid", "SESSION_COOKIE_NAME"),
        ("cookie_domain", "a.example", "SESSION_COOKIE_DOMAIN"),
        ("cookie_path", "/", "SESSION_COOKIE_PATH"),
        ("cookie_lifetime", 60, "PERMANENT_SESSION_LIFETIME"),
        ("http_only", True, "SESSION_COOKIE_HTTPONLY"),
        ("secure", "auto", "SESSION_COOKIE_SECURE"),
        ("same_site", "Lax", "SESSION_COOKIE_SAMESITE"),
        ("partitioned", False, "SESSION_COOKIE_PARTITIONED"),
        ("max_lifetime", 60, "PERMANENT_SESSION_LIFETIME"),
        ("touch_on", "change", "SESSION_REFRESH_EACH_REQUEST"),
    ],
)
def test_what_flask_has_a_setting_for_is_said_there(key: str, value: object, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key}: say it in app\.config\['{name}'\]"):
        installed({}, **{key: value})


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"SESSION_COOKIE_NAME": "a b"}, "SESSION_COOKIE_NAME='a b': give letters"),
        ({"SESSION_COOKIE_NAME": None}, "SESSION_COOKIE_NAME=None: give letters"),
        ({"SESSION_COOKIE_DOMAIN": "a/b"}, "SESSION_COOKIE_DOMAIN='a/b': give a bare host"),
        ({"SESSION_COOKIE_PATH": "a"}, "SESSION_COOKIE_PATH='a': give '/'"),
        ({"SESSION_COOKIE_HTTPONLY": 1}, "SESSION_COOKIE_HTTPONLY=1: give True or False"),
        ({"SESSION_COOKIE_SECURE": "yes"}, "SESSION_COOKIE_SECURE='yes': give True"),
        ({"SESSION_COOKIE_SAMESITE": "Some"}, "SESSION_COOKIE_SAMESITE='Some': give 'Lax'"),
        ({"PERMANENT_SESSION_LIFETIME": 0}, "PERMANENT_SESSION_LIFETIME=0: give more"),
        (
            {"SESSION_COOKIE_NAME": "__Host-a", "SESSION_COOKIE_PATH": "/b"},
            "SESSION_COOKIE_NAME='__Host-a': needs SESSION_COOKIE_PATH='/'",
        ),
    ],
)
def test_a_wrong_setting_is_refused_in_flasks_words(config: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        installed(config)
    assert str(refused.value).startswith(says)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="'hash_keys': did you mean 'hash_key'"):
        installed({}, hash_keys="secret")


@pytest.mark.parametrize("manager", [Manager, AsyncManager])
def test_a_manager_is_no_provider(manager: Any) -> None:
    with pytest.raises(ConfigError, match=rf"give it the provider of this {manager.__name__}"):
        install(Flask(__name__), manager(MemoryProvider()))


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        (None, "NoneType is no provider"),
        ("fil", "did you mean 'file'"),
        (FileProvider, "FileProvider is a class"),
        (AsyncRedisProvider("127.0.0.1:1"), "is async: give it to an AsyncManager"),
    ],
)
def test_a_wrong_provider_is_refused(provider: Any, says: str) -> None:
    app = Flask(__name__)
    with pytest.raises(ConfigError, match=says):
        install(app, provider)
    install(app, MemoryProvider())  # nothing of the first try is left in the way


def test_a_second_install_is_refused() -> None:
    app, _ = installed({})
    with pytest.raises(ConfigError, match="has its sessions from Sojourn already"):
        install(app, MemoryProvider())


def test_after_the_first_request_it_is_too_late() -> None:
    app = Flask(__name__)
    app.test_client().get("/")
    with pytest.raises(AssertionError, match="already handled its first request"):
        install(app, MemoryProvider())


def test_a_flask_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_versions, "version", lambda _: "2.3.3")
    with pytest.raises(ConfigError, match=r"flask 2\.3\.3 is too old.*pip install 'flask>=3'"):
        installed({})


# -- the command ------------------------------------------------------------------------------


def test_the_command_counts_and_sweeps() -> None:
    app, manager = installed({"PERMANENT_SESSION_LIFETIME": 0.05})
    page(app, "/", put("n", 1))
    app.test_client().get("/")
    runner = app.test_cli_runner()
    assert runner.invoke(args=["sessions", "count"]).output == "1 live\n"
    while manager.active_count():
        pass
    assert runner.invoke(args=["sessions", "gc"]).output == "1 removed\n"
    assert runner.invoke(args=["sessions", "count"]).output == "0 live\n"
