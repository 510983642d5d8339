"""Overlapping requests of one session: all of them load it before any of them saves it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bench.asgi import Asgi
from bench.subject import Answer, Subject

PATIENCE = 20.0
"""Seconds after which requests that wait for each other are abandoned."""


class Visit(NamedTuple):
    """A request whose work has two halves, between which other requests are served."""

    cookie: str | None
    load: Callable[[Any], Any]
    change: Callable[[Any, Any], None]
    """The second half; it takes the session and the result of `load`."""


def overlap(
    subject: Subject, visits: Sequence[Visit], between: Callable[[Any], Any] | None = None
) -> list[Answer | Exception]:
    """Serve the visits concurrently.

    When all of them have loaded the session, the request `between` is served completely, with the
    cookie of the first visit; then the visits continue.
    """
    if isinstance(subject, Asgi):
        return subject.loop.run(_tasks(subject, visits, between))
    return _threads(subject, visits, between)


def _threads(
    subject: Subject, visits: Sequence[Visit], between: Callable[[Any], Any] | None
) -> list[Answer | Exception]:
    loaded, go = (threading.Barrier(len(visits) + 1, timeout=PATIENCE) for _ in range(2))
    answers: list[Answer | Exception] = [Answer(0, [])] * len(visits)

    def run(number: int, visit: Visit) -> None:
        has_loaded = False

        def meet() -> None:
            nonlocal has_loaded
            has_loaded = True
            loaded.wait()
            go.wait()

        def work(session: Any) -> bool:
            seen = visit.load(session)
            meet()
            visit.change(session, seen)
            return True

        try:
            answers[number] = subject.serve(subject.request(visit.cookie), work)
        except Exception as error:  # noqa: BLE001 - a request that fails is a result
            answers[number] = error
            if not has_loaded:  # the others wait for it
                meet()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(visits)]
    for thread in threads:
        thread.start()
    loaded.wait()
    if between is not None:
        subject.serve(subject.request(visits[0].cookie), between)
    go.wait()
    for thread in threads:
        thread.join()
    return answers


async def _tasks(
    subject: Asgi, visits: Sequence[Visit], between: Callable[[Any], Any] | None
) -> list[Answer | Exception]:
    loaded, go = (asyncio.Barrier(len(visits) + 1) for _ in range(2))

    async def run(visit: Visit) -> Answer | Exception:
        async def work(session: Any) -> None:
            seen = visit.load(session)
            await loaded.wait()
            await go.wait()
            visit.change(session, seen)

        try:
            return await subject.answer(subject.request(visit.cookie), work)
        except Exception as error:  # noqa: BLE001 - a request that fails is a result
            return error

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(visit)) for visit in visits]
        await loaded.wait()
        if between is not None:
            await subject.answer(subject.request(visits[0].cookie), between)
        await go.wait()
    return [task.result() for task in tasks]
