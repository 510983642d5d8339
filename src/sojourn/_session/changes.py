"""The change set of one request: the fields that were loaded, and how the request changed them.

Fields are loaded as bytes, and each is decoded when it is first read.  At release, only values that
were assigned or handed out are encoded again and compared with the loaded bytes.  So a change in
place is noticed without a call, and a value that was only read is not written.

The way in which a key was changed decides how the change is combined with a value that another
request stored in the meantime:

- assigned or dropped: the last release wins.  (Two first containers under one key are merged.)
- edited in place: a three-way merge of the loaded, the edited and the stored value.
- computed by steps (`setdefault`, `apply`, and edits between them): the steps run again.

Working out the difference changes no state, so it can be done at any time and repeatedly.  This
module does no I/O and is independent of users, ids and stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import dropwhile
from typing import Any, NamedTuple

from sojourn._merge import ABSENT, Comparer, reconcile
from sojourn.codec import ATOMIC, Codec, decode_key, shown
from sojourn.codec.msgpack import extended
from sojourn.errors import CorruptRecord, EncodeError
from sojourn.record import NO_FIELDS, Fields


class Delta(NamedTuple):
    """How a request changed the fields: the attributes of `Changes` of the same names, in order."""

    put: dict[bytes, bytes]
    drop: set[bytes]
    clear: bool
    expect: dict[bytes, bytes | None]


NOTHING = Delta({}, set(), clear=False, expect={})
"""The difference if the fields are unchanged: always this object."""


class Apply(NamedTuple):
    """A call of `apply`: the function, and the default if the key has no value."""

    function: Callable[[Any], Any]
    default: Any


class Edit(NamedTuple):
    """A change in place."""

    before: bytes
    after: bytes
    value: Any = ABSENT
    """The decoded form of `after`, if it is known without decoding."""


Step = Apply | Edit


class Steps:
    """The steps by which this request computed the value of a key; they can run on another value.

    `setdefault` is not a step: it keeps a value that another request stored, and changes that this
    request made to the default are an edit.
    """

    __slots__ = ("base", "result", "taken")

    def __init__(self, base: bytes | None) -> None:
        self.base = base
        """The stored value on which the first step ran; None if there was none."""
        self.taken: list[Step] = []
        self.result = b""
        """The value after the last step.  If the current value differs, it was edited since."""


class ChangeSet:
    """The fields of one session during one request.  A `name` is an encoded key."""

    __slots__ = ("_assigned", "_cleared", "_codec", "_dropped", "_loaded", "_steps", "_values")

    def __init__(self, codec: Codec, loaded: Fields) -> None:
        self._codec = codec
        self._loaded = loaded
        self._values: dict[bytes, Any] = {}
        """The values that were decoded or assigned: the only ones that can differ from the loaded."""
        self._assigned: dict[bytes, bytes | None] = {}
        """The names that were assigned, with the bytes of the value if it was encoded then."""
        self._dropped: set[bytes] = set()
        self._steps: dict[bytes, Steps] = {}
        self._cleared = False

    def over(self, below: ChangeSet) -> ChangeSet:
        """Take over the loaded fields of another change set, if this one only has assigned values."""
        self._loaded = below._loaded
        return self

    # -- reading -----------------------------------------------------------------------------

    def has(self, name: bytes) -> bool:
        """Whether there is a value under a name."""
        return name in self._values or (name in self._loaded and name not in self._dropped)

    def names(self) -> list[bytes]:
        """Return the names of all values."""
        names = [name for name in self._loaded if name not in self._dropped]
        names += [name for name in self._values if name not in self._loaded]
        return names

    @property
    def has_values(self) -> bool:
        """Whether a value was decoded or assigned."""
        return bool(self._values)

    def get(self, name: bytes) -> Any:
        """Return a value.  Raises KeyError if there is none, CorruptRecord if it does not decode."""
        if name in self._values:
            return self._values[name]
        data = self._loaded.get(name)
        if data is None or name in self._dropped:
            raise KeyError(name)
        value = self._values[name] = self._decode(name, data)
        return value

    def copy_of(self, name: bytes) -> Any:
        """Return a copy of a value that exists."""
        if name in self._values:
            return self._copy(name, self._values[name])
        return self._decode(name, self._loaded[name])

    # -- changing ----------------------------------------------------------------------------

    def put(self, name: bytes, value: Any) -> None:
        """Assign a value.  Raises EncodeError if it cannot be stored.

        Assigning the same object that was handed out counts as a change in place of it.
        """
        data = None
        if type(value) not in ATOMIC:
            # Refused here, where the traceback shows the assignment.
            data = self._encode(name, value)
            if self._values.get(name) is value:
                return
        # The body of `_assign`, inlined for speed.
        self._values[name] = value
        self._assigned[name] = data
        if self._dropped or self._steps:
            self._dropped.discard(name)
            self._steps.pop(name, None)

    def drop(self, name: bytes) -> None:
        """Delete a value that exists."""
        self._values.pop(name, None)
        self._assigned.pop(name, None)
        self._steps.pop(name, None)
        if name in self._loaded:
            self._dropped.add(name)

    def set_default(self, name: bytes, default: Any) -> None:
        """Put a default under a name that has no value."""
        data = self._encode(name, default)
        # After a deletion, the default replaces also a value that others store: an assignment.
        if self._cleared or name in self._dropped:
            self._assign(name, default, data)
        else:
            self._take(name, None, default, data)

    def apply(self, name: bytes, function: Callable[[Any], Any], default: Any) -> Any:
        """Replace a value by what a function returns for a copy of it; return that."""
        result = function(self._copy(name, self._current(name, default)))
        data = self._encode(name, result)
        # A function that ran on this request's own value gives another assignment of it.
        if self._cleared or name in self._assigned or name in self._dropped:
            self._assign(name, result, data)
        else:
            self._take(name, Apply(function, default), result, data)
        return result

    def clear(self) -> None:
        """Delete every value, also those that other requests store before this release."""
        self.forget()
        self._cleared = True

    def forget(self) -> None:
        """Go on as if nothing had been loaded or changed."""
        self._loaded = NO_FIELDS
        self._values = {}
        self._assigned.clear()
        self._dropped.clear()
        self._steps.clear()
        self._cleared = False

    def _assign(self, name: bytes, value: Any, data: bytes | None) -> None:
        self._values[name] = value
        self._assigned[name] = data
        self._dropped.discard(name)
        self._steps.pop(name, None)

    def _take(self, name: bytes, step: Apply | None, value: Any, data: bytes) -> None:
        """Note a step, or a default, that gave `value`; `data` is its encoded form."""
        edit = self._edit(name)
        steps = self._steps.get(name) or Steps(self._loaded.get(name))
        steps.taken += [it for it in (edit, step) if it is not None]
        steps.result = data
        self._steps[name] = steps
        self._values[name] = value

    def _current(self, name: bytes, default: Any) -> Any:
        if name in self._values:
            return self._values[name]
        if self.has(name):
            return self._decode(name, self._loaded[name])
        return default

    # -- the difference, for the release -----------------------------------------------------

    def delta(self) -> Delta:
        """Return what differs from the loaded fields.  Changes no state."""
        changed = self._assigned or self._dropped or self._steps or self._cleared
        # A value of an atomic type that was only read cannot have changed.
        if not changed and ATOMIC.issuperset(map(type, self._values.values())):
            return NOTHING
        delta = Delta({}, self._dropped, self._cleared, {})
        for name in self._dropped:
            delta.expect[name] = self._loaded[name]
        for name, value in self._values.items():
            if name in self._assigned:
                data = self._bytes_of(name, value)
                loaded = self._loaded.get(name)
                if data != loaded:
                    delta.put[name] = data
                    # After `clear` nothing is expected: it deletes the values of others as well.
                    if not self._cleared:
                        delta.expect[name] = loaded
            elif name in self._steps:
                self._put_computed(delta, name, self._encode(name, value), self._steps[name])
            elif type(value) not in ATOMIC and (edit := self._edit(name)) is not None:
                delta.put[name] = edit.after
                delta.expect[name] = edit.before
        return delta if delta.put or delta.drop or delta.expect or delta.clear else NOTHING

    def _put_computed(self, delta: Delta, name: bytes, data: bytes, steps: Steps) -> None:
        if data != steps.base:
            delta.put[name] = data
        elif data != steps.result:
            return  # edited back to the loaded value: no change
        # Also if a function returned the value that it got: given another one, it might not.
        delta.expect[name] = steps.base

    def _edit(self, name: bytes) -> Edit | None:
        """Return the change in place since the value was loaded, or since the last step."""
        if name not in self._values:
            return None
        steps = self._steps.get(name)
        before = self._loaded[name] if steps is None else steps.result
        after = self._encode(name, self._values[name])
        # An older release may have stored the same value in another form.
        if after == before or (
            steps is None and after == self._encode(name, self._decode(name, before))
        ):
            return None
        return Edit(before, after)

    # -- the difference, on top of changes by other requests ----------------------------------

    def rebase(self, delta: Delta, stored: Fields) -> tuple[Delta, bool]:
        """Return what to write on top of the fields `stored`, and whether a change was overruled.

        `delta` is always the difference from the loaded fields.  A key that was assigned or dropped
        is no longer expected once another request changed it: the last release wins.
        """
        again = Delta(dict(delta.put), set(delta.drop), delta.clear, {})
        overruled = False
        compare = Comparer(self._codec.mark)  # one limit on the work of all merges
        for name, seen in delta.expect.items():
            theirs = stored.get(name)
            if theirs == seen:
                again.expect[name] = seen
            elif name in self._dropped or (name in self._assigned and seen is not None):
                overruled |= theirs != delta.put.get(name)
            else:
                data = delta.put.get(name, seen)
                assert data is not None  # a computed value is never absent
                again.put[name], lost = self._replayed(name, data, theirs, compare)
                again.expect[name] = theirs
                overruled |= lost
        return again, overruled

    def _replayed(
        self, name: bytes, data: bytes, theirs: bytes | None, compare: Comparer
    ) -> tuple[bytes, bool]:
        """Return the value of a key, computed from the stored one, and whether one was overruled.

        data: the value in this request.
        """
        first = name in self._assigned  # both requests assigned a key that had no value
        taken = [] if first else self._taken(name, data)
        if theirs is not None and len(taken) == 1 and isinstance(edit := taken[0], Edit):
            both = extended(edit.before, edit.after, theirs)
            if both is not None:
                return both, False
        value = ABSENT if theirs is None else self._decode(name, theirs)
        if first:
            mine = self._in_hand(name)
            mine = self._decode(name, data) if mine is ABSENT else mine
            value, lost = reconcile(ABSENT, mine, value, compare)
            return self._encode(name, value), lost
        return self._retaken(name, taken, value, compare)

    def _taken(self, name: bytes, data: bytes) -> list[Step]:
        """Return the steps of a key up to `data`, with the edit after the last step."""
        steps = self._steps.get(name)
        if steps is None:
            return [Edit(self._loaded[name], data, self._in_hand(name))]
        if data == steps.result:
            return steps.taken
        return [*steps.taken, Edit(steps.result, data, self._in_hand(name))]

    def _in_hand(self, name: bytes) -> Any:
        """Return a value as it would be decoded; ABSENT if it may contain derived types."""
        return self._values[name] if self._codec.is_exact else ABSENT

    def _retaken(
        self, name: bytes, taken: Iterable[Step], value: Any, compare: Comparer
    ) -> tuple[bytes, bool]:
        """Run the steps of a key again, from `value` on."""
        overruled = False
        computed = False
        for step in taken:
            if isinstance(step, Edit):
                # A function may have returned types that are derived from the stored ones.
                if computed and not self._codec.is_exact:
                    value = self._copy(name, value)
                value, lost = self._edited(name, step, value, compare)
                overruled |= lost
            else:
                value = step.function(self._copy(name, step.default if value is ABSENT else value))
                computed = True
        return self._encode(name, value), overruled

    def _edited(self, name: bytes, edit: Edit, value: Any, compare: Comparer) -> tuple[Any, bool]:
        """Return another value with the same edit."""
        mine = self._decode(name, edit.after) if edit.value is ABSENT else edit.value
        if value is ABSENT:  # another request deleted it; the edit shows that it is still needed
            return mine, True
        return reconcile(self._decode(name, edit.before), mine, value, compare)

    def own(self) -> dict[bytes, bytes]:
        """Return the fields that this request itself put, for a session without the loaded ones."""
        if not self._loaded:
            encode, bytes_of = self._codec.encode, self._bytes_of
            return {
                name: encode(value) if type(value) in ATOMIC else bytes_of(name, value)
                for name, value in self._values.items()
            }
        own = {}
        for name, value in self._values.items():
            steps = self._steps.get(name)
            if steps is not None and steps.base is not None:
                taken = self._taken(name, self._encode(name, value))
                # Edits before the first function changed the loaded value, which is left out.
                began = dropwhile(lambda step: isinstance(step, Edit), taken)
                with suppress(Exception):  # the function may need the value of the old session
                    own[name], _ = self._retaken(name, began, ABSENT, Comparer(self._codec.mark))
            elif name in self._assigned or name not in self._loaded:
                own[name] = self._bytes_of(name, value)
        return own

    # -- values and bytes --------------------------------------------------------------------

    def _bytes_of(self, name: bytes, value: Any) -> bytes:
        """Return the encoded form of a value; the one from its assignment if it is unchanged."""
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
            raise EncodeError(f"session[{shown(decode_key(name))}]: {error}") from None

    def _decode(self, name: bytes, data: bytes) -> Any:
        try:
            return self._codec.decode(data)
        except ValueError as error:
            raise CorruptRecord(
                f"session[{shown(decode_key(name))}] cannot be read: {error}"
            ) from None

    def _copy(self, name: bytes, value: Any) -> Any:
        return value if type(value) in ATOMIC else self._decode(name, self._encode(name, value))
