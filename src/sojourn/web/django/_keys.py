"""Django's `session_key`, which applications store in tables and use to find a session.

With our middleware the key is the id of a session, and the cookie holds the token.  A session may
then be loaded by its id, since ids come from the application only.  Django's own middleware and
Channels pass the text of the cookie to the same class.  If either is in use, an id does not load a
session, so an id is of no use to a client.  Ending a session, and testing whether it
exists, work with an id and with a token in any case.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
from django.utils.module_loading import import_string

from sojourn._tokens import is_token
from sojourn.record import is_id
from sojourn.session import Session
from sojourn.web.django._managers import async_manager, manager
from sojourn.web.django._session import InnerSession

current: ContextVar[Any] = ContextVar("current", default=None)
"""The `request.session` of the current request, if our own middleware serves it."""


def middleware() -> Iterator[type]:
    """Yield the classes that MIDDLEWARE names."""
    for path in settings.MIDDLEWARE:
        with suppress(ImportError):  # reported by Django itself
            found = import_string(path)
            if isinstance(found, type):
                yield found


def load_by_id() -> bool:
    """Whether sessions may be loaded by id: keys come from the application, never from clients."""
    # A marker is tested in place of our class, whose import here would be circular.
    of_sessions = [each for each in middleware() if issubclass(each, DjangosMiddleware)]
    ours = [hasattr(each, "keeps_tokens") for each in of_sessions]
    return ours != [] and all(ours) and "channels.sessions" not in sys.modules


def exists(key: str) -> bool:
    """Whether a live session has this key, an id or a token."""
    return any(manager()._resume(id) is not None for id in _ids(key))


async def aexists(key: str) -> bool:
    """Whether a live session has this key, an id or a token."""
    for id in _ids(key):
        if await async_manager()._resume(id) is not None:
            return True
    return False


def end(key: str, asking: InnerSession | None = None) -> None:
    """End the session with this key, an id or a token: at once, or the request's own at release.

    asking: a session that is not ended by the old key that it is about to lose.
    """
    kept = _kept(asking)
    for id in _ids(key):
        # The request's session is changed in memory, or its release would store it again.
        if id == _standing_id():
            current.get().flush()
        else:
            endings = manager()._life.endings
            manager()._runner.run(endings.one_except(id, kept))


async def aend(key: str, asking: InnerSession | None = None) -> None:
    """End the session with this key, an id or a token: at once, or the request's own at release.

    asking: a session that is not ended by the old key that it is about to lose.
    """
    kept = _kept(asking)
    for id in _ids(key):
        # The request's session is changed in memory, or its release would store it again.
        if id == _standing_id():
            current.get().flush()
        else:
            endings = async_manager()._life.endings
            await async_manager()._runner.run(endings.one_except(id, kept))


def _ids(key: str | None) -> list[str]:
    """Return the ids that a key may mean: a short id can have the same form as a token."""
    key = str(key or "")
    ids = [key] if is_id(key) else []
    return [*ids, manager()._life.id_of(key)] if is_token(key) else ids


def _standing_id() -> str | None:
    """Return the id of the request's session as the application sees it; None without one."""
    session = current.get()
    return None if session is None else session.session_key


def _kept(asking: InnerSession | None) -> set[str]:
    """Return the ids that must not be ended: those of the request's session, and one given up.

    The id that is given up becomes invalid without this, when the new one is stored.
    """
    session = current.get()
    inner: Session | None = None if session is None else session._session
    given_up = None if asking is None else asking.given_up
    return manager()._life.endings.kept_ids(inner) | ({given_up} if given_up is not None else set())
