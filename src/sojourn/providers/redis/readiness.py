"""The test whether a socket has unread data, which it also has at the end of the stream.

It takes one system call, and reads nothing.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any


def unread_in(socket: Any) -> Callable[[float], object]:
    """Return a function whose result is true if a socket has unread data, or was closed.

    Its argument is the time to wait for data, which is always 0.  It raises OSError or ValueError
    if this end has closed the socket.
    """
    if hasattr(socket, "unread"):  # the substitute in `fallback`, which has no descriptor
        unread: Callable[[float], object] = socket.unread
        return unread
    # A TLS socket may hold decrypted data that the system does not know of.  Others lack the
    # method, and `int()` returns 0.
    decrypted = getattr(socket, "pending", int)
    if not hasattr(select, "poll"):  # on Windows, or under eventlet
        return lambda seconds: decrypted() or select.select([socket], [], [], seconds)[0]
    # `poll` is faster than `select`, and works for descriptors above 1,023.
    events = select.poll()
    events.register(socket.fileno(), select.POLLIN)
    poll = events.poll
    return poll if decrypted is int else lambda seconds: decrypted() or poll(seconds)
