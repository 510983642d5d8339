"""The contents of the sessions: 200 bytes in 5 keys, 2 KB in 20 keys, 50 KB in 50 keys."""

from __future__ import annotations

import json
from itertools import count, cycle
from typing import Any

from bench.subject import Work

SIZES = ("200 B", "2 KB", "50 KB")
OPERATIONS = ("read", "write", "new")


def _basket(number: int, lines: int) -> list[dict[str, Any]]:
    return [
        {"sku": f"A-{number:03}-{line:04}", "name": f"walnut box {line}", "qty": 2, "cents": 1999}
        for line in range(lines)
    ]


def _small() -> dict[str, Any]:
    return {
        "csrf": "f3Kq9vX2mT7bLw0ZrYc8NdJh5sGpQaEu",
        "cart": [1017, 2048, 55, 3],
        "name": "Ada Lovelace",
        "visits": 41,
        "prefs": {"lang": "en", "theme": "dark", "currency": "EUR", "per_page": 50, "beta": False},
    }


PAYLOADS: dict[str, dict[str, Any]] = {
    "200 B": _small(),
    "2 KB": {**_small(), **{f"form{number:02}": _basket(number, 1) * 2 for number in range(15)}},
    "50 KB": {f"page{number:02}": _basket(number, 16) for number in range(50)},
}
KEYS = {size: next(iter(payload)) for size, payload in PAYLOADS.items()}
"""The key that is read or written in each payload."""


def _variant(size: str, number: int) -> Any:
    if size == "50 KB":
        return _basket(900 + number, 16)
    return f"{number}3Kq9vX2mT7bLw0ZrYc8NdJh5sGpQaEu"[:32]


VARIANTS = {size: (_variant(size, 1), _variant(size, 2)) for size in SIZES}
"""Two values that differ from the payload, so that writing them in turn always is a change."""


def work(size: str, operation: str) -> Work:
    """Return the function that the view calls with the session."""
    return {"read": _read, "write": _write, "new": _new}[operation](size)


def _read(size: str) -> Work:
    key = KEYS[size]

    def read(session: Any) -> None:
        session[key]

    return read


def _write(size: str) -> Work:
    key, values = KEYS[size], cycle(VARIANTS[size])

    def write(session: Any) -> bool:
        session[key] = next(values)
        return True

    return write


def differing(size: str) -> Work:
    """Return a write whose value differs from those of all other writes."""
    key, numbers = KEYS[size], count()

    def write(session: Any) -> bool:
        session[key] = f"{next(numbers):032}"
        return True

    return write


def _new(size: str) -> Work:
    payload = PAYLOADS[size]

    def new(session: Any) -> bool:
        for key, value in payload.items():
            session[key] = value
        return True

    return new


def bytes_of(size: str) -> int:
    """Return the size of the payload as compact JSON, in bytes."""
    return len(json.dumps(PAYLOADS[size], separators=(",", ":")))
