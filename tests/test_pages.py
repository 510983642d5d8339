"""The pages whose examples need a server run against a real one."""

from __future__ import annotations

import inspect
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from sojourn import Manager
from sojourn.providers.file import FileProvider
from sojourn.providers.redis import RedisProvider
from sojourn.providers.redis.clients import TIMEOUT
from sojourn.providers.redis.settings import POOL, PREFIX
from sojourn.providers.sql import MySQLProvider, PostgresProvider, SQLiteProvider
from tests.architecture.pages import (
    PAGES,
    ROOT,
    SHOWN,
    blocks_of,
    name_of,
    run_apart,
    servers_of,
)
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.redis import RIGHTS, Redis
from tests.servers.sql import DATABASE, PASSWORD, USER, fresh_table

REDIS = ROOT / "docs" / "redis.md"
SQL = ROOT / "docs" / "sql.md"
NEW_USER = {
    "mariadb": "CREATE USER {user} IDENTIFIED BY '{password}'",
    "postgres": "CREATE USER {user} PASSWORD '{password}'",
}
DEPENDENT = [page for page in PAGES if servers_of(page)]


def address_in(server: Redis | MariaDB | Postgres, block: ExitStack) -> str:
    """Where a page finds what it alone writes to while the block lasts."""
    match server:
        case Redis():
            server.flush()
            return server.address
        case MariaDB():
            return server.dsn(block.enter_context(server.database()))
        case Postgres():
            return server.url(block.enter_context(server.database())).partition("://")[2]


@pytest.fixture
def real(page: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """By the address that the page shows, one that there is."""
    with ExitStack() as block:
        yield {
            SHOWN[name]: address_in(request.getfixturevalue(name), block)
            for name in servers_of(page)
        }


@pytest.mark.parametrize("page", DEPENDENT, ids=name_of)
def test_the_examples_of_a_page_run(page: Path, real: dict[str, str], tmp_path: Path) -> None:
    ran = run_apart(page, tmp_path, real)
    assert ran.returncode == 0, ran.stderr


def test_the_page_of_redis_says_what_a_user_needs() -> None:
    """The tests of the provider run as a user with these rights, and no others."""
    page = REDIS.read_text(encoding="utf-8")
    assert f"'~sojourn:*' {' '.join(RIGHTS)}\n" in page


def default_on(page: Path, name: str) -> str:
    """What the table of the settings says in its last column."""
    settings = (
        page.read_text(encoding="utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    )
    [said] = re.findall(rf"(?m)^\| `{name}` \|.*\| (.*) \|$", settings)
    return str(said)


PROVIDERS: dict[str, type] = {
    "file": FileProvider,
    "redis": RedisProvider,
    "mysql": MySQLProvider,
    "postgres": PostgresProvider,
    "sqlite": SQLiteProvider,
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_page_of_the_configuration_names_all_keywords(name: str) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    [row] = re.findall(rf"(?m)^\| `{name}` \|.*\| (.*) \| .*\|$", page)
    assert re.findall("`(.*?)`", row) == [*inspect.signature(PROVIDERS[name]).parameters]


@pytest.mark.parametrize("name", ["prefix", "pool", "timeout", "wait"])
def test_the_page_of_redis_says_the_defaults(name: str) -> None:
    defaults = {"prefix": PREFIX, "pool": str(POOL), "timeout": f"{TIMEOUT:g}", "wait": "0"}
    assert default_on(REDIS, name).startswith(f"`{defaults[name]}`")


@pytest.mark.parametrize("name", ["table", "pool", "timeout", "create_table"])
@pytest.mark.parametrize("provider", [MySQLProvider, PostgresProvider, SQLiteProvider])
def test_the_page_of_sql_says_the_defaults(provider: type, name: str) -> None:
    default = inspect.signature(provider).parameters[name].default
    said = default_on(SQL, name)
    own = re.search("SQLite: `(.*)`", said) if provider is SQLiteProvider else None
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    assert shown == (own[1] if own else said.split("`")[1])


def test_the_page_of_sql_shows_what_makes_the_table() -> None:
    statements = PostgresProvider("postgres://localhost/shop").ddl()
    assert statements in [block.source for block in blocks_of(SQL, "sql")]


@pytest.mark.parametrize("name", ["mariadb", "postgres"])
def test_an_application_needs_no_more_rights_than_the_page_says(
    name: str, request: pytest.FixtureRequest
) -> None:
    server: MariaDB | Postgres = request.getfixturevalue(name)
    user, table = f"limited_{secrets.token_hex(4)}", fresh_table()
    [granted] = [block.source for block in blocks_of(SQL, "sql") if "GRANT" in block.source]
    whole_name = f"{DATABASE}.{table}" if name == "mariadb" else table
    words = {"sojourn_sessions": whole_name, "shop": user, ";": ""}
    with closing(provider(server.url(), table)) as owner:
        owner.init()
    try:
        server.sql(NEW_USER[name].format(user=user, password=PASSWORD))
        server.sql(re.sub("|".join(words), lambda found: words[found[0]], granted))
        limited = provider(server.url().replace(f"//{USER}:", f"//{user}:"), table)
        with closing(Manager(limited)) as manager:
            do_everything(manager)
    finally:
        with closing(provider(server.url(), table)) as owner:
            owner._link.run(f"DROP TABLE {table}")
        server.sql(f"DROP USER {user}")


def provider(url: str, table: str) -> MySQLProvider | PostgresProvider:
    kind = MySQLProvider if url.startswith("mysql:") else PostgresProvider
    return kind(url, table=table, create_table=False)


def do_everything(manager: Manager) -> None:
    with manager.open({}) as session:
        session["cart"] = ["apple"]
        session.login("ada")
    assert session.released
    cookie = {"Cookie": dict(session.released.headers)["Set-Cookie"].partition(";")[0]}
    with manager.open(cookie) as session:
        session["cart"].append("pear")
        session.regenerate_id()
    [found] = manager.sessions("ada")
    assert found.id == session.id
    assert manager.active_count() == 1
    assert manager.gc() == 0
    assert isinstance(manager.check(), list)
    assert manager.destroy(found.id)
