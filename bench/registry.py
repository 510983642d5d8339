"""Who is measured.  Another library, framework or store is one more subject here.

A kind of store that is new also needs its title in `STORES`, and its floors in `bench.floors`.
"""

from __future__ import annotations

from bench.subject import Subject
from bench.subjects import (
    aiohttp,
    beaker,
    django,
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
    sojourn_web.WsgiRedis,
    sojourn_web.AsgiRedis,
    django.Redis,
    django.DjangoRedis,
    flask.Redis,
    beaker.Redis,
    starsessions.Redis,
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
"""In the order in which they are measured: what waits for the disk comes last."""
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
    "litestar",
    "msgspec",
)
"""What the page names the versions of."""
