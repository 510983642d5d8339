"""Managers whose sessions are opened as `InnerSession`, also in jobs outside of a request.

So the expiry and the mark that Django's sessions keep in their data are handled there, too.
"""

from __future__ import annotations

from sojourn.manager import AsyncManager, Manager
from sojourn.session import Session
from sojourn.web.django._session import InnerSession


class DjangoManager(Manager):
    """A manager that opens sessions by id as `InnerSession`."""

    def _resume(self, id: str) -> Session | None:
        session = super()._resume(id)
        return None if session is None else InnerSession.adopt(session)


class AsyncDjangoManager(AsyncManager):
    """A manager that opens sessions by id as `InnerSession`."""

    async def _resume(self, id: str) -> Session | None:
        session = await super()._resume(id)
        return None if session is None else InnerSession.adopt(session)
