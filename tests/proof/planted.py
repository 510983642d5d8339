"""Faults planted in the library on purpose, each of which the simulation has to find."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from unittest.mock import patch

from sojourn import Provider
from sojourn import _endings as endings
from sojourn import _lifecycle as lifecycle
from sojourn._events import logger
from sojourn._lifecycle import Lifecycle
from sojourn._openings import Openings
from sojourn._queue import combining
from sojourn._queue.combining import Conversation
from sojourn._responses import Responses
from sojourn._session.changes import ChangeSet
from sojourn._session.seen import Seen
from sojourn._session.state import NORMAL, Found, SessionState
from sojourn._tokens import Tokens
from sojourn.codec import Codec
from sojourn.errors import StoreUnavailable
from sojourn.providers import compare_and_swap, memory
from sojourn.providers.compare_and_swap import AsyncCompareAndSwapProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.record import APPLIED, GONE, Assignment, Changes, Merged, Record, is_live, merge
from sojourn.release import ReleaseOutcome
from sojourn.session import Session, state_of
from sojourn.testing.simulation import SwapStore, network
from tests.proof.assigning import AssigningMemory

Fault = Callable[[], AbstractContextManager[Any]]


class Planted(NamedTuple):
    """A fault, and the store in whose worlds it has to be found."""

    plant: Fault
    store: Callable[[], Provider] = MemoryProvider


PLANTED: dict[str, Planted] = {}


def planted(name: str, store: Callable[[], Provider] = MemoryProvider) -> Callable[[Fault], Fault]:
    """Add a fault to the list."""

    def add(plant: Fault) -> Fault:
        PLANTED[name] = Planted(plant, store)
        return plant

    return add


def _changed(change: Callable[[Changes], Changes]) -> AbstractContextManager[Any]:
    """Let the store in memory apply other changes than it was given."""
    return patch.object(memory, "merge", lambda record, it: merge(record, change(it)))


# -- the store ----------------------------------------------------------------------------------------


@planted("an update without its condition")
def _() -> AbstractContextManager[Any]:
    return _changed(lambda it: it._replace(expect={}))


@planted("a merge that drops `clear`")
def _() -> AbstractContextManager[Any]:
    return _changed(lambda it: it._replace(clear=False))


@planted("a merge that drops deletions")
def _() -> AbstractContextManager[Any]:
    return _changed(lambda it: it._replace(drop=()))


@planted("a touch that writes the values that were read")
def _() -> AbstractContextManager[Any]:
    update = MemoryProvider.update

    def with_values(self: Any, record: Record, changes: Changes) -> Any:
        if not changes.put and not changes.drop and not changes.clear:
            changes = changes._replace(put=record.fields)
        return update(self, record, changes)

    return patch.object(MemoryProvider, "update", with_values)


@planted("an update that revives an expired session")
def _() -> AbstractContextManager[Any]:
    def lively(record: Record | None, changes: Changes) -> Any:
        if record is not None and record.successor is None and record.expires <= changes.now:
            record = record._replace(expires=changes.now + 1)
        return merge(record, changes)

    return patch.object(memory, "merge", lively)


@planted("an update that creates")
def _() -> AbstractContextManager[Any]:
    update = MemoryProvider.update

    def creating(self: Any, record: Record, changes: Changes) -> Any:
        answer = update(self, record, changes)
        if answer is GONE and self.read(record.id) is None:
            self.create(record)
            return update(self, record, changes)
        return answer

    return patch.object(MemoryProvider, "update", creating)


@planted("an update that is acknowledged, but not stored")
def _() -> AbstractContextManager[Any]:
    update, numbers = MemoryProvider.update, itertools.count()

    def forgetful(self: Any, record: Record, changes: Changes) -> Any:
        if changes.put and changes.move is None and next(numbers) % 10 == 9:
            return APPLIED
        return update(self, record, changes)

    return patch.object(MemoryProvider, "update", forgetful)


@planted("an update of a part of the values")
def _() -> AbstractContextManager[Any]:
    return _changed(
        lambda it: it._replace(put=dict(list(it.put.items())[:1])) if len(it.put) > 1 else it
    )


@planted("an emptied session that stays")
def _() -> AbstractContextManager[Any]:
    def staying(record: Record | None, changes: Changes) -> Any:
        merged = merge(record, changes)
        if isinstance(merged, Merged) and merged.record is None:
            assert record is not None
            return Merged(APPLIED, record._replace(fields={}), None)
        return merged

    return patch.object(memory, "merge", staying)


@planted("a move that leaves the old session alive")
def _() -> AbstractContextManager[Any]:
    def twofold(self: Any, old: Record, new: Record, _: Record) -> None:
        self.create(new)

    # Its lock is not reentrant.
    def update(self: Any, record: Record, changes: Changes) -> Any:
        stored = self.read(record.id)
        merged = merge(stored, changes)
        if not isinstance(merged, Merged) or merged.tombstone is None:
            return original(self, record, changes)
        twofold(self, stored, merged.record, merged.tombstone)  # type: ignore[arg-type]
        return APPLIED

    original = MemoryProvider.update
    return patch.object(MemoryProvider, "update", update)


@planted("a tombstone that forgets its successor")
def _() -> AbstractContextManager[Any]:
    def nowhere(record: Record | None, changes: Changes) -> Any:
        merged = merge(record, changes)
        if isinstance(merged, Merged) and merged.tombstone is not None:
            successor = merged.tombstone.id[:2] + "0" * 62
            return merged._replace(tombstone=merged.tombstone._replace(successor=successor))
        return merged

    return patch.object(memory, "merge", nowhere)


@planted("a move without a tombstone")
def _() -> AbstractContextManager[Any]:
    original = MemoryProvider.update

    def update(self: Any, record: Record, changes: Changes) -> Any:
        answer = original(self, record, changes)
        if answer is APPLIED and changes.move is not None:
            self.destroy(record.id)
        return answer

    return patch.object(MemoryProvider, "update", update)


@planted("a new user under the old id", SwapStore)
def _() -> AbstractContextManager[Any]:
    def in_place(record: Record | None, changes: Changes) -> Any:
        if changes.move is None or record is None:
            return merge(record, changes)
        merged = merge(record, changes._replace(move=None))
        if isinstance(merged, Merged) and merged.record is not None:
            return merged._replace(record=merged.record._replace(user=changes.move.user))
        return merged

    return patch.object(compare_and_swap, "merge", in_place)


@planted("a sweep that deletes what has not expired yet")
def _() -> AbstractContextManager[Any]:
    gc = MemoryProvider.gc
    return patch.object(MemoryProvider, "gc", lambda self, now, limit: gc(self, now + 590, limit))


@planted("a count that includes tombstones")
def _() -> AbstractContextManager[Any]:
    count = MemoryProvider.count
    return patch.object(
        MemoryProvider,
        "count",
        lambda self, now: count(self, now) + self._tombstones.size,
    )


@planted("a list of a user's sessions that lacks moved ones")
def _() -> AbstractContextManager[Any]:
    find = MemoryProvider.find

    def lacking(self: Any, user: str | None, now: float) -> Iterator[Record]:
        for record in find(self, user, now):
            if user is None or record.created == record.seen:
                yield record

    return patch.object(MemoryProvider, "find", lacking)


@planted("a `destroy` that does nothing")
def _() -> AbstractContextManager[Any]:
    return patch.object(MemoryProvider, "destroy", MemoryProvider.read)


@planted("a swap that does not compare", SwapStore)
def _() -> AbstractContextManager[Any]:
    swap = SwapStore.swap

    def careless(self: Any, old: Record, new: Record | None) -> bool:
        stored = self.read(old.id)
        return stored is not None and swap(self, stored, new)

    return patch.object(SwapStore, "swap", careless)


@planted("a move that stores its tombstone first", SwapStore)
def _() -> AbstractContextManager[Any]:
    async def move(self: Any, old: Record, new: Record, tombstone: Record) -> bool:
        return bool(await self.swap(old, tombstone) and await self.create(new))

    return patch.object(AsyncCompareAndSwapProvider, "move", move)


@planted("a move that is taken for failed when its answer was lost", SwapStore)
def _() -> AbstractContextManager[Any]:
    async def never(*_: Any) -> bool:
        return False

    return patch.object(AsyncCompareAndSwapProvider, "_has_moved", never)


@planted("an assignment to a session that has ended", AssigningMemory)
def _() -> AbstractContextManager[Any]:
    assign = AssigningMemory.assign

    def reviving(self: Any, assignment: Assignment) -> Record | None:
        record = self.read(assignment.id)
        if record is not None and not is_live(record, assignment.now):
            self.destroy(record.id)
            self.create(record._replace(successor=None, expires=assignment.now + 60, user="ada"))
        return assign(self, assignment)

    return patch.object(AssigningMemory, "assign", reviving)


# -- the manager -------------------------------------------------------------------------------------


@planted("a logout that does not follow the tombstones")
def _() -> AbstractContextManager[Any]:
    return patch.object(endings, "MOVES", 1)


@planted("a request with a retired token that goes on as before", SwapStore)
def _() -> AbstractContextManager[Any]:
    find = Openings.find

    def forgiving(self: Any, token: str, id: str, record: Record | None) -> Any:
        found = find(self, token, id, record)
        if found is not None and found.successor is not None:
            assert record is not None
            live = record._replace(successor=None, fields={b"\xa1a": Codec().encode(1)})
            return Found(token, live, NORMAL)
        return found

    return patch.object(Openings, "find", forgiving)


@planted("an expired session that is opened")
def _() -> AbstractContextManager[Any]:
    find = Openings.find

    def opening(self: Any, token: str, id: str, record: Record | None) -> Any:
        if record is not None and record.successor is None:
            return Found(token, record, NORMAL)
        return find(self, token, id, record)

    return patch.object(Openings, "find", opening)


@planted("a touch that moves no times")
def _() -> AbstractContextManager[Any]:
    return patch.object(
        lifecycle, "changes_of", lambda values: Changes(values[0], None, *values[2:])
    )


@planted("a lifetime without the absolute limit")
def _() -> AbstractContextManager[Any]:
    def endless(self: SessionState, now: float) -> float:
        return now + (self.lifetime or self.context.config.max_lifetime)

    return patch.object(SessionState, "expiry", endless)


@planted("a late release that deletes the cookie")
def _() -> AbstractContextManager[Any]:
    def deleting(self: Any, state: SessionState, _: Record) -> Any:
        return self._responses.ended(state)._replace(outcome=ReleaseOutcome.LATE)

    return patch.object(Lifecycle, "_late", deleting)


@planted("a cookie that is sent before its id is stored")
def _() -> AbstractContextManager[Any]:
    def hasty(self: Any, state: SessionState, origin: Record) -> Any:
        token, _ = state.mint()
        return self._responses.hand_over(state, ReleaseOutcome.RENEWED, token, self.now())
        yield

    return patch.object(Lifecycle, "_too_late", hasty)


@planted("a sign-in that keeps the former user")
def _() -> AbstractContextManager[Any]:
    changes = Lifecycle._changes

    def keeping(self: Any, state: SessionState, *args: Any, **more: Any) -> Changes:
        made = changes(self, state, *args, **more)
        if made.move is None or state.origin is None:
            return made
        return made._replace(move=made.move._replace(user=state.origin.user))

    return patch.object(Lifecycle, "_changes", keeping)


@planted("a collision in which the last one wins")
def _() -> AbstractContextManager[Any]:
    def overruling(self: Any, delta: Any, stored: Any) -> Any:
        return delta._replace(expect={}), False

    return patch.object(ChangeSet, "rebase", overruling)


@planted("a combined update that forgets a release")
def _() -> AbstractContextManager[Any]:
    def forgetful(record: Record, changes: Changes) -> Any:
        # The version of the record that the release before it would leave.
        return merge(record, changes._replace(put={}) if record.version == -1 else changes)

    return patch.object(combining, "merge", forgetful)


@planted("a release that waited, and is told that it was stored though it failed")
def _() -> AbstractContextManager[Any]:
    def fail(self: Any, error: BaseException) -> None:
        self.reply(APPLIED)

    return patch.object(Conversation, "fail", fail)


@planted("a memory of what was seen that lasts too long")
def _() -> AbstractContextManager[Any]:
    covers = Seen.covers
    return patch.object(Seen, "covers", lambda self, id, now: covers(self, id, now - 60))


@planted("changes that are dropped without a word")
def _() -> AbstractContextManager[Any]:
    close, numbers = Lifecycle.close, itertools.count()

    def dropping(self: Any, session: Session, *, headers: bool = True) -> Any:
        if next(numbers) % 7 == 6 and session.modified:
            state = state_of(session)
            return self._responses.seal(state, ReleaseOutcome.UNCHANGED)
        return close(self, session, headers=headers)

    return patch.object(Lifecycle, "close", dropping)


@planted("one session for several visitors")
def _() -> AbstractContextManager[Any]:
    original = Tokens.id_of
    return patch.object(Tokens, "id_of", lambda self, token: original(self, token)[:2] + "00" * 31)


@planted("a token in the log")
def _() -> AbstractContextManager[Any]:
    hand_over = Responses.hand_over

    def telling(self: Any, state: SessionState, outcome: Any, token: str, *times: Any) -> Any:
        logger.info("a token: %s", token)
        return hand_over(self, state, outcome, token, *times)

    return patch.object(Responses, "hand_over", telling)


# -- the world ---------------------------------------------------------------------------------------


@planted("a lost answer that is reported as a refusal")
def _() -> AbstractContextManager[Any]:
    return patch.object(network, "OutcomeUnknown", StoreUnavailable)
