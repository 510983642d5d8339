"""Whatever somebody writes into a configuration: a Config, or a ConfigError that names a key."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn import Config, ConfigError
from sojourn.config.beego import KEYS

OURS = [field.name for field in fields(Config)]

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
likely = st.sampled_from(
    [0, 1, 60, 3600, 0.5, "auto", "Lax", "none", "sid", "__Host-sid", "/", "sha1", "anonymous", ""]
)
odd = st.binary(max_size=4) | st.timedeltas() | st.lists(st.integers(), max_size=2)
values: Any = likely | plain | odd | st.dictionaries(st.text(max_size=3), plain, max_size=2)
keys: Any = st.sampled_from([*OURS, *KEYS]) | st.text(max_size=10)
texts: Any = st.recursive(plain, lambda inner: st.lists(inner, max_size=3), max_leaves=5)


def refusal(config: Any, **more: Any) -> str:
    """What it was refused with, empty if it was not."""
    try:
        Config.load(config, **more)
    except ConfigError as error:
        return str(error)
    return ""


def loaded(config: Any) -> Config | None:
    """The Config, or None where it was refused with a sentence that says what to do."""
    told = refusal(config)
    assert not told or len(told) > 15
    return None if told else Config.load(config)


sound = st.fixed_dictionaries(
    {},
    optional={
        "cookie_name": st.sampled_from(["sid", "__Host-sid", "__Secure-sid"]),
        "cookie_domain": st.none() | st.just("example.com"),
        "same_site": st.sampled_from(["Lax", "strict", "None"]),
        "secure": st.sampled_from([True, False, "auto"]),
        "partitioned": st.booleans(),
        "max_lifetime": st.integers(1, 100),
        "touch_interval": st.none() | st.integers(0, 60),
    },
)


@settings(max_examples=400)
@given(sound | st.dictionaries(keys, values, max_size=4))
def test_any_mapping_is_a_config_or_refused(mapping: dict[str, Any]) -> None:
    config = loaded(mapping)
    if config is not None:
        assert 0 <= config.touch_interval <= config.max_lifetime / 2
        assert config.absolute_lifetime is None or config.absolute_lifetime > 0
        bound = config.same_site == "None" or config.partitioned
        assert config.secure is True or not (bound or config.cookie_name.startswith("__"))
        assert config.replace() == config
        assert loaded({name: getattr(config, name) for name in OURS}) == config


@given(st.sampled_from(OURS), values)
def test_one_bad_value_is_refused_by_its_name(key: str, value: Any) -> None:
    told = refusal(None, **{key: value})
    secret = key in ("hash_key", "provider_config") and value and len(repr(value)) > 4
    assert not told or key in told
    assert not (secret and repr(value) in told)


@given(st.text(max_size=30) | st.dictionaries(keys, texts, max_size=3).map(json.dumps))
def test_any_text_is_a_config_or_refused(text: str) -> None:
    loaded(text)


@given(st.timedeltas(min_value=timedelta(seconds=2), max_value=timedelta(days=300)))
def test_a_duration_is_its_seconds(duration: timedelta) -> None:
    config = Config.load(max_lifetime=duration, absolute_lifetime=None)
    assert config.max_lifetime == duration.total_seconds()
    assert config == Config.load(max_lifetime=duration.total_seconds(), absolute_lifetime=None)


@given(
    st.fixed_dictionaries(
        {"maxLifetime": st.integers(1, 10**6)},
        optional={
            "gclifetime": st.integers(1, 10**6),
            "cookieLifeTime": st.integers(0, 10**6),
            "secure": st.booleans(),
            "sessionIDHashFunc": st.sampled_from(["sha1", "md5", "sha512"]),
        },
    )
)
def test_beegos_form_means_what_it_says(mapping: dict[str, Any]) -> None:
    config = Config.load(mapping)
    assert config.max_lifetime == mapping["maxLifetime"]
    assert config.gc_interval == mapping.get("gclifetime", 3600)
    assert config.cookie_lifetime == mapping.get("cookieLifeTime", 0)
    assert config.secure is mapping.get("secure", False)
    assert config.hash_func == mapping.get("sessionIDHashFunc", "sha1")
