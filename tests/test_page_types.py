"""The examples of the pages pass `mypy --strict`, each page as one module.

What reads a page is in `tests/architecture/pages.py`; what mypy reads besides is in pyproject.toml.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.pages import PAGES, ROOT, blocks_of

UNANNOTATED = {"aiohttp", "bottle-falcon", "django", "flask", "pyramid"}
"""Pages whose functions have no annotations, or whose framework has none, as Bottle.

Everything else is checked in them too, inside of these functions as well.
"""
UNTYPABLE = ("app.wsgi_app = ", "app.asgi_app = ")
"""In blocks that Flask and Quart document so, although mypy takes what is replaced for a method."""
LENIENT = (
    "--allow-untyped-defs",
    "--allow-untyped-calls",
    "--allow-subclassing-any",
    "--allow-untyped-decorators",
)


def module_of(page: Path) -> str:
    """The blocks that run, on the lines that they have in the page."""
    lines: list[str] = []
    for block in blocks_of(page, "python"):
        if block.reason is None and not any(words in block.source for words in UNTYPABLE):
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.source.splitlines()
    return "\n".join([*lines, ""])


def checked(folder: Path, pages: list[Path], *options: str) -> str:
    """What mypy says of these pages."""
    modules = []
    for page in pages:
        modules.append(folder / f"{page.stem.replace('-', '_')}_page.py")
        modules[-1].write_text(module_of(page), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--disable-error-code=top-level-await"]
    ran = subprocess.run(
        [*command, *options, *map(str, modules)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return ran.stdout + ran.stderr


ANNOTATED = [page for page in PAGES if page.stem not in UNANNOTATED]
OTHERS = [page for page in PAGES if page.stem in UNANNOTATED]


@pytest.mark.parametrize(
    ("pages", "options"),
    [(ANNOTATED, ()), (OTHERS, LENIENT)],
    ids=["annotated", "unannotated"],
)
def test_the_examples_pass_strict_mypy(
    pages: list[Path], options: tuple[str, ...], tmp_path: Path
) -> None:
    said = checked(tmp_path, pages, *options)
    assert said.startswith("Success"), said


def test_a_wrong_example_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nimport asyncio\n```\n\n```python\nawait asyncio.sleep('a')\n```\n")
    said = checked(tmp_path, [page])
    assert "page_page.py:6: error" in said
    assert "Found 1 error" in said
