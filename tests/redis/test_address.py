"""A text and the address that it says, in Beego's form and as a URL; and what is refused, and how.

`SECRET` letters stand in passwords and nowhere else, so that one of them in a message is a leak.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sojourn.errors import ConfigError
from sojourn.providers.redis.address import Address, parse

SECRET = "QXZ"
HOME = ("127.0.0.1", 6379)


def single(*hosts: tuple[str, int], **said: Any) -> Address:
    return Address(kind="single", hosts=hosts or (HOME,), **said)


def sentinel(*hosts: tuple[str, int], service: str = "mymaster", **said: Any) -> Address:
    return Address(kind="sentinel", hosts=hosts, service=service, **said)


def cluster(*hosts: tuple[str, int], **said: Any) -> Address:
    return Address(kind="cluster", hosts=hosts, **said)


def refusal(text: str) -> str:
    """What it was refused with, empty if it was not."""
    try:
        parse(text)
    except ConfigError as error:
        return f"{error}{error.__context__ or ''}"
    return ""


BEEGO = {
    "127.0.0.1:6379,100,astaxie": single(pool=100, password="astaxie"),
    "127.0.0.1:6379": single(),
    " 127.0.0.1:6379\n": single(),
    "127.0.0.1": single(),
    "redis.example.com:7000": single(("redis.example.com", 7000)),
    "127.0.0.1:6379,100": single(pool=100),
    "127.0.0.1:6379,,secret": single(password="secret"),
    "127.0.0.1:6379,100,": single(pool=100),
    "127.0.0.1:6379,100,,2": single(pool=100, database=2),
    "127.0.0.1:6379,100,p@s:s/w?d#%41;,0": single(pool=100, password="p@s:s/w?d#%41;"),
    "127.0.0.1:6379,,a://b": single(password="a://b"),
    "127.0.0.1:6379,100,secret,1,30": single(
        pool=100, password="secret", database=1, idle_timeout=30.0
    ),
    "127.0.0.1:6379,,,,0": single(),
    "127.0.0.1:6379,100,secret,0,30,60,3": single(pool=100, password="secret", idle_timeout=30.0),
    "127.0.0.1:6379,,,,,-1,-1": single(),
    "[::1]:6380,10": single(("::1", 6380), pool=10),
    "/run/redis.sock,10,secret,1": Address(
        kind="single", path="/run/redis.sock", pool=10, password="secret", database=1
    ),
    "/run/a;b.sock": Address(kind="single", path="/run/a;b.sock"),
    "a:7070;b:7071": cluster(("a", 7070), ("b", 7071)),
    "a:6379;b:6380,100,test,0": cluster(("a", 6379), ("b", 6380), pool=100, password="test"),
    "a;b,100,test,0,30,60,3": cluster(
        ("a", 6379), ("b", 6379), pool=100, password="test", idle_timeout=30.0
    ),
    "a:26379;b,100,1qaz2wsx,0,mymaster": sentinel(
        ("a", 26379), ("b", 26379), pool=100, password="1qaz2wsx"
    ),
    "a;b,,,3,m,30,60,3": sentinel(
        ("a", 26379), ("b", 26379), service="m", database=3, idle_timeout=30.0
    ),
}

URLS = {
    "redis://127.0.0.1": single(),
    " redis://127.0.0.1\n": single(),
    "REDIS://127.0.0.1:6379/": single(),
    "valkey://127.0.0.1": single(),
    "redis://localhost:7000/3": single(("localhost", 7000), database=3),
    "redis://127.0.0.1?db=3": single(database=3),
    "redis://ada:secret@127.0.0.1": single(username="ada", password="secret"),
    "redis://:secret@127.0.0.1": single(password="secret"),
    "redis://ada@127.0.0.1": single(username="ada"),
    "redis://:@127.0.0.1": single(),
    "redis://127.0.0.1?password=": single(),
    "redis://:a%2Cb%40c%3Ad%2Fe+f%25@127.0.0.1": single(password="a,b@c:d/e+f%"),
    "redis://:%C3%A9%E2%82%AC@127.0.0.1": single(password="é€"),
    "redis://127.0.0.1?username=ada&password=a+b%2B": single(username="ada", password="a b+"),
    "redis://[::1]": single(("::1", 6379)),
    "redis://[fe80::1%eth0]:7000/1": single(("fe80::1%eth0", 7000), database=1),
    "redis://127.0.0.1?pool=50&timeout=0.5&connect_timeout=2&idle_timeout=30": single(
        pool=50, timeout=0.5, connect_timeout=2.0, idle_timeout=30.0
    ),
    "redis://127.0.0.1?max_connections=5&socket_timeout=1&socket_connect_timeout=2": single(
        pool=5, timeout=1.0, connect_timeout=2.0
    ),
    "redis://127.0.0.1/?prefix=shop%3A&client_name=web+1&wait=1&": single(
        prefix="shop:", client_name="web 1", wait=1
    ),
    "rediss://127.0.0.1": single(tls={}),
    "valkeys://127.0.0.1": single(tls={}),
    "rediss://127.0.0.1?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem": single(
        tls={"ssl_ca_certs": "/ca.pem", "ssl_certfile": "/c.pem", "ssl_keyfile": "/k.pem"}
    ),
    "rediss://127.0.0.1?ssl_cert_reqs=none&ssl_check_hostname=false": single(
        tls={"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    ),
    "unix:///run/redis.sock": Address(kind="single", path="/run/redis.sock"),
    "redis+unix:///run/redis.sock": Address(kind="single", path="/run/redis.sock"),
    "unix://ada:secret@/run/a%20b.sock?db=1": Address(
        kind="single", path="/run/a b.sock", username="ada", password="secret", database=1
    ),
    "redis+sentinel://a,b:7000/mymaster": sentinel(("a", 26379), ("b", 7000)),
    "valkey+sentinel://a/mymaster/2": sentinel(("a", 26379), database=2),
    "redis+sentinel://a?service=mymaster&db=2": sentinel(("a", 26379), database=2),
    "rediss+sentinel://ada:secret@a/m?sentinel_username=s&sentinel_password=t": sentinel(
        ("a", 26379),
        service="m",
        username="ada",
        password="secret",
        sentinel_username="s",
        sentinel_password="t",
        tls={},
    ),
    "redis+cluster://a,b:7000": cluster(("a", 6379), ("b", 7000)),
    "redis+cluster://:secret@a:1,b:2/0": cluster(("a", 1), ("b", 2), password="secret"),
    "rediss+cluster://a?ssl_ca_certs=/ca.pem": cluster(
        ("a", 6379), tls={"ssl_ca_certs": "/ca.pem"}
    ),
}


@pytest.mark.parametrize(("text", "address"), (BEEGO | URLS).items())
def test_a_text_says_an_address(text: str, address: Address) -> None:
    assert parse(text) == address


REFUSED = {
    # Beego's form: the part, then the way out
    "": ("address ''", "127.0.0.1:6379,100,password"),
    ":6379": ("address ':6379'", "give a host"),
    "localhost:0": ("address 'localhost:0'", "1 to 65535"),
    "localhost:65536": ("address 'localhost:65536'", "1 to 65535"),
    "localhost:port": ("address", "1 to 65535"),
    "localhost:": ("address", "1 to 65535"),
    "::1:6379": ("address", "IPv6 as [::1]"),
    "a b": ("address", "give a host"),
    "a;;b": ("address ''", "give a host"),
    "127.0.0.1:6379,0": ("part 2, the pool, '0'", "above 0"),
    "127.0.0.1:6379,-1": ("part 2, the pool, '-1'", "above 0"),
    "127.0.0.1:6379,many": ("part 2, the pool", "a whole number above 0"),
    "127.0.0.1:6379, 5": ("part 2, the pool", "a whole number above 0"),
    "127.0.0.1:6379,1,,x": ("part 4, the database", "0 or more"),
    "127.0.0.1:6379,1,,-1": ("part 4, the database", "0 or more"),
    "127.0.0.1:6379,1,,0,3s": ("part 5, the idle_timeout", "whole seconds"),
    "127.0.0.1:6379,1,,0,mymaster": ("part 5, the idle_timeout", "whole seconds"),
    "127.0.0.1:6379,1,,0,3,x": ("part 6, the idle check", "a whole number"),
    "127.0.0.1:6379,1,,0,3,3,x": ("part 7, the retries", "a whole number"),
    "127.0.0.1:6379,1,a,b,0,30,60,3": ("8 parts, of which 7", "%2C for ','"),
    "a;b,1,,1": ("database", "a cluster has only 0"),
    '{"save_path": "127.0.0.1:6379"}': ("JSON", "give a mapping"),
    # URLs
    "rediz://localhost": ("scheme 'rediz'", "did you mean 'redis://'?"),
    "redis+sentinal://localhost": ("scheme 'redis+sentinal'", "'redis+sentinel://'?"),
    "http://localhost": ("scheme 'http'", "write 'redis://"),
    "redis://": ("address", "give a host"),
    "redis:///1": ("address", "give a host"),
    "redis://:secret@:6379": ("address ':6379'", "give a host"),
    "redis://:secret@localhost:port": ("address 'localhost:port'", "1 to 65535"),
    "redis://:secret@localhost:70000": ("address 'localhost:70000'", "1 to 65535"),
    "redis://[::1": ("address", "IPv6 as [::1]"),
    "redis://a,b": ("several hosts", "redis+cluster://"),
    "redis://localhost/x": ("database 'x'", "a whole number"),
    "redis://localhost/0/1": ("database '0/1'", "a whole number"),
    "redis://localhost/0?db=1": ("database is said twice", "once"),
    "redis://localhost?pool=5&max_connections=5": ("pool is said twice", "once"),
    "redis://ada@localhost?username=ada": ("username is said twice", "once"),
    "redis://localhost?pool=0": ("pool '0'", "above 0"),
    "redis://localhost?pool=-1": ("pool '-1'", "above 0"),
    "redis://localhost?timeout=0": ("timeout '0'", "seconds above 0"),
    "redis://localhost?timeout=3s": ("timeout '3s'", "such as 0.5"),
    "redis://localhost?timeout=inf": ("timeout 'inf'", "such as 0.5"),
    "redis://localhost?prefix=": ("prefix ''", "printable text"),
    "redis://localhost?wait=-1": ("wait '-1'", "0 or more"),
    "redis://localhost?pol=5": ("unknown option 'pol'", "did you mean 'pool'?"),
    "redis://localhost?decode_responses=True": ("'decode_responses'", "there are username, "),
    "redis://localhost?pool": ("option without '='", "?name=value"),
    "redis://localhost?client_name=%zz": ("what follows a '%'", "'%' itself is %25"),
    "redis://:%FF@localhost": ("what follows a '%'", "digits of UTF-8"),
    "redis://localhost#0": ("'#'", "%23"),
    "redis://:a@b@localhost": ("'@'", "%40"),
    "redis://:a/b@localhost": ("'/'", "%2F"),
    "redis://:a?b@localhost": ("'?'", "%3F"),
    "redis://localhost?ssl_ca_certs=/ca.pem": ("ssl_ca_certs", "'rediss' in the scheme"),
    "rediss://localhost?ssl_cert_reqs=maybe": ("ssl_cert_reqs 'maybe'", "required, optional or"),
    "rediss://localhost?ssl_check_hostname=1": ("ssl_check_hostname '1'", "true or false"),
    "redis://localhost?sentinel_password=secret": ("sentinel_password", "'sentinel' in the"),
    "unix://run/redis.sock": ("socket", "three slashes"),
    "unix://": ("socket", "three slashes"),
    "redis+sentinel://localhost": ("service is missing", "/service/0"),
    "redis+sentinel://localhost//0": ("service is missing", "/service/0"),
    "redis+cluster://localhost/1": ("database", "a cluster has only 0"),
    "redis+cluster://localhost?db=1": ("database", "a cluster has only 0"),
}


@pytest.mark.parametrize(("text", "part", "way_out"), [(t, *told) for t, told in REFUSED.items()])
def test_what_is_wrong_is_named_with_the_way_out(text: str, part: str, way_out: str) -> None:
    told = refusal(text)
    assert told.startswith("provider_config: ")
    assert part in told
    assert way_out in told
    assert "secret" not in told


def test_a_repr_shows_no_password() -> None:
    shown = repr(parse("redis+sentinel://ada:QXZ@a/m?sentinel_password=QQQ"))
    assert "ada" in shown
    assert not set(SECRET) & set(shown)


# -- properties ----------------------------------------------------------------------------------

names = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True)
hosts = st.tuples(names | st.ip_addresses(v=6).map(str), st.integers(1, 65_535))
words = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12)
amounts = st.integers(1, 10**9 - 1)
moments = st.integers(1, 10**6).map(lambda count: count / 1000)
numbers = st.integers(0, 99)
files = st.from_regex(r"/[a-z]{1,9}\.pem", fullmatch=True)

secrets = {"username": words, "password": words}
options = {
    "client_name": words,
    "pool": amounts,
    "timeout": moments,
    "connect_timeout": moments,
    "idle_timeout": moments,
    "prefix": words,
    "wait": numbers,
}
tls_options = {
    "ssl_ca_certs": files,
    "ssl_certfile": files,
    "ssl_keyfile": files,
    "ssl_cert_reqs": st.sampled_from(["required", "optional", "none"]),
    "ssl_check_hostname": st.booleans(),
}
tls = st.none() | st.fixed_dictionaries({}, optional=tls_options)


def addresses(**more: Any) -> st.SearchStrategy[Address]:
    """Addresses of a kind, with some of what every URL may say."""
    return st.fixed_dictionaries(more, optional=secrets | options).map(_address)


def _address(values: dict[str, Any]) -> Address:
    return Address(**values)


ADDRESSES = st.one_of(
    addresses(kind=st.just("single"), hosts=st.tuples(hosts), database=numbers, tls=tls),
    addresses(kind=st.just("single"), path=words.map("/".__add__), database=numbers),
    addresses(
        kind=st.just("sentinel"),
        hosts=st.lists(hosts, min_size=1, max_size=3).map(tuple),
        service=words,
        sentinel_username=st.none() | words,
        sentinel_password=st.none() | words,
        database=numbers,
        tls=tls,
    ),
    addresses(
        kind=st.just("cluster"),
        hosts=st.lists(hosts, min_size=1, max_size=3).map(tuple),
        tls=tls,
    ),
)


def escaped(value: object) -> str:
    return quote(str(value).lower() if isinstance(value, bool) else str(value), safe="")


def place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(address: Address) -> str:
    """The URL that says an address."""
    scheme = "redis" if address.tls is None else "rediss"
    scheme = {"single": scheme}.get(address.kind, f"{scheme}+{address.kind}")
    user = escaped(address.username or "")
    password = "" if address.password is None else f":{escaped(address.password)}"
    at = "@" if user or password else ""
    where = ",".join(place(*host) for host in address.hosts)
    path = f"/{escaped(address.service)}/{address.database}" if address.service else ""
    if address.path is not None:
        scheme, path = "unix", quote(address.path)
    said = {name: getattr(address, name) for name in (*options, "sentinel_username")}
    said |= {"sentinel_password": address.sentinel_password, **(address.tls or {})}
    if not address.service:
        said["db"] = address.database or None
    query = "&".join(f"{name}={escaped(v)}" for name, v in said.items() if v is not None)
    return f"{scheme}://{user}{password}{at}{where}{path}?{query}"


@given(ADDRESSES)
def test_a_url_says_what_was_written_into_it(address: Address) -> None:
    assert parse(url_of(address)) == address


beegos_passwords = words.filter(lambda text: "," not in text and text == text.strip())


@given(hosts, st.none() | amounts, st.none() | beegos_passwords, numbers, st.integers(0, 3600))
def test_beegos_form_says_what_was_written_into_it(
    host: tuple[str, int], pool: int | None, password: str | None, database: int, idle: int
) -> None:
    text = f"{place(*host)},{pool or ''},{password or ''},{database},{idle}"
    expected = single(
        host, pool=pool, password=password, database=database, idle_timeout=float(idle) or None
    )
    assert parse(text) == expected


@given(
    st.text(max_size=60)
    | st.from_regex(r"(rediss?|valkey)(\+sentinel|\+cluster)?://.{0,40}", fullmatch=True)
    | st.text("a1:@,;/?#&=%[]. ", max_size=40)
)
def test_any_text_is_an_address_or_refused(text: str) -> None:
    told = refusal(text)
    assert not told or (told.startswith("provider_config: ") and len(told) > 40)
    if not told:
        address = parse(text)
        assert bool(address.hosts) != (address.path is not None)
        assert (address.service is not None) == (address.kind == "sentinel")
        assert all(host and 0 < port < 65_536 for host, port in address.hosts)


letters = st.text(SECRET, min_size=4, max_size=8)
pieces = st.lists(letters, min_size=1, max_size=3)
STRAY = "@:/?#&=%,;[] +\\.-0x"


@st.composite
def slips(draw: st.DrawFn) -> str:
    """A sound text with a password, and then one slip: a character lost, or one too many."""
    password = draw(st.sampled_from("@:/?#&=%;+ ")).join(draw(pieces))
    escapes = quote(password, safe="")
    text = draw(
        st.sampled_from(
            [
                f"127.0.0.1:6379,100,{password},0,30",
                f"localhost,,{password}",
                f"a:1;b:2,100,{password},0,mymaster,30",
                f"redis://ada:{escapes}@localhost:6379/0?pool=5&timeout=1",
                f"redis://:{escapes}@[::1]",
                f"rediss+cluster://ada:{escapes}@a:1,b:2?ssl_ca_certs=/ca.pem",
                f"redis+sentinel://:{escapes}@a,b/m/0?pool=5&sentinel_password={escapes}&wait=1",
                f"unix://:{escapes}@/run/redis.sock?db=1",
                f"unix:///run/redis.sock?db=1&password={escapes}",
            ]
        )
    )
    at = draw(st.integers(0, len(text) - 1))
    if draw(st.booleans()):
        return text[:at] + text[at + 1 :]
    return text[:at] + draw(st.sampled_from(STRAY)) + text[at:]


@given(slips())
@example("redis://ada:QXZ/0")
@example("redis://ada:QXZ?pool=0")
@example("redis+sentinel://a/m?pool=5sentinel_password=QXZ")
@example("127.0.0.1:6379,100,QXZ,QXZ,0")
@example("127.0.0.1:6379 100 QXZ")
@example("ada:QXZ@127.0.0.1:6379")
def test_a_slip_shows_nothing_of_a_password(text: str) -> None:
    told = refusal(text)
    assert not set(SECRET) & set(told), told
