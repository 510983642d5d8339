"""Carries the calls of a release to the provider, and the answers back.

Most releases make one update, and it is applied.  If releases of one session collide, they queue up
within the process, the oldest first, and the first one, the leader, stores the changes of those
that wait together with its own, in one update (`turns`, `combining`).  So only another process
can make a release repeat its work or overtake it again and again.  Random pauses help there.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import suppress
from time import sleep
from typing import Any, NamedTuple, TypeVar

from sojourn._calls import PATIENCE, Call, Create, Destroy, Find, Update, crowded, same_error
from sojourn._loops import async_sleep, async_undisturbed, undisturbed
from sojourn._queue.combining import Conversation, Together, combined, settle
from sojourn._queue.turns import AsyncTurns, Turn, Turns
from sojourn._reading import AsyncReader, Reader
from sojourn.errors import CorruptRecord, OutcomeUnknown
from sojourn.providers.base import AsyncProvider, Provider
from sojourn.record import Outcome, Record

T = TypeVar("T")
MOST = 64
"""The number of releases whose changes are stored together, unless another process writes first."""


class Stored(NamedTuple):
    """A combined update, and the outcome that the store answered."""

    together: Together
    outcome: Outcome
    left: Record | None
    """The record that is stored now, or None if that is not known."""


def is_waiting(conversation: Conversation[Any] | None, stored: Stored | None) -> bool:
    """Return whether the changes of a claimed release still have to be stored."""
    if conversation is None or not isinstance(conversation.call, Update):
        return False
    return stored is None or conversation not in stored.together.members


def fail_all(conversations: Iterable[Conversation[Any] | None], error: BaseException) -> None:
    """End the releases that still wait for the answer to an update with an error."""
    for conversation in conversations:
        if conversation is not None and isinstance(conversation.call, Update):
            conversation.fail(same_error(error))


class Runner:
    """Runs the generators of the lifecycle over a provider, one call after the other."""

    def __init__(self, provider: Provider, reader: Reader) -> None:
        self._provider = provider
        self._reader = reader
        self._turns = Turns()

    def run(self, steps: Generator[Call, Any, T]) -> T:
        """Carry the calls of a decision to the provider, and its answers back; return the result."""
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            if not isinstance(call, Update):
                answer = self._ask(call)
                continue
            # While others queue, this write would collide, or make theirs collide.  An update that
            # expects no values, such as a touch, cannot collide, so it does not wait.
            if call.changes.expect and self._turns.busy(call.record.id):
                return self._queue(Conversation(steps, call), call, None)
            answer = self._provider.update(call.record, call.changes)
            if isinstance(answer, Record):
                return self._queue(Conversation(steps, call), call, answer)

    def _queue(self, conversation: Conversation[T], call: Update, record: Record | None) -> T:
        """Queue up, and return the result once a leader, or this release itself, has stored it.

        record: the record that the store answered instead of an outcome, or None if the update has
            not been sent.
        """
        turn = self._turns.enter(call.record.id, PATIENCE, conversation)
        if turn is None:  # the time is up, and nothing was written
            raise crowded()
        if not turn.claimed:
            # The inherited record is newer: `record` is from before the wait.  Cancelling this
            # request must not interrupt the leader, which also stores the changes of others.
            undisturbed(self._lead, turn, conversation, turn.inherited or record)
        elif not turn.answered:
            raise OutcomeUnknown("the release that was to store these changes did not end in time")
        # Further calls, for instance of a sign-in that came late, do not compete for the record.
        while conversation.call is not None:
            conversation.reply(self._ask(conversation.call))
        return conversation.result()

    def _lead(self, turn: Turn, conversation: Conversation[Any], record: Record | None) -> None:
        """Store the changes of the leader with those of others that wait, and end its turn.

        An error of the store ends the claimed releases too; each raises it in its own request.
        """
        claimed = turn.followers
        stored: Stored | None = None
        try:
            record = record or self._first_answer(conversation)
            if record is not None:
                turn.claim(MOST)
                waiting = [conversation, *(one.conversation for one in claimed if one.conversation)]
                stored = self._store(record, turn, waiting)
        except BaseException as error:
            fail_all([conversation], error)
            # Of the others that were claimed, nothing was written.  They fail too if the store is at
            # fault, since each would wait for the same error.  If only the fate of what was sent is
            # in doubt, or this thread was interrupted, they go on by themselves.
            if isinstance(error, Exception) and not isinstance(error, OutcomeUnknown):
                fail_all((one.conversation for one in claimed), error)
            if not isinstance(error, Exception):
                raise
        finally:
            # In this order.  Those that still wait are put back before the next turn begins, since
            # they come first.
            rest = [one for one in claimed if is_waiting(one.conversation, stored)]
            turn.give_back(rest)
            # If other processes write too, a record handed on would probably be out of date.
            turn.leave(None if turn.beaten or stored is None else stored.left)
            # After the turn, since it calls `on_event`, which may release this session itself.
            if stored is not None:
                settle(stored.together, stored.outcome)
            # Last, since each release that wakes up takes its result from its conversation.
            for one in claimed:
                if one not in rest:
                    one.done()

    def _first_answer(self, conversation: Conversation[Any]) -> Record | None:
        """Send the leader's own update; return the stored record if it was not as expected."""
        call = conversation.call
        assert isinstance(call, Update)
        answer = self._provider.update(call.record, call.changes)
        if isinstance(answer, Record):
            return answer
        conversation.reply(answer)
        return None

    def _store(self, record: Record, turn: Turn, waiting: list[Conversation[Any]]) -> Stored | None:
        """Store the changes of the first of these releases and of those that can be combined.

        Return None if all that were tried have failed; the others are still waiting then.
        An error of the store ends those that were sent, and is raised.
        """
        # Each time another process writes first, half as many releases are combined: less work
        # leaves less time for another process, so that at last this one writes first.
        while (together := combined(record, waiting[: MOST >> turn.beaten or 1])) is not None:
            call = together.update
            try:
                answer = self._provider.update(call.record, call.changes)
                if isinstance(answer, Record) and (pause := turn.lose()):
                    sleep(pause)
                    # Others have probably written during the pause, so merging with the record
                    # from before it would be wasted.  Sending the same update again costs no more
                    # than a read: it returns the record that is stored now, or it is applied.
                    answer = self._provider.update(call.record, call.changes)
            except BaseException as error:
                fail_all(together.members, error)
                raise
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
        if isinstance(call, Find):
            found = self._provider.find(call.user, call.now)
            return {record.id for record in found}
        with suppress(CorruptRecord):  # a record that cannot be read counts as absent
            return self._reader.read(call.id)
        return None


