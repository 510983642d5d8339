"""The frameworks: one file each, with the sessions that are measured in it.

An application has two pages: `/` runs the work on the session, `/quiet` never uses it.
"""

from __future__ import annotations

from bench.frameworks import (
    aiohttp,
    bottle,
    django,
    falcon,
    fastapi,
    flask,
    litestar,
    pyramid,
    quart,
    starlette,
)
from bench.frameworks.common import Subjects

FRAMEWORKS: dict[str, Subjects] = {
    "Flask": flask.SUBJECTS,
    "Django": django.SUBJECTS,
    "Quart": quart.SUBJECTS,
    "Starlette": starlette.SUBJECTS,
    "FastAPI": fastapi.SUBJECTS,
    "Litestar": litestar.SUBJECTS,
    "aiohttp": aiohttp.SUBJECTS,
    "Pyramid": pyramid.SUBJECTS,
    "Bottle": bottle.SUBJECTS,
    "Falcon": falcon.SUBJECTS,
    "Falcon, ASGI": falcon.SUBJECTS_ASYNC,
}
