"""A client or driver of an unsupported release is refused, with the range."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sojourn.providers.releases import RANGES

STORES = {
    "redis": "sojourn.Manager('redis', provider_config='redis://127.0.0.1/0')",
    "hiredis": "sojourn.Manager('redis', provider_config='redis://127.0.0.1/0')",
    "psycopg": "sojourn.Manager('postgres', provider_config='postgresql://u@127.0.0.1/d')",
    "PyMySQL": "MySQLProvider('mysql://u@127.0.0.1/d', driver='pymysql')",
    "mysqlclient": "MySQLProvider('mysql://u@127.0.0.1/d', driver='mysqlclient')",
    "asyncmy": "sojourn.AsyncManager('mysql', provider_config='mysql://u@127.0.0.1/d')",
}
"""For each package an expression that needs it."""


@pytest.mark.parametrize(
    ("package", "release"),
    [
        ("redis", "7.4.1"),
        ("redis", "8.0.0"),
        ("redis", "9.0.0b1"),
        ("hiredis", "3.1.1"),
        ("hiredis", "4.0"),
        ("psycopg", "3.3.5"),
        ("psycopg", "4.0"),
        ("PyMySQL", "1.1.3"),
        ("mysqlclient", "2.1"),
        ("asyncmy", "0.2.17"),
    ],
)
def test_a_release_out_of_the_range_is_refused_with_the_range(package: str, release: str) -> None:
    script = (
        "import sojourn\n"
        "from sojourn.providers import releases\n"
        "from sojourn.providers.sql import MySQLProvider\n"
        "installed = releases.version\n"
        "releases.version = lambda name: "
        f"'{release}' if name == '{package}' else installed(name)\n"
        f"{STORES[package]}"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    first, end = RANGES[package]
    assert f"ConfigError: {package} {release} is not supported" in ended.stderr
    assert f"install {first} or later, below {end}" in ended.stderr
    assert f"pip install '{package}>={first},<{end}'" in ended.stderr


def test_the_extras_have_the_same_ranges() -> None:
    """So that the packages that they install are the ones that are tested."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    asked = [
        each.replace("[binary]", "")
        for name in ("redis", "mysql", "postgres")
        for each in extras[name]
    ]
    asked.append("mysqlclient>=2.2,<3")  # in no extra, since it has to be compiled
    assert sorted(asked) == sorted(
        f"{package}>={first},<{end}" for package, (first, end) in RANGES.items()
    )
