"""The commands that read the settings of a server, and warnings about unsafe settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sojourn.providers.redis import replies
from sojourn.providers.redis.replies import Command

QUESTIONS: tuple[Command, ...] = (
    Command(("INFO", "memory"), "", replies.text),
    Command(("INFO", "persistence"), "", replies.text),
    Command(("CONFIG", "GET", "save"), "", replies.fields),
    Command(("INFO", "replication"), "", replies.text),
)


def warnings(answers: Sequence[Any], wait: int) -> Iterator[str]:
    """Yield a sentence for each unsafe setting; a command that is not permitted is no fault.

    answers: the replies to QUESTIONS, in their order.
    wait: the number of replicas that must confirm the end of a session.
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
    if _said(persistence, "aof_enabled") == "0" and save == {b"save": b""}:
        yield "Redis saves nothing to its disk: a restart ends every session"
    replicas = _said(replication, "connected_slaves")
    if replicas is not None and replicas.isdecimal() and int(replicas[:9]) < wait:
        yield (
            f"Redis has {replicas} replicas, and each end waits for {wait} (wait={wait}): until"
            " it has them, every sign-in and sign-out fails as unknown"
        )


def _said(answer: Any, name: str) -> str | None:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else ""
    found = re.search(rf"^{name}:(\S+)", text, re.MULTILINE)
    return found and found[1][:100]
