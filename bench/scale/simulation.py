"""A simulation of a small site on a real Redis, to check the model.

The clock of the manager is set from request to request, so a simulated hour takes as long as its
requests take.  Redis deletes by its own clock, so here `gc` deletes what expires.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from math import floor
from typing import Any

from bench.scale.cluster import mixed
from bench.scale.figures import Figures, between, stored
from bench.scale.load import Site, load
from bench.scale.operations import SIZES, payload_of, traffic
from bench.subject import HEADERS, cookie_of
from bench.tables import table
from sojourn import Manager
from sojourn.providers.redis import RedisProvider
from sojourn.testing import FakeClock
from tests.servers.redis import Redis

NAMES = {
    "sessions": "live sessions",
    "memory": "bytes of memory",
    "reads": "reads",
    "scripts": "scripts, other than sweeps",
    "touches": "touches among them",
    "expired": "records that expired",
    "in": "bytes to Redis",
    "out": "bytes from Redis",
    "cpu": "processor time of Redis, µs",
}
SWEPT_EVERY = 300.0
"""Seconds between two sweeps."""


@dataclass(order=True)
class Visit:
    """A visit of one visitor; visits are ordered by the time of the next request."""

    at: float
    number: int
    left: int = field(compare=False)
    """The requests that are still to come."""
    user: str | None = field(default=None, compare=False)
    """The user who signs in at the second request; None once that is done."""
    cookie: str | None = field(default=None, compare=False)


class Simulation:
    """A site, its visitors, and what they did."""

    def __init__(self, site: Site, redis: Redis) -> None:
        self._site = site
        self._redis = redis
        self._random = random.Random(1)
        self._numbers = count()
        # In the future, so that Redis deletes nothing that was created a lifetime ago.
        self._clock = FakeClock(FakeClock().now + 2 * site.lifetime)
        self._manager: Any = Manager(
            RedisProvider(redis.url()),
            clock=self._clock,
            max_lifetime=site.lifetime,
            touch_interval=site.touch_interval,
        )
        self._payload = payload_of(next(size for size in SIZES if _bytes(size) == site.payload))
        self._visits = list[Visit]()
        self.done = Counter[str]()

    def fill(self) -> None:
        """Create the sessions of all visitors who came within the last lifetime."""
        begin, site = self._clock.now, self._site
        rates = load(site).rates
        longest = site.requests / rates["create"] * site.gap * 2
        for arrived in self._arrivals(begin - site.lifetime - longest, begin):
            visit, seen = self._arrived(arrived), arrived
            while visit.left and visit.at < begin:
                if visit.at - seen >= site.touch_interval:
                    seen = visit.at
                self._next(visit)
            if seen + site.lifetime > begin:
                self._create(visit, seen)
        self._clock.now = begin

    def run(self, seconds: float) -> None:
        """Serve all requests of so many simulated seconds."""
        begin = self._clock.now
        arrivals, swept = self._arrivals(begin, begin + seconds), begin
        for arrived in arrivals:
            heapq.heappush(self._visits, self._arrived(arrived))
        while self._visits and self._visits[0].at < begin + seconds:
            visit = heapq.heappop(self._visits)
            self._clock.now = visit.at
            if visit.at - swept >= SWEPT_EVERY:
                self._sweep()
                swept = visit.at
            self._serve(visit)
            self._next(visit)
            if visit.left:
                heapq.heappush(self._visits, visit)
        self._sweep()

    def count(self) -> int:
        """Return the number of live sessions."""
        live: int = self._manager.active_count()
        return live

    def close(self) -> None:
        """Close the connections."""
        self._manager.close()

    def _arrivals(self, begin: float, end: float) -> Iterator[float]:
        rate, at = load(self._site).rates["create"], begin
        while (at := at + self._random.expovariate(rate)) < end:
            yield at

    def _arrived(self, at: float) -> Visit:
        mean = self._site.requests / load(self._site).rates["create"]
        requests = floor(mean) + (self._random.random() < mean % 1)
        signs_in = self._random.random() < self._site.signed_in
        number = next(self._numbers)
        return Visit(at, number, requests, f"user{number:08}" if signs_in else None)

    def _next(self, visit: Visit) -> None:
        visit.left -= 1
        visit.at += self._random.expovariate(1 / self._site.gap)

    def _create(self, visit: Visit, seen: float) -> None:
        """Create a session that was last seen at this time, and go on with its visit."""
        self._clock.now = seen
        session = self._manager.start(HEADERS)
        session.update(self._payload)
        if visit.user is not None:
            session.login(visit.user)
            visit.user = None
        visit.cookie = cookie_of(self._manager.release(session), None)
        if visit.left:
            heapq.heappush(self._visits, visit)

    def _serve(self, visit: Visit) -> None:
        headers = HEADERS if visit.cookie is None else {**HEADERS, "Cookie": visit.cookie}
        session = self._manager.start(headers)
        self._act(session, visit)
        release = self._manager.release(session)
        self.done[release.outcome.value] += 1
        visit.cookie = cookie_of(release, visit.cookie)

    def _act(self, session: Any, visit: Visit) -> None:
        if visit.cookie is None:
            session.update(self._payload)
        elif visit.user is not None:
            session.login(visit.user)
            visit.user = None
        elif self._random.random() < self._site.writing:
            session["key 00"] = f"{self._random.getrandbits(104):026x}"
        else:
            session.get("key 01")

    def _sweep(self) -> None:
        scripts = self._redis.commands()["evalsha"]
        self.done["swept"] += self._manager.gc()
        self.done["sweeps"] += self._redis.commands()["evalsha"] - scripts


def _bytes(size: str) -> float:
    return stored("redis")[list(SIZES).index(size)]["payload"]


def compared(
    site: Site, seconds: float, say: Callable[[str], None]
) -> dict[str, tuple[float, float]]:
    """Simulate so many seconds of a site; return what the model predicts and what was found."""
    with Redis() as redis:
        empty = _counters(redis)
        simulation = Simulation(site, redis)
        say(f"{site.sessions:,.0f} sessions come into being")
        simulation.fill()
        filled = _counters(redis)
        say(f"{seconds:,.0f} seconds of {site.requests:,g} requests each")
        simulation.run(seconds)
        after = _counters(redis)
        found = {name: after[name] - filled[name] for name in after}
        found["memory"] = after["memory"] - empty["memory"]
        found["scripts"] -= simulation.done["sweeps"]
        found["sessions"] = simulation.count()
        found["touches"] = simulation.done["touched"]
        found["expired"] = simulation.done["swept"]
        simulation.close()
    predicted = _predicted(site, seconds, between(*stored("redis"), site.payload))
    return {name: (value, found[name]) for name, value in predicted.items()}


def _predicted(site: Site, seconds: float, costs: Figures) -> dict[str, float]:
    rates = load(replace(site, lists=0.0))
    each = {name: rate * seconds for name, rate in rates.rates.items()}
    return {
        "sessions": site.sessions,
        "memory": site.sessions * mixed(site, costs, ""),
        "reads": each["read"],
        "scripts": rates.changes * seconds,
        "touches": each["touch"],
        "expired": each["sweep"],
        "in": rates.total(costs, "in") * seconds,
        "out": rates.total(costs, "out") * seconds,
        "cpu": rates.total(costs, "cpu") * seconds,
    }


def _counters(redis: Redis) -> dict[str, float]:
    commands, used = redis.commands(), redis.cli("INFO", "cpu")
    return {
        "memory": redis.cli("INFO", "memory")["used_memory"],
        "reads": commands["hgetall"],
        "scripts": commands["evalsha"],
        "cpu": (used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]) * 1e6,
        **traffic(redis.port),
    }


def report(site: Site, seconds: float, say: Callable[[str], None]) -> str:
    """Return the table of predicted and measured figures."""
    rows = [
        [NAMES[name], f"{predicted:,.0f}", f"{found:,.0f}", f"{found / predicted - 1:+.1%}"]
        for name, (predicted, found) in compared(site, seconds, say).items()
    ]
    return table(["", "predicted", "measured", "deviation"], rows)
