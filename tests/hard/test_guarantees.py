"""The page of guarantees names tests that exist, and every part of the contract."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from sojourn.testing import ProviderContract

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/.]+)::(test_\w+)`", PAGE)))
PARTS = {part.__name__: part for part in ProviderContract.__mro__}
TESTED = {
    name for name, part in PARTS.items() if any(test.startswith("test_") for test in vars(part))
}
NOT_NAMED = {"Times", "Moves", "Jobs", "Releases"}
"""Parts of the contract that say how a promise is kept, and are none of their own."""


def functions_in(file: Path) -> set[str]:
    """The functions of a module, and the methods of its classes."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize(("place", "test"), NAMED, ids=["::".join(pair) for pair in NAMED])
def test_a_test_that_is_named_exists(place: str, test: str) -> None:
    if "/" in place:
        assert test in functions_in(ROOT / place)
    else:
        assert test in vars(PARTS[place])


def test_nothing_is_named_in_another_way() -> None:
    """Or the tests above would pass it by."""
    assert len(re.findall(r"::", PAGE)) == len(re.findall(r"`[\w/.]+::test_\w+`", PAGE)) + 1
    assert len(NAMED) > 50


def test_every_part_of_the_contract_is_named() -> None:
    assert {place for place, _ in NAMED} >= TESTED - NOT_NAMED
