"""Carries what a release asks for to the provider, and the answers back.

Most releases ask for one update, and it fits.  Where releases of one session collide, they queue up
within the process, the oldest first, and the one whose turn it is stores the changes of those that
wait, in one update (`_turns`, `_combining`).  So work that is in vain, and a release that others
overtake again and again, occur between processes alone, where pauses of random length help.
"""

from __future__ import annotations

from asyncio import sleep as async_sleep
from collections.abc import Generator, Iterable
from contextlib import suppress
from time import sleep
from typing import Any, NamedTuple, TypeVar, cast

from sojourn._background import async_undisturbed, undisturbed
from sojourn._calls import PATIENCE, Call, Create, Destroy, Update, crowded, same_error
from sojourn._combining import Conversation, Together, combined, settle
from sojourn._turns import AsyncTurns, Turn, Turns
from sojourn.errors import CorruptRecord, OutcomeUnknown
from sojourn.providers.base import AsyncProvider, Provider
from sojourn.record import Outcome, Record

T = TypeVar("T")
MOST = 64
"""How many releases are stored together, as long as no other process is faster."""


class Stored(NamedTuple):
    """What became of an update for several releases."""

    together: Together
    outcome: Outcome
    left: Record | None
    """The record as it is now, if that is known."""


def is_waiting(conversation: Conversation[Any] | None, stored: Stored | None) -> bool:
    """Whether a release that was taken along has still to be stored."""
    if conversation is None or not isinstance(conversation.call, Update):
        return False
    return stored is None or conversation not in stored.together.members


def fail_all(conversations: Iterable[Conversation[Any] | None], error: BaseException) -> None:
    """End those releases with an error that have not ended yet."""
    for conversation in conversations:
        if conversation is not None and isinstance(conversation.call, Update):
            conversation.fail(same_error(error))


