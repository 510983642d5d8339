"""A stream of Starlette whose client is gone before its first part, on a real server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from sojourn import AsyncManager, Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.web._lifespan import Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware
from tests.servers.process import BUSY, free_port, wait_until


def test_half_of_the_work_is_not_stored() -> None:
    """Starlette cancels it in the middle, and returns as if nothing had happened."""
    begun, over = threading.Event(), threading.Event()
    provider = MemoryProvider()

    async def pay(request: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            request.session["balance"] = "charged"
            begun.set()
            await asyncio.sleep(BUSY)
            request.session["goods"] = "booked"
            yield b"done"

        return StreamingResponse(parts())

    inner = SessionMiddleware(Starlette(routes=[Route("/", pay)]), AsyncManager(provider))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(scope, receive, send)
        if scope["type"] == "http":
            over.set()

    port = free_port()
    config = uvicorn.Config(app, port=port, log_level="critical", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, "uvicorn")
        with socket.create_connection(("127.0.0.1", port), BUSY) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert begun.wait(BUSY)
        assert over.wait(BUSY)
        assert Manager(provider).active_count() == 0
    finally:
        server.should_exit = True
        thread.join()
