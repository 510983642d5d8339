"""A framework that is too old is refused before it surprises anybody."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from sojourn import ConfigError
from sojourn.web import _versions


@pytest.mark.parametrize("at_least", ["1", "1.10", "1.10.3", "0.99"])
@pytest.mark.parametrize("installed", ["1.10.3", "1.11", "2.0rc1", "10.0.0+local.1"])
def test_what_is_new_enough_is_taken(
    installed: str, at_least: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_versions, "version", lambda _: installed)
    _versions.require("Flask", at_least)


@pytest.mark.parametrize(("installed", "at_least"), [("1.9", "1.10"), ("2.3.3", "3"), ("3", "3.1")])
def test_what_is_too_old_is_refused_with_the_way_out(
    installed: str, at_least: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_versions, "version", lambda _: installed)
    with pytest.raises(ConfigError) as caught:
        _versions.require("Flask", at_least)
    assert f"Flask {installed} is too old" in str(caught.value)
    assert f"pip install 'Flask>={at_least}'" in str(caught.value)


def test_it_is_the_installed_one_that_counts() -> None:
    _versions.require("pytest", version("pytest"))
    with pytest.raises(ConfigError, match="pytest"):
        _versions.require("pytest", "9999")
