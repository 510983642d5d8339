"""A site moves from Django's own sessions as the page says it: who stays signed in.

Each engine of Django's is the one of before, and the middleware is the one that the page prints.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.test.utils import override_settings

from tests.architecture.pages import ROOT, blocks_of
from tests.web.django.conftest import MIDDLEWARES, Site
from tests.web.django.pages import ato, to
from tests.web.django.settings import DJANGOS, OTHERS

pytestmark = pytest.mark.usefixtures("database")
ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]
OF_DJANGO = "django.contrib.sessions.backends."
COOKIE = "sessionid"
PAGE = f"{__name__}_printed"


@pytest.fixture(params=ENGINES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The engine of before, for as long as its sessions live."""
    with override_settings(SESSION_FILE_PATH=str(tmp_path)):
        yield OF_DJANGO + request.param
    cache.clear()
    call_command("flush", interactive=False, verbosity=0)


@contextmanager
def before(old: str) -> Iterator[None]:
    """The site as it was."""
    with override_settings(MIDDLEWARE=[DJANGOS, *OTHERS], SESSION_ENGINE=old):
        yield


@contextmanager
def after(site: Site, old: str) -> Iterator[None]:
    """The new site, with the middleware as it is printed."""
    [recipe] = [
        block.source
        for block in blocks_of(ROOT / "docs" / "django.md", "python")
        if "class TakeAlong" in block.source
    ]
    module: Any = ModuleType(PAGE)
    exec(compile(recipe, "django.md", "exec", dont_inherit=True), module.__dict__)
    module.OLD_ENGINE = old
    sys.modules[PAGE] = module
    middleware = [MIDDLEWARES[site.mode], f"{PAGE}.TakeAlong", *OTHERS]
    try:
        with override_settings(MIDDLEWARE=middleware):
            yield
    finally:
        del sys.modules[PAGE]


def who(request: HttpRequest) -> list[Any]:
    session: Any = request.session
    user = request.user.get_username()  # Django's own, who may be anonymous
    return [user, getattr(session, "user", None), session.get("cart")]


def said(client: Client) -> Any:
    return client.get(to(who)).json()["said"]


def copy_of(client: Client) -> Client:
    """The same browser, on the site as it is now: a client keeps the middlewares that it began with."""
    copied = Client(raise_request_exception=False)
    copied.cookies[COOKIE] = client.cookies[COOKIE].value
    return copied


def signed_in(name: str, **data: object) -> Client:
    """Somebody who signed in on the site of before."""
    client = Client()
    client.force_login(User.objects.get_or_create(username=name)[0])
    client.get(to(lambda request: request.session.update(data)))
    return client


def test_who_is_signed_in_stays_so(site: Site, old: str) -> None:
    with before(old):
        ada, bob, eve = signed_in("ada", cart=["tent"]), signed_in("bob"), Client()
        eve.get(to(lambda request: request.session.update({"cart": ["mug"]})))
    stranger, kept = Client(), copy_of(ada)
    key = str(User.objects.get(username="ada").pk)
    ada, bob, eve = copy_of(ada), copy_of(bob), copy_of(eve)
    with after(site, old):
        for _ in range(2):
            assert said(ada) == ["ada", key, ["tent"]]
            assert said(bob)[0] == "bob"
            assert said(eve) == ["", None, ["mug"]]
            assert said(stranger) == ["", None, None]
        assert COOKIE not in stranger.cookies
        assert ada.cookies[COOKIE].value != kept.cookies[COOKIE].value
        assert len([*site.manager.sessions(key)]) == 1
        assert site.manager.active_count() == 3
        ada.logout()
        assert said(ada) == ["", None, None]
        if "signed_cookies" not in old:  # what is signed cannot be ended, as the page says
            assert said(kept) == ["", None, None]
            assert Session.objects.count() == 0


def test_who_had_signed_out_expired_or_forges_a_cookie_stays_out(site: Site, old: str) -> None:
    with before(old):
        out, changed = signed_in("ada"), signed_in("bob")
        kept = copy_of(out)
        out.logout()
    bob = User.objects.get(username="bob")
    bob.set_password("another")
    bob.save()
    forger = Client()
    forger.cookies[COOKIE] = "abcdefghijklmnopqrstuvwxyz012345"
    with after(site, old):
        clients = [copy_of(changed), forger] + ([] if "signed_cookies" in old else [kept])
        for client in clients:
            assert said(client) == ["", None, None]
            assert said(client) == ["", None, None]
        assert site.manager.active_count() == 0


def test_a_view_that_fails_leaves_the_old_session(site: Site, old: str) -> None:
    with before(old):
        ada = copy_of(signed_in("ada"))
    with after(site, old):
        assert ada.get(to(lambda request: 1 / 0)).status_code == 500
        assert said(ada)[0] == "ada"


@pytest.mark.parametrize("seconds", [0, 600])
def test_an_expiry_of_its_own_comes_along(site: Site, old: str, seconds: int) -> None:
    with before(old):
        ada = signed_in("ada")
        ada.get(to(lambda request: request.session.set_expiry(seconds)))
    ada = copy_of(ada)
    with after(site, old):
        assert said(ada)[0] == "ada"
        assert str(ada.cookies[COOKIE]["max-age"]) == (str(seconds) if seconds else "")
        age = ada.get(to(lambda request: request.session.get_expiry_age()))
        assert age.json()["said"] == (seconds or 1_209_600)


async def awho(request: HttpRequest) -> list[Any]:
    return [(await request.auser()).get_username(), request.session.get("cart")]


async def test_the_same_under_asgi(site: Site, old: str) -> None:
    with before(old):
        ada = signed_in("ada", cart=["tent"])
    client = AsyncClient()
    client.cookies[COOKIE] = ada.cookies[COOKIE].value
    with after(site, old):
        for _ in range(2):
            answer: Any = await client.get(ato(awho))
            assert answer.json()["said"] == ["ada", ["tent"]]
        assert Session.objects.count() == 0
        if "signed_cookies" not in old:
            assert said(copy_of(ada)) == ["", None, None]
