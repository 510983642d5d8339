"""The pages of the documentation, and the examples in them.

The Python blocks of a page run in order, in one namespace, as a reader would try them; a block may
`await`.  One that cannot run is preceded by a comment of HTML that says why:

    <!-- not run: needs a server of yours -->

As a program it runs one page, whose path is its argument, in the current folder.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
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


def blocks_of(page: Path, language: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [
        Block(match["language"], match["source"], line_at(text, match.start("source")), reason)
        for match in FENCE.finditer(text)
        for reason in [match["reason"]]
    ]
    return [block for block in found if block.language == language]


def line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def run(page: Path) -> None:
    module = ModuleType("page")
    sys.modules["page"] = module  # dataclasses look their module up
    with asyncio.Runner() as runner:
        for block in blocks_of(page, "python"):
            if block.reason is None:
                run_block(block, page, module, runner)


def run_block(block: Block, page: Path, module: ModuleType, runner: asyncio.Runner) -> None:
    source = "\n" * (block.line - 1) + block.source  # a traceback then names the page's lines
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, page, "exec", flags=flags, dont_inherit=True)
    coroutine = eval(code, module.__dict__)
    if coroutine is not None:
        runner.run(coroutine)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
