"""What the tests of Flask and Quart share: pages in one line, and what their answers say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from quart import Quart

from sojourn.providers.memory import MemoryProvider
from sojourn.web.flask import FlaskSession, session
from sojourn.web.quart import session as quart_session
from tests.web.stores import values

Deed = Callable[[], Any]


class Told(MemoryProvider):
    """Knows whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


def page(app: Flask, path: str, *deeds: Deed) -> None:
    """A page that does these and shows the result of the last."""
    app.add_url_rule(path, path, lambda: repr([deed() for deed in deeds][-1]))


def async_page(app: Quart, path: str, *deeds: Deed) -> None:
    """The same in Quart."""

    async def view() -> str:
        return repr([deed() for deed in deeds][-1])

    app.add_url_rule(path, path, view)


def cookies(answer: Any) -> list[str]:
    """Every Set-Cookie of an answer."""
    return values(answer.headers.items(), "Set-Cookie")


def sent_back(answer: Any) -> dict[str, str]:
    """The header with which a browser comes again."""
    [line] = cookies(answer)
    return {"Cookie": line.partition(";")[0]}


def putting(session: FlaskSession) -> Callable[[str, object], Deed]:
    """A deed that puts a value."""

    def put(key: str, value: object) -> Deed:
        return lambda: session.__setitem__(key, value)

    return put


put, async_put = putting(session), putting(quart_session)


def keep() -> None:
    session.permanent = True


def drop() -> None:
    session.permanent = False
