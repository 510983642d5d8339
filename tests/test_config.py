"""Settings: defaults, checks, what refuses what, and Beego's form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from sojourn.config import Config
from sojourn.config.beego import KEYS
from sojourn.errors import ConfigError

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

BEEGO = (
    '{"cookieName":"gosessionid", "enableSetCookie,omitempty": true, "gclifetime":3600, '
    '"maxLifetime": 3600, "secure": false, "sessionIDHashFunc": "sha1", "sessionIDHashKey": "", '
    '"cookieLifeTime": 3600, "providerConfig": ""}'
)


async def listen_async(_name: str, _id: str | None) -> None: ...


# -- the page ------------------------------------------------------------------------------------


def rows() -> dict[str, list[str]]:
    """The table of all settings: the cells after the key, by key."""
    table = PAGE.read_text(encoding="utf-8").partition("## All settings")[2].partition("\n## ")[0]
    found = (re.fullmatch(r"\| `(\w+)` \|(.*)\|", line) for line in table.splitlines())
    return {row[1]: [cell.strip() for cell in row[2].split("|")] for row in found if row}


def test_the_page_lists_every_setting_with_its_default() -> None:
    documented = {name: cells[-2] for name, cells in rows().items()}
    assert documented == {setting.name: f"`{setting.default!r}`" for setting in fields(Config)}


def test_the_page_names_every_key_of_beego() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [key for key in KEYS if f"`{key}`" not in text] == []
    documented = {(key, name) for name, cells in rows().items() for key in keys_in(cells[-1])}
    assert documented == {
        *((key, name) for key, (name, _) in KEYS.items() if name is not None),
        ("EnableSidInHTTPHeader", "header_name"),
    }


def keys_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# -- values --------------------------------------------------------------------------------------


def test_the_defaults_are_the_safe_ones() -> None:
    config = Config()
    assert (config.http_only, config.same_site, config.secure) == (True, "Lax", "auto")
    assert (config.cookie_domain, config.cookie_path, config.cookie_lifetime) == (None, "/", 0)
    assert (config.max_lifetime, config.absolute_lifetime) == (3600, 30 * 24 * 3600)


DURATIONS = [
    "cookie_lifetime",
    "max_lifetime",
    "absolute_lifetime",
    "touch_interval",
    "retired_for",
    "gc_interval",
]


@pytest.mark.parametrize("key", DURATIONS)
@pytest.mark.parametrize("value", [20, 20.0, timedelta(seconds=20)], ids=repr)
def test_a_duration_becomes_float_seconds(key: str, value: object) -> None:
    seconds = getattr(Config.load({key: value}), key)
    assert (seconds, type(seconds)) == (20.0, float)


@pytest.mark.parametrize("key", DURATIONS)
@pytest.mark.parametrize(
    "value",
    [
        True,
        "20",
        -1,
        -0.5,
        float("nan"),
        float("inf"),
        10**400,
        timedelta(seconds=-1),
        Fraction(20),
        20j,
        [20],
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_an_unfit_duration_is_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{key}=.*seconds"):
        Config.load({key: value})


REFUSED: list[tuple[str, object]] = [
    ("cookie_name", ""),
    ("cookie_name", "a b"),
    ("cookie_name", "a=b"),
    ("cookie_name", "a;b"),
    ("cookie_name", "a,b"),
    ("cookie_name", 'a"b'),
    ("cookie_name", "sid\n"),
    ("cookie_name", "sïd"),
    ("cookie_name", b"sid"),
    ("cookie_name", None),
    ("cookie_lifetime", 34_560_001),
    ("cookie_lifetime", None),
    ("cookie_domain", ""),
    ("cookie_domain", "."),
    ("cookie_domain", "a..b"),
    ("cookie_domain", "..a.b"),
    ("cookie_domain", "example.com."),
    ("cookie_domain", "https://example.com"),
    ("cookie_domain", "example.com:443"),
    ("cookie_domain", "example.com/"),
    ("cookie_domain", "example.com; Secure"),
    ("cookie_domain", "example.com\r\nX: y"),
    ("cookie_domain", "example.com\n"),
    ("cookie_domain", "-a.b"),
    ("cookie_domain", "bücher.de"),
    ("cookie_domain", "a" * 64 + ".com"),
    ("cookie_domain", "a." * 127 + "com"),
    ("cookie_domain", b"example.com"),
    ("cookie_domain", 1),
    ("cookie_path", ""),
    ("cookie_path", "app"),
    ("cookie_path", "/a;b"),
    ("cookie_path", "/a\n"),
    ("cookie_path", "/a\r\nX: y"),
    ("cookie_path", "/\x7f"),
    ("cookie_path", "/ü"),
    ("cookie_path", "/" + "a" * 1019),
    ("cookie_path", None),
    ("same_site", None),
    ("same_site", ""),
    ("same_site", "lax\n"),
    ("same_site", True),
    ("same_site", 1),
    ("http_only", 1),
    ("http_only", "true"),
    ("http_only", None),
    ("partitioned", 0),
    ("secure", 1),
    ("secure", 0),
    ("secure", "true"),
    ("secure", "AUTO"),
    ("secure", None),
    ("enable_set_cookie", "yes"),
    ("header_name", ""),
    ("header_name", "X Session"),
    ("header_name", "X-Session:"),
    ("header_name", "X-Session\n"),
    ("header_name", "Cookie"),
    ("header_name", "set-COOKIE"),
    ("header_name", "Content-Length"),
    ("header_name", "transfer-encoding"),
    ("header_name", "Host"),
    ("header_name", "Location"),
    ("header_name", "Vary"),
    ("header_name", "Cache-Control"),
    ("header_name", "Forwarded"),
    ("header_name", "X-Forwarded-Proto"),
    ("header_name", "Authorization"),
    ("header_name", "Sec-Fetch-Site"),
    ("header_name", "X-Accel-Redirect"),
    ("header_name", "X-Sendfile"),
    ("header_name", "Clear-Site-Data"),
    ("header_name", True),
    ("max_lifetime", 0),
    ("max_lifetime", None),
    ("absolute_lifetime", 0),
    ("touch_interval", 1800.5),
    ("touch_on", "never"),
    ("touch_on", None),
    ("retired_for", 0.9),
    ("retired_for", 3600.1),
    ("gc_interval", 0),
    ("hash_func", "crc32"),
    ("hash_func", "shake_256"),
    ("hash_func", None),
    ("max_size", 0),
    ("max_size", -1),
    ("max_size", 1e6),
    ("max_size", True),
    ("max_size", None),
    ("on_outage", "ignore"),
    ("on_outage", None),
    ("on_outage", []),
    ("types", ["color"]),
    ("types", "color"),
    ("on_event", "print"),
    ("on_event", listen_async),
]


def shown(value: object) -> str:
    """The name of a test: without the address of a function, which differs between processes."""
    return str(getattr(value, "__name__", f"{value!r:.30}"))


@pytest.mark.parametrize(("key", "value"), REFUSED, ids=shown)
def test_an_unfit_value_is_refused_by_key_value_and_way_out(key: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.load({key: value})
    assert str(caught.value).startswith(f"{key}={value!r}"[:80])
    assert re.search(r": (give|name a hash) ", str(caught.value))


ACCEPTED: list[tuple[str, object, object]] = [
    ("cookie_domain", ".example.com", "example.com"),
    ("cookie_domain", "localhost", "localhost"),
    ("cookie_domain", "xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("cookie_path", "/" + "a" * 1018, "/" + "a" * 1018),
    ("same_site", "lax", "Lax"),
    ("same_site", "STRICT", "Strict"),
    ("header_name", "X-Session-Token", "X-Session-Token"),
    ("header_name", "Cookie2", "Cookie2"),
    ("header_name", "Hosted-Session", "Hosted-Session"),
    ("absolute_lifetime", None, None),
    ("absolute_lifetime", 60, 60.0),  # may be less than max_lifetime
    ("touch_interval", 1800, 1800.0),
    ("touch_interval", 0, 0.0),
    ("touch_on", "change", "change"),
    ("enable_set_cookie", False, False),
    ("provider_config", "", ""),
    ("provider_config", {"path": "/tmp"}, {"path": "/tmp"}),
    ("on_event", print, print),
]


@pytest.mark.parametrize(("key", "value", "kept"), ACCEPTED, ids=shown)
def test_a_fit_value_is_brought_into_one_form(key: str, value: object, kept: object) -> None:
    assert getattr(Config.load({key: value}), key) == kept
    assert getattr(Config.load(**{key: value}), key) == kept
    assert getattr(Config().replace(**{key: value}), key) == kept


@pytest.mark.parametrize(("lifetime", "interval"), [(60, 1.0), (3600, 60.0), (86_400, 60.0)])
def test_the_touch_interval_follows_the_lifetime(lifetime: float, interval: float) -> None:
    assert Config(max_lifetime=lifetime).touch_interval == interval
    assert Config().replace(max_lifetime=lifetime).touch_interval == interval
    own = Config(touch_interval=20).replace(max_lifetime=lifetime)
    assert own.touch_interval == 20


# -- rules between settings ----------------------------------------------------------------------

NEEDS_SECURE: list[dict[str, Any]] = [
    {"cookie_name": "__Host-sid"},
    {"cookie_name": "__hOST-sid"},
    {"cookie_name": "__Secure-sid"},
    {"cookie_name": "__Http-sid"},
    {"cookie_name": "__Host-Http-sid"},
    {"cookie_name": "__SECURE-sid", "cookie_domain": "example.com", "cookie_path": "/app"},
    {"same_site": "None"},
    {"same_site": "none"},
    {"partitioned": True},
]


@pytest.mark.parametrize("settings", NEEDS_SECURE, ids=str)
def test_what_needs_secure_gets_it(settings: dict[str, Any]) -> None:
    assert Config(**settings).secure is True
    assert Config(secure=True, **settings).secure is True


@pytest.mark.parametrize("settings", NEEDS_SECURE, ids=str)
def test_what_needs_secure_refuses_to_go_without(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"secure=False.*{next(iter(settings))}"):
        Config(secure=False, **settings)
    with pytest.raises(ConfigError, match="secure=False"):
        Config(**settings).replace(secure=False)


@pytest.mark.parametrize("name", ["__Host-sid", "__HOST-sid", "__Host-Http-sid"])
@pytest.mark.parametrize("rest", [{"cookie_path": "/app"}, {"cookie_domain": "example.com"}])
def test_a_host_cookie_has_the_root_path_and_no_domain(name: str, rest: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=f"cookie_name='{name}'.*cookie_path.*cookie_domain"):
        Config.load(cookie_name=name, **rest)


@pytest.mark.parametrize("name", ["__Http-sid", "__HTTP-sid", "__Host-Http-sid", "__host-http-sid"])
def test_a_cookie_that_only_http_may_set_is_hidden_from_scripts(name: str) -> None:
    assert Config(cookie_name=name).http_only
    with pytest.raises(ConfigError, match=f"cookie_name='{name}'.*http_only=True"):
        Config(cookie_name=name, http_only=False)


def test_a_config_does_not_change_and_a_replacement_is_checked() -> None:
    config = Config()
    with pytest.raises(FrozenInstanceError):
        config.secure = False  # type: ignore[misc]
    assert config.replace(hash_func="sha512").hash_func == "sha512"
    assert config.hash_func == "sha256"
    with pytest.raises(ConfigError, match="hash_func='md4711'"):
        config.replace(hash_func="md4711")
    with pytest.raises(ConfigError, match="did you mean 'secure'"):
        config.replace(secur=True)


# -- secrets -------------------------------------------------------------------------------------


def messages() -> list[str]:
    wrong: list[Callable[[], Config]] = [
        lambda: Config.load(hash_key=["hunter2"]),
        lambda: Config.load(hash_key="hunter2", hash_func="x"),
        lambda: Config.load(provider_config=["hunter2"]),
        lambda: Config.load('{"hash_key": "hunter2", "max_size": 0}'),
        lambda: Config.load('{"hash_key": "hunter2" "max_size": 0}'),
        lambda: Config.load('"hunter2"'),
        lambda: Config.load({"hash_kye": "hunter2"}),
        lambda: Config.load({"sessionIDHashKey": ["hunter2"]}),
        lambda: Config.load({"providerConfig": ["hunter2"]}),
        lambda: Config.load({"sessionIDHashKey": "hunter2", "hash_key": "hunter2"}),
    ]
    found = []
    for make in wrong:
        with pytest.raises(ConfigError) as caught:
            make()
        found += [str(caught.value), repr(caught.value)]
    return found


def test_no_error_and_no_repr_shows_a_secret() -> None:
    config = Config(hash_key="hunter2", provider_config="mysql://u:hunter2@h/d")
    for shown in [repr(config), str(config), *messages()]:
        assert "hunter2" not in shown
    assert "hash_key=..." in repr(config)
    assert "hash_key=''" in repr(Config())


# -- loading -------------------------------------------------------------------------------------


def test_text_mapping_config_and_keywords_say_the_same() -> None:
    settings = {"cookie_name": "id", "max_lifetime": 60}
    expected = Config(cookie_name="id", max_lifetime=60)
    assert Config.load(settings) == expected
    assert Config.load(json.dumps(settings)) == expected
    assert Config.load(**settings) == expected
    assert Config.load(expected) == expected
    assert Config.load(None) == Config.load("{}") == Config()


def test_keywords_have_priority() -> None:
    assert Config.load({"cookie_name": "id"}, cookie_name="other").cookie_name == "other"
    assert Config.load(Config(cookie_name="id"), cookie_name="other").cookie_name == "other"
    assert Config.load(BEEGO, cookie_name="other", secure="auto").secure == "auto"


@pytest.mark.parametrize("config", ["", "{", "[]", "1", "null x", b"{}", 1, [("secure", True)]])
def test_what_is_no_configuration_is_refused(config: object) -> None:
    with pytest.raises(ConfigError, match="the configuration is"):
        Config.load(config)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("max_lifetme", "max_lifetime"),
        ("Secure", "secure"),
        ("samesite", "same_site"),
        ("cookiename", "cookie_name"),
        ("COOKIE_NAME", "cookie_name"),
        ("cookie_life_time", "cookie_lifetime"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(key: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"{key!r}.*did you mean {near!r}"):
        Config.load({key: 1})
    with pytest.raises(ConfigError, match=f"{key!r}.*did you mean {near!r}"):
        Config.load(**{key: 1})


@pytest.mark.parametrize("key", ["xyzzy", 1, None, ("a",)])
def test_a_key_like_none_is_refused_with_all(key: object) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting.*cookie_name.*on_event"):
        Config.load({key: 1})  # type: ignore[dict-item]


def test_a_keyword_is_never_in_the_spelling_of_beego() -> None:
    with pytest.raises(ConfigError, match=r"'cookieName'.*'cookie_name'"):
        Config.load(BEEGO, cookieName="x")


# -- Beego's form --------------------------------------------------------------------------------


def test_beegos_json_is_accepted_to_the_letter() -> None:
    assert Config.load(BEEGO) == Config(
        cookie_name="gosessionid",
        enable_set_cookie=True,
        gc_interval=3600,
        max_lifetime=3600,
        secure=False,
        hash_func="sha1",
        hash_key="",
        cookie_lifetime=3600,
        provider_config="",
        absolute_lifetime=None,
    )
    assert Config.load(json.loads(BEEGO)) == Config.load(BEEGO)


def test_one_key_of_beego_brings_beegos_defaults() -> None:
    config = Config.load({"cookieName": "id"})
    assert (config.hash_func, config.secure, config.absolute_lifetime) == ("sha1", False, None)
    assert (config.gc_interval, config.max_lifetime, config.cookie_lifetime) == (3600, 3600, 0)
    assert Config.load({"gclifetime": 60}).max_lifetime == 60
    assert Config.load({"gclifetime": 60, "maxLifetime": 90}).max_lifetime == 90
    assert Config.load({"maxLifetime": 90}).gc_interval == 3600


def test_a_key_that_both_have_is_ours() -> None:
    assert Config.load({"secure": False}).hash_func == "sha256"


@pytest.mark.parametrize(
    ("key", "value", "name", "kept"),
    [
        ("enableSetCookie", False, "enable_set_cookie", False),
        ("enableSetCookie,omitempty", False, "enable_set_cookie", False),
        ("secure", True, "secure", True),
        ("sessionIDHashFunc", "sha512", "hash_func", "sha512"),
        ("sessionIDHashKey", "key", "hash_key", "key"),
        ("providerConfig", "./tmp", "provider_config", "./tmp"),
        ("providerConfig", {"path": "./tmp"}, "provider_config", {"path": "./tmp"}),
        ("domain", "example.com", "cookie_domain", "example.com"),
        ("domain", "", "cookie_domain", None),
        ("cookieSameSite", 0, "same_site", "Lax"),
        ("cookieSameSite", 1, "same_site", "Lax"),
        ("cookieSameSite", 2, "same_site", "Lax"),
        ("cookieSameSite", 3, "same_site", "Strict"),
        ("cookieSameSite", "strict", "same_site", "Strict"),
        ("disableHTTPOnly", True, "http_only", False),
        ("disableHTTPOnly", False, "http_only", True),
        ("SessionNameInHTTPHeader", "X-Session", "header_name", None),
        ("EnableSidInHTTPHeader", False, "header_name", None),
        ("EnableSidInURLQuery", False, "header_name", None),
        ("sessionIDLength", 0, "hash_func", "sha1"),
        ("sessionIDPrefix", "", "hash_func", "sha1"),
    ],
)
def test_a_key_of_beego_is_a_setting_of_ours(
    key: str, value: object, name: str, kept: object
) -> None:
    assert getattr(Config.load({"cookieName": "id", key: value}), name) == kept


def test_beegos_header_needs_both_of_its_keys() -> None:
    named = {"EnableSidInHTTPHeader": True, "SessionNameInHTTPHeader": "X-Session"}
    assert Config.load(named).header_name == "X-Session"
    for name in ({}, {"SessionNameInHTTPHeader": ""}):
        with pytest.raises(ConfigError, match=r"EnableSidInHTTPHeader.*SessionNameInHTTPHeader"):
            Config.load({"EnableSidInHTTPHeader": True, **name})


def test_go_number_four_is_none_and_needs_secure() -> None:
    assert Config.load({"cookieSameSite": 4, "secure": True}).same_site == "None"
    with pytest.raises(ConfigError, match=r"secure=False.*same_site"):
        Config.load({"cookieSameSite": 4})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("EnableSidInURLQuery", True),
        ("sessionIDLength", 32),
        ("sessionIDPrefix", "x"),
        ("secure", "auto"),
        ("secure", 0),
        ("enableSetCookie", 1),
        ("enableSetCookie", "true"),
        ("EnableSidInHTTPHeader", "true"),
        ("disableHTTPOnly", 1),
        ("cookieSameSite", 5),
        ("cookieSameSite", -1),
        ("cookieSameSite", True),
        ("cookieSameSite", 2.0),
        ("cookieSameSite", ""),
        ("cookieSameSite", None),
        ("gclifetime", 0),
        ("gclifetime", "60"),
        ("maxLifetime", 0),
        ("maxLifetime", -1),
        ("cookieLifeTime", -1),
        ("cookieName", ""),
        ("domain", "a b"),
    ],
)
def test_an_unfit_value_of_beego_is_refused_by_the_key_of_beego(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{key}=.*: (give|leave it out)"):
        Config.load({"cookieName": "id", key: value})


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("maxlifetime", "maxLifetime"),
        ("GCLifetime", "gclifetime"),
        ("Domain", "domain"),
        ("enablesidinurlquery", "EnableSidInURLQuery"),
    ],
)
def test_beegos_keys_are_spelled_exactly(key: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"{key!r}.*did you mean {near!r}"):
        Config.load({"cookieName": "id", key: 1})


def test_the_two_spellings_do_not_mix() -> None:
    for mixed in ({"cookieName": "id", "max_size": 1}, {"max_size": 1, "gclifetime": 1}):
        with pytest.raises(ConfigError, match=r"'max_size'.*Beego"):
            Config.load(mixed)
    assert Config.load({"cookieName": "id"}, max_size=1).max_size == 1


def test_two_spellings_of_one_setting_must_agree() -> None:
    for value in (True, False):
        twice = {"enableSetCookie": value, "enableSetCookie,omitempty": value}
        assert Config.load(twice).enable_set_cookie is value
    with pytest.raises(ConfigError, match="enableSetCookie"):
        Config.load({"enableSetCookie": True, "enableSetCookie,omitempty": False})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("max_age", "'max_lifetime' is how long a session lives .*'cookie_lifetime' how long"),
        ("SESSION_MAX_AGE", "'max_lifetime'"),
        ("ttl", "'max_lifetime'"),
        ("permanent_session_lifetime", "'max_lifetime'"),
        ("session_cookie_age", "'max_lifetime'"),
        ("secret_key", "nothing to sign.*'hash_key'"),
        ("SECRET", "nothing to sign"),
        ("redis_url", "the store is the first argument"),
        ("SESSION_TYPE", "the store is the first argument"),
        ("https_only", "'secure'"),
        ("session_cookie", "'cookie_name'"),
        ("cookie_max_age", "'cookie_lifetime'"),
        ("samesite", "'same_site'"),
        ("key_prefix", "'prefix'"),
        ("saveUninitialized", "leave it out"),
        ("serializer", "'types' adds your own"),
        ("permanent", "set_lifetime"),
    ],
)
def test_the_words_of_other_libraries_are_answered(key: str, message: str) -> None:
    """The nearest of our names would mislead: max_age is not max_size."""
    with pytest.raises(ConfigError, match=f"unknown setting {key!r}: .*{message}") as caught:
        Config.load({key: "hunter2"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match=f"unknown setting {key!r}: .*{message}"):
        Config().replace(**{key: 1})
