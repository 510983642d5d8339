"""The Lua scripts, each of which is one operation in one round trip.

Redis executes a script atomically.  It caches the source under its SHA-1 digest, and from then on
the digest is enough to run the script: the command of a script contains only that.  If the reply is
NOSCRIPT, the command is sent again with the source.
"""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files
from typing import NamedTuple

from sojourn.providers.redis.layout import FORGOTTEN_AFTER, LATEST, MARGIN
from sojourn.providers.redis.replies import Command, Read, Words

_CONSTANTS = f"local MARGIN, FORGOTTEN_AFTER, LATEST = {MARGIN!r}, {FORGOTTEN_AFTER!r}, {LATEST!r}"
"""The first line of every script.  So these numbers are written in one place only."""


class Script(NamedTuple):
    """The source of a script, and the digest under which Redis caches it."""

    source: str
    digest: str


def _script(*names: str) -> Script:
    texts = [files(__package__).joinpath(f"{name}.lua").read_text("utf-8") for name in names]
    source = "\n".join([_CONSTANTS, *texts])
    # SHA-1 is prescribed by EVALSHA.  Without the keyword it would fail on systems in FIPS mode.
    digest = sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(source, digest)


CREATE = _script("create")
UPDATE = _script("frame", "update")
ASSIGN = _script("frame", "assign")
DESTROY = _script("frame", "destroy")
SWEEP = _script("frame", "sweep")
VERIFY = _script("frame", "verify")
ENTER = _script("frame", "enter")

_SOURCES = {
    script.digest: script.source
    for script in (CREATE, UPDATE, ASSIGN, DESTROY, SWEEP, VERIFY, ENTER)
}


def command(script: Script, tag: str, rest: Words, read: Read) -> Command:
    """Return the command that runs a script; its reply is NOSCRIPT if Redis has not cached it.

    rest: the number of keys, the keys and the arguments.
    """
    return Command(("EVALSHA", script.digest, *rest), tag, read)


def with_source(command: Command) -> Command:
    """Return the command that runs the same script by its source, which Redis then caches."""
    _, digest, *rest = command.words
    return command._replace(words=("EVAL", _SOURCES[digest], *rest))
