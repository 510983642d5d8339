"""Reading: the session for the tokens of a request, and a test of the store if a record is corrupt.

The test writes, reads, lists and deletes a record.  If the store, or a proxy or driver before it,
alters all data, that is an outage; otherwise only the one record is corrupt.  `check` runs it too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sojourn._calls import Steps
from sojourn._cookies import Arrival
from sojourn._lifecycle import Lifecycle
from sojourn._session.state import NOBODY, WITHOUT_STORE, Found
from sojourn.errors import CorruptRecord, StoreError, StoreUnavailable
from sojourn.providers.base import AsyncProvider, Provider, belongs
from sojourn.record import Record
from sojourn.release import Release
from sojourn.session import Session, state_of

LIFETIME = 60.0
"""Seconds after which the record expires, if the process ends before it has deleted it."""

NOT_WRITTEN = "the store did not take a new record under an id that nobody has"
CORRUPT = "the store gives back something else than was written: a record cannot be read"
ALTERED = "the store gives back something else than was written: a record has other data or times"
NOT_LISTED = "the store does not list a record under its user, so `destroy_user` would not end it"
NOT_REMOVED = "the store still has a record that was removed, so a logout would end nothing"


def _record(id: str, now: float) -> Record:
    """Return a record that shows whether the store keeps every byte, and lists users' sessions."""
    # No application has this user, so the record is not among the sessions of a real one.
    user = f"sojourn check {id}"
    return Record(id, {b"bytes": bytes(range(256))}, now, now, now + LIFETIME, user, now)


class Reader:
    """Reads records, and tests the store if one cannot be read."""

    def __init__(self, provider: Provider, life: Lifecycle) -> None:
        self._provider = provider
        own = belongs(provider, "assign", "read", "update")
        self._assigns: Any = provider if own else None
        """The provider, if it can store values in a session that was not read."""
        # Otherwise the session has to be read at the release.  There an AsyncManager can await that,
        # and before it cannot; a Manager would gain nothing by putting it off.
        self.can_assign = self._assigns is not None or life.openings.context.awaits
        """Whether a request may assign values to a session that it has not read."""
        self._life = life
        self._is_sound = False
        """Whether a test has shown that records can be decoded; reads do not repeat it then."""

    def find(self, arrival: Arrival) -> Found:
        """Return the session that a request's tokens name; NOBODY if none.

        Raises StoreError if the store fails, unless `on_outage` is "anonymous".
        """
        life = self._life
        openings = life.openings
        ended: Found | None = None
        for token in arrival.tokens:
            id = life.id_of(token)
            try:
                record = self.read(id)
            except CorruptRecord:
                life.report("corrupt", id)
                continue
            except StoreError:
                if life.fails_in_outage:
                    raise
                return WITHOUT_STORE
            # A retired token must not hide a live one that comes after it.
            found = openings.find(token, id, record)
            if found is not None and found.origin is not None:
                return found
            ended = ended or found
        return ended or NOBODY

    def settle(self, session: Session, *, headers: bool) -> Release | Steps:
        """Return the result of a release, or the calls that it needs, if it depends on the record.

        If the request has only assigned values, the store may be able to take them at once.
        Otherwise the session is read now.

        headers: whether the response can carry headers.
        """
        state = state_of(session)
        assignment = self._life.openings.assignment(state) if headers and self._assigns else None
        if assignment is not None:
            # As during every release: a change while the store is asked would be lost.
            state.sealed = True
            record = self._assigns.assign(assignment)
            if record is not None:
                return self._life.assigned(session, assignment, record)
            state.sealed = False
        session.load()
        steps = self._life.close(session, headers=headers)
        assert steps is not None
        return steps

    def read(self, id: str) -> Record | None:
        """Read a record.

        Raises CorruptRecord if it cannot be decoded, but StoreUnavailable if the store returns no
        record as it was written: then all visitors would appear to be signed out.
        """
        try:
            return self._provider.read(id)
        except CorruptRecord:
            if self._is_sound or CORRUPT not in self._tried():
                raise
        raise StoreUnavailable(CORRUPT)

    def probe(self) -> list[str]:
        """Test the store; return its faults as sentences.

        Raises StoreError if it does not answer, or refuses to write.
        """
        record = _record(self._life.unused_id(), self._life.now())
        provider = self._provider
        wrong = [] if provider.create(record) else [NOT_WRITTEN]
        try:
            wrong += _compared(record, provider.read(record.id))
            listed = [found.id for found in provider.find(record.user, record.seen)]
            wrong += [] if listed == [record.id] else [NOT_LISTED]
        except CorruptRecord:
            wrong.append(CORRUPT)
        finally:
            provider.destroy(record.id)
        # Only for a store without faults: reading a record that cannot be decoded would raise.
        if not wrong and provider.read(record.id) is not None:
            wrong.append(NOT_REMOVED)
        self._is_sound = CORRUPT not in wrong
        return wrong

    def _tried(self) -> list[str]:
        """Return the faults that a test shows; none if the test itself fails."""
        # A full store still reads its records well, so a failed test is no evidence against them.
        with suppress(StoreError):
            return self.probe()
        return []


