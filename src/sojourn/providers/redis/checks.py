"""The commands that read the settings of a server, and warnings about unsafe settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sojourn.providers.redis import replies
from sojourn.providers.redis.replies import Command

# Only the sections that are needed: the whole of INFO takes Redis much longer.
QUESTIONS: tuple[Command, ...] = (
    Command(("INFO", "memory"), "", replies.text),
    Command(("INFO", "persistence"), "", replies.text),
    Command(("CONFIG", "GET", "save"), "", replies.fields),
    Command(("INFO", "replication"), "", replies.text),
)


def warnings(answers: Sequence[Any], wait: int) -> Iterator[str]:
    """Yield a sentence for each unsafe setting.

    answers: the replies to QUESTIONS, in their order.  A reply may be an error, for example because
        the user may not run the command: then nothing is warned about, except that the eviction
        policy is unknown.
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
    # A restart ends all sessions only if both forms of persistence are off: the append-only file
    # and the snapshots.  The reply to CONFIG GET is an error for most users, and then not equal.
    if _said(persistence, "aof_enabled") == "0" and save == {b"save": b""}:
        yield "Redis saves nothing to its disk: a restart ends every session"
    replicas = _said(replication, "connected_slaves")
    # Nine digits at most: the text comes from the server, and `int` rejects very long ones.
    if replicas is not None and replicas.isdecimal() and int(replicas[:9]) < wait:
        yield (
            f"Redis has {replicas} replicas, and each end waits for {wait} (wait={wait}): until"
            " it has them, every sign-in and sign-out fails as unknown"
        )


def _said(answer: Any, name: str) -> str | None:
    # An answer is an error if the user may not run the command: then no value is found in it.
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else ""
    found = re.search(rf"^{name}:(\S+)", text, re.MULTILINE)
    return found and found[1][:100]
