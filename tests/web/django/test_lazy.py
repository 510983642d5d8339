"""Our middleware reads a session at its first use under WSGI, and before the view under ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.test.utils import override_settings

from sojourn import Record, StoreError
from sojourn.providers.memory import MemoryProvider
from tests.web.django.pages import ato, to
from tests.web.django.settings import OTHERS, OURS
from tests.web.stores import Failing


class Loops(MemoryProvider):
    """Notes for each read whether it happened in an event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.in_loop = list[bool]()

    def read(self, id: str) -> Record | None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.in_loop.append(False)
        else:
            self.in_loop.append(True)
        return super().read(id)


def plain(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A middleware that is sync only, as many of other packages are."""

    def middleware(request: HttpRequest) -> Any:
        return get_response(request)

    return middleware


async def test_an_async_view_behind_a_sync_middleware_does_not_read_in_the_event_loop() -> None:
    """Reading there would keep all other requests waiting."""

    async def get(request: HttpRequest) -> Any:
        return await request.session.aget("n")

    store = Loops()
    with override_settings(MIDDLEWARE=[OURS, f"{__name__}.plain"], SOJOURN={"provider": store}):
        client = AsyncClient()
        await client.get("/count")
        store.in_loop.clear()
        assert (await client.get(ato(get))).json() == {"said": 1}
    assert store.in_loop == [False]


class WrappedError(Exception):
    """As libraries raise it in place of the error of their part."""


def wrapping(request: HttpRequest) -> None:
    try:
        request.session.get("n")
    except StoreError as error:
        raise WrappedError from error


@pytest.mark.parametrize("propagate", [True, False])
def test_an_error_after_a_failed_use_is_answered_with_503(propagate: bool) -> None:
    store = Failing()
    given = {"MIDDLEWARE": [OURS, *OTHERS], "SOJOURN": {"provider": store}}
    with override_settings(**given, DEBUG_PROPAGATE_EXCEPTIONS=propagate):
        client = Client(raise_request_exception=False)
        client.get("/count")
        store.down = {"read"}
        assert client.get(to(wrapping)).status_code == 503
