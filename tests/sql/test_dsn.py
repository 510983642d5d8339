"""A text and the database that it says: Go's DSN, URLs, libpq's strings, paths; and refusals.

`SECRET` letters stand in passwords and nowhere else, so that one of them in a message is a leak.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sojourn.errors import ConfigError
from sojourn.providers.sql.dsn import MySQL, mysql, postgres, sqlite

SECRET = "KXZ"
Parser = Callable[[str], object]


def refusal(parse: Parser, text: str) -> str:
    """What it was refused with, empty if it was not."""
    try:
        parse(text)
    except ConfigError as error:
        return f"{error}{error.__context__ or ''}"
    return ""


def target(**said: Any) -> MySQL:
    return MySQL(**{"database": "dbname", **said})


def ada(**said: Any) -> MySQL:
    return target(**{"user": "user", "password": "password", **said})


# What Go's driver reads, by its own examples and by its documentation.
GO = {
    "user@unix(/path/to/socket)/dbname?charset=utf8": target(user="user", socket="/path/to/socket"),
    "user:password@tcp(localhost:5555)/dbname?charset=utf8&tls=true": ada(
        host="localhost", port=5555, tls="verified"
    ),
    "user:password@tcp(localhost:5555)/dbname?charset=utf8mb4,utf8&tls=skip-verify": ada(
        host="localhost", port=5555, tls="unverified"
    ),
    "user:password@/dbname?loc=UTC&timeout=30s&readTimeout=1s&writeTimeout=1s&allowAllFiles=1"
    "&clientFoundRows=true&collation=utf8mb4_unicode_ci&maxAllowedPacket=16777216&tls=false"
    "&allowCleartextPasswords=true&parseTime=true&rejectReadOnly=true": ada(
        connect_timeout=30.0, read_timeout=1.0, write_timeout=1.0
    ),
    "user:password@/dbname?checkConnLiveness=false&maxAllowedPacket=0": ada(),
    "user:p@ss(word)@tcp([de:ad:be:ef::ca:fe]:80)/dbname?loc=Local": ada(
        password="p@ss(word)", host="de:ad:be:ef::ca:fe", port=80
    ),
    "/dbname": target(),
    "@/dbname": target(),
    "/dbname%2Fwithslash": target(database="dbname/withslash"),
    "user:p@/ssword@/dbname": ada(password="p@/ssword"),
    "unix/dbname": target(socket="/tmp/mysql.sock"),
    "unix()/dbname": target(socket="/tmp/mysql.sock"),
    "tcp/dbname": target(),
    "tcp(127.0.0.1)/dbname": target(),
    "tcp(de:ad:be:ef::ca:fe)/dbname": target(host="de:ad:be:ef::ca:fe"),
    "user:password@/dbname?loc=UTC&timeout=30s&parseTime=true&timeTruncate=1h": ada(
        connect_timeout=30.0
    ),
    "user:password@tcp(192.168.1.50:3307)/dbname?timeout=10s"
    "&connectionAttributes=program_name:MySQLGoDriver%2FTest,program_version:1.2.3": ada(
        host="192.168.1.50", port=3307, connect_timeout=10.0
    ),
    "root:pw@unix(/tmp/mysql.sock)/dbname?loc=Local": target(
        user="root", password="pw", socket="/tmp/mysql.sock"
    ),
    "user:password@tcp(localhost:5555)/dbname?tls=skip-verify&autocommit=true": ada(
        host="localhost", port=5555, tls="unverified"
    ),
    "user:password@tcp/dbname?charset=utf8mb4,utf8": ada(),
    "user:password@tcp([de:ad:be:ef::ca:fe]:80)/dbname?timeout=90s&collation=utf8mb4_bin": ada(
        host="de:ad:be:ef::ca:fe", port=80, connect_timeout=90.0
    ),
}

OTHERS = {
    "user:@/dbname": target(user="user"),
    ":password@/dbname": target(password="password"),
    "user:a:b%41@/dbname": target(user="user", password="a:b%41"),
    "user:?x=1@tcp(h)/dbname": target(user="user", password="?x=1", host="h"),
    "user://secret@/dbname": target(user="user", password="//secret"),
    "(db)/dbname": target(host="db"),
    "tcp(:3307)/dbname": target(port=3307),
    "tcp([::1])/dbname": target(host="::1"),
    "tcp([fe80::1%eth0]:3307)/dbname": target(host="fe80::1%eth0", port=3307),
    "/dbname?": target(),
    "/dbname?&parseTime=True&": target(),
    "/dbname?timeout=0&readTimeout=0s": target(),
    "/dbname?timeout=1h30m&readTimeout=1m0.5s&writeTimeout=250ms": target(
        connect_timeout=5400.0, read_timeout=60.5, write_timeout=0.25
    ),
    "/dbname?timeout=.5s&readTimeout=1.s&writeTimeout=20000us": target(
        connect_timeout=0.5, read_timeout=1.0, write_timeout=0.02
    ),
    "/dbname?tls=TRUE": target(tls="verified"),
    "/dbname?tls=0": target(),
    "/dbname?ssl_ca=%2Fmy+ca.pem": target(ssl_ca="/my ca.pem", tls="verified"),
    "/dbname?tls=true&ssl_ca=%2Fca.pem&ssl_cert=%2Fc.pem&ssl_key=%2Fk.pem": target(
        tls="verified", ssl_ca="/ca.pem", ssl_cert="/c.pem", ssl_key="/k.pem"
    ),
    "/dbname?time_zone=%27Europe%2FParis%27&tx_isolation=%27READ-COMMITTED%27": target(),
    "/dbname?compress=false&allowNativePasswords=true&allowOldPasswords=false": target(),
    "mysql://user:password@localhost:3307/dbname": ada(host="localhost", port=3307),
    "MariaDB://user:password@localhost/dbname": ada(host="localhost"),
    "mysql:///dbname": target(),
    "mysql://us%3Aer:a%40b%2Fc%3Ad@[::1]/db%2Fname?timeout=5s&ssl_ca=/ca.pem": target(
        user="us:er",
        password="a@b/c:d",
        host="::1",
        database="db/name",
        connect_timeout=5.0,
        ssl_ca="/ca.pem",
        tls="verified",
    ),
    "mysql://user@/dbname?unix_socket=/run/mysqld/mysqld.sock": target(
        user="user", socket="/run/mysqld/mysqld.sock"
    ),
}


@pytest.mark.parametrize(("text", "expected"), (GO | OTHERS).items())
def test_a_text_says_a_target_for_mysql(text: str, expected: MySQL) -> None:
    assert mysql(text) == expected


FORM = "'user:password@tcp(127.0.0.1:3306)/database"
MYSQL_REFUSED = {
    # what Go's driver refuses
    "@net(addr/": ("address does not end in ')'", FORM),
    "@tcp(/": ("address does not end in ')'", FORM),
    "tcp(/": ("address does not end in ')'", FORM),
    "(/": ("address does not end in ')'", FORM),
    "net(addr)//": ("address does not end in ')'", FORM),
    "User:secret@tcp(1.2.3.4:3306)": ("no '/' before the database", FORM),
    "net()/": ("protocol", "give tcp or unix"),
    "user:secret@tcp(127.0.0.1:3306)/db/name": ("address does not end in ')'", "%2F for '/'"),
    "user:secret@/dbname?connectionAttributes=attr1:/unescaped/value": ("protocol", "%2F for '/'"),
    "user:secret@/dbname?parseTime=PREFERRED": ("parseTime 'PREFERRED'", "true or false"),
    "/dbname?readTimeout=30": ("readTimeout '30'", "30s, 1m30s or 500ms"),
    "/dbname%zz": ("what follows a '%'", "'%' itself is %25"),
    "/dbname?loc=%zz": ("what follows a '%'", "'%' itself is %25"),
    # what sessions need
    "": ("no '/' before the database", FORM),
    "/": ("no database is named", FORM),
    "@/": ("no database is named", FORM),
    "user:secret@tcp(h)/?timeout=5s": ("no database is named", FORM),
    "mysql://user:secret@h": ("no database is named", FORM),
    # what would be done otherwise than asked
    "user:secret@protocol(address)/dbname": ("protocol", "give tcp or unix"),
    "user:secret@cloudsql(project-id:name)/dbname": ("protocol", "give tcp or unix"),
    "user:secret@tcp(h:0)/dbname": ("address 'h:0'", "1 to 65535"),
    "user:secret@tcp(h:65536)/dbname": ("address 'h:65536'", "1 to 65535"),
    "user:secret@tcp(h:)/dbname": ("address 'h:'", "1 to 65535"),
    "user:secret@tcp(a b)/dbname": ("address", "give a host"),
    "user:secret@tcp(::g)/dbname": ("address", "IPv6 as [::1]"),
    "/dbname?timeout=-1s": ("timeout '-1s'", "give a duration"),
    "/dbname?timeout=1d": ("timeout '1d'", "give a duration"),
    "/dbname?tls=custom": ("tls 'custom'", "ssl_ca, ssl_cert and ssl_key"),
    "/dbname?tls=false&ssl_ca=%2Fca.pem": ("tls=false", "write tls=true"),
    "/dbname?ssl_ca=": ("ssl_ca ''", "give a path"),
    "/dbname?charset=latin1": ("charset 'latin1'", "utf8mb4"),
    "/dbname?collation=gbk_chinese_ci": ("collation 'gbk_chinese_ci'", "utf8mb4"),
    "/dbname?autocommit=false": ("autocommit 'false'", "each statement"),
    "/dbname?compress=true": ("compress 'true'", "leave it out"),
    "/dbname?allowOldPasswords=true": ("allowOldPasswords 'true'", "leave it out"),
    "/dbname?allowNativePasswords=false": ("allowNativePasswords 'false'", "leave it out"),
    "/dbname?allowFallbackToPlaintext=true": ("allowFallback", "tls=skip-verify"),
    "/dbname?tls=preferred": ("tls 'preferred'", "give true or skip-verify, or false"),
    "/dbname?serverPubKey=name": ("serverPubKey 'name'", "tls=true"),
    "/dbname?readtimeout=1s": ("unknown parameter 'readtimeout'", "mean 'readTimeout'?"),
    "/dbname?sql_mode=ANSI": ("unknown parameter 'sql_mode'", "set in the server"),
    "/dbname?param=value": ("unknown parameter 'param'", "there are timeout, readTimeout, "),
    "/dbname?parseTime": ("without '='", "?name=value"),
    "/dbname?tls=true&tls=false": ("a parameter twice", "?name=value"),
    "mysql+pymysql://user:secret@h/dbname": ("scheme 'mysql+pymysql'", "write 'mysql://"),
    "postgres://user:secret@h/dbname": ("scheme 'postgres'", "write 'mysql://"),
    "mysql://user:sec/ret@h/dbname": ("'/'", "%2F"),
    "mysql://user:sec@ret@h/dbname": ("'@'", "%40"),
    "mysql://user:%FF@h/dbname": ("what follows a '%'", "digits of UTF-8"),
    "mysql://user:secret@h:x/dbname": ("address 'h:x'", "1 to 65535"),
}

POSTGRES_REFUSED = {
    "dbname": ("a word without '='", "spaces only in quotes"),
    "host=db password=sec ret": ("a word without '='", "spaces only in quotes"),
    "host=db password='secret": ("a word without '='", "spaces only in quotes"),
    "mysql://ada:secret@db/shop": ("scheme 'mysql'", "write 'postgres://"),
    "postgresql+asyncpg://ada:secret@db/shop": ("'postgresql+asyncpg'", "write 'postgres://"),
    "postgres://ada:sec@ret@db/shop": ("'@'", "%40"),
    "postgres://ada:sec/ret@db/shop": ("'/'", "%2F"),
    "postgres://ada:%zz@db/shop": ("what follows a '%'", "%25"),
    "postgres://ada:secret/shop": ("hosts", "postgres://user:password@host:5432/database"),
}

SQLITE_REFUSED = {
    "": ("no file", "provider 'memory'"),
    ":memory:": ("no file", "provider 'memory'"),
    "sqlite://": ("no file", "provider 'memory'"),
    "sqlite:///:memory:": ("no file", "provider 'memory'"),
    "sqlite://sessions.db": ("no path", "write 'sessions.db'"),
    "sqlite:///sessions.db?mode=ro": ("no path", "write 'sessions.db'"),
    "file:sessions.db?mode=ro": ("no path", "write 'sessions.db'"),
    "a\0b": ("no path", "write 'sessions.db'"),
    "oracle://ada:secret@db/shop": ("no path", "write 'sessions.db'"),
    "mysql://ada:secret@db/shop": ("scheme 'mysql'", "write 'sqlite://"),
}

REFUSED = [
    (parse, text, part, way_out)
    for parse, table in (
        (mysql, MYSQL_REFUSED),
        (postgres, POSTGRES_REFUSED),
        (sqlite, SQLITE_REFUSED),
    )
    for text, (part, way_out) in table.items()
]


@pytest.mark.parametrize(("parse", "text", "part", "way_out"), REFUSED)
def test_what_is_wrong_is_named_with_the_way_out(
    parse: Parser, text: str, part: str, way_out: str
) -> None:
    told = refusal(parse, text)
    assert told.startswith("provider_config: ")
    assert part in told
    assert way_out in told
    assert "secret" not in told


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host=db dbname=shop",
        "host = db  user='ada' password='my \\' secret' connect_timeout=3 ",
        r"host=db password=my\ secret options=",
        "postgres://",
        "postgresql:///shop",
        "postgresql://ada:secret@db:5432/shop?sslmode=verify-full",
        "postgresql://a:5432,[::1]:5433,c/shop",
        "postgresql://%2Frun%2Fpostgresql/shop",
    ],
)
def test_a_string_of_libpq_is_left_to_the_driver(text: str) -> None:
    assert postgres(text).text == text


@pytest.mark.parametrize(
    ("text", "path"),
    {
        "sessions.db": "sessions.db",
        "/var/lib/a b%20.db": "/var/lib/a b%20.db",
        "sqlite:///sessions.db": "sessions.db",
        "sqlite:////var/lib/a%20b.db": "/var/lib/a b.db",
        "sqlite:///ada@home.db": "ada@home.db",
    }.items(),
)
def test_a_text_says_a_path_for_sqlite(text: str, path: str) -> None:
    assert sqlite(text) == path


def test_a_repr_shows_no_password() -> None:
    shown = repr([mysql("ada:KXZ@/shop"), postgres("user=ada password=KXZ")])
    assert "ada" in shown
    assert not set(SECRET) & set(shown)


# -- properties ----------------------------------------------------------------------------------

names = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True)
hosts = names | st.ip_addresses(v=6).map(str)
printable = st.characters(exclude_categories=["C"])
texts = st.text(printable, max_size=12)
words = st.text(printable, min_size=1, max_size=12)
users = st.text(st.characters(exclude_categories=["C"], exclude_characters=":"), max_size=12)
limits = st.none() | st.integers(1, 10**6).map(lambda count: count / 1000)
files = st.from_regex(r"/[a-z]{1,9}\.pem", fullmatch=True)

WORDS = {"off": "false", "verified": "true", "unverified": "skip-verify"}
PARAMETERS = {
    "timeout": "connect_timeout",
    "readTimeout": "read_timeout",
    "writeTimeout": "write_timeout",
    "ssl_ca": "ssl_ca",
    "ssl_cert": "ssl_cert",
    "ssl_key": "ssl_key",
}

said = {
    "user": users,
    "password": texts,
    "database": words,
    **dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), limits),
    "tls": st.sampled_from(["verified", "unverified"]),
    **dict.fromkeys(("ssl_ca", "ssl_cert", "ssl_key"), st.none() | files),
}
TARGETS = st.one_of(
    st.builds(MySQL, host=hosts, port=st.integers(1, 65_535), **said),
    st.builds(MySQL, socket=words.filter(lambda text: "@" not in text), **said),
)


def query_of(target: MySQL) -> str:
    values = {name: getattr(target, field) for name, field in PARAMETERS.items()}
    told = {
        name: f"{value * 1000:.0f}ms" if isinstance(value, float) else value
        for name, value in values.items()
        if value is not None
    }
    told["tls"] = WORDS[target.tls]
    return "&".join(f"{name}={quote_plus(value)}" for name, value in told.items())


def place(target: MySQL) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}"


def dsn_of(target: MySQL) -> str:
    """The DSN that says a target, as Go's driver would write it."""
    address = f"tcp({place(target)})" if target.socket is None else f"unix({target.socket})"
    user = f"{target.user}:{target.password}@"
    return f"{user}{address}/{quote(target.database, safe='')}?{query_of(target)}"


