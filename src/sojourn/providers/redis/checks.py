"""What a server is asked before sessions are trusted to it, and what is unsafe in the answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sojourn.providers.redis.verbs import Command

QUESTIONS: tuple[Command, ...] = ((("INFO", "memory"), ""), (("INFO", "persistence"), ""))


def warnings(answers: Sequence[Any]) -> Iterator[str]:
    """Yield what is unsafe, in sentences."""
    known = dict(pair for answer in answers for pair in re.findall(r"(\w+):(\S+)", _text(answer)))
    policy = known.get("maxmemory_policy")
    if policy is None:
        yield "Redis does not say what it does when it is full: permit this user INFO to learn it"
    elif policy != "noeviction":
        yield (
            f"Redis ends living sessions when its memory is full (maxmemory-policy {policy}):"
            " set it to noeviction, and give it memory"
        )
    if known.get("aof_enabled") == "0" and known.get("rdb_last_save_time") == "0":
        yield "Redis has never saved its data: a restart ends every session"


def _text(answer: Any) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else ""
