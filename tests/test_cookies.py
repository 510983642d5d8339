"""What a request brings along, and the Set-Cookie that answers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn._cookies import LONGEST_NAME, MOST_NAMES, Arrival, Headers, SessionCookie
from sojourn.config import Config
from sojourn.config.validators import COOKIE_LIMIT
from sojourn.errors import ConfigError

A, B, C, D = (letter * 42 + "A" for letter in "abcd")
PLAIN = Config()
BOTH = Config(header_name="X-Session")
HEADER_ONLY = Config(header_name="X-Session", enable_set_cookie=False)


def arrive(headers: Headers, https: bool, config: Config) -> Arrival:
    return SessionCookie(config).arrive(headers, https=https)


def set_cookie(config: Config, token: str, max_age: int | None, https: bool) -> str:
    return SessionCookie(config).give(token, max_age, https=https)


def delete_cookie(config: Config, https: bool) -> str:
    return SessionCookie(config).delete(https=https)


def read(cookie: str, config: Config = PLAIN) -> Arrival:
    return arrive({"cookie": cookie}, False, config)


# -- the cookie of a request ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"cookie": f"x=1; session={A}; y=2"},
        {"Cookie": f"session={A}"},
        {"COOKIE": [f"session={A}", "x=1"]},
        {b"cookie": f"session={A}".encode()},
        {"cookie": (b"x=1", f"session={A}".encode())},
        [("host", "example.com"), ("cookie", f"session={A}")],
        [(b"Cookie", b"x=\xe9"), (b"cookie", f"session={A}".encode())],
        [[b"cookie", f"session={A}".encode()]],
        iter([("x", "1"), ("cookie", f"session={A}")]),
        {"cookie": "x=1", "Cookie": f"session={A}"}.items(),
    ],
)
def test_headers_of_any_form_are_read(headers: Mapping[str, str]) -> None:
    assert arrive(headers, False, PLAIN) == Arrival((A,), False, False, False)


@pytest.mark.parametrize(
    "cookie",
    [
        f"session={A}",
        f"session={A};",
        f";;session={A};;",
        f"x=session;session={A};y=session=1",
        f" \tsession\t = \t{A} \t;x=1",
        f'session="{A}"',
        f'x=1; session= "{A}" ',
        f"session={A}; session={A}",
        f"SESSION={B}; Session={B}; session={A}",
        f"xsession={B}; sessionx={B}; x session={B}; session={A}; session",
        f'x="a; session={A}; b"',
    ],
)
def test_a_cookie_is_found_by_its_exact_name(cookie: str) -> None:
    assert read(cookie) == Arrival((A,), False, False, False)


@pytest.mark.parametrize(
    "cookie", ["", "session", "=", ";", "x=1", "SESSION=x", f"xsession={A}", f"x=session={A}"]
)
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
    assert read(f"session={value}") == Arrival((), True, False, False)
    assert read(f"session={value}; session={A}") == Arrival((A,), True, False, False)


def test_every_candidate_counts_once_in_its_order() -> None:
    assert read(f"session={B}; session={A}; session={B}").tokens == (B, A)
    assert read(
        f"session={D}; session=x; session={C}; session={D}; session={B}; session={A}"
    ).tokens == (D, C, B, A)
    flood = "; ".join(f"session={token}" for token in [A, B, C, D] * 2000)
    assert read(flood) == Arrival((A, B, C, D), False, False, False)


@pytest.mark.parametrize(("before", "after"), [(3, 0), (3, 3), (1000, 0), (0, 1000)])
def test_planted_cookies_do_not_hide_the_own_one(before: int, after: int) -> None:
    """A page of a sibling host can set many, before it by a longer path and after it as newer."""
    planted = [f"session={number:040}AAA" for number in range(before + after)]
    header = "; ".join([*planted[:before], f"session={A}", *planted[before:]])
    arrival = read(header)
    assert A in arrival.tokens
    assert len(arrival.tokens) == min(8, before + 1 + after)


BLANKS = "\u2000 \ufeff \u3000 \u180e"  # in UTF-8, beside some that are one byte
MORE_BLANKS = "\xa0 \x85 \x0b \x0c \x1c \x00"
HOSTILE: list[tuple[str, str, bool]] = [
    # Blanks that Python's `strip` takes and browsers do not, before a name that they protect.
    *[(f"{blank}N=T; N=V", "V", False) for blank in BLANKS.encode().decode("latin-1").split(" ")],
    *[(f"{blank}N=T; N=V", "V", False) for blank in MORE_BLANKS.split(" ")],
    ("N\xe2\x80\x80=T; N=V", "V", False),
    ("\tN\t=\tV\t", "V", False),
    # `$Version` and quotes, by which some parsers hide one cookie in another's value (RFC 2109).
    ('$version=1; p="x; N=V; q=y"', "V", False),
    ("$version=1; foo=bar, N=T", "", False),
    ("$version=1,N=T", "", False),
    ('$version=1; N=V; $path="/"; $domain="evil"', "V", False),
    ('a="hello; N=V; b=end"', "V", False),
    ('N="V"', "V", False),
    *[(f"N={bad}", "", True) for bad in ('"\\101V"', '"\\V"', '"V', 'V"', "V,T", "V\xa0")],
    # Names that are nearly ours: without one, quoted, encoded, in another case, as PHP reads them.
    *[(f"{name}=T; N=V", "V", False) for name in ("", "=N", '"N"', "%5F%5Fhost-sid")],
    *[(f"{name}=T; N=V", "V", False) for name in ("__host-sid", "..host-sid", "_.host-sid")],
    # Several cookies in one value, and a folded header.
    *[(f"a=b{joint}N=T", "", False) for joint in (" ", ",", ", ", "\n", "\r\n ")],
    ("x=N=T; xN=T; Nx=T", "", False),
    ("N=V; path=/; secure", "V", False),
    *[(f"N={bad}; N=V", "V", True) for bad in ("", "../../x", "\xed\xa0\x80")],
    ("N=V; N=V", "V", False),
    ("N=T; N=V", "TV", False),
]
"""A header, in which N is the cookie's name and T and V are tokens; which of them are found, and
whether there was something of that name that is no token."""


@pytest.mark.parametrize(("header", "found", "malformed"), HOSTILE)
def test_a_hostile_header_is_read_as_browsers_mean_it(
    header: str, found: str, malformed: bool
) -> None:
    words = {"N": "__Host-sid", "T": B, "V": A}
    header = "".join(words.get(letter, letter) for letter in header)
    expected = Arrival(tuple(words[letter] for letter in found), malformed, False, True)
    config = Config(cookie_name="__Host-sid")
    for headers in ({"Cookie": header}, [(b"cookie", header.encode("latin-1"))]):
        assert arrive(headers, True, config) == expected


def test_a_token_in_two_header_fields_is_none() -> None:
    """The parts of a value are never glued together."""
    assert (
        arrive([("Cookie", f"session={A[:20]}"), ("Cookie", A[20:])], False, Config()).tokens == ()
    )


@pytest.mark.parametrize("name", ["a.b", "a|b", "$^*+", "__Host-sid", "!#%&'`~"])
def test_a_name_is_taken_literally(name: str) -> None:
    config = Config(cookie_name=name)
    assert read(f"aXb={B}; a={B}; {name}={A}", config).tokens == (A,)


@given(
    st.text() | st.lists(st.sampled_from(["session", "=", ";", " ", '"', A, B, "x"])).map("".join)
)
def test_a_cookie_header_is_split_at_semicolons_and_the_first_equals_sign(text: str) -> None:
    """The same by other means: what the fast search finds is what splitting finds."""
    pairs = [piece.partition("=") for piece in text.split(";") if "=" in piece]
    ours = [value.strip(" \t") for name, _, value in pairs if name.strip(" \t") == "session"]
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
    headers = {"x-SESSION": f" {A}\t", "cookie": f"session={B}"}
    assert arrive(headers, False, BOTH) == Arrival((A,), False, True, False)
    assert arrive([(b"x-session", A.encode())], True, BOTH) == Arrival((A,), False, True, True)


def test_an_empty_session_header_asks_for_a_new_token_in_it() -> None:
    headers = {"X-Session": "", "cookie": f"session={B}"}
    assert arrive(headers, False, BOTH) == Arrival((), False, True, False)


@pytest.mark.parametrize("value", ["x", f'"{A}"', f"{A}, {A}", [A, B], f"Bearer {A}"])
def test_a_session_header_holds_one_token_or_is_malformed(value: object) -> None:
    arrival = arrive({"X-Session": value, "cookie": f"session={B}"}, False, BOTH)
    assert arrival == Arrival((), True, True, False)


def test_without_the_header_the_cookie_counts_if_cookies_are_on() -> None:
    headers = {"cookie": f"session={A}"}
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
    assert set_cookie(PLAIN, A, None, False) == f"session={A}; Path=/; HttpOnly; SameSite=Lax"
    shown = Config(http_only=False)
    assert set_cookie(shown, A, None, False) == f"session={A}; Path=/; SameSite=Lax"


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
        f"session={A}; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
    )


def test_a_cookie_lasts_400_days_at_most() -> None:
    longest = set_cookie(PLAIN, A, COOKIE_LIMIT, False)
    assert "; Max-Age=34560000; " in longest
    assert set_cookie(PLAIN, A, COOKIE_LIMIT + 1, False) == longest
    assert SimpleCookie(longest)["session"]["max-age"] == str(COOKIE_LIMIT)


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
    for name in ("session", "__Host-sid", "!#$%&'*+-.^_`|~"):
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
    arrival = read(f"session={A}; session={B}")
    assert arrival.tokens == (A, B)
    for shown in (repr(arrival), str(arrival), f"{arrival}"):
        assert A not in shown
        assert B not in shown


def test_the_names_of_headers_are_remembered_whatever_a_client_sends() -> None:
    cookie = SessionCookie(PLAIN)
    for number in range(10 * MOST_NAMES):
        cookie.arrive({f"X-{number}": "", "x" * (LONGEST_NAME + 1): ""}, https=False)
        assert len(cookie._wanted) <= MOST_NAMES
    assert cookie.arrive({"COOKIE": f"session={A}"}, https=False).tokens == (A,)
    assert "COOKIE" in cookie._wanted
