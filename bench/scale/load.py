"""The operations per second that a site asks of its store.

Sessions come at an even rate.  Each is active for a visit, in which a request follows the one
before after `gap` seconds on average, at random.  After the visit it lies idle for its lifetime and
expires.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.scale.figures import Figures


def setting(default: float, meaning: str) -> Any:
    """Return a field of a dataclass which the command line can set."""
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Site:
    """The sessions of a site and its traffic."""

    sessions: float = setting(100e6, "live sessions")
    signed_in: float = setting(0.3, "the share of them with a user")
    payload: float = setting(200, "bytes of a session's data, as JSON")
    requests: float = setting(50e3, "requests with a session per second, at the busiest time")
    writing: float = setting(0.2, "the share of requests that change the session")
    gap: float = setting(30, "mean seconds between two requests of a visitor")
    lifetime: float = setting(86_400, "max_lifetime, in seconds")
    touch_interval: float = setting(60, "touch_interval, in seconds")
    lists: float = setting(10, "searches for the sessions of a user, per second")


@dataclass(frozen=True)
class Load:
    """Operations per second, named as in `OPERATIONS`."""

    rates: dict[str, float]

    @property
    def expiring(self) -> float:
        """The sessions that expire in a second: as many as begin."""
        return self.rates["create"]

    @property
    def unswept(self) -> Load:
        """The same without the sweep."""
        return Load({**self.rates, "sweep": 0.0})

    @property
    def changes(self) -> float:
        """The operations in a second that change the store on behalf of a request."""
        return sum(self.rates[name] for name in ("write", "renew", "touch", "create", "sign in"))

    def total(self, costs: Figures, kind: str) -> float:
        """Return the sum over all operations of the rate times a figure, such as `cpu`."""
        return sum(rate * costs[f"{name} {kind}"] for name, rate in self.rates.items())


def load(site: Site) -> Load:
    """Return the operations per second; raise ValueError if the numbers contradict each other."""
    active = site.requests * site.gap
    if active >= site.sessions:
        raise ValueError(
            f"{site.requests:,.0f} requests a second, {site.gap:g} seconds apart, "
            f"are those of {active:,.0f} visitors at a time: more than there are sessions"
        )
    # As many sessions begin as expire.  Those that are idle stay for one lifetime each.
    begun = (site.sessions - active) / site.lifetime
    # The first request of a visit creates the session, all others read it.
    reads = site.requests - begun
    # After the times have moved, the next request after `touch_interval` moves them again, and
    # comes a gap later on average.
    due = site.gap / (site.gap + site.touch_interval)
    # Of the requests that follow the first, one may sign in; the others change the session or not.
    signing = begun * site.signed_in
    others = reads - signing
    writes = others * site.writing
    return Load(
        {
            "read": reads,
            "write": writes * (1 - due),
            "renew": writes * due,
            "touch": (others - writes) * due,
            "create": begun,
            "sign in": signing,
            "sweep": begun + signing,  # a sign-in leaves a tombstone
            "list": site.lists,
        }
    )
