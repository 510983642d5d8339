"""The mapping that Django promises, in both colours and both modes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DjangosStore
from django.utils.safestring import SafeString

from sojourn import EncodeError
from tests.web.django.conftest import Site
from tests.web.django.pages import ato, to

DATA = {"a": 1, "b": [2], "c": {"d": 3}}


def said(client: Any, deed: Callable[[Any], Any]) -> Any:
    """What a page says that does this to the session."""
    return client.get(to(lambda request: deed(request.session))).json()["said"]


READS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "getitem": (lambda session: session["a"], 1),
    "get": (lambda session: session.get("a"), 1),
    "get nothing": (lambda session: session.get("z"), None),
    "get default": (lambda session: session.get("z", 5), 5),
    "in": (lambda session: "a" in session, True),
    "not in": (lambda session: "z" in session, False),
    "has_key": (lambda session: session.has_key("a"), True),
    "keys": (lambda session: sorted(session.keys()), ["a", "b", "c"]),
    "values": (lambda session: len(session.values()), 3),
    "items": (lambda session: dict(session.items()), DATA),
    "dict": (dict, DATA),
    "iter": (sorted, ["a", "b", "c"]),
    "len": (len, 3),
    "bool": (bool, True),
    "load": (lambda session: session.load()["a"], 1),
    "is_empty": (lambda session: session.is_empty(), False),
}


@pytest.mark.parametrize("name", READS)
def test_it_reads_like_a_dict_and_changes_nothing(site: Site, name: str) -> None:
    client = site.client()
    said(client, lambda session: session.update(DATA))
    read, expected = READS[name]
    response = client.get(to(lambda request: read(request.session)))
    assert response.json()["said"] == expected
    assert not response.cookies
    if name not in ("is_empty", "bool"):
        assert response["Vary"] == "Cookie"


AREADS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "aget": (lambda session: session.aget("a"), 1),
    "aget default": (lambda session: session.aget("z", 5), 5),
    "ahas_key": (lambda session: session.ahas_key("a"), True),
    "aload": (lambda session: session.aload(), None),
    "akeys": (lambda session: session.akeys(), None),
    "avalues": (lambda session: session.avalues(), None),
    "aitems": (lambda session: session.aitems(), None),
}


@pytest.mark.parametrize("name", AREADS)
async def test_it_reads_in_async_views(site: Site, name: str) -> None:
    client = site.async_client()
    await client.get(to(lambda request: request.session.update(DATA)))
    read, expected = AREADS[name]

    async def deed(request: Any) -> Any:
        found = await read(request.session)
        return len(found) if expected is None else found

    response = await client.get(ato(deed))
    assert response.json()["said"] == (3 if expected is None else expected)
    assert response["Vary"] == "Cookie"


CHANGES: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "setitem": (lambda session: session.__setitem__("a", 2), {**DATA, "a": 2}),
    "delitem": (lambda session: session.__delitem__("a"), {"b": [2], "c": {"d": 3}}),
    "pop": (lambda session: session.pop("a"), {"b": [2], "c": {"d": 3}}),
    "pop default": (lambda session: session.pop("z", 1), DATA),
    "setdefault": (lambda session: session.setdefault("e", []).append(1), {**DATA, "e": [1]}),
    "setdefault known": (
        lambda session: session.setdefault("b", []).append(1),
        {**DATA, "b": [2, 1]},
    ),
    "update": (lambda session: session.update({"a": 2}), {**DATA, "a": 2}),
    "apply": (lambda session: session.apply("a", lambda n: n + 1), {**DATA, "a": 2}),
    "in place": (lambda session: session["c"].update(e=4), {**DATA, "c": {"d": 3, "e": 4}}),
    "the same object": (
        lambda session: session.__setitem__("b", session["b"].append(3) or session["b"]),
        {**DATA, "b": [2, 3]},
    ),
    "modified told": (lambda session: setattr(session, "modified", True), DATA),
    "test cookie": (lambda session: session.set_test_cookie(), {**DATA, "testcookie": "worked"}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_is_kept(site: Site, name: str) -> None:
    client = site.client()
    said(client, lambda session: session.update(DATA))
    change, expected = CHANGES[name]
    client.get(to(lambda request: change(request.session)))
    assert said(client, dict) == expected


ACHANGES: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "aset": (lambda session: session.aset("a", 2), {**DATA, "a": 2}),
    "apop": (lambda session: session.apop("a"), {"b": [2], "c": {"d": 3}}),
    "apop default": (lambda session: session.apop("z", 1), DATA),
    "asetdefault": (lambda session: session.asetdefault("e", [1]), {**DATA, "e": [1]}),
    "aupdate": (lambda session: session.aupdate({"a": 2}), {**DATA, "a": 2}),
    "aset_test_cookie": (
        lambda session: session.aset_test_cookie(),
        {**DATA, "testcookie": "worked"},
    ),
}


@pytest.mark.parametrize("name", ACHANGES)
async def test_what_is_changed_in_async_views_is_kept(site: Site, name: str) -> None:
    client = site.async_client()
    await client.get(to(lambda request: request.session.update(DATA)))
    change, expected = ACHANGES[name]

    async def deed(request: Any) -> None:
        await change(request.session)

    await client.get(ato(deed))
    response = await client.get(to(lambda request: dict(request.session)))
    assert response.json()["said"] == expected


def test_missing_keys_are_key_errors(site: Site) -> None:
    def deed(session: Any) -> None:
        with pytest.raises(KeyError):
            session["z"]
        with pytest.raises(KeyError):
            session.pop("z")
        with pytest.raises(KeyError):
            del session["z"]

    said(site.client(), deed)


def test_types_come_back_as_they_were(site: Site) -> None:
    client, seen = site.client(), []
    kept = {"t": (1, "two"), "i": {1: "int key"}, "d": datetime.now(UTC), "x": Decimal("1.10")}
    said(client, lambda session: session.update({**kept, "safe": SafeString("<b>")}))
    said(client, lambda session: seen.append(dict(session)))
    assert type(seen[0].pop("safe")) is SafeString
    assert seen == [kept]


def test_what_cannot_be_kept_is_refused_where_it_is_put(site: Site) -> None:
    def deed(session: Any) -> None:
        with pytest.raises(EncodeError, match=r"'z'.*object"):
            session["z"] = object()

    said(site.client(), deed)


def test_it_says_whether_it_was_looked_at_and_changed(site: Site) -> None:
    def deed(session: Any) -> Any:
        said = [(session.accessed, session.modified)]
        session.accessed = session.modified = False
        session.get("a")
        said.append((session.accessed, session.modified))
        session.setdefault("list", []).append(1)
        session.modified = False
        return [*said, (session.accessed, session.modified)]

    client = site.client()
    assert said(client, deed) == [[False, False], [True, False], [True, True]]
    assert said(client, lambda session: session["list"]) == [1]


def test_the_test_cookie_works(site: Site) -> None:
    client = site.client()
    said(client, lambda session: session.set_test_cookie())
    assert said(client, lambda session: session.test_cookie_worked()) is True
    said(client, lambda session: session.delete_test_cookie())
    assert said(client, lambda session: session.test_cookie_worked()) is False


def test_it_is_a_session_to_those_who_ask(site: Site) -> None:
    assert said(site.client(), lambda session: isinstance(session, SessionBase)) is True


def test_it_reads_what_django_signed(site: Site) -> None:
    def deed(session: Any) -> Any:
        stored = DjangosStore().encode({"a": 1})
        return session.decode(stored), session.decode(session.encode(DATA)), session.decode("x")

    assert said(site.client(), deed) == [{"a": 1}, DATA, {}]


def test_it_is_true_once_something_is_to_be_stored(site: Site) -> None:
    def deed(session: Any) -> Any:
        before = bool(session)
        session["a"] = 1
        return before, bool(session)

    assert said(site.client(), deed) == [False, True]


def test_visitors_who_only_look_leave_no_trace(site: Site) -> None:
    for read, _ in READS.values():
        response = site.client().get(to(lambda request, read=read: read_quietly(read, request)))
        assert not response.cookies
    assert site.manager.active_count() == 0


def read_quietly(read: Callable[[Any], Any], request: Any) -> None:
    with contextlib.suppress(KeyError):
        read(request.session)
