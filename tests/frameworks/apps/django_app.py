"""The probe in Django: under our middleware in both colours, and as the store beneath Django's.

Django's settings are those of a process, so there is one application in each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from typing import Any
from wsgiref.types import WSGIApplication

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotModified,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

from sojourn import SessionReleased
from sojourn.web import asgi, wsgi
from sojourn.web._lifespan import App
from tests.frameworks.probe import STAFF, Handled, Plan, Query, do, put

TEXT, EVENTS = "text/plain", "text/event-stream"
OURS = "sojourn.web.django.SessionMiddleware"
DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"
Middleware = Callable[[HttpRequest], HttpResponse]


def answer(result: object) -> JsonResponse:
    return JsonResponse(result, safe=False)


# -- the pages, in both colours -----------------------------------------------------------------


def deed(request: HttpRequest, deed: str) -> HttpResponse:
    return answer(do(deed, request.session, query_of(request)))


async def async_deed(request: HttpRequest, deed: str) -> HttpResponse:
    return answer(do(deed, request.session, query_of(request)))


def staff(request: HttpRequest, deed: str) -> HttpResponse:
    return answer(do(deed, request.META["staff"], query_of(request)))


async def async_staff(request: Any, deed: str) -> HttpResponse:
    return answer(do(deed, request.scope["staff"], query_of(request)))


def slow(request: HttpRequest, deed: str) -> HttpResponse:
    query = query_of(request)
    request.session.get("x")
    time.sleep(float(query["seconds"]))
    return answer(do(deed, request.session, query))


async def async_slow(request: HttpRequest, deed: str) -> HttpResponse:
    query = query_of(request)
    await request.session.aget("x")
    await asyncio.sleep(float(query["seconds"]))
    return answer(do(deed, request.session, query))


def parts(session: Any) -> Iterator[bytes]:
    yield b"one"
    yield b"two"
    try:
        session["late"] = "yes"
    except SessionReleased as error:
        yield type(error).__name__.encode()


async def async_parts(session: Any) -> AsyncIterator[bytes]:
    for part in parts(session):
        yield part


async def async_events() -> AsyncIterator[bytes]:
    for word in (b"one", b"two"):
        yield b"data: %s\n\n" % word


def stream(request: HttpRequest) -> StreamingHttpResponse:
    put(request.session, query_of(request))
    return StreamingHttpResponse(parts(request.session), content_type=TEXT)


async def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    await request.session.aupdate({query_of(request)["key"]: query_of(request)["value"]})
    return StreamingHttpResponse(async_parts(request.session), content_type=TEXT)


def events(request: HttpRequest) -> StreamingHttpResponse:
    put(request.session, query_of(request))
    said = (b"data: %s\n\n" % word for word in (b"one", b"two"))
    return StreamingHttpResponse(said, content_type=EVENTS)


async def async_server_events(request: HttpRequest) -> StreamingHttpResponse:
    put(request.session, query_of(request))
    return StreamingHttpResponse(async_events(), content_type=EVENTS)


def others(request: HttpRequest) -> HttpResponse:
    ours: Any = import_module("sojourn.web.django")
    return answer(sorted(info.id for info in ours.manager().sessions(request.GET["user"])))


async def async_others(request: HttpRequest) -> HttpResponse:
    ours: Any = import_module("sojourn.web.django")
    sessions = ours.async_manager().sessions(request.GET["user"])
    return answer(sorted([info.id async for info in sessions]))


def end_others(request: Any) -> HttpResponse:
    ours: Any = import_module("sojourn.web.django")
    return answer(ours.manager().destroy_user(request.GET["user"], keep=request.session.id))


async def async_end_others(request: Any) -> HttpResponse:
    ours: Any = import_module("sojourn.web.django")
    user, id = request.GET["user"], request.session.id
    return answer(await ours.async_manager().destroy_user(user, keep=id))


# -- the pages that are the same in both ----------------------------------------------------------


def query_of(request: HttpRequest) -> Query:
    return {key: str(value) for key, value in request.GET.items()}


def quiet(request: HttpRequest) -> HttpResponse:
    return HttpResponse("quiet", content_type=TEXT)


def fail(request: HttpRequest) -> HttpResponse:
    put(request.session, query_of(request))
    raise RuntimeError("nobody handles this")


def handled(request: HttpRequest) -> HttpResponse:
    put(request.session, query_of(request))
    raise Handled


def redirect(request: HttpRequest) -> HttpResponse:
    put(request.session, query_of(request))
    return HttpResponseRedirect("/do/everything")


def not_modified(request: HttpRequest) -> HttpResponse:
    request.session.get("x")
    return HttpResponseNotModified()


def cached(request: HttpRequest) -> HttpResponse:
    request.session.get("x")
    response = answer("cached")
    response["Vary"], response["Cache-Control"] = "Accept", "public"
    return response


class Teapot:
    """The application's error handler; and a HEAD has no body, whatever serves it."""

    def __init__(self, get_response: Middleware) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        return without_body(response) if request.method == "HEAD" else response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Handled):
            return None
        request.session["handled"] = "yes"
        return HttpResponse(status=418)


