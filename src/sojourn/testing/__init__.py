"""The contract of a provider, as tests to inherit; and what tests of sessions need.

    from sojourn.testing import ProviderContract

    class TestOwn(ProviderContract):
        def make(self):
            return OwnProvider(self.folder / "sessions.db")

That is all: pytest finds some hundred tests in the class, one for each thing that a session
library promises on top of a provider.  `AsyncProviderContract` runs the same ones under an
`AsyncManager`, over an async provider or a sync one.  It needs pytest, and no plugin.
"""

from __future__ import annotations

import pytest

LAWS = "verbs moves lists costs traces values overlaps applies endings renewals lifetimes faults"
pytest.register_assert_rewrite(*(f"{__name__}._{part}" for part in LAWS.split()))

from sojourn.testing._contract import AsyncProviderContract as AsyncProviderContract  # noqa: E402
from sojourn.testing._contract import ProviderContract as ProviderContract  # noqa: E402
from sojourn.testing._tools import AsyncTrips as AsyncTrips  # noqa: E402
from sojourn.testing._tools import FakeClock as FakeClock  # noqa: E402
from sojourn.testing._tools import Trip as Trip  # noqa: E402
from sojourn.testing._tools import Trips as Trips  # noqa: E402
