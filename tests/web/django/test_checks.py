"""What is wrong with the settings is said by Django's checks, and by the first request."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import checks
from django.test.utils import override_settings

from sojourn import ConfigError, Session, StoreUnavailable
from sojourn.providers.memory import MemoryProvider
from sojourn.web.django import _managers, async_manager, manager
from tests.web.django.conftest import Site
from tests.web.django.pages import to
from tests.web.django.settings import DJANGOS, OTHERS, OURS


def own(config: Any) -> MemoryProvider:
    """What a dotted path leads to."""
    provider = MemoryProvider()
    provider.said = config  # type: ignore[attr-defined]
    return provider


def down(_: Any) -> MemoryProvider:
    raise StoreUnavailable("not today")


INSTANCE = MemoryProvider()
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"
MEMORY = {"provider": "memory"}

UNKNOWN: dict[str, dict[str, Any]] = {
    "header_name": {"header_name": "X-Token"},
    "enable_set_cookie": {"enable_set_cookie": False, "header_name": "X-Token"},
}
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"SOJOURN": None}, "sojourn.E001", "SOJOURN: it must be a dict that names a provider"),
    ({"SOJOURN": {"max_size": 5}}, "sojourn.E001", "SOJOURN: it must be a dict"),
    ({"SOJOURN": {"provider": "reddis"}}, "sojourn.E001", "did you mean 'redis'"),
    ({"SOJOURN": {"provider": "own.nowhere"}}, "sojourn.E001", "own"),
    ({"SOJOURN": {"provider": object()}}, "sojourn.E001", "object is no provider"),
    ({"SOJOURN": {**MEMORY, "max_sise": 5}}, "sojourn.E001", "max_sise"),
    ({"SOJOURN": {**MEMORY, "retired_for": 0}}, "sojourn.E001", "retired_for=0"),
    ({"SOJOURN": {**MEMORY, "cookie_name": "a"}}, "sojourn.E001", "give SESSION_COOKIE_NAME"),
    ({"SOJOURN": {**MEMORY, "max_lifetime": 5}}, "sojourn.E001", "give SESSION_COOKIE_AGE"),
    ({"SOJOURN": {**MEMORY, "max_sizes": 5}}, "sojourn.E001", "did you mean 'max_size'"),
    ({"SOJOURN": {**MEMORY, "types": 5}}, "sojourn.E001", "SOJOURN: types=5"),
    ({"SOJOURN": {"provider": "."}}, "sojourn.E001", "SOJOURN['provider']='.'"),
    ({"SOJOURN": {"provider": f"{__name__}.down"}}, "sojourn.E001", "not today"),
    ({"SESSION_COOKIE_AGE": "3600"}, "sojourn.E001", "SESSION_COOKIE_AGE='3600'"),
    ({"SESSION_COOKIE_NAME": "a b"}, "sojourn.E001", "SESSION_COOKIE_NAME: "),
    ({"SESSION_COOKIE_AGE": -1}, "sojourn.E001", "SESSION_COOKIE_AGE: "),
    ({"SESSION_COOKIE_DOMAIN": "a b"}, "sojourn.E001", "SESSION_COOKIE_DOMAIN: "),
    ({"SESSION_COOKIE_SAMESITE": "Loose"}, "sojourn.E001", "SESSION_COOKIE_SAMESITE: "),
    ({"SESSION_COOKIE_SAMESITE": False}, "sojourn.E001", "SESSION_COOKIE_SAMESITE=False"),
    ({"SESSION_ENGINE": "django.contrib.sessions.backends.db"}, "sojourn.E002", "SESSION_ENGINE"),
    ({"MIDDLEWARE": OTHERS}, "sojourn.E003", "there is none"),
    ({"MIDDLEWARE": [OURS, DJANGOS, *OTHERS]}, "sojourn.E003", "one session middleware"),
    ({"MIDDLEWARE": [OURS, OURS, *OTHERS]}, "sojourn.E003", "one session middleware"),
    ({"MIDDLEWARE": [*OTHERS, OURS]}, "sojourn.E004", "comes before SessionMiddleware"),
    ({"MIDDLEWARE": [AUTH, DJANGOS]}, "sojourn.E004", "AuthenticationMiddleware comes before"),
    *(
        ({"MIDDLEWARE": [DJANGOS, *OTHERS], "SOJOURN": {**MEMORY, **more}}, "sojourn.E005", name)
        for name, more in UNKNOWN.items()
    ),
    (
        {
            "MIDDLEWARE": [DJANGOS, *OTHERS],
            "SESSION_COOKIE_SECURE": True,
            "SOJOURN": {**MEMORY, "partitioned": True},
        },
        "sojourn.E005",
        "partitioned",
    ),
    *(
        ({"MIDDLEWARE": [DJANGOS, *OTHERS], **named}, "sojourn.E005", "SESSION_COOKIE_SECURE")
        for named in ({"SESSION_COOKIE_NAME": "__Host-a"}, {"SESSION_COOKIE_SAMESITE": "None"})
    ),
]


@pytest.mark.parametrize(("settings", "id", "words"), WRONG)
def test_what_is_wrong_is_said(settings: dict[str, Any], id: str, words: str) -> None:
    with override_settings(**settings):
        [*_, error] = [each for each in checks.run_checks() if each.id == id]
        assert words in error.msg
        if id == "sojourn.E001":
            with pytest.raises(ConfigError if "not today" not in words else StoreUnavailable):
                manager()


def test_what_is_wrong_is_said_once() -> None:
    with override_settings(SOJOURN=None, MIDDLEWARE=[DJANGOS, *OTHERS]):
        found = [each.id for each in checks.run_checks() if str(each.id).startswith("sojourn")]
    assert found == ["sojourn.E001"]


def test_what_is_right_is_not(site: Site) -> None:
    assert [each for each in checks.run_checks() if str(each.id).startswith("sojourn")] == []


def test_our_middleware_makes_a_cookie_secure_that_has_to_be() -> None:
    with override_settings(SESSION_COOKIE_NAME="__Host-a", MIDDLEWARE=[OURS, *OTHERS]):
        assert not [each for each in checks.run_checks() if str(each.id).startswith("sojourn")]


def test_a_middleware_that_is_not_there_is_djangos_to_say() -> None:
    with override_settings(MIDDLEWARE=["no.such.Middleware", OURS, *OTHERS]):
        assert not [each for each in checks.run_checks() if each.id == "sojourn.E003"]


class Doubtful(MemoryProvider):
    def check(self) -> list[str]:
        return ["it forgets"]


class Silent(MemoryProvider):
    def read(self, id: str) -> Any:
        raise StoreUnavailable("no answer")


@pytest.mark.parametrize(("store", "words"), [(Doubtful(), "it forgets"), (Silent(), "no answer")])
def test_what_is_unsafe_about_the_store_is_said_before_deployment(
    store: MemoryProvider, words: str
) -> None:
    with override_settings(SOJOURN={"provider": store}):
        assert not [each for each in checks.run_checks() if each.id == "sojourn.W001"]
        found = checks.run_checks(include_deployment_checks=True)
        [warning] = [each for each in found if each.id == "sojourn.W001"]
        assert words in warning.msg
    with override_settings(SOJOURN=None):
        found = checks.run_checks(include_deployment_checks=True)
        assert not [each for each in found if each.id == "sojourn.W001"]


# -- what the settings mean -----------------------------------------------------------------------


class Color(Enum):
    RED = 1


def test_djangos_settings_become_ours() -> None:
    with override_settings(SESSION_COOKIE_AGE=40 * 86_400, SOJOURN={**MEMORY, "max_size": 99}):
        config = manager().config
        assert (config.max_lifetime, config.cookie_lifetime) == (40 * 86_400, 40 * 86_400)
        assert (config.absolute_lifetime, config.max_size) == (40 * 86_400, 99)
        assert (config.secure, config.touch_on, config.cookie_name) == (
            "auto",
            "change",
            "sessionid",
        )
    with override_settings(SESSION_COOKIE_AGE=3650 * 86_400):  # no browser keeps one so long
        assert manager().config.max_lifetime == 3650 * 86_400
        assert manager().config.cookie_lifetime == 400 * 86_400
    with override_settings(
        SESSION_COOKIE_SECURE=True,
        SESSION_SAVE_EVERY_REQUEST=True,
        SESSION_EXPIRE_AT_BROWSER_CLOSE=True,
        SOJOURN={**MEMORY, "types": {"color": Color}},
    ):
        config = manager().config
        assert (config.secure, config.touch_on, config.cookie_lifetime) == (True, "request", 0)
        assert set(config.types or ()) == {"color", "SafeString", "lazy"}
        assert config.absolute_lifetime == 30 * 86_400


PROVIDERS: list[tuple[Any, Callable[[Any], bool]]] = [
    ("memory", lambda provider: type(provider) is MemoryProvider),
    (INSTANCE, lambda provider: provider is INSTANCE),
    (f"{__name__}.INSTANCE", lambda provider: type(provider) is MemoryProvider),
    (f"{__name__}.own", lambda provider: provider.said == "here"),
]


@pytest.mark.parametrize(("provider", "holds"), PROVIDERS)
async def test_both_colours_have_one_store(provider: Any, holds: Callable[[Any], bool]) -> None:
    given: dict[str, Any] = {"provider": provider}
    if isinstance(provider, str) and provider.endswith("own"):
        given["provider_config"] = "here"
    with override_settings(SOJOURN=given):
        assert holds(manager()._provider)
        with manager().open({}) as session:
            session["a"] = 1
        assert session.released
        header = {"Cookie": session.released.headers[0][1]}
        assert (await async_manager().start(header))["a"] == 1


def test_managers_are_made_once_and_anew_for_other_settings(site: Site) -> None:
    first = manager()
    client = site.client()
    client.get("/count")
    assert manager() is first
    with override_settings(LANGUAGE_CODE="de"):
        assert manager() is first
    with override_settings(SESSION_COOKIE_AGE=9):
        assert manager() is not first
        assert manager().config.max_lifetime == 9
        assert client.get("/count").json()["said"] == 2
    with override_settings(SOJOURN=MEMORY):
        client.get("/count")
        with override_settings(SESSION_COOKIE_AGE=9):
            assert client.get("/count").json()["said"] == 2
    seen: list[Session] = []
    client.get(to(lambda request: seen.append(request.session.load())))
    assert "token" not in repr(seen[0])


async def test_the_url_of_a_store_is_taken_and_then_hidden(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/some.where.db"
    ours = {"provider": url}
    with override_settings(SOJOURN=ours):
        with manager().open({}) as session:
            session["a"] = 1
        assert session.released
        header = {"Cookie": session.released.headers[0][1]}
        assert (await async_manager().start(header))["a"] == 1
    assert "some.where" not in repr(ours)
    assert ours == {"provider": url}


@pytest.mark.parametrize(
    "wrong", ["mongodb://u:hunter2@10.0.0.1/db", "u:hunter2@tcp(10.0.0.1)/db", "/hunter2.d"]
)
def test_a_text_that_may_hold_a_password_is_refused_without_it(wrong: str) -> None:
    with override_settings(SOJOURN={"provider": wrong}), pytest.raises(ConfigError) as refusal:
        manager()
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("config", ["./own", {"paths": ["./own"]}])
def test_where_the_store_is_is_shown_while_it_is_wrong_and_hidden_then(config: Any) -> None:
    ours = {"provider": f"{__name__}.own", "provider_config": config, "max_sizes": 5}
    with override_settings(SOJOURN=ours), pytest.raises(ConfigError):
        manager()
    assert "./own" in repr(ours)
    del ours["max_sizes"]
    with override_settings(SOJOURN=ours):
        manager()
    assert "./own" not in repr(ours)
    assert ours["provider_config"] == config


def test_the_store_is_opened_when_django_starts(site: Site) -> None:
    """Not by the first request, which would find no store if it is down by then."""
    _managers._made.clear()
    apps.get_app_config("sojourn").ready()
    assert _managers._made
    with override_settings(SOJOURN=None):
        apps.get_app_config("sojourn").ready()
        assert not _managers._made
