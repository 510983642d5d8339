"""The time of a request by phases; run it alone by `make bench ARGS="--phases"`.

Each phase is called separately with the results of the phases before it, and only its own call is
timed.  An indented phase is a part of the one above it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from bench.payloads import OPERATIONS, SIZES, differing, work
from bench.subject import Work, cookie_of
from bench.subjects import sojourn
from sojourn._calls import Update
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.serialization import pack, unpack, unpack_own
from sojourn.record import merge
from sojourn.session import state_of

SMALL, *LARGE = SIZES
SUBJECTS = {
    "memory": sojourn.Memory,
    "file": sojourn.File,
    "redis": sojourn.Redis,
    "mysql": sojourn.Mysql,
}
CASES = (
    *((store, operation, SMALL) for store in SUBJECTS for operation in OPERATIONS),
    *((store, "new", size) for store in ("memory", "redis") for size in LARGE),
)
"""The store, the kind of request and the size of the session; of large ones only the beginning."""
UNPACKS: dict[type, Callable[[str, bytes], Any]] = {
    MemoryProvider: unpack_own,
    FileProvider: unpack,
}
"""The stores whose records are frames, which must be unpacked."""


class Phase(NamedTuple):
    """A timed function and its arguments; `given` makes new ones for each call."""

    name: str
    given: Callable[[], Any]
    call: Callable[[Any], Any]


def report(folder: Path, times: int) -> str:
    """Return the phases of every kind of request, each with the median of so many calls.

    A large session is called a tenth as often, because each call leaves one in the store.
    """
    return "\n".join(_lines(folder, times))


def _lines(folder: Path, times: int) -> Iterator[str]:
    for number, (store, operation, size) in enumerate(CASES):
        place = folder / str(number)
        place.mkdir(parents=True)
        calls = times if size == SMALL else times // 10
        yield f"{store}, {operation}, {size}: microseconds"
        for phase in _phases(store, operation, size, place):
            yield f"  {phase.name:34}{_microseconds(phase, calls):9.2f}"


def _microseconds(phase: Phase, times: int) -> float:
    costs = []
    for _ in range(times):
        given = phase.given()
        begin = perf_counter()
        phase.call(given)
        costs.append(perf_counter() - begin)
    return statistics.median(costs) * 1e6


def _phases(store: str, operation: str, size: str, folder: Path) -> Iterator[Phase]:
    subject = SUBJECTS[store](folder)
    job = differing(size) if operation == "write" else work(size, operation)
    cookie = None
    if operation != "new":
        cookie = cookie_of(subject.serve(subject.request(None), work(size, "new")), None)
    request = subject.request(cookie)
    yield Phase("(the timer itself)", lambda: None, lambda _: None)
    yield Phase("all of it", lambda: request, lambda given: subject.once(given, job))
    yield Phase("manager.start", lambda: request, subject.manager.start)
    yield from _beginning(subject.manager, request)
    yield Phase("the work", lambda: subject.manager.start(request), job)
    yield from _end(subject.manager, lambda: _worked(subject.manager.start(request), job))
    subject.close()


def _worked(session: Any, job: Work) -> Any:
    job(session)
    return session


def _beginning(manager: Any, request: Any) -> Iterator[Phase]:
    life, provider = manager._life, manager._provider  # noqa: SLF001 - it takes them apart
    begin = life.openings
    arrival = begin.arrive(request, https=False)
    yield Phase("  arrive", lambda: request, lambda given: begin.arrive(given, https=False))
    if not arrival.tokens:
        return
    token = arrival.tokens[0]
    id = life.id_of(token)
    record = provider.read(id)
    yield Phase("  id_of", lambda: token, life.id_of)
    yield Phase("  provider.read", lambda: id, provider.read)
    if reads := UNPACKS.get(type(provider)):
        frame = pack(record)
        yield Phase("    unpack", lambda: frame, lambda given: reads(id, given))
    yield Phase("  find", lambda: record, lambda given: begin.find(token, id, given))


def _end(manager: Any, worked: Callable[[], Any]) -> Iterator[Phase]:
    life, provider = manager._life, manager._provider  # noqa: SLF001
    yield Phase("manager.release", worked, manager.release)
    yield Phase("  close", worked, life.close)
    if state_of(worked()).origin is not None:
        yield Phase("    delta", worked, lambda session: state_of(session).changes.delta())
    if not hasattr(life.close(worked()), "send"):
        return
    yield Phase("  the first step", lambda: life.close(worked()), lambda steps: steps.send(None))
    yield from _write(provider, lambda: life.close(worked()).send(None))
    yield Phase("  the last step", lambda: _asked(provider, life.close(worked())), _finish)


def _write(provider: Any, called: Callable[[], Any]) -> Iterator[Phase]:
    yield Phase("  provider.update or create", called, lambda call: _carry(provider, call))
    if type(provider) not in UNPACKS:
        return
    if isinstance(called(), Update):
        yield Phase("    merge", called, lambda call: merge(call.record, call.changes))
    yield Phase("    pack", called, lambda call: pack(call.record))


def _carry(provider: Any, call: Any) -> Any:
    if isinstance(call, Update):
        return provider.update(call.record, call.changes)
    return provider.create(call.record)


def _asked(provider: Any, steps: Any) -> tuple[Any, Any]:
    return steps, _carry(provider, steps.send(None))


def _finish(given: tuple[Any, Any]) -> None:
    steps, answer = given
    try:
        steps.send(answer)
    except StopIteration:
        return
