"""Writing what several releases of one session have to write together, in one call of the store.

Where many requests change one session at once, each write makes all others start again, so with
several processes most of the work would be in vain.  Instead, the release whose turn it is takes
the others that wait in its process along: each works out its changes on the record that the one
before it would leave, and all of it is one update.  Either all of it is stored or nothing.

Nothing here does I/O.  A release is a generator that yields calls of the store; a `Conversation`
is one that waits for the answer to its call, so that another release can give it.
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
"""Seconds that one release works out what others wait for, before it stores all of it.

Meanwhile the event loop stands still; and the longer it takes, the more likely another process is
faster, so that it was in vain.
"""


class Conversation(Generic[T]):
    """A release under way: the call whose answer it waits for, or its result.

    Another release may go on with it, in another task or thread.  So it runs in the context
    variables of its own request, of which functions given to `apply` may make use.
    """

    __slots__ = ("_context", "_error", "_result", "_steps", "call")

    def __init__(self, steps: Generator[Call, Any, T], call: Call) -> None:
        self._steps = steps
        self._context = copy_context()
        self._result: T | None = None
        self._error: BaseException | None = None
        self.call: Call | None = call
        """None once it has ended."""

    def reply(self, answer: Any) -> None:
        """Give the answer to the call, and go on to the next call or to the end."""
        try:
            self.call = self._context.run(self._steps.send, answer)
        except StopIteration as end:
            self.call, self._result = None, end.value
        except BaseException as error:  # noqa: BLE001 - it belongs to the request, which raises it
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        self.call, self._error = None, error
        self._steps.close()

    def result(self) -> T:
        """Return what the release came to; raise the error if it failed."""
        if self._error is not None:
            raise self._error
        return cast("T", self._result)


class Together(NamedTuple):
    """One update for several releases."""

    members: list[Conversation[Any]]
    """Whose changes it holds.  The others have failed, or have to be written by themselves."""
    update: Update
    left: Record | None
    """The record as it is after the update, with a version that no store has."""


def can_go_along(conversation: Conversation[Any]) -> bool:
    """Whether the changes of a release can be one with those of others.

    A new id and a lifetime that was set cannot: what others change beside them depends on them.
    Nor can `clear`, which drops what is stored when it is applied, whatever that is.
    """
    if not isinstance(conversation.call, Update):
        return False
    changes = conversation.call.changes
    return changes.move is None and changes.persistent is None and not changes.clear


def combined(record: Record, waiting: Sequence[Conversation[Any]]) -> Together | None:
    """Return one update of `record` for as many of these releases as can go along.

    Each works out its changes anew on the record that those before it leave.  It takes no more of
    them than it can work out in `SLICE` seconds.  None if all failed.
    """
    current = record
    members: list[Conversation[Any]] = []
    calls: list[Update] = []
    until = time.monotonic() + SLICE
    for conversation in waiting:
        if members and time.monotonic() > until:
            break
        conversation.reply(current)
        call = conversation.call
        if not isinstance(call, Update):
            continue  # it failed, for instance since its time is up
        merged = merge(current, call.changes)
        plain = isinstance(merged, Merged) and merged.record is not None
        if members and not (plain and can_go_along(conversation)):
            break
        members.append(conversation)
        calls.append(call)
        if not (plain and can_go_along(conversation)):
            return Together(members, call, None)
        # a version that no store has: for this record may never be stored
        current = cast("Record", cast("Merged", merged).record)._replace(version=-1)
    if not members:
        return None
    update = calls[0] if len(calls) == 1 else Update(record, _sum(record, current, calls))
    return Together(members, update, current)


def _sum(record: Record, result: Record, calls: Sequence[Update]) -> Changes:
    """Return the changes that make `result` of `record`, and that need it as it is."""
    every = [call.changes for call in calls]
    keys = {key for it in every for key in (*it.put, *it.drop, *it.expect)}
    before, after = record.fields, result.fields
    times = [
        changes.expires
        for changes in every
        if changes.expires is not None and changes.lifetime == record.lifetime
    ]
    return Changes(
        max(changes.now for changes in every),
        max(times, default=None),
        {key: after[key] for key in keys if key in after and after[key] != before.get(key)},
        [key for key in keys if key not in after and key in before],
        expect={key: before.get(key) for key in keys},
        lifetime=record.lifetime,
    )


def settle(together: Together, outcome: Outcome) -> None:
    """Tell all members what became of their update.

    Where nothing was left, the last of them has emptied the session.
    """
    for conversation in together.members[:-1]:
        conversation.reply(Outcome.APPLIED if outcome is Outcome.EMPTIED else outcome)
    together.members[-1].reply(outcome)
