"""A session as a mapping: keys that cannot be, copies, typed values."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any, TypedDict

import pytest

from sojourn import CorruptRecord, EncodeError, Manager, Session, SessionError
from sojourn.providers.memory import MemoryProvider

NO_KEYS: list[Any] = [None, True, 1.5, [], {}, {1}, ..., ("a", None)]


@pytest.fixture
def manager() -> Manager:
    return Manager(MemoryProvider())


@pytest.fixture
def session(manager: Manager) -> Session:
    """One that is stored, with a value that was looked at and one that was not."""
    with manager.open({}) as first:
        first.update(cart=["tea"], other={"n": [1]}, count=1)
    session = manager.start({"Cookie": f"{manager.config.cookie_name}={first.issued_token}"})
    assert session["cart"]
    return session


@pytest.mark.parametrize("key", NO_KEYS, ids=repr)
def test_what_cannot_be_a_key_is_not_there(session: Session, key: Any) -> None:
    assert key not in session
    assert session.get(key) is None
    assert session.get(key, 5) == 5
    assert session.get_as(key, int, 5) == 5
    assert session.pop(key, 5) == 5
    for ask in (session.__getitem__, session.__delitem__, session.pop):
        with pytest.raises(KeyError):
            ask(key)
    assert not session.modified


@pytest.mark.parametrize("key", NO_KEYS, ids=repr)
def test_nothing_is_put_under_what_cannot_be_a_key(session: Session, key: Any) -> None:
    puts: list[Callable[[], object]] = [
        lambda: session.__setitem__(key, 1),
        lambda: session.setdefault(key, 1),
        lambda: session.apply(key, str),
    ]
    for put in puts:
        with pytest.raises(EncodeError, match="a key is str, bytes, int, UUID"):
            put()


COPIES: dict[str, Callable[[Session], dict[Any, Any]]] = {
    "copy.copy": copy.copy,  # type: ignore[dict-item]  # it returns a dict
    "copy.deepcopy": copy.deepcopy,  # type: ignore[dict-item]
    "copy": lambda session: session.copy(),
    "|": lambda session: session | {},
    "| of a dict": lambda session: {} | session,
}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_a_dict_that_shares_nothing(session: Session, way: str) -> None:
    draft = COPIES[way](session)
    assert type(draft) is dict
    assert draft == {"cart": ["tea"], "other": {"n": [1]}, "count": 1}
    draft["cart"].append("a draft")
    draft["other"]["n"].append("a draft")
    draft["new"] = 1
    assert not session.modified
    assert dict(session) == {"cart": ["tea"], "other": {"n": [1]}, "count": 1}
    assert json.loads(json.dumps(COPIES[way](session)))["cart"] == ["tea"]


def test_the_right_side_of_a_union_wins(session: Session) -> None:
    assert (session | {"count": 2})["count"] == 2
    assert ({"count": 2, "a": 1} | session) == {**session, "a": 1}
    with pytest.raises(TypeError):
        session | [1]  # type: ignore[operator]


def test_a_session_is_neither_pickled_nor_json(session: Session) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=r"cannot be pickled: session.copy\(\) is a dict"):
            pickle.dumps(session, protocol)
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(session)


class Cart(TypedDict):
    n: list[int]


def test_a_value_is_asked_for_by_its_type(session: Session) -> None:
    assert session.get_as("cart", list[str]) is session["cart"]
    assert session.get_as("other", Cart) == {"n": [1]}
    assert session.get_as("count", int) == 1
    assert session.get_as("never", int) is None
    assert session.get_as("never", int, 7) == 7
    with pytest.raises(CorruptRecord, match=r"session\['cart'\] is of type list, not dict"):
        session.get_as("cart", dict[str, int])


def test_the_token_of_a_release_is_a_str(manager: Manager) -> None:
    session = manager.start({})
    with pytest.raises(SessionError, match="issued_token"):
        session.issued_token  # noqa: B018
    session["a"] = 1
    release = manager.release(session)
    assert session.issued_token == release.token
