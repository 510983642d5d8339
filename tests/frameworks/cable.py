"""What lies between an application and its store, and is pulled out for a while."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

PIECE = 1 << 16


class Cable:
    """Leads from a port of its own to another one of this machine."""

    def __init__(self, port: int, delay: float = 0.0) -> None:
        """Let each answer take `delay` seconds longer, as from a store that is further away."""
        self._there = port
        self._delay = delay
        self._door = socket.create_server(("127.0.0.1", 0))
        self._ends: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._plugged = True
        self.port: int = self._door.getsockname()[1]

    def __enter__(self) -> Self:
        self._guard = threading.Thread(target=self._let_in)
        self._guard.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._guard.join()
        self._door.close()
        self._cut()
        for thread in self._threads:
            thread.join()

    @contextlib.contextmanager
    def pulled(self) -> Iterator[None]:
        """Within the block every line is cut, and a new one is cut at once."""
        self._plugged = False
        self._cut()
        try:
            yield
        finally:
            self._plugged = True

    def _cut(self) -> None:
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _let_in(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._door.accept()
                if self._plugged:
                    there = socket.create_connection(("127.0.0.1", self._there))
                    self._ends |= {here, there}
                    self._threads.append(threading.Thread(target=self._carry, args=(here, there)))
                    self._threads[-1].start()
                else:
                    here.close()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        other = {here: there, there: here}
        with here, there, contextlib.suppress(OSError):
            while True:
                for end in select.select([here, there], [], [])[0]:
                    data = end.recv(PIECE)
                    if not data:
                        self._ends -= {here, there}
                        return
                    if end is there:
                        time.sleep(self._delay)
                    other[end].sendall(data)
