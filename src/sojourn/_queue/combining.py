"""Combines the changes of several releases of one session into one update of the store.

If many requests change one session at once, each write makes all others start again, so most of
their work would be wasted.  Instead, one release, the leader, stores the changes of those that wait
in its process together with its own.  Each computes its changes on the record that the one before
it would leave, and the sum is one update, of which the store applies all or nothing.

Nothing here does I/O.  A release is a generator that yields calls of the store; a `Conversation`
wraps one that waits for an answer, so that the leader can supply it.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextvars import copy_context
from typing import Any, Generic, NamedTuple, TypeVar, cast

from sojourn._calls import Call, Update
from sojourn.record import Changes, Merged, Outcome, Record, merge

T = TypeVar("T")
SLICE = 0.001
"""Seconds for which a leader combines changes before it stores them.

That time blocks the event loop, and the longer it is, the more likely another process writes first
and makes the work useless.
"""


class Conversation(Generic[T]):
    """A release under way: the call whose answer it waits for, or its result.

    The leader may resume it in another task or thread.  So it always runs with the context
    variables of its own request, which functions given to `apply` may read.
    """

    __slots__ = ("_context", "_error", "_result", "_steps", "call")

    def __init__(self, steps: Generator[Call, Any, T], call: Call) -> None:
        self._steps = steps
        self._context = copy_context()
        self._result: T | None = None
        self._error: BaseException | None = None
        self.call: Call | None = call
        """The call that waits for its answer; None once the release has ended."""

    def reply(self, answer: Any) -> None:
        """Supply the answer to the call, and run the release up to its next call or its end.

        An error of the release is kept for its own request, and does not reach the caller.
        """
        try:
            self.call = self._context.run(self._steps.send, answer)
        except StopIteration as end:
            self.call, self._result = None, end.value
        except BaseException as error:  # noqa: BLE001 - it belongs to the request, which raises it
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End the release with an error, which `result` raises."""
        self.call, self._error = None, error
        self._steps.close()

    def result(self) -> T:
        """Return the result of the release, or raise the error with which it ended."""
        if self._error is not None:
            raise self._error
        return cast("T", self._result)


class Together(NamedTuple):
    """One update for several releases."""

    members: list[Conversation[Any]]
    """The releases whose changes it contains.  Others have failed or are still waiting."""
    update: Update
    left: Record | None
    """The record after the update, with a version that no store has; None if that is not known."""


def can_go_along(conversation: Conversation[Any]) -> bool:
    """Return whether the changes of a release can be combined with those of others.

    A move and a new lifetime cannot: they change the id, or the meaning of the expiry, for all
    changes that follow.  Nor can `clear`: it deletes every field that is stored at that moment, but
    a sum of changes only names fields that are known before.
    """
    if not isinstance(conversation.call, Update):
        return False
    changes = conversation.call.changes
    return changes.move is None and changes.persistent is None and not changes.clear


def combined(record: Record, waiting: Sequence[Conversation[Any]]) -> Together | None:
    """Return one update of `record` for as many of these releases as can be combined, in order.

    Each recomputes its changes on the record that those before it would leave.  Combining stops
    after `SLICE` seconds, but includes at least one release.  None if all of them failed.
    """
    current = record
    members: list[Conversation[Any]] = []
    calls: list[Update] = []
    until = time.monotonic() + SLICE
    for conversation in waiting:
        if members and time.monotonic() > until:
            break
        # For the release this answer means: the stored record is not as expected, but this one.  It
        # merges its changes with that record, and yields another update.
        conversation.reply(current)
        call = conversation.call
        if not isinstance(call, Update):
            continue  # it failed, for instance because its time is up
        merged = merge(current, call.changes)
        plain = isinstance(merged, Merged) and merged.record is not None
        # A release that would find the session gone or leave it empty, or that cannot be combined,
        # is written by itself: now if it is the first, and otherwise in a later update, for which
        # it computes its changes again.
        if members and not (plain and can_go_along(conversation)):
            break
        members.append(conversation)
        calls.append(call)
        if not (plain and can_go_along(conversation)):
            return Together(members, call, None)
        # This record may never be stored.  With a version that no store has, it cannot be mistaken
        # for the stored one.
        current = cast("Record", cast("Merged", merged).record)._replace(version=-1)
    if not members:
        return None
    update = calls[0] if len(calls) == 1 else Update(record, _sum(record, current, calls))
    return Together(members, update, current)


def _sum(record: Record, result: Record, calls: Sequence[Update]) -> Changes:
    """Return the changes that turn `record` into `result`, if no other write changed their keys."""
    every = [call.changes for call in calls]
    keys = {key for it in every for key in (*it.put, *it.drop, *it.expect)}
    before, after = record.fields, result.fields
    # As in `merge`, a release that does not know the lifetime in force does not move the times.
    times = [
        changes.expires
        for changes in every
        if changes.expires is not None and changes.lifetime == record.lifetime
    ]
    return Changes(
        max(changes.now for changes in every),
        max(times, default=None),
        # The net effect: what one release put and a later one dropped again is not written.
        {key: after[key] for key in keys if key in after and after[key] != before.get(key)},
        [key for key in keys if key not in after and key in before],
        # All of these keys, also those that a release assigned without expecting a value: the
        # order among the releases was decided on exactly these values.
        expect={key: before.get(key) for key in keys},
        lifetime=record.lifetime,
    )


def settle(together: Together, outcome: Outcome) -> None:
    """Answer all members of a combined update with its outcome."""
    # If the update emptied the session, that counts as the effect of its last member: those before
    # it have left fields, and only one release is to report the end.
    for conversation in together.members[:-1]:
        conversation.reply(Outcome.APPLIED if outcome is Outcome.EMPTIED else outcome)
    together.members[-1].reply(outcome)
