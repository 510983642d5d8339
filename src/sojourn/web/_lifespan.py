"""The life of an ASGI server, and of a manager with it.

The garbage collection starts before the server is told that the startup is complete, and the
manager is closed before it is told that the shutdown is.  An application may refuse a lifespan,
ignore it, or leave early: what it does not answer is answered here, so that the manager is
closed all the same.  A server without a lifespan starts nothing and closes nothing.
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
"""Frameworks disagree about the types of scope, receive and send; all mean the same."""


class Lifespan:
    """One lifespan scope: the application's part of it, and the manager's."""

    def __init__(self, manager: AsyncManager, receive: Receive, send: Send) -> None:
        self._manager = manager
        self._receive = receive
        self._send = send
        self._asked = set[str]()
        self._answered = set[str]()

    async def run(self, app: App, scope: Scope) -> None:
        """Run the application's part, then what it left out.

        An error before its first answer means that it has no part in this (ASGI, "Lifespan
        Protocol"); a later one is raised.
        """
        try:
            await app(scope, self._ask, self._answer)
        except Exception as error:
            if self._answered:
                if "shutdown" in self._asked - self._answered:
                    await self._answer({"type": "lifespan.shutdown.failed", "message": str(error)})
                raise
            logger.info("the application takes no part in the lifespan", exc_info=True)
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
            self._asked |= {"startup", "shutdown"}  # nothing comes after this
            self._answered |= {"startup", "shutdown"}
            try:
                await self._manager.close()
            finally:  # an application that failed to start shall not be served
                await self._send(message)
