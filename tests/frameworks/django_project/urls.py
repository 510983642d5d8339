"""Django's admin and its own views, and a few pages besides, in the colour of the settings."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.urls import path

views = import_module(settings.VIEWS)

urlpatterns = [
    path("", views.home, name="home"),
    path("notes/", views.notes, name="notes"),
    path("sessions/", views.sessions, name="sessions"),
    path("accounts/login/", views.login, name="login"),
    path("accounts/logout/", views.logout, name="logout"),
    path("accounts/password/", PasswordChangeView.as_view(success_url="/"), name="password_change"),
    path("admin/", admin.site.urls),
]
