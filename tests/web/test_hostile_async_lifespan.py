"""What a server hears of a lifespan when the manager cannot be closed."""

from __future__ import annotations

import pytest

from sojourn import AsyncManager, StoreUnavailable
from sojourn.providers.memory import MemoryProvider
from sojourn.web._lifespan import Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware
from tests.web.test_asgi import Server


class Stuck(MemoryProvider):
    def close(self) -> None:
        raise StoreUnavailable("it does not close")


@pytest.mark.parametrize(
    "answers",
    [
        ["startup.failed"],  # or a server that hears of an exception alone takes it for a refusal
        ["startup.complete", "shutdown.failed"],
        ["startup.complete", "shutdown.complete"],
    ],
)
async def test_the_answer_of_the_application_reaches_the_server(answers: list[str]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for answer in answers:
            await receive()
            await send({"type": f"lifespan.{answer}"})

    server = Server({"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown")
    with pytest.raises(StoreUnavailable, match="it does not close"):
        await server.run(SessionMiddleware(app, AsyncManager(Stuck())))
    assert server.kinds == [f"lifespan.{answer}" for answer in answers]
