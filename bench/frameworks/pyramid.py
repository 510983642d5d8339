"""Pyramid: its own signed cookie, pyramid_session_redis, and Sojourn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.session import SignedCookieSessionFactory
from pyramid_session_redis import RedisSessionFactory

from bench import servers
from bench.frameworks.common import SECRET, Ours, Subjects, over
from bench.stores import managed
from bench.subject import QUIET, WORK
from bench.wsgi import Wsgi
from sojourn import Manager
from sojourn.web.pyramid import SessionFactory


def _visited(request: Any) -> Response:
    request.environ[WORK](request.session)
    return Response("ok")


def _plain(_request: Any) -> Response:
    return Response("ok")


def _application(view: Any, sessions: Any = None) -> Any:
    with Configurator(session_factory=sessions) as config:
        for name, path, page in (("view", "/", view), ("quiet", QUIET, _plain)):
            config.add_route(name, path)
            config.add_view(page, route_name=name)
        return config.make_wsgi_app()


class SignedCookie(Wsgi):
    """The built-in sessions of Pyramid."""

    name = "Pyramid"
    store = "cookie"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        self.with_session = _application(_visited, SignedCookieSessionFactory(SECRET))


class Redis(Wsgi):
    """Each session is stored as a Redis string."""

    name = "pyramid_session_redis"
    store = "redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        sessions = RedisSessionFactory(SECRET, redis_url=servers.empty_redis())
        self.with_session = _application(_visited, sessions)


class Sojourn(Ours, Wsgi):
    """Sojourn provides `request.session`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        self.manager = managed(Manager, self.store, folder)
        self.with_session = _application(_visited, SessionFactory(self.manager))


SUBJECTS: Subjects = (SignedCookie, Redis, *over(Sojourn, "memory", "redis"))