class Runner:
    """Runs releases over a provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._turns = Turns()

    def run(self, steps: Generator[Call, Any, T]) -> T:
        """Carry the calls of a decision to the provider, and its answers back."""
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as end:
                return cast("T", end.value)
            if not isinstance(call, Update):
                answer = self._ask(call)
                continue
            if call.changes.expect and self._turns.busy(call.record.id):
                return self._queue(Conversation(steps, call), call, None)
            answer = self._provider.update(call.record, call.changes)
            if isinstance(answer, Record):
                return self._queue(Conversation(steps, call), call, answer)

    def _queue(self, conversation: Conversation[T], call: Update, record: Record | None) -> T:
        """Go on where releases of a session collide: one after the other, or together.

        record: what the store has instead of the record that was expected, as far as is known.
        """
        turn = self._turns.enter(call.record.id, PATIENCE, conversation)
        if turn is None:  # nothing was written, and there is no time left
            raise crowded()
        if not turn.claimed:
            undisturbed(self._lead, turn, conversation, turn.inherited or record)
        elif not turn.taken:
            raise OutcomeUnknown("the release that was to store these changes did not end in time")
        while conversation.call is not None:
            conversation.reply(self._ask(conversation.call))
        return conversation.result()

    def _lead(self, turn: Turn, conversation: Conversation[Any], record: Record | None) -> None:
        """Store the changes of a release whose turn it is, with those of others that wait."""
        claimed: list[Turn] = []
        stored: Stored | None = None
        try:
            record = record or self._first_answer(conversation)
            if record is not None:
                claimed = turn.claim(MOST)
                waiting = [conversation, *(one.conversation for one in claimed if one.conversation)]
                stored = self._store(record, turn, waiting)
        except BaseException as error:
            fail_all([conversation, *(one.conversation for one in claimed)], error)
            if not isinstance(error, Exception):
                raise
        finally:
            rest = [one for one in claimed if is_waiting(one.conversation, stored)]
            turn.give_back(rest)
            turn.leave(None if turn.lost or stored is None else stored.left)
            if stored is not None:  # the turn is over: what is told now may begin another release
                settle(stored.together, stored.outcome)
            for one in claimed:
                if one not in rest:
                    one.done()

    def _first_answer(self, conversation: Conversation[Any]) -> Record | None:
        """Write without knowing what is stored; return the record if it is another one."""
        call = conversation.call
        assert isinstance(call, Update)
        answer = self._provider.update(call.record, call.changes)
        if isinstance(answer, Record):
            return answer
        conversation.reply(answer)
        return None

    def _store(self, record: Record, turn: Turn, waiting: list[Conversation[Any]]) -> Stored | None:
        """Store the changes of the first of these releases and of those that can go along.

        Return None if all that were tried have failed; the others are still waiting then.
        """
        while (together := combined(record, waiting[: MOST >> turn.lost or 1])) is not None:
            call = together.update
            answer = self._provider.update(call.record, call.changes)
            if isinstance(answer, Record) and (pause := turn.lose()):
                sleep(pause)
                answer = self._provider.update(call.record, call.changes)  # as it is by now
            if isinstance(answer, Record):
                record = answer
                continue
            return Stored(together, answer, together.left if answer is Outcome.APPLIED else None)
        return None

    def _ask(self, call: Call) -> Any:
        if isinstance(call, Create):
            return self._provider.create(call.record)
        if isinstance(call, Update):
            return self._provider.update(call.record, call.changes)
        if isinstance(call, Destroy):
            return self._provider.destroy(call.id)
        with suppress(CorruptRecord):  # which counts as absent
            return self._provider.read(call.id)
        return None


class AsyncRunner:
    """Runs releases over a provider."""

    def __init__(self, provider: AsyncProvider) -> None:
        self._provider = provider
        self._turns = AsyncTurns()

    async def run(self, steps: Generator[Call, Any, T]) -> T:
        """Carry the calls of a decision to the provider, and its answers back."""
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as end:
                return cast("T", end.value)
            if not isinstance(call, Update):
                answer = await self._ask(call)
                continue
            if call.changes.expect and self._turns.busy(call.record.id):
                return await self._queue(Conversation(steps, call), call, None)
            answer = await self._provider.update(call.record, call.changes)
            if isinstance(answer, Record):
                return await self._queue(Conversation(steps, call), call, answer)

    async def _queue(self, conversation: Conversation[T], call: Update, record: Record | None) -> T:
        """Go on where releases of a session collide: one after the other, or together.

        record: what the store has instead of the record that was expected, as far as is known.
        """
        turn = await self._turns.enter(call.record.id, PATIENCE, conversation)
        if turn is None:  # nothing was written, and there is no time left
            raise crowded()
        if not turn.claimed:
            await async_undisturbed(self._lead, turn, conversation, turn.inherited or record)
        elif not turn.taken:
            raise OutcomeUnknown("the release that was to store these changes did not end in time")
        while conversation.call is not None:
            conversation.reply(await self._ask(conversation.call))
        return conversation.result()

    async def _lead(
        self, turn: Turn, conversation: Conversation[Any], record: Record | None
    ) -> None:
        """Store the changes of a release whose turn it is, with those of others that wait."""
        claimed: list[Turn] = []
        stored: Stored | None = None
        try:
            record = record or await self._first_answer(conversation)
            if record is not None:
                claimed = turn.claim(MOST)
                waiting = [conversation, *(one.conversation for one in claimed if one.conversation)]
                stored = await self._store(record, turn, waiting)
        except BaseException as error:
            fail_all([conversation, *(one.conversation for one in claimed)], error)
            if not isinstance(error, Exception):
                raise
        finally:
            rest = [one for one in claimed if is_waiting(one.conversation, stored)]
            turn.give_back(rest)
            turn.leave(None if turn.lost or stored is None else stored.left)
            if stored is not None:  # the turn is over: what is told now may begin another release
                settle(stored.together, stored.outcome)
            for one in claimed:
                if one not in rest:
                    one.done()

    async def _first_answer(self, conversation: Conversation[Any]) -> Record | None:
        """Write without knowing what is stored; return the record if it is another one."""
        call = conversation.call
        assert isinstance(call, Update)
        answer = await self._provider.update(call.record, call.changes)
        if isinstance(answer, Record):
            return answer
        conversation.reply(answer)
        return None

    async def _store(
        self, record: Record, turn: Turn, waiting: list[Conversation[Any]]
    ) -> Stored | None:
        """Store the changes of the first of these releases and of those that can go along.

        Return None if all that were tried have failed; the others are still waiting then.
        """
        while (together := combined(record, waiting[: MOST >> turn.lost or 1])) is not None:
            call = together.update
            answer = await self._provider.update(call.record, call.changes)
            if isinstance(answer, Record) and (pause := turn.lose()):
                await async_sleep(pause)
                answer = await self._provider.update(call.record, call.changes)  # as it is by now
            if isinstance(answer, Record):
                record = answer
                continue
            return Stored(together, answer, together.left if answer is Outcome.APPLIED else None)
        return None

    async def _ask(self, call: Call) -> Any:
        if isinstance(call, Create):
            return await self._provider.create(call.record)
        if isinstance(call, Update):
            return await self._provider.update(call.record, call.changes)
        if isinstance(call, Destroy):
            return await self._provider.destroy(call.id)
        with suppress(CorruptRecord):  # which counts as absent
            return await self._provider.read(call.id)
        return None
