"""Create a signed-in visitor for the tests of an application, without using its sign-in page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sojourn.errors import ConfigError
from sojourn.manager import AsyncManager, Manager
from sojourn.providers.threads import Adapted
from sojourn.session import Session


class SignedIn(NamedTuple):
    """The cookies and headers that a test client must send to act as this visitor."""

    cookies: dict[str, str]
    """The session cookie, name to token: `TestClient(app, cookies=...)`."""
    headers: dict[str, str]
    """The session as a request header, for any client: `client.get("/", headers=...)`."""
    id: str
    """The id of the session, for `manager.open_id` and `manager.destroy`."""

    @property
    def cookie(self) -> tuple[str, str]:
        """The name and the value of the cookie, for Flask: `client.set_cookie(*ada.cookie)`."""
        [cookie] = self.cookies.items()
        return cookie

    def __repr__(self) -> str:
        """Show the session id, but not the token, which is a secret."""
        return f"<SignedIn {self.id}>"


def signed_in(
    manager: Manager | AsyncManager, user: str | None, fields: Mapping[Any, Any] | None = None
) -> SignedIn:
    """Create and store a new session in which `user` is signed in, and return its visitor.

    user: None for an anonymous visitor; `fields` must then be given.
    fields: the data of the session.

    Raises ConfigError if the visitor is anonymous and there are no fields, and for an AsyncManager
    whose store needs an event loop: await `async_signed_in` instead.
    """
    with _sync(manager).open({}) as session:
        _begin(session, user, fields)
    return _visitor(manager, session)


async def async_signed_in(
    manager: AsyncManager, user: str | None, fields: Mapping[Any, Any] | None = None
) -> SignedIn:
    """Do the same as `signed_in`, for an AsyncManager with any store."""
    async with manager.open({}) as session:
        _begin(session, user, fields)
    return _visitor(manager, session)


def _sync(manager: Manager | AsyncManager) -> Manager:
    """Return a sync manager over the same store; raise ConfigError if it needs an event loop."""
    if isinstance(manager, Manager):
        return manager
    store = manager._provider  # noqa: SLF001 - it is the same library
    # The store of this AsyncManager is a sync provider that runs in threads: use it directly.
    if isinstance(store, Adapted):
        return Manager(store.provider, manager.config, clock=manager._life.now)  # noqa: SLF001
    raise ConfigError(
        f"signed_in: {type(store).__name__} needs an event loop: await async_signed_in(manager, ...)"
    )


def _begin(session: Session, user: str | None, fields: Mapping[Any, Any] | None) -> None:
    """Put the fields into the session, and sign the user in."""
    if user is None and not fields:
        raise ConfigError(
            "signed_in: an anonymous visitor of whom nothing is stored has no session"
        )
    session.update(fields or {})
    if user is not None:
        session.login(user)


def _visitor(manager: Manager | AsyncManager, session: Session) -> SignedIn:
    """Return the credentials of the session that was just released."""
    config, token = manager.config, session.issued_token
    # Such a manager exchanges tokens in a custom header and sets no cookie.
    if config.header_name is not None and not config.enable_set_cookie:
        return SignedIn({}, {config.header_name: token}, session.id)
    name = config.cookie_name
    return SignedIn({name: token}, {"Cookie": f"{name}={token}"}, session.id)
