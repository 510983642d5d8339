"""django-cas-ng and mozilla-django-oidc, on a project of their own."""

from __future__ import annotations

import pytest

from tests.web.django_projects import MIDDLEWARES, run


@pytest.mark.parametrize("middleware", MIDDLEWARES)
def test_sign_ins_elsewhere(middleware: str) -> None:
    run("sso_site", middleware)
