"""A server on a real port that greets like a Redis and then answers as a test tells it to."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Self

Answer = Callable[[list[bytes]], bytes | Iterable[bytes | float] | None]
"""Takes a command; returns bytes, or bytes and pauses in turn, or None to hang up."""

HELLO = b"%1\r\n$5\r\nproto\r\n:3\r\n"
GREETINGS = {b"HELLO": HELLO, b"CLIENT": b"+OK\r\n", b"SELECT": b"+OK\r\n"}


class Fake:
    """Listens while its block runs.

    greet: what it answers to HELLO, instead of what a Redis would.
    """

    def __init__(self, answer: Answer, *, greet: Answer | None = None) -> None:
        self._answer = answer
        self._greet = greet
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._closed = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.commands: list[bytes] = []
        """The names of the commands that came, without greetings."""

    def url(self, scheme: str = "redis", end: str = "") -> str:
        return f"{scheme}://QXZ-user:QXZ-password@127.0.0.1:{self.port}{end}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for held in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            for words in _commands(connection):
                name = words[0].upper()
                if name == b"HELLO" and self._greet is not None:
                    answer = self._greet(words)
                elif name in GREETINGS:
                    answer = GREETINGS[name]
                else:
                    self.commands.append(name)
                    answer = self._answer(words)
                if answer is None:
                    return
                self._send(connection, [answer] if isinstance(answer, bytes) else answer)

    def _send(self, connection: socket.socket, parts: Iterable[bytes | float]) -> None:
        for part in parts:
            if self._closed.is_set():
                return
            if isinstance(part, bytes):
                connection.sendall(part)
            else:
                time.sleep(part)


def _commands(connection: socket.socket) -> Iterator[list[bytes]]:
    """Yield the commands that come: arrays of strings."""
    with connection.makefile("rb") as lines:
        while head := lines.readline():
            words = []
            for _ in range(int(head[1:])):
                length = int(lines.readline()[1:])
                words.append(lines.read(length + 2)[:-2])
            yield words


def bulk(data: bytes) -> bytes:
    """A string as Redis sends it."""
    return b"$%d\r\n%s\r\n" % (len(data), data)


def array(*items: bytes) -> bytes:
    return b"*%d\r\n" % len(items) + b"".join(items)


def number(value: int) -> bytes:
    return b":%d\r\n" % value
