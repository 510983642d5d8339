"""What happens between pages and a socket.  `manage.py test` runs it, in `test_channels`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.test import AsyncClient, TestCase

from sojourn.web.django import async_manager
from tests.architecture.pages import ROOT, blocks_of
from tests.servers.process import BUSY
from tests.web.channels_site.site import application

COOKIE = "sessionid"


class Socket:
    """An open socket.  (What Channels has for tests needs daphne.)"""

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator

    async def tell(self, what: object) -> None:
        await self._communicator.send_input({"type": "websocket.receive", "text": json.dumps(what)})

    async def hear(self) -> Any:
        return await self._communicator.receive_output(BUSY)

    async def ask(self, what: object) -> Any:
        await self.tell(what)
        return json.loads((await self.hear())["text"])


@asynccontextmanager
async def opened(cookie: str | None, app: Any = application) -> AsyncIterator[Socket]:
    headers = [] if cookie is None else [(b"cookie", f"{COOKIE}={cookie}".encode())]
    scope = {"type": "websocket", "path": "/", "headers": headers}
    make: Any = ApplicationCommunicator
    communicator = make(app, scope)
    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output(BUSY))["type"] == "websocket.accept"
    yield Socket(communicator)
    await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.wait(BUSY)


def of(client: AsyncClient) -> str:
    return str(client.cookies[COOKIE].value)


class Sockets(TestCase):
    """A consumer and its session."""

    async def signed_in(self) -> tuple[AsyncClient, str]:
        """Somebody who is, and the key of the user."""
        user = await User.objects.acreate(username="ada")
        client = AsyncClient()
        await client.aforce_login(user)
        return client, str(user.pk)

    async def who(self, client: AsyncClient) -> Any:
        return (await client.get("/")).json()

    async def test_a_consumer_knows_who_it_is(self) -> None:
        client, key = await self.signed_in()
        async with opened(of(client)) as socket:
            assert await socket.ask("who") == ["ada", key, None]
        async with opened(None) as socket:
            assert await socket.ask("who") == ["", None, None]

    async def test_what_a_consumer_saves_the_pages_see(self) -> None:
        client, key = await self.signed_in()
        async with opened(of(client)) as socket, opened(of(client)) as other:
            await socket.ask("who")
            assert await socket.ask({"say": "one"}) == "said"
            assert await other.ask({"say": "two"}) == "said"
            assert await socket.ask({"say": "three"}) == "said"
            assert await self.who(client) == ["ada", key, ["one", "two", "three"]]
        assert await async_manager().active_count() == 1

    async def test_a_visitor_nobody_knows_leaves_no_trace(self) -> None:
        async with opened(None) as socket:
            await socket.ask("who")
            await socket.ask("who")
        assert await async_manager().active_count() == 0

    async def test_a_key_that_is_an_id_opens_nothing(self) -> None:
        await self.signed_in()
        [info] = [each async for each in async_manager().sessions()]
        async with opened(info.id) as socket:
            assert await socket.ask("who") == ["", None, None]

    async def test_after_a_sign_out_nothing_is_saved_any_more(self) -> None:
        client, key = await self.signed_in()
        async with opened(of(client)) as socket:
            await socket.ask("who")
            await async_manager().destroy_user(key)
            assert await socket.ask({"say": "late"}) == "gone"
        assert await self.who(client) == ["", None, None]
        assert await async_manager().active_count() == 0

    async def test_a_sign_out_by_the_socket_ends_the_session(self) -> None:
        client, _ = await self.signed_in()
        kept = of(client)
        async with opened(kept) as socket:
            assert await socket.ask("sign out") == "signed out"
            assert await socket.ask("who") == ["", None, None]
        assert await self.who(client) == ["", None, None]
        async with opened(kept) as socket:
            assert await socket.ask("who") == ["", None, None]
        assert await async_manager().active_count() == 0

    async def test_the_consumer_of_the_page(self) -> None:
        [printed] = [
            block.source
            for block in blocks_of(ROOT / "docs" / "django.md", "python")
            if "class Consumer" in block.source
        ]
        names: dict[str, Any] = {}
        exec(compile(printed, "django.md", "exec", dont_inherit=True), names)
        client, key = await self.signed_in()
        async with opened(of(client), names["application"]) as socket:
            await socket.tell("one")
            for _ in range(1000):  # it does not answer
                if await self.who(client) == ["ada", key, ["one"]]:
                    break
                await asyncio.sleep(0.01)
            assert await self.who(client) == ["ada", key, ["one"]]
            await async_manager().destroy_user(key)
            await socket.tell("late")
            assert (await socket.hear())["type"] == "websocket.close"
