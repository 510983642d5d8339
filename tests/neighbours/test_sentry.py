"""Sentry's SDK, set up as the page says, sends no token; set up otherwise, it does.

The SDK is the real one, down to its transport, which keeps the envelopes instead of sending them.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.architecture.pages import ROOT, blocks_of

PAGE = ROOT / "docs" / "observability.md"
SITES = "tests.neighbours.sentry_sites"
AS_THE_PAGE_SAYS = {
    "the default": "session",
    "another name": "__Host-shop",
    "the old option": "__Host-session",
    "with local variables": "session",
}
"""What its blocks on Sentry are for, in their order, and the name of the cookie."""
Reports = dict[str, tuple[str, list[str]]]
"""By the way in which the SDK is set up: the visitor's token, and what is sent."""


def ways() -> list[tuple[str, str, str]]:
    """Each way, the code for it, and the name of the cookie."""
    blocks = blocks_of(PAGE, "python")
    codes = [f"import sentry_sdk\n{b.source}" for b in blocks if "sentry_sdk" in b.source]
    named = zip(AS_THE_PAGE_SAYS.items(), codes, strict=True)
    found = [(way, code, name) for (way, name), code in named]
    default = codes[0]
    old = "import sentry_sdk\nsentry_sdk.init('https://key@localhost/1', send_default_pii=True)"
    as_they_are = default.replace('"stack_frame_variables": False', "")
    return [
        *found,
        ("a part of the name", default, "__Host-session"),
        ("no terms", default, "__Host-shop"),
        ("variables as they are", as_they_are, "session"),
        ("the old option, variables as they are", old, "session"),
    ]


@pytest.fixture(scope="module", params=["flask", "starlette", "django"])
def reports(request: pytest.FixtureRequest) -> Reports:
    command = [sys.executable, "-m", SITES, request.param, json.dumps(ways())]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: Reports = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("way", [*AS_THE_PAGE_SAYS, "a part of the name"])
def test_nothing_that_is_sent_has_the_token(reports: Reports, way: str) -> None:
    token, sent = reports[way]
    assert len(token) >= 40
    assert [text for text in sent if token in text] == []


@pytest.mark.parametrize("way", AS_THE_PAGE_SAYS)
def test_the_rest_is_sent(reports: Reports, way: str) -> None:
    """Both failures, a cookie of another and what was logged: else the tests would show nothing."""
    sent = "".join(reports[way][1])
    assert "ValueError" in sent
    assert "the disk is on fire" in sent
    assert '"theme":"dark"' in sent
    assert " has 2 cookies" in sent
    assert f'"{AS_THE_PAGE_SAYS[way]}":"[Filtered]"' in sent


@pytest.mark.parametrize("way", ["variables as they are", "the old option, variables as they are"])
def test_local_variables_hold_the_token(reports: Reports, way: str) -> None:
    """Should this fail one day, then the SDK filters them, and the page can be shorter."""
    token, sent = reports[way]
    assert token in "".join(sent)


def test_another_name_has_to_be_told_except_under_django(reports: Reports) -> None:
    """There the SDK reads `SESSION_COOKIE_NAME`."""
    token, sent = reports["no terms"]
    assert (token in "".join(sent)) == (len(token) == 43)
