"""The verbs as scripts: each is one step in Redis, and one round trip."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files
from typing import NamedTuple


class Script(NamedTuple):
    """A script that Redis knows by the digest of its source, once it has seen it."""

    source: str
    digest: str


def _script(*names: str) -> Script:
    texts = [files(__package__).joinpath(f"{name}.lua").read_text("utf-8") for name in names]
    source = "\n".join(texts)
    digest = sha1(source.encode(), usedforsecurity=False).hexdigest()  # as Redis names it
    return Script(source, digest)


CREATE = _script("create")
UPDATE = _script("frame", "update")
DESTROY = _script("frame", "destroy")
SWEEP = _script("frame", "sweep")
VERIFY = _script("frame", "verify")
ENTER = _script("frame", "enter")
