"""The list of subjects.  To measure another library, framework or store, add a subject here.

A new kind of store also needs a title in `STORES`, and its floors in `bench.floors`.
"""

from __future__ import annotations

from bench.subject import Subject
from bench.subjects import (
    aiohttp,
    beaker,
    django,
    fastapi_redis,
    flask,
    litestar,
    sojourn,
    sojourn_web,
    starlette,
    starsessions,
)

SUBJECTS: tuple[type[Subject], ...] = (
    sojourn.Memory,
    sojourn.AsyncMemory,
    sojourn.Own,
    sojourn_web.WsgiMemory,
    sojourn_web.AsgiMemory,
    starsessions.Memory,
    django.LocMem,
    beaker.Memory,
    litestar.Memory,
    sojourn.Redis,
    sojourn.AsyncRedis,
    sojourn.Lazy,
    sojourn_web.WsgiRedis,
    sojourn_web.AsgiRedis,
    django.Redis,
    django.DjangoRedis,
    flask.Redis,
    beaker.Redis,
    starsessions.Redis,
    fastapi_redis.Redis,
    aiohttp.Redis,
    litestar.Redis,
    sojourn.Mysql,
    sojourn.AsyncMysql,
    django.Mysql,
    django.Cached,
    flask.Mysql,
    beaker.Mysql,
    sojourn.Postgres,
    sojourn.AsyncPostgres,
    django.Postgres,
    sojourn.Sqlite,
    sojourn.AsyncSqlite,
    django.Sqlite,
    sojourn.File,
    sojourn.AsyncFile,
    sojourn_web.WsgiFile,
    sojourn_web.AsgiFile,
    django.File,
    flask.CachelibFile,
    beaker.File,
    litestar.File,
    starlette.SignedCookie,
)
STORES = {
    "memory": "In memory",
    "redis": "In Redis",
    "mysql": "In MariaDB",
    "postgres": "In PostgreSQL",
    "sqlite": "In SQLite",
    "file": "In files",
    "cookie": "In the cookie itself",
}
"""The stores in the order of measurement; those that wait for the disk come last."""


def within(store: str) -> str:
    """Return the title of a store in the form for the middle of a sentence, such as "in files"."""
    title = "On three masters of Redis" if store == "cluster" else STORES[store]
    return title[0].lower() + title[1:]


def place(store: str) -> str:
    """Return the name of a store, such as "files"."""
    return "the cookie" if store == "cookie" else STORES[store].removeprefix("In ")


PACKAGES = (
    "sojourn",
    "ormsgpack",
    "redis",
    "hiredis",
    "mysqlclient",
    "PyMySQL",
    "asyncmy",
    "psycopg",
    "asyncpg",
    "starlette",
    "starsessions",
    "Django",
    "django-redis",
    "Beaker",
    "Flask",
    "Flask-Session",
    "Flask-SQLAlchemy",
    "SQLAlchemy",
    "aiohttp",
    "aiohttp-session",
    "cachelib",
    "Quart",
    "fastapi",
    "fastapi-redis-sdk",
    "pyramid",
    "pyramid_session_redis",
    "bottle",
    "falcon",
    "litestar",
    "msgspec",
)
"""The packages whose versions are shown on the page."""
