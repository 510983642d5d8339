"""OpenTelemetry's spans have no token in them, by default and as the page says."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as ASGISpans
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as WSGISpans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from webtest import TestApp

from sojourn import AsyncManager, Manager
from sojourn.web.asgi import SessionMiddleware as ASGISessions
from sojourn.web.wsgi import SessionMiddleware as WSGISessions
from tests.architecture.pages import ROOT, blocks_of

[BLOCK] = blocks_of(ROOT / "docs" / "observability.md", "ini")
NAME = "__Host-session"
SANITIZE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS"


def environment() -> dict[str, str]:
    """What the page says."""
    pairs = (line.partition("=") for line in BLOCK.source.splitlines())
    return {name: value for name, _, value in pairs}


def greet(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    environ["sojourn.session"].login("ada")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


async def async_greet(scope: Scope, receive: Receive, send: Send) -> None:
    Request(scope).scope["session"].login("ada")
    await PlainTextResponse("hello")(scope, receive, send)


def visit(kind: str, spans: TracerProvider) -> list[str]:
    """Two requests of one visitor; the tokens that it is given."""
    if kind == "wsgi":
        sessions = WSGISessions(greet, Manager("memory", cookie_name=NAME))
        app = TestApp(WSGISpans(sessions, tracer_provider=spans))
        answers = [app.get("https://localhost/").headers for _ in range(2)]
    else:
        async_sessions = ASGISessions(async_greet, AsyncManager("memory", cookie_name=NAME))
        instrumented = ASGISpans(async_sessions, tracer_provider=spans)
        client = TestClient(instrumented, base_url="https://shop.example")
        answers = [client.get("/").headers for _ in range(2)]
    return [answer["Set-Cookie"].split("=")[1].partition(";")[0] for answer in answers]


def recorded(kind: str) -> tuple[list[str], str]:
    """The tokens, and what stands in the spans."""
    exporter, spans = InMemorySpanExporter(), TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(exporter))
    tokens = visit(kind, spans)
    assert [len(token) for token in tokens] == [43, 43]
    return tokens, "".join(span.to_json() for span in exporter.get_finished_spans())


kinds = pytest.mark.parametrize("kind", ["wsgi", "asgi"])


@kinds
def test_no_header_is_recorded_by_default(kind: str) -> None:
    tokens, spans = recorded(kind)
    assert "HTTP/" in spans or '"http.method": "GET"' in spans
    assert [token for token in tokens if token in spans] == []


@kinds
def test_what_the_page_says_keeps_the_token_out(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    tokens, spans = recorded(kind)
    assert spans.count('"http.request.header.cookie"') == 1
    assert spans.count('"http.response.header.set_cookie"') == 2
    assert [token for token in tokens if token in spans] == []


@kinds
def test_captured_headers_need_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        if name != SANITIZE:
            monkeypatch.setenv(name, value)
    tokens, spans = recorded(kind)
    assert [token for token in tokens if token not in spans] == []
