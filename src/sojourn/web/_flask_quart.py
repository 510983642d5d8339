"""Helpers of `install` that the Flask and the Quart integration share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask.sansio.app import App

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.manager import AsyncManager, Manager
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS


def check(app: App, provider: object, *, served: bool = False) -> None:
    """Raise ConfigError for a second `install`, and for a manager passed as the provider.

    served: whether requests may be under way, which is also refused.
    """
    if "sojourn" in app.extensions:
        raise ConfigError(f"install: {app.name!r} has its sessions from Sojourn already, call once")
    if isinstance(provider, Manager | AsyncManager):
        raise ConfigError(
            f"install makes the manager itself: give it the provider of this "
            f"{type(provider).__name__}, and its settings as keywords"
        )
    if served:
        raise ConfigError("install: the application is served already, call it before that")


def check_interface(app: Any, ours: type) -> None:
    """Raise ConfigError if `app.session_interface` is no longer `ours` or a subclass of it."""
    theirs = type(app.session_interface)
    if not issubclass(theirs, ours):
        raise ConfigError(
            f"the sessions of {app.name!r} are no longer Sojourn's: after `install`, "
            f"{theirs.__module__}.{theirs.__qualname__} was put into `app.session_interface`. "
            "Take away what did that, such as `Session(app)` of Flask-Session or an extension that "
            "calls it, or take `install` away; an interface of your own is derived from "
            f"{ours.__module__}.{ours.__qualname__}"
        )


def unavailable(error: StoreError) -> tuple[bytes, int, list[tuple[str, str]]]:
    """Return the same 503 response for a StoreError in a view as the middleware's own."""
    logger.error("answered 503: %s", error)
    return UNAVAILABLE, 503, list(UNAVAILABLE_HEADERS)


def commands(gc: Callable[[], int], count: Callable[[], int]) -> click.Group:
    """Return the command group `sessions`, with the commands `gc` and `count`.

    gc: removes expired sessions and returns their number.
    count: returns the number of live sessions.
    """
    group = click.Group("sessions", help="Look after the sessions.")

    @group.command("gc", help="Remove what has expired, and say how much.")
    def _() -> None:
        _say(gc, "removed")

    @group.command("count", help="Say how many sessions live.")
    def _() -> None:
        _say(count, "live")

    return group


def _say(ask: Callable[[], int], what: str) -> None:
    try:
        click.echo(f"{ask()} {what}")
    except StoreError as error:
        raise click.ClickException(str(error)) from None
