"""Who is measured.  Another library, framework or store is one more subject here.

A kind of store that is new also needs its title in `STORES`, and its floor in `bench.floors.SUMS`.
"""

from __future__ import annotations

from bench.subject import Subject
from bench.subjects import beaker, django, flask, litestar, sojourn, starlette, starsessions

SUBJECTS: tuple[type[Subject], ...] = (
    sojourn.Memory,
    sojourn.AsyncMemory,
    sojourn.Own,
    sojourn.WsgiMemory,
    sojourn.AsgiMemory,
    starsessions.Memory,
    django.LocMem,
    beaker.Memory,
    litestar.Memory,
    sojourn.File,
    sojourn.AsyncFile,
    sojourn.WsgiFile,
    sojourn.AsgiFile,
    django.File,
    flask.CachelibFile,
    beaker.File,
    litestar.File,
    starlette.SignedCookie,
)
STORES = {"memory": "In memory", "file": "In files", "cookie": "In the cookie itself"}
PACKAGES = (
    "sojourn",
    "ormsgpack",
    "starlette",
    "starsessions",
    "Django",
    "Beaker",
    "Flask",
    "Flask-Session",
    "cachelib",
    "litestar",
    "msgspec",
)
"""What the page names the versions of."""
