"""The project's own pages, for threads."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpResponse
from django.shortcuts import redirect, render

from sojourn.web.django import manager
from tests.frameworks.django_project.forms import Note, Request, SignIn, rows


class _Login(LoginView):
    form_class = SignIn

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        self.request.session.set_expiry(form.expiry)
        return answer


login = _Login.as_view()
logout = LogoutView.as_view()


def home(request: Request) -> HttpResponse:
    """Who is signed in, and the messages."""
    return render(request, "home.html")


@login_required
def notes(request: Request) -> HttpResponse:
    """The notes in this session, and a form for another."""
    form = Note(request.POST or None)
    if form.is_valid():
        time.sleep(form.cleaned_data["pause"])
        request.session.setdefault("notes", []).append(form.cleaned_data["text"])
        messages.success(request, f"Noted: {form.cleaned_data['text']}")
        return redirect("notes")
    found = request.session.get("notes", [])
    return render(request, "notes.html", {"form": form, "notes": found})


@login_required
def sessions(request: Request) -> HttpResponse:
    """The sessions of this user, each with a button that ends it."""
    mine = rows(manager().sessions(str(request.user.pk)), request.session.id)
    chosen = request.POST.get("id", "")
    if chosen in [row["id"] for row in mine]:
        manager().destroy(chosen)
        return redirect("sessions")
    return render(request, "sessions.html", {"sessions": mine})
