"""Its pages, and its socket, which does what it is told."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack, logout
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest, JsonResponse
from django.urls import path


def who(request: HttpRequest) -> JsonResponse:
    session: Any = request.session
    return JsonResponse(
        [request.user.get_username(), session.user, dict(session).get("said")], safe=False
    )


def begin(request: HttpRequest) -> JsonResponse:
    request.session["said"] = []
    return JsonResponse({"key": request.session.session_key})


urlpatterns = [path("", who), path("begin", begin)]


class Consumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # it has no types
    async def receive_json(self, content: Any, **_: Any) -> None:
        session = self.scope["session"]
        match content:
            case "who":
                user = self.scope["user"].get_username()
                await self.send_json([user, session.user, session.get("said")])
            case "sign out":
                await logout(self.scope)
                await self.send_json("signed out")
            case {"say": word}:
                (await session.asetdefault("said", [])).append(word)
                try:
                    await session.asave()
                except UpdateError:
                    await self.send_json("gone")
                else:
                    await self.send_json("said")


application = AuthMiddlewareStack(Consumer.as_asgi())
