"""`on_release` in Django: a job finds what the request stored."""

from __future__ import annotations

from typing import Any

from sojourn.web.django import manager
from tests.web.django.conftest import Site
from tests.web.django.pages import to


def order(request: Any, found: list[Any]) -> None:
    def job() -> None:
        with manager().open_id(known_as) as current:
            found.append(current["export"])

    request.session["export"] = "under way"
    known_as = request.session.id
    request.session.on_release(job)
    assert found == []


def test_a_job_finds_what_a_new_visitor_stored(site: Site) -> None:
    found: list[Any] = []
    site.client().get(to(lambda request: order(request, found)))
    assert found == ["under way"]
