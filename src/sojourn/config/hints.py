"""Hints for settings under the names that other session libraries use.

The names below are normalised: lower case, no underscores, and no leading `session`.
"""

from __future__ import annotations

import re

_LIFETIME = (
    "'max_lifetime' is how long a session lives without being seen, 'cookie_lifetime' how long the "
    "browser keeps the cookie"
)
_NO_SECRET = (
    "there is nothing to sign, since the cookie holds a random token and no data; 'hash_key' is the "
    "key of the ids in the store, and may be left out"
)
_STORE = "the store is the first argument, as in Manager('redis', provider_config='redis://host')"
_UNSEEN = "changes are seen by themselves, and a visitor without data gets no cookie: leave it out"
_VALUES = "values are kept by their types, and 'types' adds your own: leave it out"

_ANSWERS = {
    _LIFETIME: "maxage ttl timeout expiry expire expires expiration lifetime lifespan cookieage "
    "permanentlifetime idletimeout gcmaxlifetime expireafter permanentsessionlifetime sessionlifetime inactivitytimeout",
    _NO_SECRET: "secret secretkey secretkeys secrets key keys signingkey signkey salt usesigner "
    "cryptokey encryptionkey",
    _STORE: "backend store storage type engine driver provider url uri dsn connection client redis "
    "redisurl redisclient cachealias interface",
    _UNSEEN: "resave saveuninitialized saveeveryrequest rolling autocommit auto invalidatecorrupt",
    _VALUES: "serializer serialization serializationformat dataserializer encoder decoder json pickle",
    "it is an option of the ASGI middleware, and of Quart's `install`; under WSGI a session is read "
    "at its first use anyway": "quiet",
    "did you mean 'cookie_lifetime'?": "cookiemaxage cookieexpires cookielifespan",
    "did you mean 'cookie_name'?": "name cookie cookiekey sessioncookie",
    "did you mean 'cookie_domain'?": "domain",
    "did you mean 'cookie_path'?": "path",
    "did you mean 'same_site'?": "samesite cookiesamesite",
    "did you mean 'http_only'?": "cookiehttponly httponlycookie",
    "did you mean 'secure'?": "httpsonly cookiesecure secureonly cookiehttps",
    "did you mean 'touch_interval'?": "refreshinterval touchafter updateage",
    "did you mean 'absolute_lifetime'?": "absolutetimeout maxsessionage",
    "it is the keyword 'prefix' of the provider: provider_config={'prefix': ...}": "keyprefix prefix",
    "set `session.set_lifetime(seconds, persistent=True)`, or 'cookie_lifetime'": "permanent persistent",
}
_BY_WORD = {word: answer for answer, words in _ANSWERS.items() for word in words.split()}


def answer(key: str) -> str | None:
    """Return the hint for a setting of another library, or None if the name is not known."""
    word = re.sub(r"[^a-z0-9]", "", key.lower())
    return _BY_WORD.get(word) or _BY_WORD.get(word.removeprefix("session"))
