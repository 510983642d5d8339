"""Contract tests for authors of providers, and helpers for the tests of applications.

A provider is a class that stores session records.  To test your own, inherit the contract:

    from sojourn.testing import ProviderContract

    class TestOwn(ProviderContract):
        def make(self):
            return OwnProvider(self.folder / "sessions.db")

No more is needed: pytest collects about a hundred tests from the class.  Each one proves one of
the fourteen laws, the promises that sessions rely on.  `AsyncProviderContract` runs the same tests
under an `AsyncManager`, over an async or a sync provider.  Both need pytest, but no plugin.

The helpers need no pytest: `signed_in` and `async_signed_in` create a signed-in visitor,
`FakeClock` controls the time, `Trips` and `AsyncTrips` record the calls to a store.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sojourn.testing._signed_in import SignedIn as SignedIn
from sojourn.testing._signed_in import async_signed_in as async_signed_in
from sojourn.testing._signed_in import signed_in as signed_in
from sojourn.testing._tools import AsyncTrips as AsyncTrips
from sojourn.testing._tools import FakeClock as FakeClock
from sojourn.testing._tools import Trip as Trip
from sojourn.testing._tools import Trips as Trips

if TYPE_CHECKING:
    from sojourn.testing._contract import AsyncProviderContract as AsyncProviderContract
    from sojourn.testing._contract import ProviderContract as ProviderContract

# pytest rewrites `assert` for better failure messages only in test files and registered packages.
# Registration must come before these modules are imported.
if (pytest := sys.modules.get("pytest")) is not None:  # tests of applications may run without it
    pytest.register_assert_rewrite(f"{__name__}.laws")


def __getattr__(name: str) -> Any:
    """Import the contract on first use, so that the helpers work without pytest."""
    if name not in ("AsyncProviderContract", "ProviderContract"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sojourn.testing import _contract  # noqa: PLC0415

    return getattr(_contract, name)
