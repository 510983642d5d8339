"""Requests of one visitor that overlap lose nothing of each other's."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib import messages
from django.test import AsyncClient
from django.test.utils import override_settings

from tests.web.django.conftest import Site
from tests.web.django.pages import ato, to

REQUESTS = 8


def all_at_once(client: Any, pages: list[str]) -> list[int]:
    """Ask for all pages at once, as one visitor; return the statuses."""
    cookie = {"cookie": f"sessionid={client.cookies['sessionid'].value}"}

    def ask(page: str) -> int:
        return int(type(client)().get(page, headers=cookie).status_code)

    with ThreadPoolExecutor(len(pages)) as pool:
        return list(pool.map(ask, pages))


def visitor(site: Site) -> Any:
    client = site.client()
    client.get(to(lambda request: request.session.update({"cart": []})))
    return client


def data(client: Any) -> Any:
    return client.get(to(lambda request: dict(request.session))).json()["said"]


def test_eight_overlapping_requests_lose_nothing(site: Site) -> None:
    client, gate = visitor(site), Barrier(REQUESTS)

    def page(number: int) -> str:
        def deed(request: Any) -> None:
            request.session[f"own{number}"] = number
            request.session["cart"].append(number)
            request.session.setdefault("seen", set()).add(number)
            request.session.apply("count", lambda n: n + 1, 0)
            gate.wait(10)

        return to(deed)

    assert all_at_once(client, [page(number) for number in range(REQUESTS)]) == [200] * REQUESTS
    seen: list[Any] = []
    client.get(to(lambda request: seen.append(dict(request.session))))
    [kept] = seen
    assert sorted(kept["cart"]) == list(range(REQUESTS))
    assert (kept["seen"], kept["count"]) == (set(range(REQUESTS)), REQUESTS)
    assert all(kept[f"own{number}"] == number for number in range(REQUESTS))


async def test_eight_overlapping_tasks_lose_nothing(site: Site) -> None:
    client, gate = visitor(site), asyncio.Barrier(REQUESTS)

    async def deed(request: Any) -> None:
        cart = await request.session.aget("cart")
        await gate.wait()
        cart.append(1)
        request.session.apply("count", lambda n: n + 1, 0)
        await gate.wait()

    async def visit() -> int:
        tab = AsyncClient()
        tab.cookies["sessionid"] = client.cookies["sessionid"].value
        response = await tab.get(ato(deed))
        return int(response.status_code)

    async with asyncio.TaskGroup() as group:
        visits = [group.create_task(visit()) for _ in range(REQUESTS)]
    assert [each.result() for each in visits] == [200] * REQUESTS
    assert data(client) == {"cart": [1] * REQUESTS, "count": REQUESTS}


def test_nobody_is_brought_back_after_a_sign_out(site: Site) -> None:
    client, gate = visitor(site), Barrier(2)

    def slow(request: Any) -> None:
        request.session["late"] = True
        gate.wait(10)
        gate.wait(10)

    def leave(request: Any) -> None:
        gate.wait(10)
        site.manager.destroy(request.session.id)
        gate.wait(10)

    statuses = all_at_once(client, [to(slow), to(leave)])
    assert statuses == ([400, 200] if site.mode == "engine" else [200, 200])
    assert site.manager.active_count() == 0


@override_settings(MESSAGE_STORAGE="sojourn.web.django.MessageStorage")
@pytest.mark.parametrize("shown", [False, True])
def test_overlapping_requests_keep_each_others_messages(site: Site, shown: bool) -> None:
    client, gate = visitor(site), Barrier(2)
    client.get("/say", {"words": "before"})

    def say(words: str) -> str:
        def deed(request: Any) -> None:
            request.session.load()
            gate.wait(10)
            messages.info(request, words)
            gate.wait(10)

        return to(deed)

    def hear(request: Any) -> None:
        assert [str(message) for message in messages.get_messages(request)] == ["before"]
        gate.wait(10)
        gate.wait(10)

    all_at_once(client, [say("one"), to(hear) if shown else say("two")])
    expected = ["one"] if shown else ["before", "one", "two"]
    assert sorted(client.get("/hear").json()["said"]) == expected
    assert client.get("/hear").json()["said"] == []


@override_settings(MESSAGE_STORAGE="sojourn.web.django.MessageStorage")
def test_messages_that_djangos_storage_left_are_shown(site: Site) -> None:
    client = visitor(site)
    theirs = "django.contrib.messages.storage.session.SessionStorage"
    with override_settings(MESSAGE_STORAGE=theirs):
        client.get("/say", {"words": "old"})
    client.get("/say", {"words": "new"})
    assert client.get("/hear").json()["said"] == ["old", "new"]
    assert data(client) == {"cart": []}


@override_settings(MESSAGE_STORAGE="sojourn.web.django.MessageStorage")
def test_nothing_is_left_of_messages_that_were_shown(site: Site) -> None:
    client = site.client()
    for words in ("one", "two", "<three>"):
        client.get("/say", {"words": words})
    assert client.get("/hear").json()["said"] == ["one", "two", "<three>"]
    assert site.manager.active_count() == 0


@override_settings(MESSAGE_STORAGE="sojourn.web.django.MessageStorage")
def test_messages_that_were_not_shown_stay(site: Site) -> None:
    client = site.client()
    client.get("/say", {"words": "one"})

    def look_and_say(request: Any) -> int:
        messages.info(request, "two")
        return len(messages.get_messages(request))

    assert client.get(to(look_and_say)).json()["said"] == 2
    assert client.get("/hear").json()["said"] == ["one", "two"]
