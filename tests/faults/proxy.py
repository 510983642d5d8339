"""What stands between a client and its server, and cuts the line where a test wants it cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Self

PIECE = 1 << 20


def nothing() -> None:
    """Nothing happens meanwhile."""


class Cut(NamedTuple):
    """Where the line of the next command that holds `mark` is cut."""

    heard: float = 1.0
    """How much of the command reaches the server: all of it, or less."""
    told: int = 0
    """How many bytes of the answer come back."""
    meanwhile: Callable[[], object] = nothing
    """What happens before the client learns of it."""
    mark: bytes = b"EVALSHA"


class Proxy:
    """Leads to a port of this machine.  Each cut is made once, in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        """Where new lines lead."""
        self._cuts = deque[Cut]()
        self._lines = list[_Line]()
        self._door = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._door.getsockname()[1]}/0"

    def __enter__(self) -> Self:
        self._guard = threading.Thread(target=self._let_in)
        self._guard.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()
        self._guard.join()
        for line in self._lines:
            line.end()

    def cut(self, *cuts: Cut) -> None:
        self._cuts.extend(cuts)

    def shut(self) -> None:
        """Let nobody in any more: the server cannot be reached."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def all_cuts_were_made(self) -> bool:
        return not self._cuts

    def _let_in(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
                self._lines.append(_Line(client, server, self._next))

    def _next(self, command: bytes) -> Cut | None:
        if self._cuts and self._cuts[0].mark in command:
            return self._cuts.popleft()
        return None


class _Line:
    """One connection: a thread for what is asked, and one for what is answered."""

    def __init__(
        self, client: socket.socket, server: socket.socket, cut: Callable[[bytes], Cut | None]
    ) -> None:
        self._client, self._server = client, server
        self._next = cut
        self._cut: Cut | None = None
        self._threads = [threading.Thread(target=work) for work in (self._ask, self._answer)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._close()
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _close(self) -> None:
        for end in (self._server, self._client):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> None:
        with contextlib.suppress(OSError):
            while command := self._client.recv(PIECE):
                self._cut = self._next(command)
                heard = 1.0 if self._cut is None else self._cut.heard
                self._server.sendall(command[: int(len(command) * heard)])
                if self._cut and heard < 1.0:
                    self._cut.meanwhile()
                    break
        self._close()

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while answer := self._server.recv(PIECE):
                cut = self._cut
                self._client.sendall(answer if cut is None else answer[: cut.told])
                if cut is not None:
                    cut.meanwhile()
                    break
        self._close()
