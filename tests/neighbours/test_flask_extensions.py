"""Extensions of Flask that have to do with its sessions, created after `install`."""

from __future__ import annotations

import pytest
from cachelib import SimpleCache
from flask import Flask
from flask_session import Session
from flask_talisman import Talisman

from sojourn import ConfigError
from sojourn.providers.memory import MemoryProvider
from sojourn.web.flask import install
from tests.web.pallets import cookies, page, put


def test_what_talisman_says_of_the_cookie_counts() -> None:
    """It puts SESSION_COOKIE_SECURE and the others into `app.config`."""
    app = Flask(__name__)
    install(app, MemoryProvider())
    Talisman(app, force_https=False, session_cookie_samesite="Strict")
    page(app, "/", put("n", 1))
    [line] = cookies(app.test_client().get("/"))
    assert {"Secure", "SameSite=Strict"} <= {*line.split("; ")}


def test_flask_session_in_its_place_is_noticed() -> None:
    """Extensions call `Session(app)` by themselves, such as Microsoft's `identity`."""
    app = Flask(__name__)
    install(app, MemoryProvider())
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)
    page(app, "/", put("n", 1))
    with pytest.raises(ConfigError, match=r"flask_session\..*CacheLibSessionInterface was put"):
        app.test_client().get("/")
