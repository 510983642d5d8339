"""Its pages: signing in and out, and who it is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django_cas_ng import views


def who(request: HttpRequest) -> JsonResponse:
    session: Any = request.session
    name = request.user.get_username() if request.user.is_authenticated else None
    return JsonResponse([name, session.user, session.get("cart")], safe=False)


def fill(request: HttpRequest) -> JsonResponse:
    request.session["cart"] = ["tent"]
    return JsonResponse({})


urlpatterns = [
    path("", who),
    path("fill", fill),
    path("cas/login", views.LoginView.as_view(), name="cas_ng_login"),
    path("cas/logout", views.LogoutView.as_view(), name="cas_ng_logout"),
    path("cas/callback", views.CallbackView.as_view(), name="cas_ng_proxy_callback"),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
