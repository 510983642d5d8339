"""`request.session` in a template of Django's, which looks for a key first, and then for a name."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.test import Client

from tests.web.django.conftest import Site
from tests.web.django.pages import to


def rendered(client: Client, source: str) -> str:
    def render(request: HttpRequest) -> HttpResponse:
        return HttpResponse(Engine().from_string(source).render(Context({"request": request})))

    return client.get(to(render)).content.decode()


USER = "{% if request.session.user %}{{ request.session.user }}{% else %}nobody{% endif %}"


def test_a_key_comes_before_who_is_signed_in(site: Site) -> None:
    client = site.client()
    assert rendered(client, USER) == "nobody"
    client.get(to(lambda request: request.session.login("ada")))
    assert rendered(client, USER) == "ada"
    client.get(to(lambda request: request.session.update({"user": "a key"})))
    assert rendered(client, USER) == "a key"
    client.get(to(lambda request: request.session.logout()))
    assert rendered(client, USER) == "nobody"


VERBS = ["apply", "destroy", "login", "logout", "on_release", "regenerate_id", "set_lifetime"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_template_that_asks_for_a_missing_key_calls_no_verb(site: Site, verb: str) -> None:
    """Templates call what they find, and `{% if request.session.logout %}` signed the user out."""
    client = site.client()
    client.get(to(lambda request: request.session.login("ada")))

    def id_of(request: HttpRequest) -> Any:
        session: Any = request.session
        return session.user, session.id

    before = client.get(to(id_of)).json()
    assert rendered(client, f"{{{{ request.session.{verb} }}}}") == ""
    assert client.get(to(id_of)).json() == before
    client.get(to(lambda request: request.session.update({verb: "a key"})))
    assert rendered(client, f"{{{{ request.session.{verb} }}}}") == "a key"
