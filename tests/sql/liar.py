"""What stands between a client and its database, and answers in the place of the database."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable
from typing import Self

PIECE = 1 << 20
Lie = Callable[[bytes], bytes]


def silence(_: bytes) -> bytes:
    """Say nothing, and hold the line."""
    return b""


def garbage(dice: random.Random) -> Lie:
    """Say as much, and nothing that means anything."""
    return lambda answer: dice.randbytes(len(answer))


def flips(dice: random.Random) -> Lie:
    """Say the truth, but for a few bytes."""

    def lie(answer: bytes) -> bytes:
        changed = bytearray(answer)
        for _ in range(3):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        return bytes(changed)

    return lie


class Liar:
    """Leads to a port of this machine.

    From the first command on that holds `mark` answers are what `lie` makes of them; None is the
    truth.
    """

    def __init__(self, port: int) -> None:
        self.to = port
        self.lie: Lie | None = None
        self.mark = b""
        self._has_heard = False
        self._sockets = list[socket.socket]()
        self._threads = list[threading.Thread]()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]

    def begin(self, lie: Lie | None, mark: bytes = b"") -> None:
        """Answer otherwise from now on, or from the command that holds `mark`."""
        self.lie, self.mark, self._has_heard = lie, mark, not mark

    def __enter__(self) -> Self:
        self._start(self._let_in)
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._door, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._door, *self._sockets):
            each.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _let_in(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
                self._sockets += [client, server]
                self._start(self._ask, client, server)
                self._start(self._answer, server, client)

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while command := client.recv(PIECE):
                self._has_heard = self._has_heard or self.mark in command
                server.sendall(command)
        self._end(client, server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while answer := server.recv(PIECE):
                lies = self.lie is not None and self._has_heard
                client.sendall(self.lie(answer) if lies and self.lie else answer)
        self._end(client, server)

    def _end(self, *sockets: socket.socket) -> None:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
