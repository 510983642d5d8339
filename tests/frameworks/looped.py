"""ASGI and aiohttp applications in this process: on a loop that runs in another thread.

An error that leaves an ASGI application before its response began is a 500, as every server
makes it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from sojourn.web._lifespan import App, Message
from tests.frameworks.client import Answer, Headers, Refused, Talk, Wire
from tests.parallel.visits import PATIENCE
from tests.servers.process import free_port


@contextmanager
def loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@contextmanager
def aiohttp_wire(loop: asyncio.AbstractEventLoop, app: web.Application) -> Iterator[Wire]:
    """aiohttp's own server, on the loop."""

    def run(step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, loop).result(PATIENCE)

    runner, port = web.AppRunner(app), free_port()
    run(runner.setup())
    try:
        run(web.TCPSite(runner, "127.0.0.1", port).start())
        yield Wire(port)
    finally:
        run(runner.cleanup())


class _Conversation:
    """One scope of an application, spoken with from another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, app: App, scope: Message) -> None:
        self._loop = loop
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        self._said: queue.Queue[Message] = queue.Queue()
        whole = {"asgi": {"version": "3.0", "spec_version": "2.4"}, **scope}
        self._end = asyncio.run_coroutine_threadsafe(self._run(app, whole), loop)

    async def _run(self, app: App, scope: Message) -> None:
        try:
            await app(scope, self._told.get, self._say)
        except Exception as error:  # noqa: BLE001 - the server's part
            self._said.put({"type": "error", "error": error})
        else:
            self._said.put({"type": "end"})

    async def _say(self, message: Message) -> None:
        self._said.put(message)

    def tell(self, kind: str, **more: object) -> None:
        self._loop.call_soon_threadsafe(self._told.put_nowait, {"type": kind, **more})

    def hear(self) -> Message:
        return self._said.get(timeout=PATIENCE)

    def leave(self) -> None:
        """Wait for what the application does once nobody listens."""
        self._end.result(PATIENCE)


class Looped:
    """An ASGI application on a loop that runs in another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, app: App) -> None:
        self._loop, self._app = loop, app

    @contextmanager
    def lifespan(self) -> Iterator[None]:
        life = _Conversation(self._loop, self._app, {"type": "lifespan", "state": {}})
        for event in ("startup", "shutdown"):
            life.tell(f"lifespan.{event}")
            assert life.hear()["type"] == f"lifespan.{event}.complete"
            if event == "startup":
                yield
        life.leave()

    def ask(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        said = self._begin("http", target, headers, method=method, http_version="1.1")
        said.tell("http.request", body=b"", more_body=False)
        head, body = said.hear(), b""
        if head["type"] != "http.response.start":
            return Answer(500, [], b"")
        while (part := said.hear())["type"] == "http.response.body":
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        else:
            raise AssertionError(f"the response was cut off: {part}")
        said.tell("http.disconnect")
        said.leave()
        return Answer(head["status"], _text(head), b"" if method == "HEAD" else body)

    @contextmanager
    def talk(self, path: str, headers: Mapping[str, str]) -> Iterator[Talk]:
        talk = _Talk(self._begin("websocket", path, headers, subprotocols=[]))
        yield talk
        talk.close()

    def _begin(
        self, kind: str, target: str, headers: Mapping[str, str], **more: object
    ) -> _Conversation:
        path, _, query = target.partition("?")
        pairs = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
        scope = {
            "type": kind,
            "scheme": "http" if kind == "http" else "ws",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), *pairs],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
            "extensions": {},
            "state": {},
            **more,
        }
        return _Conversation(self._loop, self._app, scope)


class _Talk:
    def __init__(self, said: _Conversation) -> None:
        self._said = said
        said.tell("websocket.connect")
        accepted = said.hear()
        if accepted["type"] != "websocket.accept":
            raise Refused(_text(accepted))
        self.headers = _text(accepted)

    def send(self, text: str) -> None:
        self._said.tell("websocket.receive", text=text)

    def recv(self) -> str:
        return str(self._said.hear()["text"])

    def close(self) -> None:
        self._said.tell("websocket.disconnect", code=1000)
        self._said.leave()


def _text(head: Message) -> Headers:
    pairs = head.get("headers", ())
    return [(name.decode("latin-1"), text.decode("latin-1")) for name, text in pairs]
