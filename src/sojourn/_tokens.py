"""Creates tokens, the secrets that clients carry, and derives from each its id.

A token is 32 bytes of the system's CSPRNG in base64url: 256 bits, where OWASP requires 128 bits of
entropy (ASVS 7.2.3).  An id is `HMAC(hash_func, hash_key, token)` in hex, so the store, a log or a
list of sessions reveals no token.  The key may be empty: a secret of 256 bits needs no second one.
This is the only file that imports `secrets`, and there is no other source of randomness: if it
fails, no token is issued.

Both have a short form of at most 40 characters, for existing tables that store them: a token of 30
bytes (240 bits), and the first 160 bits of the HMAC.  RFC 2104 §5 allows truncating an HMAC to half
of its length, which is only 128 bits for SHA-256.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from binascii import b2a_base64

from sojourn.errors import ConfigError

TOKEN_LENGTH = 43
"""Characters of a token."""

SHORT = 40
"""Characters of a short token, and the most that a short id has."""
TOKEN_LENGTHS = (TOKEN_LENGTH, SHORT)

# The last of 43 characters has four bits of the secret and two bits of padding.  The padding must
# be zero; otherwise one secret could be written in four ways.
TOKEN = f"(?:[A-Za-z0-9_-]{{42}}[AEIMQUYcgkosw048]|[A-Za-z0-9_-]{{{SHORT}}})"
"""A token as a regular expression."""

_is_shaped = re.compile(TOKEN).fullmatch

_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


def is_token(text: str) -> bool:
    """Return whether a text has the form of a token.  It need not be one that was issued."""
    return _is_shaped(text) is not None


def random_fraction() -> float:
    """Return a random number from 0 to 1, for pauses of random length."""
    return secrets.randbelow(1_000_001) / 1_000_000


class Token(str):
    """A token whose repr does not show it, since tracebacks may show local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<token>"


class Tokens:
    """Creates tokens, and derives their ids with one hash function and one key."""

    __slots__ = ("_bytes", "_digits", "_hash_func", "_inner", "_outer")

    def __init__(self, hash_func: str, hash_key: str | bytes, *, short: bool = False) -> None:
        """Set the hash function, by its name in `hashlib`, and the key; a str is encoded as UTF-8.

        short: whether to make the short form of tokens and ids.

        Raises ConfigError for a hash function that this Python lacks or whose digests have no fixed
        length (`shake_128`, `shake_256`), and for a key that is neither str nor bytes.
        """
        plain = _hash(hash_func)
        key = _key(hash_key)
        # RFC 2104 §2: a longer key is replaced by its hash, and a shorter one is padded with zeros.
        if len(key) > plain.block_size:
            key = hashlib.new(hash_func, key).digest()
        key = key.ljust(plain.block_size, b"\0")
        self._hash_func = hash_func
        self._bytes = SHORT * 3 // 4 if short else 32
        self._digits = SHORT if short else None
        # Both hashes of RFC 2104 process the padded key here, once and for all.  Each id then starts
        # from copies of them, instead of hashing the key twice again.
        self._inner = hashlib.new(hash_func, key.translate(_INNER_PAD))
        self._outer = hashlib.new(hash_func, key.translate(_OUTER_PAD))

    def __repr__(self) -> str:
        return f"Tokens({self._hash_func!r}, hash_key=...)"

    def id_of(self, token: str) -> str:
        """Return the id of a token: its HMAC, or the beginning of it, in lower-case hex."""
        inner = self._inner.copy()
        inner.update(token.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()[: self._digits]

    def mint(self, like: str | None = None) -> tuple[str, str]:
        """Return a new token and its id.

        like: an id; the new one begins with the same two hex digits.  A store that distributes
            records by these digits can then move one in a single step.  This takes 256 tries on
            average, and 8 of the random bits.

        Raises the operating system's error if no randomness is available.
        """
        while True:
            # As `secrets.token_urlsafe`, without its further calls.
            data = b2a_base64(secrets.token_bytes(self._bytes), newline=False)
            token = data.translate(_URL_SAFE, b"=").decode()
            id = self.id_of(token)
            if like is None or id[:2] == like[:2]:
                return Token(token), id


def _hash(name: str) -> hashlib._Hash:
    """Return a new hash object.  Raises ConfigError unless its digests have a fixed length."""
    try:
        plain = hashlib.new(name)
    except (TypeError, ValueError):
        plain = None
    # `hashlib` gives the size 0 for functions whose caller chooses the length.
    if plain is None or plain.digest_size == 0:
        raise ConfigError(
            f"hash_func={name!r:.80}: name a hash of hashlib with a digest of fixed length,"
            " such as 'sha256'"
        )
    return plain


def _key(key: str | bytes) -> bytes:
    if isinstance(key, str):
        # A key from an environment variable may contain undecodable bytes as surrogates.
        return key.encode("utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return key
    raise ConfigError(f"hash_key is of type {type(key).__name__}: give str or bytes")
