"""The ASGI lifespan protocol, and how the manager takes part in it.

Garbage collection is started before the startup is reported to the server as complete, and the
manager is closed before the shutdown is reported as complete.  An application may
refuse the lifespan scope, ignore it, or return early: this module then sends the missing answers in
its place, so that the manager is closed in any case.  With a server that has no lifespan support,
garbage collection is not started and the manager is not closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sojourn._events import logger
from sojourn.manager import AsyncManager

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
"""Any ASGI application.  Frameworks type scope, receive and send differently, hence `Any`."""


class Lifespan:
    """One lifespan scope, with its messages passed on between the server and the application."""

    def __init__(self, manager: AsyncManager, receive: Receive, send: Send) -> None:
        self._manager = manager
        self._receive = receive
        self._send = send
        self._asked = set[str]()
        self._answered = set[str]()

    async def run(self, app: App, scope: Scope) -> None:
        """Run the application, then send the answers that it left out.

        An exception before its first answer means that it does not support lifespan events (ASGI,
        "Lifespan Protocol"); a later exception is raised.
        """
        try:
            await app(scope, self._ask, self._answer)
        except Exception as error:
            if self._answered:
                if "shutdown" in self._asked - self._answered:
                    await self._answer({"type": "lifespan.shutdown.failed", "message": str(error)})
                raise
            # The exception is not an error, but may hide one, so it is logged.
            logger.info("the application takes no part in the lifespan", exc_info=True)
        # An application that ignores the lifespan has received neither event and answered none.
        for event in ("startup", "shutdown"):
            if event not in self._asked:
                await self._ask()
            if event not in self._answered:
                await self._answer({"type": f"lifespan.{event}.complete"})

    async def _ask(self) -> Message:
        message = await self._receive()
        self._asked.add(message["type"].removeprefix("lifespan."))
        return message

    async def _answer(self, message: Message) -> None:
        _, event, result = message["type"].split(".")
        self._answered.add(event)
        if (event, result) == ("startup", "complete"):
            self._manager.start_gc()
            await self._send(message)
        else:
            self._asked |= {"startup", "shutdown"}  # the server sends no more events
            self._answered |= {"startup", "shutdown"}
            try:
                await self._manager.close()
            finally:  # even if closing fails, since the server waits for this message
                await self._send(message)
