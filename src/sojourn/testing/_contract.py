"""The contract classes: all laws combined, in a sync and an async version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

from sojourn.manager import AsyncManager, Manager
from sojourn.providers.base import Provider
from sojourn.providers.threads import as_async
from sojourn.testing._bridge import Blocking, Bridge, OnThread
from sojourn.testing._tools import AsyncTrips
from sojourn.testing.laws.applies import Applies
from sojourn.testing.laws.assignments import Assignments
from sojourn.testing.laws.costs import Costs
from sojourn.testing.laws.endings import Endings, Jobs, LateUses
from sojourn.testing.laws.faults import Corruption, Outages, Releases
from sojourn.testing.laws.histories import Histories
from sojourn.testing.laws.lifetimes import Lifetimes, Touches
from sojourn.testing.laws.lists import Lists
from sojourn.testing.laws.moves import Moves, Times
from sojourn.testing.laws.overlaps import Overlaps
from sojourn.testing.laws.renewals import Renewals, Secrets
from sojourn.testing.laws.traces import Limits, Traces
from sojourn.testing.laws.values import ChangesInPlace, Values
from sojourn.testing.laws.verbs import Verbs


class ProviderContract(
    Verbs, Times, Moves, Lists,
    Costs, Traces, Limits, Values, ChangesInPlace, Assignments, Overlaps, Applies, Endings, LateUses, Jobs,
    Renewals, Secrets, Lifetimes, Touches, Outages, Corruption, Releases,
    Histories,
):  # fmt: skip
    """All contract tests for a provider that runs under a `Manager`.

    Inherit from it in a class whose name begins with `Test`, and define `make()`.

    make(): return the provider, connected to an empty store.  `self.folder` is an empty folder
        (a `Path`) that the store may use.

    The other hooks are optional.  Tests that need a missing hook are skipped, and the skip
    reason names the hook.

    again(): return a second provider connected to the store that `make` opened, as another
        process would have.
    break_store(): make that store unavailable.  No later step of the test needs it to work.
    fail_at(step, *, done): make the provider's call number `step` to its store fail; the next
        call is number 0.  With `done` the store carries out the call, and only its answer is lost.  Return a
        function that removes the fault and returns whether the fault occurred.
    corrupt(id, field=None): make the record stored under `id` unreadable, or, if `field` (an
        encoded key) is given, only the value of that field.
    """


class AsyncProviderContract(ProviderContract):
    """All contract tests for a provider that runs under an `AsyncManager`.

    `make` may return an async provider or a sync one.  The hooks may be coroutine functions.  All
    of them are called on the event loop that runs the provider.
    """

    @contextmanager
    def bridged(self) -> Iterator[None]:
        """Run one event loop for the duration of a test."""
        with asyncio.Runner() as runner:
            self._bridge = Bridge(runner)
            yield

    def call(self, hook: Callable[..., Any], *args: Any) -> Any:
        """Call a hook on the event loop and return its result."""
        return self._bridge.call(hook, *args)

    def opened(self, made: Any) -> tuple[Provider, AsyncTrips]:
        """Return a blocking interface to the provider, and the call log to give to a manager."""
        provider = as_async(made)
        # The tests use the blocking wrapper; the manager gets the async provider itself, so that
        # the async code paths of the library are the ones under test.
        return cast("Provider", Blocking(provider, self._bridge)), AsyncTrips(provider)

    @contextmanager
    def simulated(self) -> Iterator[Provider]:
        """Yield the blocking interface to the provider on a thread, which can run its event loop."""
        with ThreadPoolExecutor(1) as executor:
            yield cast("Provider", OnThread(self.store, executor))

    def managed(self, **settings: Any) -> Manager:
        """Return another manager over the same store, wrapped so that its methods block."""
        assert isinstance(self.trips, AsyncTrips)
        manager = AsyncManager(self.trips, clock=self.clock, on_event=self.note, **settings)
        return cast("Manager", Blocking(manager, self._bridge))
