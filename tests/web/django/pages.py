"""Pages that do what a test says: it hands a function over, and the page calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.urls import path

from sojourn import SessionReleased

Deed = Callable[..., Any]
DEEDS: dict[str, Deed] = {}


def to(deed: Deed) -> str:
    """The path of a page that does this to the request."""
    name = str(len(DEEDS))  # the same in each run, since it is part of the names of tests
    DEEDS[name] = deed
    return f"/do/{name}"


def ato(deed: Deed) -> str:
    """The path of an async page that awaits this."""
    return to(deed).replace("do", "ado", 1)


def put(request: HttpRequest) -> None:
    request.session["late"] = True


async def aput(request: HttpRequest) -> None:
    await request.session.aset("late", value=True)


def do(request: HttpRequest, deed: str) -> HttpResponse:
    return answer(DEEDS[deed](request))


async def ado(request: HttpRequest, deed: str) -> HttpResponse:
    return answer(await DEEDS[deed](request))


def answer(result: Any) -> HttpResponse:
    if isinstance(result, HttpResponse | StreamingHttpResponse):
        return result  # type: ignore[return-value]
    return JsonResponse({"said": result}, json_dumps_params={"default": repr})


def count(request: HttpRequest) -> HttpResponse:
    request.session["n"] = request.session.get("n", 0) + 1
    return answer(request.session["n"])


async def acount(request: HttpRequest) -> HttpResponse:
    await request.session.aset("n", await request.session.aget("n", 0) + 1)
    return answer(await request.session.aget("n"))


def quiet(request: HttpRequest) -> HttpResponse:
    return HttpResponse("quiet")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        try:
            request.session["late"] = True
            yield "lost"
        except SessionReleased:
            yield "refused"

    request.session["started"] = True
    return StreamingHttpResponse(parts())


async def astream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        yield "one"
        yield "two"

    await request.session.aset("started", True)
    return StreamingHttpResponse(parts())


def say(request: HttpRequest) -> HttpResponse:
    messages.success(request, request.GET["words"])
    return HttpResponse("said")


def hear(request: HttpRequest) -> HttpResponse:
    return answer([str(message) for message in messages.get_messages(request)])


def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_token(request) if request.method == "GET" else "posted")


urlpatterns = [
    path("do/<deed>", do),
    path("ado/<deed>", ado),
    path("count", count),
    path("acount", acount),
    path("quiet", quiet),
    path("stream", stream),
    path("astream", astream),
    path("say", say),
    path("hear", hear),
    path("form", form),
]
