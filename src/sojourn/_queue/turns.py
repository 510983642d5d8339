"""Queues for sessions on which releases collide: first come, first served.

Without a queue, a release that collides has to pause and try again, while newcomers that have just
read the session overtake it.  In a queue, it waits for its turn and makes no calls of the store.
The first in the queue, the leader, stores the changes of those behind it with its own (`claim`),
and leaves to the next one the record that is stored by then, as far as it is known.

A queue belongs to one process, and under asyncio to one event loop.  It exists only while a
release is in it.  Queues make access fair and avoid wasted work; they do not protect the data,
since the store does that.  So it is safe to go on without a turn, or to take one away.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sojourn._loops import running_loop
from sojourn._queue.combining import Conversation, can_go_along
from sojourn._tokens import random_fraction
from sojourn.record import Record

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

LONGEST_PAUSE = 0.008
"""The longest pause, in seconds, after another process wrote first."""
LONGEST_TURN = 10.0
"""Seconds after which a turn is overdue, and the queue goes on without it.

Its thread or task probably hangs, or has ended without leaving the queue.  If it is merely slow, as
with a long `timeout` of the store, nothing is lost: the store itself merges what collides."""


class Event:
    """Wakes one thread that waits.

    Unlike `threading.Event`, it can be set again if Ctrl-C interrupted the thread that was setting
    it.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()
        self._set = False

    def is_set(self) -> bool:
        """Return whether it was set."""
        return self._set

    def set(self) -> None:
        """Wake the thread, or let its next `wait` return at once."""
        # The flag comes last: if Ctrl-C strikes in between, the event does not count as set, and
        # the next step of the queue sets it again.
        if self._gate.locked():
            self._gate.release()
        self._set = True

    def wait(self, timeout: float) -> bool:
        """Wait for at most `timeout` seconds; return whether it was set."""
        # The flag may have been set between the end of the timeout and now.
        return self._gate.acquire(timeout=max(0.0, timeout)) or self._set


class AsyncEvent:
    """Wakes one task that waits."""

    def __init__(self) -> None:
        self._loop = running_loop()
        self._waiting: Future[None] | None = None
        self._set = False

    def is_set(self) -> bool:
        """Return whether it was set."""
        return self._set

    def set(self) -> None:
        """Wake the task, or let its next `wait` return at once."""
        self._set = True
        self._wake()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - as its twin
        """Wait for at most `timeout` seconds; return whether it was set."""
        if not self._set:
            self._waiting = self._loop.create_future()
            expiry = self._loop.call_later(timeout, self._wake)
            try:
                await self._waiting
            finally:
                expiry.cancel()
        return self._set

    def _wake(self) -> None:
        waiting = self._waiting
        # A future of a closed loop cannot be set: Python may finalize a coroutine after its loop.
        if waiting is not None and not waiting.done() and not self._loop.is_closed():
            waiting.set_result(None)


