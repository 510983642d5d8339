"""Litestar's own logging, set up as the page says, has no token in it; set up otherwise, it has."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.pages import ROOT, blocks_of

[AS_THE_PAGE_SAYS] = [
    block.source
    for block in blocks_of(ROOT / "docs" / "observability.md", "python")
    if "LoggingMiddlewareConfig" in block.source
]
AS_IT_IS = (
    "from litestar.middleware.logging import LoggingMiddlewareConfig\n"
    "log = LoggingMiddlewareConfig()\n"
)
loggers = pytest.mark.parametrize("by", ["logging", "structlog"])


def logged(source: str, name: str, by: str) -> tuple[str, str]:
    """The visitor's token, and what was logged."""
    program = "tests.neighbours.litestar_logging"
    command = [sys.executable, "-m", program, source, name, by]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    log, _, token = ran.stdout.rpartition("\n")
    return token, log + ran.stderr


@loggers
@pytest.mark.parametrize("name", ["session", "__Host-session"])
def test_nothing_that_is_logged_has_the_token(name: str, by: str) -> None:
    token, log = logged(AS_THE_PAGE_SAYS, name, by)
    assert len(token) == 43
    assert token not in log
    assert '"theme":"dark"' in log
    assert f'"{name}":"*****"' in log


@loggers
def test_the_default_name_is_filtered_and_the_header_is_not(by: str) -> None:
    """Should this fail one day, then Litestar filters the header, and the page can be shorter."""
    token, log = logged(AS_IT_IS, "session", by)
    assert '"session":"*****"' in log
    assert f"session={token}" in log
