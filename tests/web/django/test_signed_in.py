"""`signed_in` with Django's test client."""

from __future__ import annotations

from typing import Any

from sojourn.testing import signed_in
from tests.web.django.conftest import Site
from tests.web.django.pages import to


def test_a_test_client_is_signed_in_by_one_line(site: Site) -> None:
    """To Sojourn; `client.force_login` is the way of Django's own users."""
    client, found = site.client(), list[Any]()
    client.cookies.load(signed_in(site.manager, "ada").cookies)
    client.get(to(lambda request: found.append(request.session.user)))
    assert found == ["ada"]