class Turn:
    """The place of one release in a queue, from `enter` until `leave`."""

    __slots__ = (
        "_called",
        "_queues",
        "_since",
        "answered",
        "beaten",
        "claimed",
        "conversation",
        "followers",
        "id",
        "inherited",
        "left",
        "loop",
    )

    def __init__(
        self,
        queues: _Queues,
        id: str,
        conversation: Conversation[Any] | None,
        called: Event | AsyncEvent,
    ) -> None:
        self.inherited: Record | None = None
        """The record that the previous leader left, or None if it did not know what is stored."""
        self.beaten = 0
        """How often another process wrote first during this turn."""
        self.conversation = conversation
        """The release itself; None if a leader cannot store its changes."""
        self.followers: list[Turn] = []
        """The releases that it has claimed, in their order.  The list belongs to the turn, so that
        none of them is lost if Ctrl-C interrupts `claim`."""
        self.claimed = False
        """Whether a leader is storing its changes."""
        self.answered = False
        """Whether the leader has finished with it: the conversation got its answer."""
        self.left = False
        """Whether it has left the queue for good."""
        self.id = id
        self.loop = queues.loop()
        self._queues = queues
        self._called = called
        self._since = 0.0

    def lose(self) -> float:
        """Count that another process wrote first; return the seconds to pause before the next try.

        The first time there is no pause.  Later ones keep several processes from wasting most of
        their work.  They are random, so that two processes fall out of step, and the more often
        this release has lost, the shorter they are, so that it does not lose for ever.
        """
        self.beaten += 1
        return 0.0 if self.beaten == 1 else random_fraction() * LONGEST_PAUSE / (self.beaten - 1)

    def claim(self, most: int) -> None:
        """Take the releases right behind this one out of the queue, to store their changes too.

        At most `most` of them are in `followers` then.  They wait until the leader calls `done` or
        gives them back.
        """
        self._queues.claim(self, most)

    def give_back(self, others: list[Turn]) -> None:
        """Put releases that were claimed back into the queue, right behind this one.

        A second call changes nothing.
        """
        try:
            self._queues.give_back(self, others)
        except BaseException:
            # As in `leave`.
            self._queues.give_back(self, others)
            raise

    def done(self) -> None:
        """Let this release go on, after the leader has answered its conversation."""
        # Set before the call, since the thread that wakes up looks at it.
        self.answered = True
        self._called.set()

    def leave(self, record: Record | None = None) -> None:
        """Leave the queue, and begin the turn of the next release if this was the first.

        record: the record that is stored by now, or None if this release does not know.  Its
            version must be the stored one or one that no write has: if it were guessed, and another
            process wrote a record with just that version, a store that swaps whole records would
            overwrite it.

        A second call changes nothing.
        """
        try:
            self._queues.remove(self, record)
        except BaseException:
            # Ctrl-C may strike in the middle.  The step is completed, since others wait for it.
            self._queues.remove(self, record)
            raise

    def begin(self, record: Record | None) -> None:
        """Begin the turn of this release, unless it has begun."""
        # The other attributes are set before the call, since the thread that wakes up looks at them.
        if not self._called.is_set():
            self.inherited = record
            self._since = time.monotonic()
            self._called.set()

    @property
    def is_overdue(self) -> bool:
        """Whether the turn began longer than `LONGEST_TURN` ago."""
        return self._called.is_set() and time.monotonic() - self._since > LONGEST_TURN


class _Queues:
    """The queues of one process, by the ids of their sessions and their event loops.

    If an exception interrupts `append` or `remove`, the step can be repeated, and the next step
    completes it: each begins the turn of the first in the queue if that has not begun.  The lock is
    reentrant, since a signal handler or a finalizer may release a session in the middle of a step.
    """

    def __init__(self, loop: Callable[[], AbstractEventLoop | None]) -> None:
        self.pid = os.getpid()
        self.loop = loop
        self.by_id: dict[str, dict[AbstractEventLoop | None, deque[Turn]]] = {}
        self._lock = threading.RLock()

    def append(self, turn: Turn) -> None:
        """Put a release at the end of its queue."""
        with self._lock:
            queues = self.by_id.setdefault(turn.id, {})
            # The tasks of a closed loop never run again, so its queues are dropped.
            for loop in list(queues):
                if loop is not None and loop.is_closed():
                    del queues[loop]
            queue = queues.setdefault(turn.loop, deque())
            queue.append(turn)
            # Newcomers do this, since those that wait cannot: they sleep until they are woken.
            if queue[0].is_overdue:
                queue.popleft()
            queue[0].begin(None)

    def claim(self, turn: Turn, most: int) -> None:
        """Take the releases right behind the first out of the queue, up to one that has to wait."""
        with self._lock:
            queue = self.by_id.get(turn.id, {}).get(turn.loop, deque())
            while len(queue) > 1 and queue[0] is turn and len(turn.followers) < most:
                following = queue[1]
                # The order is kept: nothing behind a release that cannot be combined overtakes it.
                if following.conversation is None or not can_go_along(following.conversation):
                    break
                # First into the list, from where `give_back` takes it if Ctrl-C strikes here.
                turn.followers.append(following)
                following.claimed = True
                del queue[1]

    def give_back(self, turn: Turn, others: list[Turn]) -> None:
        """Put claimed releases back into the queue, behind the first and in their order.

        Those that have left in the meantime, because they were cancelled or their time is up, are
        not put back, since no thread or task would end their turns.  They go on without a turn, and
        so do all of them if the first has lost its own turn by now.
        """
        with self._lock:
            queue = self.by_id.get(turn.id, {}).get(turn.loop, deque())
            is_first = bool(queue) and queue[0] is turn
            # Ctrl-C may have interrupted this or `claim`, so some of them may be in the queue.
            away = [other for other in others if other not in queue]
            back = [other for other in away if is_first and not other.left]
            if is_first:
                queue.popleft()
                queue.extendleft((*reversed(back), turn))
            # `claimed` is reset before the call, since the thread that wakes up looks at it.
            for other in others:
                other.claimed = False
                if other in away and other not in back:
                    other.begin(None)

    def remove(self, turn: Turn, record: Record | None) -> None:
        """Take a release out of its queue, and begin the turn of the one that is first now."""
        # In the child of a fork these are the parent's queues.  Another thread may have held the
        # lock at the fork, and does not exist here, so the lock would never be released.
        if self.pid != os.getpid():
            return
        with self._lock:
            turn.left = True
            queues = self.by_id.get(turn.id, {})
            queue = queues.get(turn.loop, deque())
            if turn in queue:
                queue.remove(turn)
            # If the release was not the first, this does nothing, since that turn has begun.
            if queue:
                queue[0].begin(record)
                return
            queues.pop(turn.loop, None)
            if not queues:
                self.by_id.pop(turn.id, None)


