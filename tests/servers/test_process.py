"""The servers of other tests come up, go away, and tell what went wrong."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.servers.process import Process, free_port, tool

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def web_server(folder: Path, port: int) -> Process:
    return Process(sys.executable, "-m", "http.server", str(port), port=port, cwd=folder)


def test_a_server_listens_in_its_block_and_is_gone_after_it(tmp_path: Path) -> None:
    with web_server(tmp_path, free_port()) as server:
        socket.create_connection(("127.0.0.1", server.port)).close()
        pid = server.pid
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_can_be_killed_and_started_again(tmp_path: Path) -> None:
    port = free_port()
    with web_server(tmp_path, port) as server:
        server.kill()
        with web_server(tmp_path, port) as successor:
            assert successor.pid != server.pid


def test_a_server_that_ends_at_once_shows_its_log() -> None:
    dying = Process(sys.executable, "-c", "raise SystemExit('no such table')", port=free_port())
    with pytest.raises(AssertionError, match="ended at once with 1") as caught, dying:
        pytest.fail("it came up")
    assert "no such table" in caught.value.__notes__[-1]


def test_a_server_that_never_listens_is_waited_for_within_bounds() -> None:
    silent = Process(sys.executable, "-c", STUBBORN, port=free_port(), timeout=0.5)
    with pytest.raises(TimeoutError, match=r"after 0\.5 s"), silent:
        pytest.fail("it came up")
    with pytest.raises(ProcessLookupError):
        os.kill(silent.pid, 0)


def ask(server: Process, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return client.recv(100)


def test_a_failing_block_shows_the_log_of_its_server(tmp_path: Path) -> None:
    server = web_server(tmp_path, free_port())
    with pytest.raises(AssertionError, match="not what is sought") as caught, server:
        assert b" 200 " in ask(server, "/missing"), "not what is sought"
    assert "/missing" in caught.value.__notes__[-1]


def test_a_missing_tool_fails_with_its_name() -> None:
    with pytest.raises(AssertionError, match="no-such-tool is not installed"):
        tool("no-such-tool")


def test_the_browser_sees_a_page(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>Sojourn</title>")
    with web_server(tmp_path, free_port()) as server:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/")
        assert page.title() == "Sojourn"
