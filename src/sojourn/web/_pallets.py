"""What Flask and Quart share: their words on a session, and what `install` does in both."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask.sansio.app import App

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.manager import AsyncManager, Manager
from sojourn.session import Session
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS


class FlaskSession(Session):
    """A session with Flask's words for it, which are Quart's too."""

    __slots__ = ()

    @property
    def permanent(self) -> bool:
        """Whether its cookie outlives the browser, for PERMANENT_SESSION_LIFETIME."""
        return self.persistent

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if bool(value) != self.persistent:
            self.set_lifetime(None, persistent=bool(value))

    @property
    def new(self) -> bool:
        """Whether nothing is stored for this visitor yet."""
        return self.is_new

    @property
    def modified(self) -> bool:
        """Whether something is to be stored.  A change is seen without this being set."""
        return super().modified

    @modified.setter
    def modified(self, value: bool) -> None:
        """Take what applications say for sessions that cannot tell."""

    @property
    def accessed(self) -> bool:
        """Whether this request looked at it.  Fetching the proxy is no look."""
        return super().accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        """Take what Flask says of every use of its proxy."""


class LoneSession(FlaskSession):
    """One that no middleware started, so that none will release it."""

    __slots__ = ()


def check(app: App, provider: object) -> None:
    """Raise ConfigError for a second `install`, or a manager where a provider belongs."""
    if "sojourn" in app.extensions:
        raise ConfigError(f"install: {app.name!r} has its sessions from Sojourn already, call once")
    if isinstance(provider, Manager | AsyncManager):
        raise ConfigError(
            f"install makes the manager itself: give it the provider of this "
            f"{type(provider).__name__}, and its settings as keywords"
        )


def unavailable(error: StoreError) -> tuple[bytes, int, list[tuple[str, str]]]:
    """Answer a fault of the store that a view ran into as the middleware answers its own."""
    logger.error("answered 503: %s", error)
    return UNAVAILABLE, 503, list(UNAVAILABLE_HEADERS)


def commands(gc: Callable[[], int], count: Callable[[], int]) -> click.Group:
    """Return the command `sessions`, with `gc` and `count`."""
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