def url_of(target: MySQL) -> str:
    user, password, name = (
        quote(text, safe="") for text in (target.user, target.password, target.database)
    )
    socket = f"&unix_socket={quote_plus(target.socket)}" if target.socket is not None else ""
    return f"mysql://{user}:{password}@{place(target)}/{name}?{query_of(target)}{socket}"


@given(TARGETS)
def test_a_dsn_says_what_was_written_into_it(target: MySQL) -> None:
    assert mysql(dsn_of(target)) == target


@given(TARGETS)
def test_a_url_says_what_was_written_into_it(target: MySQL) -> None:
    assert mysql(url_of(target)) == target


@given(st.lists(st.tuples(st.from_regex("[a-z_]{1,8}", fullmatch=True), texts)))
def test_quoted_values_are_sound_for_libpq(pairs: list[tuple[str, str]]) -> None:
    escaped = [(key, value.replace("\\", r"\\").replace("'", r"\'")) for key, value in pairs]
    text = " ".join(f"{key}='{value}'" for key, value in escaped)
    assert postgres(text).text == text


@given(
    st.sampled_from([mysql, postgres, sqlite]),
    st.text(max_size=60)
    | st.from_regex(r"(mysql|postgres|sqlite)://.{0,40}", fullmatch=True)
    | st.text("u1:@()/?=&%[]'\\ .", max_size=40)
    | st.from_regex(r"[a-z]*(:.*)?@(tcp|unix)\(.*\)/[a-z%]*\?timeout=.*", fullmatch=True),
)
@example(postgres, "a= " * 60 + "'")
@example(mysql, "/d?timeout=" + "1" * 4000)
def test_any_text_is_a_target_or_refused(parse: Parser, text: str) -> None:
    told = refusal(parse, text)
    assert not told or (told.startswith("provider_config: ") and len(told) > 40)


