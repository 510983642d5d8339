"""A small shop in Django: a cart, a sign-in that keeps it, and a list of the user's sessions.

`python -m examples.django_app runserver`, and then open http://127.0.0.1:8000/.
"""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template import engines
from django.urls import path

from sojourn.web.django import DjangoSession, manager

OURS = "sojourn.web.django"
settings.configure(
    DEBUG=True,
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[OURS],
    MIDDLEWARE=[f"{OURS}.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    SESSION_ENGINE=OURS,
    SOJOURN={"provider": "file", "provider_config": "./sessions"},
)
PAGE = """<h1>Hello, {{ session.user|default:"stranger" }}</h1><form method="post">{% csrf_token %}
<input name="item"> <button name="do" value="add">Add</button>
<ul>{% for item in session.cart %}<li>{{ item }}</li>{% endfor %}</ul>
{% if session.user %}<button name="do" value="leave">Sign out</button>
{% for other in others %}<p>{{ other.about.device }}
<button name="end" value="{{ other.id }}">End</button></p>{% endfor %}
{% else %}<input name="name"> <button name="do" value="enter">Sign in</button>{% endif %}</form>"""


def shop(request: HttpRequest) -> HttpResponse:
    """Show the cart, or carry out the action of the submitted form."""
    session, form = cast("DjangoSession", request.session), request.POST
    if request.method == "GET":
        mine = manager().sessions(session.user) if session.user else ()
        shown = {"session": session, "others": [each for each in mine if each.id != session.id]}
        return HttpResponse(engines["django"].from_string(PAGE).render(shown, request))
    if form.get("do") == "add":
        session.setdefault("cart", []).append(form["item"])
    elif form.get("do") == "enter" and form["name"]:  # a password would be checked here
        device = request.headers.get("User-Agent", "")
        session.login(form["name"], about={"device": device[:200]})
    elif form.get("do") == "leave":
        session.logout()
    elif "end" in form:
        manager().destroy(form["end"], user=session.user)
    return HttpResponseRedirect("/")


urlpatterns = [path("", shop)]

if __name__ == "__main__":
    execute_from_command_line()
