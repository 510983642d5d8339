"""What a request brings along, and the Set-Cookie that answers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn._checks import COOKIE_LIMIT
from sojourn._cookies import Arrival, arrive, delete_cookie, set_cookie
from sojourn._tokens import Tokens
from sojourn.config import Config
from sojourn.errors import ConfigError

A, B, C, D = (Tokens("sha256", "").mint()[0] for _ in range(4))
PLAIN = Config()
BOTH = Config(header_name="X-Session")
HEADER_ONLY = Config(header_name="X-Session", enable_set_cookie=False)


def read(cookie: str, config: Config = PLAIN) -> Arrival:
    return arrive({"cookie": cookie}, False, config)


# -- the cookie of a request ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"cookie": f"x=1; sid={A}; y=2"},
        {"Cookie": f"sid={A}"},
        {"COOKIE": [f"sid={A}", "x=1"]},
        {b"cookie": f"sid={A}".encode()},
        {"cookie": (b"x=1", f"sid={A}".encode())},
        [("host", "example.com"), ("cookie", f"sid={A}")],
        [(b"Cookie", b"x=\xe9"), (b"cookie", f"sid={A}".encode())],
        [[b"cookie", f"sid={A}".encode()]],
        iter([("x", "1"), ("cookie", f"sid={A}")]),
        {"cookie": "x=1", "Cookie": f"sid={A}"}.items(),
    ],
)
def test_headers_of_any_form_are_read(headers: Mapping[str, str]) -> None:
    assert arrive(headers, False, PLAIN) == Arrival((A,), False, False, False)


@pytest.mark.parametrize(
    "cookie",
    [
        f"sid={A}",
        f"sid={A};",
        f";;sid={A};;",
        f"x=sid;sid={A};y=sid=1",
        f" \tsid\t = \t{A} \t;x=1",
        f'sid="{A}"',
        f'x=1; sid= "{A}" ',
        f"sid={A}; sid={A}",
        f"SID={B}; Sid={B}; sid={A}",
        f"xsid={B}; sidx={B}; x sid={B}; sid={A}; sid",
        f'x="a; sid={A}; b"',
    ],
)
def test_a_cookie_is_found_by_its_exact_name(cookie: str) -> None:
    assert read(cookie) == Arrival((A,), False, False, False)


@pytest.mark.parametrize("cookie", ["", "sid", "=", ";", "x=1", "SID=x", f"xsid={A}", f"x=sid={A}"])
def test_other_cookies_are_nothing_to_us(cookie: str) -> None:
    assert read(cookie) == Arrival((), False, False, False)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        '""',
        '"',
        A[:-1],
        A + "A",
        A + "=",
        f'"{A}',
        f'{A}"',
        f'""{A}""',
        f"{A} {A}",
        f"{A},",
        f"{A}\n",
        f"\u00a0{A}",
        f"{A}\x00",
        "../" * 14 + "A",
        "\r\nSet-Cookie: x=y",
        "*" * 43,
        "ü" * 43,
        "\ud800",
        "A" * 65_536,
    ],
)
def test_what_is_no_token_is_malformed(value: str) -> None:
    assert read(f"sid={value}") == Arrival((), True, False, False)
    assert read(f"sid={value}; sid={A}") == Arrival((A,), True, False, False)


def test_the_first_three_candidates_count() -> None:
    assert read(f"sid={B}; sid={A}; sid={B}").tokens == (B, A)
    assert read(f"sid={D}; sid=x; sid={C}; sid={D}; sid={B}; sid={A}").tokens == (D, C, B)
    flood = "; ".join(f"sid={token}" for token in [A, B, C, D] * 2000)
    assert read(flood) == Arrival((A, B, C), False, False, False)


@pytest.mark.parametrize("name", ["a.b", "a|b", "$^*+", "__Host-sid", "!#%&'`~"])
def test_a_name_is_taken_literally(name: str) -> None:
    config = Config(cookie_name=name)
    assert read(f"aXb={B}; a={B}; {name}={A}", config).tokens == (A,)


@given(st.text() | st.lists(st.sampled_from(["sid", "=", ";", " ", '"', A, B, "x"])).map("".join))
def test_a_cookie_header_is_split_at_semicolons_and_the_first_equals_sign(text: str) -> None:
    """The same by other means: what the fast search finds is what splitting finds."""
    pairs = [piece.partition("=") for piece in text.split(";") if "=" in piece]
    ours = [value.strip(" \t") for name, _, value in pairs if name.strip(" \t") == "sid"]
    bare = [v[1:-1] if len(v) > 1 and v[0] == v[-1] == '"' else v for v in ours]
    arrival = read(text)
    assert arrival.tokens == tuple(dict.fromkeys(v for v in bare if v in (A, B)))
    assert arrival.malformed == any(v not in (A, B) for v in bare)


@given(st.binary())
def test_bytes_of_any_kind_are_read(data: bytes) -> None:
    names = (b"cookie", b"x-session", b"forwarded", b"x-forwarded-proto")
    arrival = arrive([(name, data) for name in names], False, BOTH)
    assert arrival.tokens == ()


# -- the session header --------------------------------------------------------------------------


def test_a_session_header_rules_out_the_cookie() -> None:
    headers = {"x-SESSION": f" {A}\t", "cookie": f"sid={B}"}
    assert arrive(headers, False, BOTH) == Arrival((A,), False, True, False)
    assert arrive([(b"x-session", A.encode())], True, BOTH) == Arrival((A,), False, True, True)


def test_an_empty_session_header_asks_for_a_new_token_in_it() -> None:
    headers = {"X-Session": "", "cookie": f"sid={B}"}
    assert arrive(headers, False, BOTH) == Arrival((), False, True, False)


@pytest.mark.parametrize("value", ["x", f'"{A}"', f"{A}, {A}", [A, B], f"Bearer {A}"])
def test_a_session_header_holds_one_token_or_is_malformed(value: object) -> None:
    arrival = arrive({"X-Session": value, "cookie": f"sid={B}"}, False, BOTH)
    assert arrival == Arrival((), True, True, False)


def test_without_the_header_the_cookie_counts_if_cookies_are_on() -> None:
    headers = {"cookie": f"sid={A}"}
    assert arrive(headers, False, BOTH) == Arrival((A,), False, False, False)
    assert arrive(headers, False, HEADER_ONLY) == Arrival((), False, True, False)
    sent_by_application = Config(enable_set_cookie=False)
    assert arrive(headers, False, sent_by_application) == Arrival((A,), False, False, False)


def test_a_header_that_is_not_configured_is_not_read() -> None:
    assert arrive({"x-session": A}, False, PLAIN) == Arrival((), False, False, False)


# -- https ---------------------------------------------------------------------------------------

BEHIND_HTTPS = [
    ("x-forwarded-proto", "https"),
    ("X-Forwarded-Proto", " HTTPS , http"),
    ("forwarded", "proto=https"),
    ("Forwarded", "for=192.0.2.60;PROTO=HTTPS;by=203.0.113.43, proto=http"),
    ("forwarded", 'for="[2001:db8::1]:4711"; proto="https"'),
    ("forwarded", r'for="a,b;c\"";proto=https'),
]
NOT_BEHIND_HTTPS = [
    ("x-forwarded-proto", "http"),
    ("x-forwarded-proto", "http, https"),
    ("x-forwarded-proto", "httpsx"),
    ("x-forwarded-proto", ""),
    ("forwarded", "proto=http, proto=https"),
    ("forwarded", "for=1, for=2;proto=https"),
    ("forwarded", 'for="x;proto=https"'),
    ("forwarded", 'for="x;proto=https'),
    ("forwarded", "proto=httpsx"),
    ("forwarded", "xproto=https"),
    ("forwarded", 'proto="https'),
    ("x-scheme", "https"),
]


@pytest.mark.parametrize(("name", "value"), BEHIND_HTTPS)
def test_a_proxy_may_say_that_it_was_asked_over_https(name: str, value: str) -> None:
    assert arrive({name: value}, False, PLAIN).https
    assert arrive([(name.encode(), value.encode())], False, PLAIN).https


@pytest.mark.parametrize(("name", "value"), NOT_BEHIND_HTTPS)
def test_only_the_first_word_of_a_proxy_counts(name: str, value: str) -> None:
    assert not arrive({name: value}, False, PLAIN).https


@pytest.mark.parametrize(("name", "value"), NOT_BEHIND_HTTPS)
def test_no_header_takes_https_away(name: str, value: str) -> None:
    assert arrive({name: value}, True, PLAIN).https


def test_a_long_header_of_a_proxy_is_read_in_linear_time() -> None:
    for text in ('"' + "\\" * 100_000, "a;" * 50_000, '""' * 50_000, " " * 100_000 + "x"):
        assert not arrive({"forwarded": text}, False, PLAIN).https


# -- the answer ----------------------------------------------------------------------------------


def test_attributes_come_in_one_order() -> None:
    full = Config(
        cookie_name="__Secure-id",
        cookie_path="/app",
        cookie_domain=".example.com",
        same_site="none",  # type: ignore[arg-type]
        partitioned=True,
    )
    assert set_cookie(full, A, 60, False) == (
        f"__Secure-id={A}; Path=/app; Domain=example.com; Max-Age=60;"
        " HttpOnly; Secure; SameSite=None; Partitioned"
    )
    assert delete_cookie(full, False) == (
        "__Secure-id=; Path=/app; Domain=example.com; Max-Age=0;"
        " Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=None; Partitioned"
    )


def test_the_default_cookie_ends_with_the_browser_and_is_hidden_from_scripts() -> None:
    assert set_cookie(PLAIN, A, None, False) == f"sid={A}; Path=/; HttpOnly; SameSite=Lax"
    shown = Config(http_only=False)
    assert set_cookie(shown, A, None, False) == f"sid={A}; Path=/; SameSite=Lax"


@pytest.mark.parametrize(
    ("secure", "https", "expected"),
    [
        ("auto", False, False),
        ("auto", True, True),
        (True, False, True),
        (True, True, True),
        (False, False, False),
        (False, True, False),
    ],
)
def test_secure_follows_the_setting(secure: bool, https: bool, expected: bool) -> None:
    config = Config(secure=secure)
    assert ("; Secure;" in set_cookie(config, A, None, https)) == expected
    assert ("; Secure;" in delete_cookie(config, https)) == expected


def test_max_age_says_how_long_a_cookie_lasts() -> None:
    assert set_cookie(PLAIN, A, 60, True) == (
        f"sid={A}; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
    )


def test_a_cookie_lasts_400_days_at_most() -> None:
    longest = set_cookie(PLAIN, A, COOKIE_LIMIT, False)
    assert "; Max-Age=34560000; " in longest
    assert set_cookie(PLAIN, A, COOKIE_LIMIT + 1, False) == longest
    assert SimpleCookie(longest)["sid"]["max-age"] == str(COOKIE_LIMIT)


def configs() -> Iterator[Config]:
    for domain in (None, "example.com"):
        for same_site in ("Lax", "Strict", "None"):
            for partitioned in (False, True):
                yield Config(
                    cookie_domain=domain,
                    cookie_path="/a b",
                    same_site=same_site,
                    partitioned=partitioned,
                )


def attributes(cookie: str) -> set[str]:
    parts = cookie.split("; ")[1:]
    return {part for part in parts if not part.startswith(("Max-Age=", "Expires="))}


@pytest.mark.parametrize("config", list(configs()), ids=str)
@pytest.mark.parametrize("https", [False, True])
def test_a_cookie_is_deleted_under_the_attributes_it_was_set_with(
    config: Config, https: bool
) -> None:
    for max_age in (None, 5):
        made = set_cookie(config, A, max_age, https)
        assert attributes(made) == attributes(delete_cookie(config, https))


def test_what_is_set_is_read_back() -> None:
    for name in ("sid", "__Host-sid", "!#$%&'*+-.^_`|~"):
        config = Config(cookie_name=name)
        pair = set_cookie(config, A, 60, True).partition(";")[0]
        assert read(pair, config).tokens == (A,)


def test_the_largest_cookie_is_what_browsers_take() -> None:
    config = Config(cookie_name="n" * (4096 - 43))
    name, _, rest = set_cookie(config, A, None, True).partition("=")
    assert len(name) + len(rest.partition(";")[0]) == 4096
    with pytest.raises(ConfigError, match="4,096"):
        Config(cookie_name="n" * (4096 - 42))


def test_a_repr_shows_no_token() -> None:
    arrival = read(f"sid={A}; sid={B}")
    assert arrival.tokens == (A, B)
    for shown in (repr(arrival), str(arrival), f"{arrival}"):
        assert A not in shown
        assert B not in shown
