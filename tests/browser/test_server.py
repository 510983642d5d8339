"""The process that serves the shop: how it begins, ends, and begins again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.shop import COMMAND, ROOT, Shop, add, count, sign_in, signed_in_as, token_of


def test_all_goes_on_after_a_crash_and_a_restart(browser: Browser, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "sessions")
    with browser.new_context(base_url=shop.address) as context:
        page = context.new_page()
        with shop.running() as process:
            page.goto("/")
            sign_in(page)
            add(page, "Small tent")
            expect(page.locator("#count")).to_have_text("1")
            token = token_of(page)
            process.kill()
        with shop.running():
            assert signed_in_as(page) == "Ada"
            assert count(page) == 1
            assert token_of(page) == token


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The shop without --port, and the first line that it says.

    A run in the background may be deaf to Ctrl-C, and so would be what it starts.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [*COMMAND, "--folder", str(folder)], cwd=ROOT, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        signal.signal(signal.SIGINT, before)
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


def test_without_a_port_it_finds_a_free_one_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    with socket.socket() as taken:
        with suppress(OSError):  # or somebody else has it, which is the same to the shop
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        with started(tmp_path / "sessions") as (process, line):
            found = re.search(r"http://127\.0\.0\.1:(\d+) ", line)
            assert found is not None, line
            assert int(found[1]) != 8000
            os.kill(process.pid, signal.SIGINT)
            said, complaint = process.communicate(timeout=10)
    assert (process.returncode, complaint) == (0, "")
    assert "The sessions stay in" in said
