"""The mapping part of a session: its keys and values, over the change set of the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, NoReturn, Self, TypeVar, get_origin, is_typeddict, overload

from sojourn._session.state import SessionState
from sojourn.codec import decode_key, encode_key, shown, text_key
from sojourn.errors import CorruptRecord, EncodeError, SessionGone, SessionReleased

T = TypeVar("T")


class SessionMapping(MutableMapping[Any, Any]):
    """The fields of one session.

    Keys are str, bytes, int, UUID or tuples of these; values are of the types that `Codec` stores.
    A key of another type is not in the mapping, and assigning to it raises EncodeError.
    """

    __slots__ = ("_state",)

    def __init__(self, state: SessionState) -> None:
        self._state = state

    # -- reading fields ----------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        """Return the value; raise KeyError if there is none, CorruptRecord if it does not decode."""
        state = self._state
        state.accessed = True
        # A key of a type that cannot be stored is absent, as any other key is in a dict.
        try:
            return state.changes.get(text_key(key) if type(key) is str else encode_key(key))
        except (KeyError, EncodeError):
            raise KeyError(key) from None

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value, or `default` if there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    @overload
    def get_as(self, key: Any, kind: type[T]) -> T | None: ...
    @overload
    def get_as(self, key: Any, kind: type[T], default: T) -> T: ...
    def get_as(self, key: Any, kind: type[T], default: T | None = None) -> T | None:
        """Return the value, for type checkers of this type: `session.get_as("cart", list[str])`.

        Raises CorruptRecord if it is of another type.  The items of a container are not checked.
        """
        try:
            value = self[key]
        except KeyError:
            return default
        # `isinstance` accepts neither a TypedDict, whose values are dicts, nor `list[str]`.
        expected = dict if is_typeddict(kind) else get_origin(kind) or kind
        if not isinstance(value, expected):
            raise CorruptRecord(
                f"session[{shown(key)}] is of type {type(value).__name__}, not {expected.__name__}"
            )
        return value  # type: ignore[return-value]  # `expected` is the class of `kind`

    def __contains__(self, key: object) -> bool:
        state = self._state
        state.accessed = True
        try:
            return state.changes.has(encode_key(key))
        except EncodeError:
            return False

    def __iter__(self) -> Iterator[Any]:
        self._state.accessed = True
        for name in self._names():
            try:
                key = decode_key(name)
            except ValueError:
                continue  # not written by Sojourn, and no key of an application can match it
            yield key

    def __len__(self) -> int:
        self._state.accessed = True
        return len(self._names())

    def _names(self) -> list[bytes]:
        """Return the encoded keys; a subclass may hide some."""
        return self._state.changes.names()

    # -- copies are dicts: a second session could only overwrite the changes of the first ------

    def copy(self) -> dict[Any, Any]:
        """Return a dict with copies of all values; changing it does not affect the session."""
        return {key: self._state.changes.copy_of(encode_key(key)) for key in self}

    __copy__ = copy

    def __deepcopy__(self, _: object) -> dict[Any, Any]:
        return self.copy()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session cannot be pickled: session.copy() is a dict of what is in it")

    def __or__(self, other: Mapping[Any, Any]) -> dict[Any, Any]:
        return self.copy() | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[Any, Any]) -> dict[Any, Any]:
        return dict(other) | self.copy() if isinstance(other, Mapping) else NotImplemented

    # -- changing fields ---------------------------------------------------------------------

    def __setitem__(self, key: Any, value: Any) -> None:
        """Put a value; raise EncodeError, naming key and type, if its type cannot be stored.

        After changing an object in place that this session returned, it need not be assigned again.
        To do so does no harm: it still counts as a change in place.
        """
        state = self._state
        # The conditions under which `_changing` may refuse: without them its call is spared.
        if state.sealed or state.ended is not None:
            self._changing()
        state.accessed = True
        state.assigned.put(text_key(key) if type(key) is str else encode_key(key), value)

    def __delitem__(self, key: Any) -> None:
        state = self._changing()
        if key not in self:
            raise KeyError(key)
        state.changes.drop(encode_key(key))

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return the value; if there is none, put `default`, to be changed in place.

        If overlapping requests begin the same key, each keeps what it adds, as if the default had
        been stored before them and each had changed it in place.
        """
        changes = self._changing().changes
        name = encode_key(key)
        if changes.has(name):
            return self[key]
        changes.set_default(name, default)
        # The object itself, not a copy: later changes of it are noticed at the release.
        return default

    def clear(self) -> None:
        """Drop every field: those loaded, and those that others store before the release."""
        self._changing().changes.clear()

    def __ior__(self, other: Mapping[Any, Any]) -> Self:
        self.update(other)
        return self

    def apply(self, key: Any, function: Callable[[Any], Any], default: Any = None) -> Any:
        """Replace the value by `function(value)`, and return that; no overlapping one is lost.

        The function is called immediately, with a copy of the value, or of `default` if there is
        none.
        It is called again at release only if another request has changed the value by then, so
        it should only compute.  A change in place before or after it is merged.  If it raises, the
        error reaches the caller, and nothing of the request is stored.
        """
        return self._changing().changes.apply(encode_key(key), function, default)

    def _changing(self) -> SessionState:
        """Return the state, to change it.  Raises an error if it cannot be stored any more."""
        state = self._state
        if state.sealed:
            raise SessionReleased(
                "the session was already released: its response has begun, so this change "
                "could not be saved. Change the session before the first byte is sent, or "
                "use `manager.open_id(session.id)` afterwards"
            )
        state.accessed = True
        if state.has_ended:
            raise SessionGone(
                "the session was ended by `destroy`, and one opened by its id has no client that "
                "could be given a new one: change it before that"
            )
        return state