class AsyncReader:
    """Reads records, and tests the store if one cannot be read."""

    def __init__(self, provider: AsyncProvider, life: Lifecycle) -> None:
        self._provider = provider
        own = belongs(provider, "assign", "read", "update")
        self._assigns: Any = provider if own else None
        """The provider, if it can store values in a session that was not read."""
        # Otherwise the session has to be read at the release.  There an AsyncManager can await that,
        # and before it cannot; a Manager would gain nothing by putting it off.
        self.can_assign = self._assigns is not None or life.openings.context.awaits
        """Whether a request may assign values to a session that it has not read."""
        self._life = life
        self._is_sound = False
        """Whether a test has shown that records can be decoded; reads do not repeat it then."""

    async def find(self, arrival: Arrival) -> Found:
        """Return the session that a request's tokens name; NOBODY if none.

        Raises StoreError if the store fails, unless `on_outage` is "anonymous".
        """
        life = self._life
        openings = life.openings
        ended: Found | None = None
        for token in arrival.tokens:
            id = life.id_of(token)
            try:
                record = await self.read(id)
            except CorruptRecord:
                life.report("corrupt", id)
                continue
            except StoreError:
                if life.fails_in_outage:
                    raise
                return WITHOUT_STORE
            # A retired token must not hide a live one that comes after it.
            found = openings.find(token, id, record)
            if found is not None and found.origin is not None:
                return found
            ended = ended or found
        return ended or NOBODY

    async def settle(self, session: Session, *, headers: bool) -> Release | Steps:
        """Return the result of a release, or the calls that it needs, if it depends on the record.

        If the request has only assigned values, the store may be able to take them at once.
        Otherwise the session is read now.

        headers: whether the response can carry headers.
        """
        state = state_of(session)
        assignment = self._life.openings.assignment(state) if headers and self._assigns else None
        if assignment is not None:
            # As during every release: a change while the store is asked would be lost.
            state.sealed = True
            record = await self._assigns.assign(assignment)
            if record is not None:
                return self._life.assigned(session, assignment, record)
            state.sealed = False
        await session.load()
        steps = self._life.close(session, headers=headers)
        assert steps is not None
        return steps

    async def read(self, id: str) -> Record | None:
        """Read a record.

        Raises CorruptRecord if it cannot be decoded, but StoreUnavailable if the store returns no
        record as it was written: then all visitors would appear to be signed out.
        """
        try:
            return await self._provider.read(id)
        except CorruptRecord:
            if self._is_sound or CORRUPT not in await self._tried():
                raise
        raise StoreUnavailable(CORRUPT)

    async def probe(self) -> list[str]:
        """Test the store; return its faults as sentences.

        Raises StoreError if it does not answer, or refuses to write.
        """
        record = _record(self._life.unused_id(), self._life.now())
        provider = self._provider
        wrong = [] if await provider.create(record) else [NOT_WRITTEN]
        try:
            wrong += _compared(record, await provider.read(record.id))
            listed = [found.id async for found in provider.find(record.user, record.seen)]
            wrong += [] if listed == [record.id] else [NOT_LISTED]
        except CorruptRecord:
            wrong.append(CORRUPT)
        finally:
            await provider.destroy(record.id)
        # Only for a store without faults: reading a record that cannot be decoded would raise.
        if not wrong and await provider.read(record.id) is not None:
            wrong.append(NOT_REMOVED)
        self._is_sound = CORRUPT not in wrong
        return wrong

    async def _tried(self) -> list[str]:
        """Return the faults that a test shows; none if the test itself fails."""
        # A full store still reads its records well, so a failed test is no evidence against them.
        with suppress(StoreError):
            return await self.probe()
        return []


def _compared(written: Record, read: Record | None) -> list[str]:
    """Return a fault if the record that was read differs from the one that was written."""
    # A store may give a record any version.
    return (
        [] if read is not None and read._replace(version=written.version) == written else [ALTERED]
    )
