"""Tokens and ids: shape, derivation, randomness, secrecy."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter

import pytest

from sojourn._tokens import Tokens, is_token
from sojourn.errors import ConfigError
from sojourn.record import is_id

FIXED = sorted(name for name in hashlib.algorithms_available if hashlib.new(name).digest_size)
KEYS = ["", "key", "clé", b"\x00\xff", b"k" * 64, b"k" * 65, b"k" * 145, "k" * 1000]


def shaped(last: str) -> str:
    return "a" * 42 + last


def test_what_is_minted_is_a_token() -> None:
    tokens = Tokens("sha256", "")
    for _ in range(1000):
        token, id = tokens.mint()
        assert is_token(token)
        assert id == tokens.id_of(token)


def test_a_secret_is_spelled_in_one_way() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [last for last in alphabet if is_token(shaped(last))] == list(alphabet[::4])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "A" * 42,
        "A" * 44,
        "A" * 65_536,
        "A" * 42 + "=",
        "A" * 43 + "\n",
        "\n" + "A" * 42,
        "A" * 42 + "\x00",
        "../" * 14 + "A",
        "%2e%2e%2f" * 4 + "A" * 7,
        "\r\nSet-Cookie:" + "A" * 30,
        "*" * 43,
        "[A-Z]?" + "A" * 37,
        "A" * 42 + "Ａ",  # noqa: RUF001 - a look-alike
        "А" + "A" * 42,  # noqa: RUF001 - a look-alike
        "٠" * 43,  # noqa: RUF001 - digits of another script
        "\ud800" * 43,
    ],
)
def test_hostile_text_is_no_token(text: str) -> None:
    assert not is_token(text)


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{type(key).__name__}-{len(key)}")
def test_an_id_is_the_hmac_of_the_token(name: str, key: str | bytes) -> None:
    token = secrets.token_urlsafe(32)
    raw = key.encode() if isinstance(key, str) else key
    tokens = Tokens(name, key)
    expected = hmac.new(raw, token.encode(), name).hexdigest()
    assert tokens.id_of(token) == expected
    assert tokens.id_of(token) == expected  # the precomputed halves are not used up


def test_a_key_may_hold_what_utf8_cannot() -> None:
    assert Tokens("sha256", "\ud800").id_of("t") != Tokens("sha256", "?").id_of("t")


@pytest.mark.parametrize("name", ["", "sha", "shake_128", "shake_256", None, 256, b"sha256", []])
def test_an_unfit_hash_is_refused(name: object) -> None:
    with pytest.raises(ConfigError, match=r"hash_func=.*sha256") as caught:
        Tokens(name, "hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", [None, 1, ["hunter2"], bytearray(b"hunter2")])
def test_an_unfit_key_is_refused_and_not_shown(key: object) -> None:
    with pytest.raises(ConfigError, match="hash_key") as caught:
        Tokens("sha256", key)  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def test_tokens_do_not_repeat() -> None:
    tokens = Tokens("sha256", "")
    assert len({tokens.mint() for _ in range(100_000)}) == 100_000


def test_every_place_of_a_token_is_random() -> None:
    minted = [secret for secret, _ in (Tokens("sha256", "").mint() for _ in range(2000))]
    for place in range(42):
        assert len(Counter(token[place] for token in minted)) == 64


def test_a_token_like_another_keeps_the_first_two_digits_of_its_id() -> None:
    tokens = Tokens("sha1", "key")
    old_token, old = tokens.mint()
    minted = [tokens.mint(like=old) for _ in range(20)]
    assert {id[:2] for _, id in minted} == {old[:2]}
    assert all(is_token(token) and id == tokens.id_of(token) for token, id in minted)
    assert len({token for token, _ in minted} | {old_token}) == 21


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha512"])
def test_a_short_token_and_its_id_have_at_most_forty_characters(name: str) -> None:
    tokens = Tokens(name, "key", short=True)
    token, id = tokens.mint()
    assert (len(token), is_token(token)) == (40, True)
    assert is_id(id)
    assert len(id) <= 40
    assert Tokens(name, "key").id_of(token).startswith(id)
    assert tokens.mint(like=id)[1][:2] == id[:2]


def test_every_place_of_a_short_token_is_random() -> None:
    minted = [
        secret for secret, _ in (Tokens("sha256", "", short=True).mint() for _ in range(2000))
    ]
    for place in range(40):
        assert len(Counter(token[place] for token in minted)) == 64


def test_without_randomness_no_token_is_issued(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks the source of `secrets` itself, so that any other one would show."""

    def broken(*_: object) -> bytes:
        raise OSError("no entropy")

    monkeypatch.setattr("random._urandom", broken)
    for like in (None, "ab"):
        with pytest.raises(OSError, match="no entropy"):
            Tokens("sha256", "").mint(like)


def test_a_repr_shows_no_key() -> None:
    assert "hunter2" not in repr(Tokens("sha256", "hunter2"))
    assert "sha256" in repr(Tokens("sha256", "hunter2"))
