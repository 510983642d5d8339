"""The examples of the pages pass `mypy --strict` and pyright, each page as one module.

What reads a page is in `tests/architecture/pages.py`; what mypy reads besides is in pyproject.toml.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
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
NOT_OURS = (
    '"await" allowed only within async function',  # a page awaits at its top level
    "@app.post(",  # Bottle has no annotations, and pyright guesses wrong
    "request.forms[",
    "reissue_time=None",  # nor has Pyramid: pyright takes the type of the default
    "refers to itself",  # pyright gives up on a function that `with` blocks follow
)
"""Errors of pyright, by their message or their line, that the examples cannot help."""


def module_of(page: Path) -> str:
    """The blocks that run, on the lines that they have in the page."""
    lines: list[str] = []
    for block in blocks_of(page, "python"):
        if block.reason is None and not any(words in block.source for words in UNTYPABLE):
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.source.splitlines()
    return "\n".join([*lines, ""])


def written(folder: Path, pages: list[Path]) -> list[Path]:
    """Write the module of each page into the folder."""
    modules = []
    for page in pages:
        modules.append(folder / f"{page.stem.replace('-', '_')}_page.py")
        modules[-1].write_text(module_of(page), encoding="utf-8")
    return modules


def checked(folder: Path, pages: list[Path], *options: str) -> str:
    """Return the report of mypy on these pages."""
    modules = written(folder, pages)
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


def errors_of_pyright(folder: Path, pages: list[Path]) -> Iterator[str]:
    """Yield the errors that pyright finds in these pages, in its mode `standard`."""
    written(folder, pages)
    settings = {
        "typeCheckingMode": "standard",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT / "src"), str(ROOT)],
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--level=error"]
    ran = subprocess.run(
        [*command, "--project", str(folder), "--pythonpath", sys.executable],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    report = json.loads(ran.stdout)
    assert report["summary"]["filesAnalyzed"] == len(pages), ran.stdout + ran.stderr
    for error in report["generalDiagnostics"]:
        module, line = Path(error["file"]), error["range"]["start"]["line"]
        source = module.read_text(encoding="utf-8").splitlines()[line]
        if not any(words in error["message"] or words in source for words in NOT_OURS):
            yield f"{module.name}:{line + 1}: {error['message']}"


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


def test_the_examples_pass_pyright(tmp_path: Path) -> None:
    assert list(errors_of_pyright(tmp_path, PAGES)) == []


def test_a_wrong_example_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nimport asyncio\n```\n\n```python\nawait asyncio.sleep('a')\n```\n")
    [error] = errors_of_pyright(tmp_path, [page])
    assert error.startswith("page_page.py:6: Argument of type")
    said = checked(tmp_path, [page])
    assert "page_page.py:6: error" in said
    assert "Found 1 error" in said
