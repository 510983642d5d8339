"""What a server is asked before sessions are trusted to it, and what is unsafe in the answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sojourn.providers.redis.verbs import Command

QUESTIONS: tuple[Command, ...] = (
    (("INFO", "memory"), ""),
    (("INFO", "persistence"), ""),
    (("CONFIG", "GET", "save"), ""),
    (("INFO", "replication"), ""),
)


def warnings(answers: Sequence[Any], wait: int) -> Iterator[str]:
    """Yield what is unsafe, in sentences.  A question that is not permitted is no fault.

    wait: for how many replicas each end waits.
    """
    memory, persistence, save, replication = answers
    policy = _said(memory, "maxmemory_policy")
    if policy is None:
        yield "Redis does not say what it does when it is full: permit this user INFO to learn it"
    elif policy != "noeviction":
        yield (
            f"Redis ends living sessions when its memory is full (maxmemory-policy {policy}):"
            " set it to noeviction, and give it memory"
        )
    if _said(persistence, "aof_enabled") == "0" and save in ({b"save": b""}, [b"save", b""]):
        yield "Redis saves nothing to its disk: a restart ends every session"
    replicas = _said(replication, "connected_slaves")
    if replicas is not None and int(replicas) < wait:
        yield (
            f"Redis has {replicas} replicas, and each end waits for {wait} (wait={wait}): until"
            " it has them, every sign-in and sign-out fails as unknown"
        )


def _said(answer: Any, name: str) -> str | None:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else ""
    found = re.search(rf"^{name}:(\S+)", text, re.MULTILINE)
    return found and found[1]