def without_body(response: HttpResponse) -> HttpResponse:
    bare = HttpResponse(status=response.status_code, headers=dict(response.items()))
    bare.cookies = response.cookies
    return bare


SAME = {
    "quiet": quiet,
    "raise": fail,
    "handled": handled,
    "redirect": redirect,
    "not-modified": not_modified,
    "cached": cached,
}
SYNC = {
    **SAME,
    "do/<deed>": deed,
    "staff/<deed>": staff,
    "slow/<deed>": slow,
    "stream": stream,
    "events": events,
    "others": others,
    "end-others": end_others,
}
ASYNC = {
    **SAME,
    "do/<deed>": async_deed,
    "staff/<deed>": async_staff,
    "slow/<deed>": async_slow,
    "stream": async_stream,
    "events": async_server_events,
    "others": async_others,
    "end-others": async_end_others,
}


# -- one application in a process -----------------------------------------------------------------


def configure(plan: Plan, middleware: str, pages: dict[str, Any]) -> None:
    """Say in Django's settings what the plan says, as far as Django has words for it."""
    rest = dict(plan.settings)
    named = {
        "SESSION_COOKIE_NAME": rest.pop("cookie_name", "sessionid"),
        "SESSION_COOKIE_AGE": rest.pop("max_lifetime", 3600),
        "SESSION_COOKIE_SAMESITE": rest.pop("same_site", "Lax"),
        "SESSION_COOKIE_PATH": rest.pop("cookie_path", "/"),
    }
    settings.configure(
        SECRET_KEY="signs nothing",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=tuple(path(route, view) for route, view in pages.items()),
        INSTALLED_APPS=["sojourn.web.django"],
        MIDDLEWARE=[middleware, f"{__name__}.Teapot"],
        SESSION_ENGINE="sojourn.web.django",
        SESSION_EXPIRE_AT_BROWSER_CLOSE=True,
        SESSION_SAVE_EVERY_REQUEST=middleware == OURS,  # each request counts as seen
        SOJOURN={"provider": plan.provider, "provider_config": plan.provider_config, **rest},
        **named,
    )
    django.setup()


def make(plan: Plan) -> WSGIApplication:
    configure(plan, OURS, SYNC)
    return wsgi.SessionMiddleware(WSGIHandler(), plan.manager(**STAFF), key="staff")


def make_engine(plan: Plan) -> WSGIApplication:
    configure(plan, DJANGOS, SYNC)
    return wsgi.SessionMiddleware(WSGIHandler(), plan.manager(**STAFF), key="staff")


def make_asgi(plan: Plan) -> App:
    configure(plan, OURS, ASYNC)
    return asgi.SessionMiddleware(ASGIHandler(), plan.async_manager(**STAFF), key="staff")