letters = st.text(SECRET, min_size=4, max_size=8)
pieces = st.lists(letters, min_size=1, max_size=3)
STRAY = "@:/?#&=%,;()[]' +\\.-0x"


@st.composite
def slips(draw: st.DrawFn) -> tuple[Parser, str]:
    """A sound text with a password, and then one slip: a character lost, or one too many."""
    password = draw(st.sampled_from("@:/?#&=%;()+ ")).join(draw(pieces))
    escapes = quote(password, safe="")
    parse, text = draw(
        st.sampled_from(
            [
                (mysql, f"ada:{password}@tcp(localhost:3306)/shop?timeout=5s&parseTime=true"),
                (mysql, f"ada:{password}@unix(/run/mysqld.sock)/shop"),
                (mysql, f"ada:{password}@/shop?charset=utf8mb4"),
                (mysql, f"mysql://ada:{escapes}@localhost:3306/shop?timeout=5s"),
                (postgres, f"postgresql://ada:{escapes}@localhost:5432/shop?sslmode=require"),
                (postgres, f"host=localhost user=ada password='{password}' dbname=shop"),
            ]
        )
    )
    at = draw(st.integers(0, len(text) - 1))
    if draw(st.booleans()):
        return parse, text[:at] + text[at + 1 :]
    return parse, text[:at] + draw(st.sampled_from(STRAY)) + text[at:]


@given(slips())
@example((mysql, "ada:KXZ@tcp(localhost:3306)"))
@example((mysql, "ada:KXZ/shop"))
@example((mysql, "ada:K/XZ@tcp(localhost:3306)"))
@example((mysql, "ada:K@XZtcp(localhost:3306)/shop"))
@example((mysql, "ada:K@X/Z?x=Z@tcp(localhost:3306)"))
@example((mysql, "ada:K@(XZ(localhost:3306)/shop"))
@example((mysql, "ada:K@tcp/d?XZ=1@tcp(localhost:3306)"))
@example((mysql, "ada:K@tcp/d?timeout=XZ@tcp(localhost:3306)"))
@example((mysql, "mysql://ada:KXZ/shop"))
@example((postgres, "postgres://ada:KXZ/shop"))
@example((postgres, "host=localhost password=K XZ dbname=shop"))
def test_a_slip_shows_nothing_of_a_password(slip: tuple[Parser, str]) -> None:
    told = refusal(*slip)
    assert not set(SECRET) & set(told), told
