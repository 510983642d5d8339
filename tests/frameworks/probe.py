"""The application that every framework is tried with: the same routes, the same deeds.

Each framework has one in `apps`, written in that framework's own idiom.  What is done to a
session stands here, so that the applications differ in nothing but that idiom.  All answers are
JSON but where a route says otherwise.

    /do/<deed>?...            the deed, done to the framework's session; its result
    /slow/<deed>?seconds=...  the session is read, time passes, then the deed
    /quiet                    "quiet"; the session is not touched
    /stream?key=&value=       puts, then streams "one", "two" and the name of the exception that
                              a change raises after the first part; text/plain
    /events?key=&value=       puts, then two server-sent events, "data: one" and "data: two"
    /raise?key=&value=        puts, then raises RuntimeError, which nobody handles
    /handled?key=&value=      puts, then raises Handled; an error handler of the application puts
                              "handled": "yes" and answers 418
    /redirect?key=&value=     puts, then 302 to /do/everything
    /not-modified             reads "x", then 304
    /cached                   reads "x", answers with Vary: Accept and Cache-Control: public
    /after?key=&value=        "after"; a background task opens the session by its id, where the
                              framework has such tasks, and puts (not in WSGI frameworks)
    /others?user=             the ids of all sessions of that user, sorted
    /end-others?user=         ends them but the one that asks; how many that were
    /staff/<deed>?...         the deed, done to the session of a second manager, cookie "staff"
    /ws                       a WebSocket (ASGI, aiohttp): puts "socket": "open" before it accepts,
                              then sends "accepted"; each text that comes is appended to "words"
                              by `open_id`, and "kept", or "gone" for SessionGone, is sent back
    /refuse/<deed>?how=&...   a WebSocket (ASGI, aiohttp): the deed, and then, as `how` says, it is
                              closed before it is accepted ("close"), or RuntimeError is raised
                              ("raise"); in aiohttp, which cannot close it then, it is denied
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

from sojourn import AsyncManager, Manager, SessionGone

Query = Mapping[str, str]


class Handled(Exception):
    """What the application's error handler turns into a 418."""


@dataclass(frozen=True)
class Plan:
    """Which store an application keeps its sessions in, and with what settings.

    A provider is given by name, since a name stands for both colours; in a process of its own
    the plan comes in the variable PROBE.
    """

    provider: str
    provider_config: Any
    settings: dict[str, Any] = field(default_factory=dict)

    def manager(self, **more: Any) -> Manager:
        config = {"provider_config": self.provider_config, **self.settings, **more}
        return Manager(self.provider, config)

    def async_manager(self, **more: Any) -> AsyncManager:
        config = {"provider_config": self.provider_config, **self.settings, **more}
        return AsyncManager(self.provider, config)

    def to_env(self) -> str:
        return json.dumps([self.provider, self.provider_config, self.settings])

    @classmethod
    def from_env(cls) -> Self:
        return cls(*json.loads(os.environ["PROBE"]))


STAFF = {"cookie_name": "staff"}
"""How the second manager differs."""

EXACT = {"a": (1, "two", None), "b": {3, 4}, "c": Decimal("1.10"), "d": datetime.now(UTC)}


def put(session: Any, query: Query) -> str:
    session[query["key"]] = query["value"]
    return query["value"]


def _get(session: Any, query: Query) -> Any:
    return session.get(query["key"])


def _has(session: Any, query: Query) -> bool:
    return query["key"] in session


def _everything(session: Any, _: Query) -> dict[str, Any]:
    """What the session holds; Django's has no iterator, but keys."""
    return {key: session[key] for key in sorted(session.keys()) if key != "exact"}


def _append(session: Any, query: Query) -> list[str]:
    """The change inside a value that most libraries lose."""
    items: list[str] = session.setdefault(query["key"], [])
    items.append(query["value"])
    return items


def _add(session: Any, query: Query) -> Any:
    return session.apply(query["key"], lambda number: number + 1, 0)


def _delete(session: Any, query: Query) -> None:
    del session[query["key"]]


def _empty(session: Any, _: Query) -> None:
    """Take away all that is in it, one by one."""
    for key in list(session.keys()):
        del session[key]


def _clear(session: Any, _: Query) -> None:
    session.clear()


def _login(session: Any, query: Query) -> str:
    session.login(query["user"], about={"device": "probe"})
    return query["user"]


def _logout(session: Any, _: Query) -> None:
    session.logout()


def _destroy(session: Any, _: Query) -> None:
    session.destroy()


def _regenerate(session: Any, _: Query) -> None:
    session.regenerate_id()


def _me(session: Any, _: Query) -> dict[str, Any]:
    """Who it is; `id` of a new session is one to come, so it is asked of stored ones only."""
    id = None if session.is_new else session.id
    return {"user": session.user, "id": id, "is_new": session.is_new}


def _put_exact(session: Any, _: Query) -> None:
    session["exact"] = EXACT


def _is_exact(session: Any, _: Query) -> bool:
    stored = session["exact"]
    same = all(type(stored[key]) is type(value) for key, value in EXACT.items())
    return same and all(stored[key] == EXACT[key] for key in "abc")


async def keep(manager: AsyncManager, id: str, word: str) -> str:
    """Put a word that came by a WebSocket into the session of that id; return what to answer."""
    try:
        async with manager.open_id(id) as session:
            session.setdefault("words", []).append(word)
    except SessionGone:
        return "gone"
    return "kept"


DEEDS: dict[str, Callable[[Any, Query], Any]] = {
    "put": put,
    "get": _get,
    "has": _has,
    "size": lambda session, _: len(session),
    "everything": _everything,
    "append": _append,
    "add": _add,
    "delete": _delete,
    "empty": _empty,
    "clear": _clear,
    "login": _login,
    "logout": _logout,
    "destroy": _destroy,
    "regenerate": _regenerate,
    "me": _me,
    "put-exact": _put_exact,
    "is-exact": _is_exact,
    "nothing": lambda _, __: None,
}


def do(deed: str, session: Any, query: Query) -> Any:
    """Do one deed to a session; return what goes into the answer, as JSON."""
    return DEEDS[deed](session, query)
