"""Queues for sessions on which releases collide: the release that came first goes first.

Without a queue, a release that collides has to pause and try again, while newcomers that have just
read the session overtake it.  With one, it waits for its turn and asks the store nothing meanwhile.
The release whose turn it is takes those that wait along (`claim`), or the next one inherits the
record that it knows to be stored.

A queue belongs to one process, and under asyncio to one event loop.  It exists only while a
release is in it.  Queues make access fair and keep releases from colliding; they do not protect
the data, since the store does that.  So it is safe to go on without a turn, or to take one away.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from typing import Any

from sojourn._combining import Conversation, can_go_along
from sojourn._loops import running_loop
from sojourn._tokens import random_fraction
from sojourn.record import Record

LONGEST_PAUSE = 0.008
"""Seconds that a release pauses at most after it lost against other processes."""
LONGEST_TURN = 10.0
"""Seconds after which a turn counts as lost: no release takes that long."""


class Event:
    """Wakes one thread that waits.

    Unlike `threading.Event`, it can be set again where Ctrl-C met the thread that was setting it.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()
        self._set = False

    def is_set(self) -> bool:
        """Return whether it was set."""
        return self._set

    def set(self) -> None:
        """Let the thread go on."""
        if self._gate.locked():
            self._gate.release()
        self._set = True

    def wait(self, timeout: float) -> bool:
        """Wait for at most `timeout` seconds; return whether it was set."""
        return self._gate.acquire(timeout=max(0.0, timeout)) or self._set


class AsyncEvent:
    """Wakes one task that waits."""

    def __init__(self) -> None:
        self._loop = running_loop()
        self._waiting: asyncio.Future[None] | None = None
        self._set = False

    def is_set(self) -> bool:
        """Return whether it was set."""
        return self._set

    def set(self) -> None:
        """Let the task go on."""
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
        if waiting is not None and not waiting.done() and not self._loop.is_closed():
            waiting.set_result(None)


class Turn:
    """The place of one release in a queue, from `enter` until `leave`."""

    __slots__ = (
        "_called",
        "_queues",
        "_since",
        "claimed",
        "conversation",
        "id",
        "inherited",
        "left",
        "loop",
        "lost",
        "taken",
    )

    def __init__(
        self,
        queues: _Queues,
        id: str,
        conversation: Conversation[Any] | None,
        called: Event | AsyncEvent,
    ) -> None:
        self.inherited: Record | None = None
        """The record that the release before this one left, or None if it did not know."""
        self.lost = 0
        """How often another process was faster during this turn."""
        self.conversation = conversation
        """The release itself; None if no other one can take it along."""
        self.claimed = False
        """Whether another release takes this one along."""
        self.taken = False
        """Whether it has: the conversation got its answer."""
        self.left = False
        """Whether it has given up its place."""
        self.id = id
        self.loop = queues.loop()
        self._queues = queues
        self._called = called
        self._since = 0.0

    def lose(self) -> float:
        """Note that another process was faster; return the seconds to pause before the next try.

        Without pauses most of the work of several processes would be in vain.  They are random,
        so that two processes fall out of step, and shorter the more often this release has lost,
        so that it does not lose for ever.
        """
        self.lost += 1
        return 0.0 if self.lost == 1 else random_fraction() * LONGEST_PAUSE / (self.lost - 1)

    def claim(self, most: int) -> list[Turn]:
        """Take along those right behind this one that can go along; return them in their order.

        most: how many at most.

        They have left the queue then, and wait until they are told that they are `done`.
        """
        return self._queues.claim(self, most)

    def give_back(self, others: list[Turn]) -> None:
        """Put releases that were taken along back to where they were, right behind this one."""
        self._queues.give_back(self, others)

    def done(self) -> None:
        """Let a release go on that another one has taken along."""
        self.taken = True
        self._called.set()

    def leave(self, record: Record | None = None) -> None:
        """Give up the place, and begin the turn of the next release if this was the first.

        record: what is stored by now as far as this release knows, or None if it does not know.
            Its version must be the one in the store or one that no write has: a store that swaps
            whole records would overwrite what another has written under a version guessed right.

        A second call changes nothing.
        """
        try:
            self._queues.remove(self, record)
        except BaseException:  # Ctrl-C may come in the middle, and others wait
            self._queues.remove(self, record)
            raise

    def begin(self, record: Record | None) -> None:
        """Let the release go on, unless it was told so before."""
        if not self._called.is_set():
            self.inherited = record
            self._since = time.monotonic()
            self._called.set()

    @property
    def is_lost(self) -> bool:
        """Whether the turn began so long ago that nobody can be expected to end it."""
        return self._called.is_set() and time.monotonic() - self._since > LONGEST_TURN


