"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.architecture.source import MODULES, Function, functions_of, name_of

LINES_OF_A_FILE = 400
LINES_OF_THE_WEB = 120
"""A module of the web decides nothing, so it has little to say."""
LINES_OF_A_FUNCTION = 40

# A file that is longer, with the number of lines it may have and the reason.
LONGER = {
    "sojourn/manager.py": 420,  # the two managers, side by side, of which each has half
}


def lines_of(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_file_is_short(module: Path) -> None:
    lines = len(module.read_text(encoding="utf-8").splitlines())
    usual = LINES_OF_THE_WEB if name_of(module).startswith("sojourn/web/") else LINES_OF_A_FILE
    assert lines <= LONGER.get(name_of(module), usual)


def test_no_exception_is_stale() -> None:
    assert LONGER.keys() <= {name_of(module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_function_is_short(module: Path) -> None:
    sizes = [(function.name, lines_of(function)) for function in functions_of(module)]
    assert [size for size in sizes if size[1] > LINES_OF_A_FUNCTION] == []


def test_nine_functions_in_ten_are_shorter_still() -> None:
    sizes = [lines_of(function) for module in MODULES for function in functions_of(module)]
    assert statistics.quantiles(sizes, n=10)[-1] <= 22
