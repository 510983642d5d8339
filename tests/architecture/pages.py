"""The pages of the documentation, and the examples in them.

The Python blocks of a page run in order, in one namespace, as a reader would try them; a block may
`await`.  One that cannot run is preceded by a comment of HTML that says why:

    <!-- not run: needs a server of yours -->

A page shows each kind of server under one address, and runs against one that the tests have.

As a program it runs one page in the current folder: the arguments are its path, and then the
addresses that it shows, each followed by the one to take instead.
"""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SHOWN = {
    "redis_server": "127.0.0.1:6379",
    "mariadb": "shop:secret@tcp(127.0.0.1:3306)/shop",
    "postgres": "shop:secret@127.0.0.1:5432/shop",
}
"""The address that the pages show, for the fixture that has such a server."""
OF_OTHERS = (
    "'cgi' is deprecated:DeprecationWarning:webob.compat",
    "pkg_resources is deprecated as an API:UserWarning",
    "pkg_resources is deprecated as an API:DeprecationWarning",
    "Deprecated call to :DeprecationWarning:pkg_resources",
    ":Warning:sentry_sdk.utils",
    "The send_default_pii option is deprecated:DeprecationWarning:sentry_sdk.client",
)
"""Warnings that a page cannot help: of what is beneath Pyramid as it is imported, of eventlet where
Sentry looks for it, and of Sentry about a setting that its older releases need."""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(
    r"(?:^<!-- not run:(?P<reason>.*?)-->\s*\n)?^```(?P<language>\w+)\n(?P<source>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    language: str
    source: str
    line: int
    """Of the page, of its first line."""
    reason: str | None
    """Why it is not run."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path, language: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [
        Block(match["language"], match["source"], line_at(text, match.start("source")), reason)
        for match in FENCE.finditer(text)
        for reason in [match["reason"]]
    ]
    return [block for block in found if block.language == language]


def servers_of(page: Path) -> list[str]:
    """The fixtures without which the examples of a page would find no server."""
    runs = "".join(block.source for block in blocks_of(page, "python") if block.reason is None)
    return [server for server, shown in SHOWN.items() if shown in runs]


def line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def run(page: Path, real: Mapping[str, str] | None = None) -> None:
    """Run a page.  `real`: by the address that it shows, the one to take instead."""
    module = ModuleType("page")
    sys.modules["page"] = module  # dataclasses look their module up
    with asyncio.Runner() as runner:
        for block in blocks_of(page, "python"):
            if block.reason is None:
                run_block(addressed(block, real or {}), page, module, runner)


def run_apart(
    page: Path, folder: Path, real: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a page in a process of its own, where a warning is an error."""
    addresses = [text for pair in (real or {}).items() for text in pair]
    warnings = ["-Werror", *(f"-Wignore:{said}" for said in OF_OTHERS)]
    command = [sys.executable, *warnings, __file__, str(page), *addresses]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def addressed(block: Block, real: Mapping[str, str]) -> Block:
    source = block.source
    for shown, address in real.items():
        source = source.replace(shown, address)
    return block._replace(source=source)


def run_block(block: Block, page: Path, module: ModuleType, runner: asyncio.Runner) -> None:
    source = "\n" * (block.line - 1) + block.source  # a traceback then names the page's lines
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, page, "exec", flags=flags, dont_inherit=True)
    coroutine = eval(code, module.__dict__)
    if coroutine is not None:
        runner.run(coroutine)


if __name__ == "__main__":
    path, *addresses = sys.argv[1:]
    run(Path(path), dict(zip(addresses[::2], addresses[1::2], strict=True)))