class _Queues:
    """The queues of one process, by the ids of their sessions and their event loops.

    A step that an exception interrupts can be repeated, and the next step completes it: each
    begins the turn of the first in the queue if that has not begun.  The lock is reentrant, since
    a signal handler or a finalizer may release a session in the middle of a step.
    """

    def __init__(self, loop: Callable[[], AbstractEventLoop | None]) -> None:
        self.pid = os.getpid()
        self.loop = loop
        self.by_id: dict[str, dict[AbstractEventLoop | None, deque[Turn]]] = {}
        self._lock = threading.RLock()

    def append(self, turn: Turn) -> None:
        """Put a release behind those that came before, and drop what ended loops have left."""
        with self._lock:
            queues = self.by_id.setdefault(turn.id, {})
            for loop in list(queues):
                if loop is not None and loop.is_closed():
                    del queues[loop]
            queue = queues.setdefault(turn.loop, deque())
            queue.append(turn)
            if queue[0].is_lost:
                queue.popleft()
            queue[0].begin(None)

    def claim(self, turn: Turn, most: int) -> list[Turn]:
        """Take out of the queue those right behind the first that can go along with it."""
        claimed: list[Turn] = []
        with self._lock:
            queue = self.by_id.get(turn.id, {}).get(turn.loop, deque())
            while len(queue) > 1 and queue[0] is turn and len(claimed) < most:
                following = queue[1]
                if following.conversation is None or not can_go_along(following.conversation):
                    break
                following.claimed = True
                claimed.append(following)
                del queue[1]
        return claimed

    def give_back(self, turn: Turn, others: list[Turn]) -> None:
        """Put claimed releases back into the queue, behind the first and in their order.

        Not those that have left meanwhile, since they were cancelled or their time is up: nobody
        would end their turns.  They go on without a turn, and so do all of them if the turn was
        taken from the first.
        """
        with self._lock:
            queue = self.by_id.get(turn.id, {}).get(turn.loop, deque())
            is_first = bool(queue) and queue[0] is turn
            back = [other for other in others if is_first and not other.left]
            if is_first:
                queue.popleft()
                queue.extendleft((*reversed(back), turn))
            for other in others:
                other.claimed = False
                if other not in back:
                    other.begin(None)

    def remove(self, turn: Turn, record: Record | None) -> None:
        """Take a release out of its queue, wherever it is, and see to the first of the others."""
        if self.pid != os.getpid():  # in the child of a fork, where nobody would free the lock
            return
        with self._lock:
            turn.left = True
            queues = self.by_id.get(turn.id, {})
            queue = queues.get(turn.loop, deque())
            if turn in queue:
                queue.remove(turn)
            if queue:
                queue[0].begin(record)
                return
            queues.pop(turn.loop, None)
            if not queues:
                self.by_id.pop(turn.id, None)


class _Turns:
    """What is the same for threads and for tasks."""

    def __init__(self) -> None:
        self._queues = _Queues(self._loop)
        self._by_id = self._queues.by_id

    def busy(self, id: str) -> bool:
        """Return whether releases of this session are queueing."""
        return id in self._by_id and self._has_queue(id)

    def _has_queue(self, id: str) -> bool:
        queues = self._queues
        return queues.pid == os.getpid() and self._loop() in queues.by_id.get(id, {})

    def _own(self) -> _Queues:
        """Return the queues of this process.  The child of a fork begins without any."""
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
        """Wait until the releases of this session that entered before have left.

        Return the turn, which the caller has to `leave` whatever happens.  It may be `claimed`
        by another release; then there is nothing to do any more.  After `timeout` seconds return
        None; then the release has no place in the queue any more.
        """
        queues, called = self._own(), Event()
        turn = Turn(queues, id, conversation, called)
        try:
            queues.append(turn)
            if called.wait(timeout):
                return turn
            turn.leave(turn.inherited)
            if turn.claimed:  # the release that takes it along has a time limit of its own
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
        """Wait until the releases of this session that entered before have left.

        Return the turn, which the caller has to `leave` whatever happens.  It may be `claimed`
        by another release; then there is nothing to do any more.  After `timeout` seconds return
        None; then the release has no place in the queue any more.
        """
        queues, called = self._own(), AsyncEvent()
        turn = Turn(queues, id, conversation, called)
        try:
            queues.append(turn)
            if await called.wait(timeout):
                return turn
            turn.leave(turn.inherited)
            if turn.claimed:  # the release that takes it along has a time limit of its own
                await called.wait(LONGEST_TURN)
                return turn
        except BaseException:
            turn.leave(turn.inherited)
            raise
        return None

    def _loop(self) -> AbstractEventLoop | None:
        return running_loop()
