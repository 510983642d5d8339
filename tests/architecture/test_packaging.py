"""What a user installs: the package, its types and its licence, and one dependency."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

import sojourn
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


def test_the_package_knows_its_version(wheel: ZipFile) -> None:
    assert metadata_of(wheel)["Version"] == sojourn.__version__


def test_one_extra_brings_all_others(wheel: ZipFile) -> None:
    lines = [line.split("; extra == ") for line in metadata_of(wheel).get_all("Requires-Dist", [])]
    extras = [(line[0], line[1].strip("'")) for line in lines if len(line) > 1]
    others = {requirement for requirement, extra in extras if extra != "all"}
    assert others
    assert {requirement for requirement, extra in extras if extra == "all"} == others


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The files of the source distribution, and their modes."""
    folder = tmp_path_factory.mktemp("source")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    [path] = folder.glob("*.tar.gz")
    with tarfile.open(path) as opened:
        return {member.name.partition("/")[2]: member.mode for member in opened if member.isfile()}


def test_the_source_distribution_brings_all_that_the_makefile_runs(source: dict[str, int]) -> None:
    files = ("Makefile", "CONTRIBUTING.md", "README.md", "bench/__main__.py", ".ci/run")
    assert {*files} <= {*source}
    assert source["scripts/need"] & 0o111


def test_the_source_distribution_is_the_whole_checkout(source: dict[str, int]) -> None:
    """So `make test` runs in it too, where this test has nothing to compare with."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        files = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
        assert files - {*source} == set()


def test_the_command_is_installed(wheel: ZipFile) -> None:
    [name] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "sojourn = sojourn.cli:main" in wheel.read(name).decode()
