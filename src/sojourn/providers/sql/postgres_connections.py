"""Connections to PostgreSQL that prepare their statements.

A statement with parameters is prepared once for a connection and for the types of its parameters;
parameters and results are binary.  The name of a prepared statement is a hash of its text and
types.  So if a pooler that was not recognized leads to another connection of the server, the name
may be unknown there, but it cannot name another statement.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from sojourn.providers.sql.driver import Answer, Parameters
from sojourn.providers.sql.libpq import AsyncLibpq, Libpq
from sojourn.providers.sql.postgres_faults import ServerError

_BINARY = 1
"""The number of the binary format in the protocol."""
_OUTDATED = {"26000", "0A000"}
"""The codes for a prepared statement that the server does not know, as after DISCARD ALL, and for
one that would now return other types than when it was prepared, as after ALTER TABLE."""
_PREPARED_ALREADY = "42P05"

_Encode = Callable[[Any], bytes | None]
_TYPES: dict[type, tuple[int, _Encode]] = {
    # 0: the server infers the type, as that of the column.  A parameter of type `text` would not
    # use an index on a column of type `char`.
    str: (0, str.encode),
    int: (20, struct.Struct(">q").pack),  # bigint
    float: (701, struct.Struct(">d").pack),  # double precision
    bytes: (17, bytes),  # bytea
    type(None): (0, lambda _: None),
}
"""For each type of a parameter, the object id of its type in SQL, and a function that encodes it."""


class _Plan(NamedTuple):
    """A statement for parameters of certain types."""

    text: bytes
    name: bytes
    types: list[int]
    formats: list[int]
    encoders: list[_Encode]

    def encoded(self, parameters: Parameters) -> list[bytes | None]:
        """Return the parameters in binary form."""
        return [encode(value) for encode, value in zip(self.encoders, parameters, strict=True)]


@lru_cache(1000)
def _plan(statement: str, kinds: tuple[type, ...]) -> _Plan:
    """Return a statement for parameters of these types."""
    # A subclass, such as another library's float, is sent as its base.
    pairs = [_TYPES[next(base for base in kind.__mro__ if base in _TYPES)] for kind in kinds]
    text, types = statement.encode(), [number for number, _ in pairs]
    digest = blake2b(b"%b %a" % (text, types), digest_size=16).hexdigest()
    encoders = [encode for _, encode in pairs]
    return _Plan(text, b"sojourn_" + digest.encode(), types, [_BINARY] * len(types), encoders)


class PostgresConnection:
    """Executes statements, one at a time."""

    def __init__(self, libpq: Libpq) -> None:
        self.libpq = libpq
        self.socket = libpq.socket
        self.close = libpq.close
        self.prepares = False
        """Whether statements with parameters are prepared: not through a pooler."""
        self._prepared = set[bytes]()

    def execute(self, statement: str, parameters: Parameters) -> Answer:
        """Send a statement and return its answer.

        Without parameters the text may contain several statements, and nothing is prepared.

        Raises ServerError, psycopg's OperationalError if the connection breaks, and TimeoutError.
        """
        libpq = self.libpq
        libpq.begin()
        if not parameters:
            libpq.to.send_query(statement.encode())
            return libpq.answer()
        plan = _plan(statement, tuple(map(type, parameters)))
        values = plan.encoded(parameters)
        if not self.prepares:
            libpq.to.send_query_params(plan.text, values, plan.types, plan.formats, _BINARY)
            return libpq.answer()
        if plan.name not in self._prepared:
            self._prepare(plan)
        libpq.to.send_query_prepared(plan.name, values, plan.formats, _BINARY)
        try:
            return libpq.answer()
        except ServerError as error:
            if error.sqlstate not in _OUTDATED:
                raise
        # It was not executed: these errors come before that.
        self._forget_prepared()
        self._prepare(plan)
        libpq.to.send_query_prepared(plan.name, values, plan.formats, _BINARY)
        return libpq.answer()

    def _prepare(self, plan: _Plan) -> None:
        self.libpq.to.send_prepare(plan.name, plan.text, plan.types)
        try:
            self.libpq.answer()
        except ServerError as error:
            if error.sqlstate != _PREPARED_ALREADY:
                raise
        self._prepared.add(plan.name)

    def _forget_prepared(self) -> None:
        self._prepared.clear()
        self.libpq.to.send_query(b"DEALLOCATE ALL")
        self.libpq.answer()


class AsyncPostgresConnection:
    """Executes statements, one at a time."""

    def __init__(self, libpq: AsyncLibpq) -> None:
        self.libpq = libpq
        self.socket = libpq.socket
        self.close = libpq.close
        self.prepares = False
        """Whether statements with parameters are prepared: not through a pooler."""
        self._prepared = set[bytes]()

    async def execute(self, statement: str, parameters: Parameters) -> Answer:
        """Send a statement and return its answer.

        Without parameters the text may contain several statements, and nothing is prepared.

        Raises ServerError, psycopg's OperationalError if the connection breaks, and TimeoutError.
        """
        libpq = self.libpq
        libpq.begin()
        if not parameters:
            libpq.to.send_query(statement.encode())
            return await libpq.answer()
        plan = _plan(statement, tuple(map(type, parameters)))
        values = plan.encoded(parameters)
        if not self.prepares:
            libpq.to.send_query_params(plan.text, values, plan.types, plan.formats, _BINARY)
            return await libpq.answer()
        if plan.name not in self._prepared:
            await self._prepare(plan)
        libpq.to.send_query_prepared(plan.name, values, plan.formats, _BINARY)
        try:
            return await libpq.answer()
        except ServerError as error:
            if error.sqlstate not in _OUTDATED:
                raise
        # It was not executed: these errors come before that.
        await self._forget_prepared()
        await self._prepare(plan)
        libpq.to.send_query_prepared(plan.name, values, plan.formats, _BINARY)
        return await libpq.answer()

    async def _prepare(self, plan: _Plan) -> None:
        self.libpq.to.send_prepare(plan.name, plan.text, plan.types)
        try:
            await self.libpq.answer()
        except ServerError as error:
            if error.sqlstate != _PREPARED_ALREADY:
                raise
        self._prepared.add(plan.name)

    async def _forget_prepared(self) -> None:
        self._prepared.clear()
        self.libpq.to.send_query(b"DEALLOCATE ALL")
        await self.libpq.answer()
