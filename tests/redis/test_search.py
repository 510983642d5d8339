"""A random search for replies that a provider does not stand.

Each case is a server that answers each command with what it should, or with something near it, or
with anything at all, whole or cut.  A verb returns what it may return, or raises an error of the
store, and asks no more often than it has to.  `SOJOURN_SEARCH=100` searches a hundred times as long.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from random import Random

import pytest

from sojourn.providers.redis.layout import frame
from tests.redis.fake import Fake, array, bulk, number
from tests.redis.hostile import NOW, RECORD, VERBS, refusal
from tests.redis.stores import HOUR, Make, id_of

CASES = int(30 * float(os.environ.get("SOJOURN_SEARCH", "1")))
SEED = 11
TIMEOUT = 0.3
ONE_TRIP = {"read", "create", "put", "touch", "move", "destroy"}
MOST = 8
"""Commands of such a verb: each may be sent by its digest and as a whole, be looked after, and again."""


class Liar:
    """Answers as its dice say."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.honesty = self.dice.choice([0.0, 0.5, 0.9, 0.99])

    def __call__(self, words: list[bytes]) -> bytes | Iterable[bytes | float] | None:
        dice = self.dice
        if dice.random() < self.honesty:
            return self.honest(words)
        kind = dice.randrange(10)
        if kind == 0:
            return None
        if kind < 4:
            return self.broken(self.honest(words) if dice.random() < 0.5 else self.value())
        if kind < 7:
            return self.near(words)
        return self.value()

    # -- what a Redis might answer

    def honest(self, words: list[bytes]) -> bytes:
        answers: dict[bytes, Callable[[], bytes]] = {
            b"HGETALL": self.hash,
            b"HGET": lambda: self.dice.choice([b"_\r\n", bulk(self.frame())]),
            b"ZCOUNT": lambda: number(self.dice.choice([0, 0, 0, 1, 7])),
            b"ZCARD": lambda: number(self.dice.choice([0, 1, 2, 900])),
            b"ZSCORE": lambda: self.dice.choice([b",0\r\n", b",-inf\r\n"]),
            b"ZADD": lambda: number(1),
            b"ZRANGE": self.entries,
            b"ZRANGEBYLEX": self.entries,
            b"SCAN": lambda: array(bulk(self.dice.choice([b"0", b"77"])), self.keys()),
            b"INFO": lambda: bulk(b"maxmemory_policy:noeviction\r\naof_enabled:1\r\n"),
            b"CONFIG": lambda: b"%1\r\n" + bulk(b"save") + bulk(b"3600 1"),
        }
        if words[0] in answers:
            return answers[words[0]]()
        if words[0] in (b"EVALSHA", b"EVAL"):
            return self.script(words)
        return b"+OK\r\n"

    def script(self, words: list[bytes]) -> bytes:
        if words[0] == b"EVALSHA" and self.dice.random() < 0.2:
            return b"-NOSCRIPT QXZ\r\n"
        if words[2] == b"4" and len(words) == 8:
            return self.dice.choice([b"_\r\n", bulk(self.frame()), bulk(b"")])
        return self.dice.choice([number(0), number(1), number(2), self.hash(flat=True)])

    def frame(self) -> bytes:
        grave = RECORD._replace(user=None, successor=id_of("next", "ab"))
        return frame(self.dice.choice([RECORD, RECORD._replace(user=None), grave]))

    def hash(self, *, flat: bool = False) -> bytes:
        words = [b"", self.frame(), b"a", b"1", b"b", bytes(range(256))]
        return array(*map(bulk, words)) if flat else b"%3\r\n" + b"".join(map(bulk, words))

    def entries(self) -> bytes:
        ids = [
            RECORD.id.encode(),
            RECORD.id.encode() + b"\0ada",
            b"ada\0" + RECORD.id.encode(),
            b"",
        ]
        return array(*map(bulk, self.dice.sample(ids, self.dice.randrange(4))))

    def keys(self) -> bytes:
        names = [f"sojourn:{{ab}}:{name}".encode() for name in (RECORD.id, "live", "x")]
        return array(*map(bulk, self.dice.sample(names, self.dice.randrange(4))))

    # -- what it would not

    def near(self, words: list[bytes]) -> bytes:
        """What is of the right type, with something in it that is not."""
        odd = self.dice.choice([self.odd_frame(), self.word(), b"\xff" * 64])
        answers = {
            b"HGETALL": b"%2\r\n" + b"".join(map(bulk, [b"", odd, self.word(), self.word()])),
            b"HGET": bulk(odd),
            b"SCAN": array(bulk(self.word()), array(bulk(odd), bulk(self.word()))),
            b"ZRANGE": array(bulk(odd), bulk(self.word())),
            b"ZRANGEBYLEX": array(bulk(b"ada\0" + odd), bulk(self.word())),
            b"EVALSHA": self.dice.choice([number(-1), number(-2), number(3), bulk(odd), array()]),
            b"INFO": bulk(b"maxmemory_policy:" + odd + b"\r\nconnected_slaves:" + self.word()),
        }
        return answers.get(words[0], number(self.dice.choice([-1, 2**31, 2**63 - 1])))

    def odd_frame(self) -> bytes:
        times = [
            self.dice.choice([NOW, NOW + HOUR, float("nan"), float("inf"), -1.0, 0.0, 1e300])
            for _ in range(4)
        ]
        user = self.word()
        length = self.dice.choice([len(user), 0, 2**32 - 1])
        head = struct.pack(
            ">BBddddI", self.dice.choice([0, 1, 1, 1, 2]), self.dice.randrange(16), *times, length
        )
        return head + user + self.word()

    def word(self) -> bytes:
        return self.dice.choice(
            [
                b"",
                b"QXZ",
                b"\0",
                b"\xff\xfe",
                b"live",
                b"0",
                b"-1",
                b"ada",
                b"x" * 3000,
                b"ab" * 32,
                b"\r\n*2147483647\r\n",
                b"$9\r\n",
                b"\x92\xc0\xc0",
                b"nan",
                self.dice.randbytes(40),
            ]
        )

    def value(self, depth: int = 0) -> bytes:
        """Any value of RESP."""
        dice = self.dice
        simple = [
            lambda: number(dice.choice([0, 1, 2, 3, -1, 5, 2**31, 2**63 - 1, -(2**63)])),
            lambda: bulk(self.word()),
            lambda: b"+" + self.word().replace(b"\r\n", b"") + b"\r\n",
            lambda: (
                b"-"
                + dice.choice(
                    [
                        b"ERR",
                        b"WRONGTYPE",
                        b"NOSCRIPT",
                        b"MOVED 1 127.0.0.1:1",
                        b"ASK 1 x",
                        b"LOADING",
                        b"READONLY",
                        b"OOM",
                        b"NOAUTH",
                        b"",
                        b"TRYAGAIN",
                    ]
                )
                + b" QXZ\r\n"
            ),
            lambda: dice.choice([b"_\r\n", b"$-1\r\n", b"*-1\r\n", b"#t\r\n", b"#f\r\n"]),
            lambda: b"," + dice.choice([b"1.5", b"nan", b"inf", b"-inf", b"1e400"]) + b"\r\n",
            lambda: b"(" + b"9" * dice.choice([1, 30, 5000]) + b"\r\n",
            lambda: b"=%d\r\ntxt:%s\r\n" % (len(w := self.word()) + 4, w),
        ]
        if depth > 3 or dice.random() < 0.6:
            return dice.choice(simple)()
        kind = dice.choice([b"*", b"%", b"~", b">", b"|"])
        size = dice.randrange(4)
        items = [self.value(depth + 1) for _ in range(size * (2 if kind in b"%|" else 1))]
        return kind + b"%d\r\n" % size + b"".join(items)

    def broken(self, whole: bytes) -> bytes | Iterable[bytes | float] | None:
        """Cut, doubled, in pieces, with another byte or another length in it."""
        dice = self.dice
        at = dice.randrange(len(whole) + 1)
        kind = dice.randrange(6)
        if kind == 0:
            return whole + whole
        if kind == 1:
            return [whole[:at], 0.001, whole[at:]]
        if kind == 2:
            return whole[:at] + dice.randbytes(1) + whole[at + 1 :]
        if kind == 3:
            return whole.replace(dice.choice([b"1", b"2", b"6"]), b"2147483647", 1)
        if kind == 4:
            return self.hanging_up(whole[:at])
        return whole[:at] + b"\r\n"

    def hanging_up(self, part: bytes) -> Iterable[bytes | float]:
        yield part
        raise OSError


@pytest.mark.parametrize("case", range(CASES))
def test_whatever_it_answers_a_verb_ends_as_it_may(make: Make, case: int) -> None:
    with Fake(Liar(SEED * 1_000_003 + case)) as server:
        store = make(server.url(), timeout=TIMEOUT, prefix="sojourn")
        for verb in VERBS:
            before = len(server.commands)
            refusal(store, verb)
            if verb in ONE_TRIP:
                assert len(server.commands) - before <= MOST
