"""The laws put together, and the two colours in which they are run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from sojourn.manager import AsyncManager, Manager
from sojourn.providers.base import Provider
from sojourn.providers.threads import as_async
from sojourn.testing._applies import Applies
from sojourn.testing._bridge import Blocking, Bridge
from sojourn.testing._costs import Costs
from sojourn.testing._endings import Endings, Jobs
from sojourn.testing._faults import Corruption, Outages, Releases
from sojourn.testing._lifetimes import Lifetimes, Touches
from sojourn.testing._lists import Lists
from sojourn.testing._moves import Moves, Times
from sojourn.testing._overlaps import Overlaps
from sojourn.testing._renewals import Renewals, Secrets
from sojourn.testing._tools import AsyncTrips
from sojourn.testing._traces import Limits, Traces
from sojourn.testing._values import ChangesInPlace, Values
from sojourn.testing._verbs import Verbs


class ProviderContract(
    Verbs, Times, Moves, Lists,
    Costs, Traces, Limits, Values, ChangesInPlace, Overlaps, Applies, Endings, Jobs,
    Renewals, Secrets, Lifetimes, Touches, Outages, Corruption, Releases,
):  # fmt: skip
    """Inherit it in a class whose name begins with `Test`, and give `make()`.

    make(): return the provider over an empty store.  `self.folder` is an empty folder.

    The rest can be left out; then the tests that need it are skipped, with its name as the reason.

    again(): return a second provider over the store that `make` opened.
    break_store(): make that store unavailable.  No test uses it afterwards.
    corrupt(id, field=None): make the record under `id` unreadable, or one field of it.
    """


class AsyncProviderContract(ProviderContract):
    """The same for an `AsyncManager`: `make` may return an async provider or a sync one.

    The hooks may be coroutines; all of them are called on the event loop that runs the provider.
    """

    @contextmanager
    def bridged(self) -> Iterator[None]:
        """Have one event loop for each test."""
        with asyncio.Runner() as runner:
            self._bridge = Bridge(runner)
            yield

    def call(self, hook: Callable[..., Any], *args: Any) -> Any:
        """Call a hook on the event loop."""
        return self._bridge.call(hook, *args)

    def opened(self, made: Any) -> tuple[Provider, AsyncTrips]:
        """Return the sync interface of a provider, and what a manager shall use of it."""
        provider = as_async(made)
        return cast("Provider", Blocking(provider, self._bridge)), AsyncTrips(provider)

    def managed(self, **settings: Any) -> Manager:
        """Return one more manager over the same store."""
        assert isinstance(self.trips, AsyncTrips)
        manager = AsyncManager(self.trips, clock=self.clock, on_event=self.note, **settings)
        return cast("Manager", Blocking(manager, self._bridge))
