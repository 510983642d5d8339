"""Python processes that a test talks with by lines, and ends by their own pid."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

Process = subprocess.Popen[str]


@contextlib.contextmanager
def python(*words: object) -> Iterator[Process]:
    """A process that is gone at the end of the block, whatever became of it."""
    process = subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def say(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def killed(process: Process) -> list[str]:
    """The lines that it had said when SIGKILL met it at work."""
    assert process.poll() is None
    process.kill()
    assert process.stdout is not None
    return process.stdout.read().splitlines()


def tell(line: object) -> None:
    """Say a line to the test that started this process.  It goes into the pipe whole or not at all."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