class _Turns:
    """The part of the queues that is the same for threads and tasks."""

    def __init__(self) -> None:
        self._queues = _Queues(self._loop)
        self._by_id = self._queues.by_id

    def busy(self, id: str) -> bool:
        """Return whether releases of this session are in a queue."""
        # This runs before each write that can collide, and hardly any session has a queue.  So the
        # first test is one look-up, without the lock.
        return id in self._by_id and self._has_queue(id)

    def _has_queue(self, id: str) -> bool:
        queues = self._queues
        return queues.pid == os.getpid() and self._loop() in queues.by_id.get(id, {})

    def _own(self) -> _Queues:
        """Return the queues of this process; the child of a fork begins with empty ones."""
        if self._queues.pid != os.getpid():
            self._queues = _Queues(self._loop)
            self._by_id = self._queues.by_id
        return self._queues

    def _loop(self) -> AbstractEventLoop | None:
        return None


class Turns(_Turns):
    """The queues of a manager that is used by threads."""

    def enter(
        self, id: str, timeout: float, conversation: Conversation[Any] | None = None
    ) -> Turn | None:
        """Enter the queue of a session, and wait until the releases before this one have left it.

        Return the turn, which the caller must end with `leave` in any case.  If it is `claimed`, a
        leader has answered the conversation, unless `answered` is False: then it did not end in time.
        Return None after `timeout` seconds; the release has left the queue then.
        """
        queues, called = self._own(), Event()
        turn = Turn(queues, id, conversation, called)
        try:
            queues.append(turn)
            if called.wait(timeout):
                return turn
            # It leaves before it looks at `claimed`, since only a release that is still in
            # the queue can be claimed: afterwards the answer is final.  If
            # its turn began just now, it passes on the record that it inherited.
            turn.leave(turn.inherited)
            # The leader has a time limit of its own, and may be storing the changes right now.
            if turn.claimed:
                called.wait(LONGEST_TURN)
                return turn
        except BaseException:
            turn.leave(turn.inherited)
            raise
        return None


class AsyncTurns(_Turns):
    """The queues of a manager that is used by tasks."""

    async def enter(
        self,
        id: str,
        timeout: float,  # noqa: ASYNC109 - as its twin
        conversation: Conversation[Any] | None = None,
    ) -> Turn | None:
        """Enter the queue of a session, and wait until the releases before this one have left it.

        Return the turn, which the caller must end with `leave` in any case.  If it is `claimed`, a
        leader has answered the conversation, unless `answered` is False: then it did not end in time.
        Return None after `timeout` seconds; the release has left the queue then.
        """
        queues, called = self._own(), AsyncEvent()
        turn = Turn(queues, id, conversation, called)
        try:
            queues.append(turn)
            if await called.wait(timeout):
                return turn
            # It leaves before it looks at `claimed`, since only a release that is still in
            # the queue can be claimed: afterwards the answer is final.  If
            # its turn began just now, it passes on the record that it inherited.
            turn.leave(turn.inherited)
            # The leader has a time limit of its own, and may be storing the changes right now.
            if turn.claimed:
                await called.wait(LONGEST_TURN)
                return turn
        except BaseException:
            turn.leave(turn.inherited)
            raise
        return None

    def _loop(self) -> AbstractEventLoop | None:
        return running_loop()
