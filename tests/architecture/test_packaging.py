"""What a user installs: the package, its types and its licence, and one dependency."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.architecture.source import MODULES, ROOT, name_of


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    [path] = folder.glob("*.whl")
    with ZipFile(path) as opened:
        yield opened


def metadata_of(wheel: ZipFile) -> Message:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_string(wheel.read(name).decode())


def test_the_wheel_holds_the_package_and_nothing_else(wheel: ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    modules = {name_of(module) for module in MODULES}
    assert {name for name in names if name.endswith(".py")} == modules
    assert "sojourn/py.typed" in names
    assert {Path(name).parts[0] for name in names} == {"sojourn"}


def test_the_wheel_brings_its_licence(wheel: ZipFile) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
    assert metadata_of(wheel)["License-Expression"] == "BSD-3-Clause"


def test_the_core_needs_one_dependency(wheel: ZipFile) -> None:
    requirements = metadata_of(wheel).get_all("Requires-Dist", [])
    core = [line for line in requirements if "extra ==" not in line]
    assert [line.partition(">")[0] for line in core] == ["ormsgpack"]


def test_the_wheel_is_of_the_version_installed_here(wheel: ZipFile) -> None:
    assert metadata_of(wheel)["Version"] == version("sojourn")


def test_the_command_is_installed(wheel: ZipFile) -> None:
    [name] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "sojourn = sojourn.cli:main" in wheel.read(name).decode()