class AsyncRunner:
    """Runs the generators of the lifecycle over a provider, one call after the other."""

    def __init__(self, provider: AsyncProvider, reader: AsyncReader) -> None:
        self._provider = provider
        self._reader = reader
        self._turns = AsyncTurns()

    async def run(self, steps: Generator[Call, Any, T]) -> T:
        """Carry the calls of a decision to the provider, and its answers back; return the result."""
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            if not isinstance(call, Update):
                answer = await self._ask(call)
                continue
            # While others queue, this write would collide, or make theirs collide.  An update that
            # expects no values, such as a touch, cannot collide, so it does not wait.
            if call.changes.expect and self._turns.busy(call.record.id):
                return await self._queue(Conversation(steps, call), call, None)
            answer = await self._provider.update(call.record, call.changes)
            if isinstance(answer, Record):
                return await self._queue(Conversation(steps, call), call, answer)

    async def _queue(self, conversation: Conversation[T], call: Update, record: Record | None) -> T:
        """Queue up, and return the result once a leader, or this release itself, has stored it.

        record: the record that the store answered instead of an outcome, or None if the update has
            not been sent.
        """
        turn = await self._turns.enter(call.record.id, PATIENCE, conversation)
        if turn is None:  # the time is up, and nothing was written
            raise crowded()
        if not turn.claimed:
            # The inherited record is newer: `record` is from before the wait.  Cancelling this
            # request must not interrupt the leader, which also stores the changes of others.
            await async_undisturbed(self._lead, turn, conversation, turn.inherited or record)
        elif not turn.answered:
            raise OutcomeUnknown("the release that was to store these changes did not end in time")
        # Further calls, for instance of a sign-in that came late, do not compete for the record.
        while conversation.call is not None:
            conversation.reply(await self._ask(conversation.call))
        return conversation.result()

    async def _lead(
        self, turn: Turn, conversation: Conversation[Any], record: Record | None
    ) -> None:
        """Store the changes of the leader with those of others that wait, and end its turn.

        An error of the store ends the claimed releases too; each raises it in its own request.
        """
        claimed = turn.followers
        stored: Stored | None = None
        try:
            record = record or await self._first_answer(conversation)
            if record is not None:
                turn.claim(MOST)
                waiting = [conversation, *(one.conversation for one in claimed if one.conversation)]
                stored = await self._store(record, turn, waiting)
        except BaseException as error:
            fail_all([conversation], error)
            # Of the others that were claimed, nothing was written.  They fail too if the store is at
            # fault, since each would wait for the same error.  If only the fate of what was sent is
            # in doubt, or this thread was interrupted, they go on by themselves.
            if isinstance(error, Exception) and not isinstance(error, OutcomeUnknown):
                fail_all((one.conversation for one in claimed), error)
            if not isinstance(error, Exception):
                raise
        finally:
            # In this order.  Those that still wait are put back before the next turn begins, since
            # they come first.
            rest = [one for one in claimed if is_waiting(one.conversation, stored)]
            turn.give_back(rest)
            # If other processes write too, a record handed on would probably be out of date.
            turn.leave(None if turn.beaten or stored is None else stored.left)
            # After the turn, since it calls `on_event`, which may release this session itself.
            if stored is not None:
                settle(stored.together, stored.outcome)
            # Last, since each release that wakes up takes its result from its conversation.
            for one in claimed:
                if one not in rest:
                    one.done()

    async def _first_answer(self, conversation: Conversation[Any]) -> Record | None:
        """Send the leader's own update; return the stored record if it was not as expected."""
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
        """Store the changes of the first of these releases and of those that can be combined.

        Return None if all that were tried have failed; the others are still waiting then.
        An error of the store ends those that were sent, and is raised.
        """
        # Each time another process writes first, half as many releases are combined: less work
        # leaves less time for another process, so that at last this one writes first.
        while (together := combined(record, waiting[: MOST >> turn.beaten or 1])) is not None:
            call = together.update
            try:
                answer = await self._provider.update(call.record, call.changes)
                if isinstance(answer, Record) and (pause := turn.lose()):
                    await async_sleep(pause)
                    # Others have probably written during the pause, so merging with the record
                    # from before it would be wasted.  Sending the same update again costs no more
                    # than a read: it returns the record that is stored now, or it is applied.
                    answer = await self._provider.update(call.record, call.changes)
            except BaseException as error:
                fail_all(together.members, error)
                raise
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
        if isinstance(call, Find):
            found = self._provider.find(call.user, call.now)
            return {record.id async for record in found}
        with suppress(CorruptRecord):  # a record that cannot be read counts as absent
            return await self._reader.read(call.id)
        return None
