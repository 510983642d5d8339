"""Fault injection for providers derived from `CompareAndSwapProvider` or `AsyncCompareAndSwapProvider`."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from sojourn.errors import OutcomeUnknown, StoreUnavailable
from sojourn.providers.compare_and_swap import AsyncCompareAndSwapProvider, CompareAndSwapProvider
from sojourn.providers.threads import Adapted

METHODS = ("read", "read_nowait", "create", "swap")


def interrupted_whole_records(provider: Any, step: int, *, done: bool) -> Callable[[], bool] | None:
    """Make call number `step` of the provider's store methods fail, counted from 0.

    With `done` the method is carried out first, and then OutcomeUnknown is raised; without it the
    method is not run, and StoreUnavailable is raised.  Returns a function that removes the fault
    and returns whether it occurred, or None if the provider is not derived from `CompareAndSwapProvider`.
    """
    # Under an AsyncManager a sync provider is wrapped to run in threads.  The fault is injected
    # into the provider, not into the wrapper.
    if isinstance(provider, Adapted):
        provider = provider.provider
    if not isinstance(provider, CompareAndSwapProvider | AsyncCompareAndSwapProvider):
        return None
    fault = Fault(step, done=done)
    names = [name for name in METHODS if hasattr(provider, name)]
    for name in names:
        setattr(provider, name, fault.before(getattr(provider, name)))

    def take_back() -> bool:
        """Restore the methods, and return whether the fault occurred."""
        for name in names:
            # The faulty functions are instance attributes; deleting them uncovers the methods of
            # the class.
            delattr(provider, name)
        return fault.left < 0

    return take_back


class Fault:
    """A counter shared by several functions: the call with number `step` fails."""

    def __init__(self, step: int, *, done: bool) -> None:
        self.left = step
        self.done = done

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` with this fault injected, as sync or async as it was."""

        async def call_async(*args: Any) -> Any:
            fails = self._fails()
            result = await function(*args) if self.done or not fails else None
            return self._answer(result, fails=fails)

        def call(*args: Any) -> Any:
            fails = self._fails()
            result = function(*args) if self.done or not fails else None
            return self._answer(result, fails=fails)

        return call_async if iscoroutinefunction(function) else call

    def _fails(self) -> bool:
        """Count this call, and return whether it is the one that fails."""
        self.left -= 1
        return self.left == -1

    def _answer(self, result: Any, *, fails: bool) -> Any:
        """Return the result of a call, or raise the error of the fault."""
        if not fails:
            return result
        if self.done:
            raise OutcomeUnknown("the answer was lost, for a test")
        raise StoreUnavailable("refused, for a test")
