"""A description of the machine and the software with which the figures were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import servers
from bench.registry import PACKAGES
from bench.tables import TIMES


def line(folder: Path) -> str:
    """Return a one-line description of the machine, without its name and paths."""
    cores = os.cpu_count()
    return (
        f"{cores} {TIMES} {_cpu()}, {platform.system()} {platform.release()}, files on {_filesystem(folder)}; "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


def versions() -> str:
    """Return the names and versions of the measured software."""
    return ", ".join([*servers.versions(), *(f"{name} {_version(name)}" for name in PACKAGES)])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for text in info.read_text(encoding="utf-8").splitlines():
            if text.startswith("model name"):
                return " ".join(text.partition(":")[2].split())
    return platform.processor() or platform.machine()


def _filesystem(folder: Path) -> str:
    """Return the type of the file system of this folder."""
    try:
        command = ["stat", "--file-system", "--format=%T", str(folder)]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return "an unknown file system"
    return found.stdout.strip().replace("ext2/ext3", "ext4")
