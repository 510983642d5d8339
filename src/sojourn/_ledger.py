"""What was loaded, what is in hand, and what a release has to say of the difference.

The fields come as bytes and are decoded one by one, when first asked for.  At release only what
was assigned or handed out is encoded again and compared with the bytes that were loaded, so
that an in-place change counts with nothing said, and a value only read is no change.

A changed key is one of four things, and each says what it does to a value that somebody else
stored meanwhile: assigned or dropped (the last one wins), edited in place (a three-way merge),
begun by `setdefault` (an edit of the default), or applied (the functions run again).  Nothing
here does I/O or knows whose data it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sojourn._reconcile import reconcile
from sojourn.codec import ATOMIC, Codec, decode_key
from sojourn.errors import CorruptRecord, EncodeError
from sojourn.record import NO_FIELDS, Fields

ABSENT: Any = object()
"""Stands for "no value under this key" where None is a value."""


class Delta(NamedTuple):
    """What a request did to the fields, ready for `Changes`."""

    put: dict[bytes, bytes]
    drop: set[bytes]
    expect: dict[bytes, bytes | None]
    clear: bool

    @property
    def is_empty(self) -> bool:
        """Whether a release has nothing to say about the fields."""
        return not (self.put or self.drop or self.expect or self.clear)


NOTHING = Delta({}, set(), {}, clear=False)


class Applied:
    """The functions applied to one key in order, and what they made of the value they saw."""

    __slots__ = ("base", "edited", "result", "steps")

    def __init__(self, base: bytes | None, edited: bytes | None) -> None:
        self.base = base
        """What was stored when they ran."""
        self.edited = edited
        """What they started from, if it had been changed in place before."""
        self.steps: list[tuple[Callable[[Any], Any], Any]] = []
        self.result: bytes = b""


class Ledger:
    """The fields of one request, by their encoded names."""

    __slots__ = (
        "_applied",
        "_assigned",
        "_begun",
        "_cleared",
        "_codec",
        "_dropped",
        "_loaded",
        "_values",
    )

    def __init__(self, codec: Codec, loaded: Fields) -> None:
        self._codec = codec
        self._loaded = loaded
        self._values: dict[bytes, Any] = {}
        self._assigned: dict[bytes, bytes | None] = {}  # with what it was encoded to, if it was
        self._begun: dict[bytes, bytes] = {}
        self._dropped: set[bytes] = set()
        self._applied: dict[bytes, Applied] = {}
        self._cleared = False

    # -- what is in hand ---------------------------------------------------------------------

    def _has(self, name: bytes) -> bool:
        return name in self._values or (name in self._loaded and name not in self._dropped)

    def _names(self) -> list[bytes]:
        names = [name for name in self._loaded if name not in self._dropped]
        names += [name for name in self._values if name not in self._loaded]
        return names

    def _assign(self, name: bytes, value: Any, data: bytes | None) -> None:
        self._values[name] = value
        self._assigned[name] = data
        if self._dropped or self._begun or self._applied:
            self._dropped.discard(name)
            self._begun.pop(name, None)
            self._applied.pop(name, None)

    def _forget(self) -> None:
        """Go on as if nothing had been loaded or done."""
        self._loaded = NO_FIELDS
        self._values = {}
        self._assigned.clear()
        self._begun.clear()
        self._dropped.clear()
        self._applied.clear()
        self._cleared = False

    # -- what a release has to say -----------------------------------------------------------

    def _delta(self) -> Delta:
        """What changed, measured against what was loaded."""
        if self._is_unchanged():
            return NOTHING
        delta = Delta({}, self._dropped, {}, self._cleared)
        for name in self._dropped:
            delta.expect[name] = self._loaded[name]
        for name, value in self._values.items():
            if name in self._assigned:
                self._put_assigned(delta, name, self._bytes_of(name, value))
            elif name in self._applied:
                self._put_applied(delta, name, self._encode(name, value))
            elif name in self._begun or type(value) not in ATOMIC:
                edited = self._edit(name)
                if edited is not None:
                    delta.put[name] = edited
                    delta.expect[name] = self._loaded.get(name)
        return delta

    def _is_unchanged(self) -> bool:
        """Nothing was done, and nothing handed out that could change in place."""
        done = self._assigned or self._dropped or self._begun or self._applied or self._cleared
        return not done and ATOMIC.issuperset(map(type, self._values.values()))

    def _put_assigned(self, delta: Delta, name: bytes, data: bytes) -> None:
        loaded = self._loaded.get(name)
        if data == loaded:
            return
        delta.put[name] = data
        if not self._cleared:
            delta.expect[name] = loaded

    def _put_applied(self, delta: Delta, name: bytes, data: bytes) -> None:
        applied = self._applied[name]
        if data != applied.result:  # changed in place after the last function: an edit
            del self._applied[name]
            if data == applied.base:
                return
        delta.expect[name] = applied.base
        if data != applied.base:
            delta.put[name] = data

    def _edit(self, name: bytes) -> bytes | None:
        """The bytes of a value that was changed in place or begun, None if it was not."""
        if name in self._begun:
            return self._encode(name, self._values[name])
        loaded = self._loaded.get(name)
        if loaded is None or name not in self._values:
            return None
        data = self._encode(name, self._values[name])
        if data == loaded or data == self._encode(name, self._decode(name, loaded)):
            return None  # the same, or the same value in an older form
        return data

    def _rebase(self, delta: Delta, stored: Fields) -> tuple[Delta, bool]:
        """What to write now that `stored` stands, and whether something was overruled.

        `delta` is always the one measured against what was loaded.  A key that was assigned
        or dropped is not expected any more once somebody changed it: the last one wins.
        """
        again = Delta(dict(delta.put), set(delta.drop), {}, delta.clear)
        overruled = False
        for name, seen in delta.expect.items():
            theirs = stored.get(name)
            if theirs == seen:
                again.expect[name] = seen
            elif name in self._assigned or name in self._dropped:
                overruled |= theirs != delta.put.get(name)
            else:
                data, lost = self._replay(name, theirs)
                overruled |= lost
                again.put[name] = data
                again.expect[name] = theirs
        return again, overruled

    def _replay(self, name: bytes, theirs: bytes | None) -> tuple[bytes, bool]:
        """The value of an edited or applied key, worked out on what is stored."""
        applied = self._applied.get(name)
        if applied is None:
            value, lost = self._merged(name, self._values[name], theirs)
            return self._encode(name, value), lost
        value, lost = ABSENT if theirs is None else self._decode(name, theirs), False
        if applied.edited is not None:
            value, lost = self._merged(name, self._decode(name, applied.edited), theirs)
        return self._run(name, applied, value), lost

    def _merged(self, name: bytes, mine: Any, theirs: bytes | None) -> tuple[Any, bool]:
        base = self._begun.get(name, self._loaded.get(name))
        if base is None or theirs is None:
            return mine, True
        before, stored = self._decode(name, base), self._decode(name, theirs)
        return reconcile(before, mine, stored, self._codec.mark)

    def _run(self, name: bytes, applied: Applied, value: Any) -> bytes:
        for function, default in applied.steps:
            value = function(self._copy(name, default if value is ABSENT else value))
        return self._encode(name, value)

    def _own(self) -> dict[bytes, bytes]:
        """What this request itself put, for a session without what was loaded."""
        if not self._loaded:
            return {name: self._bytes_of(name, value) for name, value in self._values.items()}
        own = {}
        for name, value in self._values.items():
            applied = self._applied.get(name)
            if applied is not None and applied.base is not None:
                own[name] = self._run(name, applied, ABSENT)
            elif name in self._assigned or name not in self._loaded:
                own[name] = self._bytes_of(name, value)
        return own

    # -- values and bytes --------------------------------------------------------------------

    def _bytes_of(self, name: bytes, value: Any) -> bytes:
        """The bytes of a value in hand: those it was assigned with, if it is the same."""
        if type(value) in ATOMIC:
            return self._codec.encode(value)
        data = self._assigned.get(name)
        if data is None or not self._codec.is_still(value, data):
            data = self._encode(name, value)
        return data

    def _encode(self, name: bytes, value: Any) -> bytes:
        try:
            return self._codec.encode(value)
        except EncodeError as error:
            raise EncodeError(f"session[{decode_key(name)!r}]: {error}") from None

    def _decode(self, name: bytes, data: bytes) -> Any:
        try:
            return self._codec.decode(data)
        except ValueError as error:
            raise CorruptRecord(f"session[{decode_key(name)!r}] cannot be read: {error}") from None

    def _copy(self, name: bytes, value: Any) -> Any:
        return value if type(value) in ATOMIC else self._decode(name, self._encode(name, value))
