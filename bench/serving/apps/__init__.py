"""The applications, one file for each framework, with the libraries that they are measured with.

`application(library, store)` returns the application whose sessions are kept by the library in the
Redis with the URL `store`.
"""

from __future__ import annotations

OURS = "Sojourn"
NONE = "no session"
"""The application without a session library, of which only the quiet page works."""

LIBRARIES = {
    "Flask": (OURS, "Flask-Session", NONE),
    "Django": (OURS, "django-redis", NONE),
    "Starlette": (OURS, "starsessions", NONE),
    "FastAPI": (OURS, "fastapi-redis-sdk", NONE),
}
"""The libraries of each framework: ours, the usual one, and none."""
SERVERS = {"Flask": "gunicorn", "Django": "gunicorn", "Starlette": "uvicorn", "FastAPI": "uvicorn"}
