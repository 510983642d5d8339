"""The mapping that an application sees: keys and values over a `Ledger`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Self

from sojourn._ledger import Applied, Ledger
from sojourn.codec import ATOMIC, Codec, decode_key, encode_key
from sojourn.errors import SessionReleased
from sojourn.record import Fields


class FieldMapping(Ledger, MutableMapping[Any, Any]):
    """Keys are str, bytes, int, UUID or tuples of these; values are what `Codec` keeps exactly."""

    __slots__ = ("_accessed", "_sealed")

    def __init__(self, codec: Codec, loaded: Fields) -> None:
        super().__init__(codec, loaded)
        self._accessed = False
        self._sealed = False

    @property
    def accessed(self) -> bool:
        """Whether this request looked at it: then the response depends on who asked."""
        return self._accessed

    # -- reading ---------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        """Return the value; raise KeyError if there is none, CorruptRecord if it is unreadable."""
        self._accessed = True
        name = encode_key(key)
        if name in self._values:
            return self._values[name]
        data = self._loaded.get(name)
        if data is None or name in self._dropped:
            raise KeyError(key)
        value = self._values[name] = self._decode(name, data)
        return value

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value, or `default` if there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key: object) -> bool:
        self._accessed = True
        return self._has(encode_key(key))

    def __iter__(self) -> Iterator[Any]:
        self._accessed = True
        for name in self._names():
            try:
                key = decode_key(name)
            except ValueError:
                continue  # no key that anyone could ask for
            yield key

    def __len__(self) -> int:
        self._accessed = True
        return len(self._names())

    # -- changing --------------------------------------------------------------------------

    def __setitem__(self, key: Any, value: Any) -> None:
        """Put a value; raise EncodeError, naming key and type, if it is of no known type.

        Where it is the very object that this session handed out, it was changed in place, and
        nothing else has to be said of it.
        """
        self._touch_to_change()
        name = encode_key(key)
        if type(value) in ATOMIC:
            self._assign(name, value, None)
            return
        data = self._encode(name, value)  # what is refused is refused where the traceback helps
        if self._values.get(name) is not value:
            self._assign(name, value, data)

    def __delitem__(self, key: Any) -> None:
        self._touch_to_change()
        name = encode_key(key)
        if not self._has(name):
            raise KeyError(key)
        self._values.pop(name, None)
        self._assigned.pop(name, None)
        self._begun.pop(name, None)
        self._applied.pop(name, None)
        if name in self._loaded:
            self._dropped.add(name)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return the value; if there is none, put `default`, to be changed in place.

        Of overlapping requests that begin the same key each keeps what it adds: it is as if the
        default had been there before, and each had changed it in place.
        """
        self._touch_to_change()
        name = encode_key(key)
        if self._has(name):
            return self[key]
        data = self._encode(name, default)
        if self._cleared or name in self._dropped:
            self._assign(name, default, data)
        else:
            self._begun[name] = data
            self._values[name] = default
        return default

    def clear(self) -> None:
        """Drop every field: those loaded, and those that others store before the release."""
        self._touch_to_change()
        self._forget()
        self._cleared = True

    def __ior__(self, other: Mapping[Any, Any]) -> Self:
        self.update(other)
        return self

    def apply(self, key: Any, function: Callable[[Any], Any], default: Any = None) -> Any:
        """Replace the value by `function(value)`, and return that; no overlapping one is lost.

        The function takes a copy of the value (of `default` if there is none) and runs at
        once.  It runs again at release only if somebody changed the value meanwhile, so it
        should do nothing but compute.  What it raises reaches the caller, and then nothing of
        the request is stored.
        """
        self._touch_to_change()
        name = encode_key(key)
        result = function(self._copy(name, self._current(name, default)))
        data = self._encode(name, result)
        if self._cleared or name in self._assigned or name in self._dropped:
            self._assign(name, result, data)
        else:
            applied = self._applied.get(name)
            if applied is None or self._encode(name, self._values[name]) != applied.result:
                applied = Applied(self._loaded.get(name), self._edit(name))
            applied.steps.append((function, default))
            applied.result = data
            self._applied[name] = applied
            self._values[name] = result
        return result

    def _current(self, name: bytes, default: Any) -> Any:
        if name in self._values:
            return self._values[name]
        if self._has(name):
            return self._decode(name, self._loaded[name])
        return default

    def _touch_to_change(self) -> None:
        if self._sealed:
            raise SessionReleased(
                "the session was already released: its response has begun, so this change "
                "could not be saved. Change the session before the first byte is sent, or "
                "use `manager.open_id(session.id)` afterwards"
            )
        self._accessed = True
