"""Tokens and ids: the secret that a client carries, and the name by which the server knows it.

A token is 32 bytes of the system's CSPRNG in base64url: 256 bits, where OWASP asks for 128 (Session
Management Cheat Sheet, "Session ID Entropy").  An id is `HMAC(hash_func, hash_key, token)` in hex,
so whoever reads the store, a log or a list of sessions learns no token.  An empty key is sound:
a secret of 256 bits needs no second one.  No other file imports `secrets`, and there is no other
source of randomness: where it fails, no token is issued.

Both have a short form of 40 characters, for tables in which others keep them: a token of 30 bytes
(240 bits), and the first 160 bits of the HMAC (RFC 2104 §5 allows half of a SHA-256, which is less).
"""

from __future__ import annotations

import hashlib
import re
import secrets

from sojourn.errors import ConfigError

TOKEN_LENGTH = 43
"""Characters of a token."""

SHORT = 40
"""Characters of a short token, and the most that a short id has."""
TOKEN_LENGTHS = (TOKEN_LENGTH, SHORT)

# The last character of a token that is not short carries four bits and two of padding.  These must
# be zero, or one secret could be spelled in four ways.
TOKEN = f"(?:[A-Za-z0-9_-]{{42}}[AEIMQUYcgkosw048]|[A-Za-z0-9_-]{{{SHORT}}})"
"""A token as a regular expression."""

_is_shaped = re.compile(TOKEN).fullmatch

_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


def is_token(text: str) -> bool:
    """Whether `text` is spelled as a token is.  It may still be one that nobody issued."""
    return _is_shaped(text) is not None


def random_fraction() -> float:
    """Return a random number between 0 and 1, for pauses of different length."""
    return secrets.randbelow(1_000_001) / 1_000_000


class Token(str):
    """A token that no repr shows: a traceback may show local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<token>"


class Tokens:
    """One hash function and one key: mints tokens, and derives the id of each."""

    __slots__ = ("_bytes", "_digits", "_hash_func", "_inner", "_outer")

    def __init__(self, hash_func: str, hash_key: str | bytes, *, short: bool = False) -> None:
        """Take a hash of `hashlib` by its name; a key in str counts as UTF-8.

        Raises `ConfigError` for a hash that does not exist here or has no digest of fixed length
        (`shake_128`, `shake_256`), and for a key that is neither str nor bytes.
        """
        plain = _hash(hash_func)
        key = _key(hash_key)
        if len(key) > plain.block_size:
            key = hashlib.new(hash_func, key).digest()
        key = key.ljust(plain.block_size, b"\0")
        self._hash_func = hash_func
        self._bytes = SHORT * 3 // 4 if short else 32
        self._digits = SHORT if short else None
        # RFC 2104, both halves begun with the key: an id costs two copies, not two keyings.
        self._inner = hashlib.new(hash_func, key.translate(_INNER_PAD))
        self._outer = hashlib.new(hash_func, key.translate(_OUTER_PAD))

    def __repr__(self) -> str:
        return f"Tokens({self._hash_func!r}, hash_key=...)"

    def id_of(self, token: str) -> str:
        """The id of a token: its HMAC, or the beginning of it, in lower-case hex."""
        inner = self._inner.copy()
        inner.update(token.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()[: self._digits]

    def mint(self, like: str | None = None) -> tuple[str, str]:
        """A new token and its id.  If the system has no randomness, its error is raised.

        With `like`, an id, the new id begins with the same two hex digits, so that a store that
        spreads by them can move a record in one step: about 256 tries, at the cost of 8 bits.
        """
        while True:
            token = secrets.token_urlsafe(self._bytes)
            id = self.id_of(token)
            if like is None or id[:2] == like[:2]:
                return Token(token), id


def _hash(name: str) -> hashlib._Hash:
    """An empty hash of that name, refused unless its digests are of one length."""
    try:
        plain = hashlib.new(name)
    except (TypeError, ValueError):
        plain = None
    if plain is None or plain.digest_size == 0:
        raise ConfigError(
            f"hash_func={name!r:.80}: name a hash of hashlib with a digest of fixed length,"
            " such as 'sha256'"
        )
    return plain


def _key(key: str | bytes) -> bytes:
    if isinstance(key, str):
        return key.encode("utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return key
    raise ConfigError(f"hash_key is of type {type(key).__name__}: give str or bytes")
