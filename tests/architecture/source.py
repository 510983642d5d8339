"""The package's source as data."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
MODULES = sorted(SRC.rglob("*.py"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(module: Path) -> str:
    """Its path as one writes it: `sojourn/providers/base.py`."""
    return module.relative_to(SRC).as_posix()


@cache
def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def imports_of(module: Path) -> set[str]:
    """The modules that it imports from outside of its own package, with full names."""
    found = set[str]()
    for node in ast.walk(tree_of(module)):
        match node:
            case ast.Import(names=names):
                found.update(alias.name for alias in names)
            case ast.ImportFrom(module=str(origin), level=0):
                found.add(origin)
    return found


def functions_of(module: Path) -> list[Function]:
    return [node for node in ast.walk(tree_of(module)) if isinstance(node, Function)]
