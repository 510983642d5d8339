"""The project's own pages, for tasks."""

from __future__ import annotations

import asyncio

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth import alogin, alogout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from sojourn.web.django import async_manager
from tests.frameworks.django_project.forms import Note, Request, SignIn, rows


async def login(request: Request) -> HttpResponse:
    """Django has no async view for this, but all that one is made of."""
    form = SignIn(request, request.POST or None)
    if await sync_to_async(form.is_valid)():
        await alogin(request, form.get_user())
        await request.session.aset_expiry(form.expiry)
        return redirect("home")
    return await _page(request, "registration/login.html", form=form)


@require_POST
async def logout(request: Request) -> HttpResponse:
    """End the session."""
    await alogout(request)
    return redirect("home")


async def home(request: Request) -> HttpResponse:
    """Who is signed in, and the messages."""
    return await _page(request, "home.html")


@login_required
async def notes(request: Request) -> HttpResponse:
    """The notes in this session, and a form for another."""
    form = Note(request.POST or None)
    if form.is_valid():
        await asyncio.sleep(form.cleaned_data["pause"])
        (await request.session.asetdefault("notes", [])).append(form.cleaned_data["text"])
        messages.success(request, f"Noted: {form.cleaned_data['text']}")
        return redirect("notes")
    found = await request.session.aget("notes", [])
    return await _page(request, "notes.html", form=form, notes=found)


@login_required
async def sessions(request: Request) -> HttpResponse:
    """The sessions of this user, each with a button that ends it."""
    user = await request.auser()
    found = [info async for info in async_manager().sessions(str(user.pk))]
    mine = rows(found, request.session.id)
    chosen = request.POST.get("id", "")
    if chosen in [row["id"] for row in mine]:
        await async_manager().destroy(chosen)
        return redirect("sessions")
    return await _page(request, "sessions.html", sessions=mine)


async def _page(request: Request, template: str, **values: object) -> HttpResponse:
    """Render with the user, whom a template could only ask for in a thread."""
    return render(request, template, {"user": await request.auser(), **values})
