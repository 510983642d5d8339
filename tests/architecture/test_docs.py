"""What the documentation shows works, and what it points to exists."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from sojourn.testing import ProviderContract
from tests.architecture.pages import PAGES, ROOT, blocks_of, name_of, run_apart, servers_of

SELF_SUFFICIENT = [page for page in PAGES if not servers_of(page)]
"""The others run in `tests/test_pages.py`: here there are no servers."""
BY_NAME = re.compile(r"pip install[^\n`]*[ '\"]sojourn\b(?!\[?\w*\]? @)[^\n`]*")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
TEST = re.compile(r"`([\w/.]+)::(test_\w+)`")
"""A test of the contract by its class, or any other by its file."""
CONTRACT = {part.__name__: part for part in ProviderContract.__mro__}


@pytest.mark.parametrize("page", SELF_SUFFICIENT, ids=name_of)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    ran = run_apart(page, tmp_path)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_is_not_run_says_why(page: Path) -> None:
    reasons = [block.reason for block in blocks_of(page, "python") if block.reason is not None]
    assert all(reason.strip() for reason in reasons)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_json_is_json(page: Path) -> None:
    for block in blocks_of(page, "json"):
        json.loads(block.source)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_example_hides_from_these_tests(page: Path) -> None:
    """An indented or an odd fence would be shown, and never run."""
    text = page.read_text(encoding="utf-8")
    shown = len(re.findall(r"(?:```|~~~)\s*(?:python|py|json)\b", text, re.IGNORECASE))
    assert shown == len(blocks_of(page, "python")) + len(blocks_of(page, "json"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def exists(place: str, test: str) -> bool:
    if "/" not in place:
        return place in CONTRACT and test in vars(CONTRACT[place])
    file = ROOT / place
    tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module([], [])
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return test in {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_test_that_a_page_names_exists(page: Path) -> None:
    named = TEST.findall(page.read_text(encoding="utf-8"))
    assert [test for test in named if not exists(*test)] == []


def test_the_page_on_security_names_every_test_in_this_way() -> None:
    """Or the test above would pass it by."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    shown = 1  # where the page says how a test is named
    assert len(TEST.findall(text)) == text.count("::test_") - shown
    assert len(set(TEST.findall(text))) > 100


@pytest.mark.parametrize(
    ("place", "test"),
    [
        ("Endings", "test_what_never_was"),
        ("Beginnings", "test_what_comes_late_is_dropped"),
        ("tests/nowhere.py", "test_what_comes_late_is_dropped"),
        ("tests/test_session.py", "test_what_never_was"),
    ],
)
def test_a_test_that_does_not_exist_is_noticed(place: str, test: str) -> None:
    assert not exists(place, test)
    assert exists("Endings", "test_what_comes_late_is_dropped")


def losing_updates(source: str) -> list[str]:
    """The statements that assign to a key of a session what is worked out from its value.

    Of two requests that overlap one would lose its change; `apply` and changes in place do not.
    """
    found = []
    value: ast.AST
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
            value, target = node, node.target
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            value, target = node.value, node.targets[0]
        else:
            continue
        mapping, key = ast.unparse(target.value), ast.unparse(target.slice)
        reads = (f"{mapping}[{key}]", f"{mapping}.get({key}", f"{mapping}.pop({key}")
        if re.search(r"session|current", mapping) and any(
            read in ast.unparse(value) for read in reads
        ):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_example_teaches_a_lost_update(page: Path) -> None:
    assert [it for block in blocks_of(page, "python") for it in losing_updates(block.source)] == []


def test_a_lost_update_is_recognized() -> None:
    losing = ["session['n'] += 1", "request.session['n'] = request.session.get('n', 0) + 1"]
    keeping = ["session['n'] = other['n'] + 1", "session['n'] = session['m']", "counts['n'] += 1"]
    assert [losing_updates(source) for source in losing] == [[source] for source in losing]
    assert [losing_updates(source) for source in keeping] == [[], [], []]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_sojourn_is_installed_from_a_checkout(page: Path) -> None:
    """No package index has it yet.  What a stranger may put there under its name is not it."""
    assert BY_NAME.findall(page.read_text(encoding="utf-8")) == []


def test_the_readme_shows_an_example_that_runs() -> None:
    assert any(block.reason is None for block in blocks_of(ROOT / "README.md", "python"))


PAGE = """
```python
from __future__ import annotations
import asyncio
x = 1
```
Text.
<!-- not run: it would stop -->
```python
raise SystemExit(3)
```
```python
await asyncio.sleep(0)
assert x == EXPECTED, "seen"
```
"""


@pytest.mark.parametrize(("expected", "status"), [("1", 0), ("2", 1)])
def test_blocks_run_in_order_in_one_namespace(tmp_path: Path, expected: str, status: int) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("EXPECTED", expected))
    ran = run_apart(page, tmp_path)
    assert ran.returncode == status
    assert ("line 14" in ran.stderr) == (status == 1)
