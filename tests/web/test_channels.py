"""Django Channels, on a project of its own: where it is loaded, an id loads no session."""

from __future__ import annotations

import pytest

from tests.web.django_projects import MIDDLEWARES, run


@pytest.mark.parametrize("middleware", MIDDLEWARES)
def test_consumers_have_the_session_of_the_pages(middleware: str) -> None:
    run("channels_site", middleware)
