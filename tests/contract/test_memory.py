"""The contract over memory, in both colours."""

from __future__ import annotations

from sojourn.providers.memory import MemoryProvider
from sojourn.providers.serialization import pack
from sojourn.testing import AsyncProviderContract, ProviderContract


class Memory(ProviderContract):
    def make(self) -> MemoryProvider:
        self.provider = MemoryProvider()
        return self.provider

    def again(self) -> MemoryProvider:
        return self.provider  # one process, one store

    def corrupt(self, id: str, field: bytes | None = None) -> None:
        record = self.provider.read(id)
        if field is None or record is None:
            self.not_applicable("corrupt() of a whole frame: nobody else writes there")
        spoilt = record._replace(fields={**record.fields, field: b"\xc1"})
        key = bytes.fromhex(id)
        self.provider._frames[key[0]][key] = pack(spoilt)


class TestMemory(Memory):
    pass


class TestAsyncMemory(Memory, AsyncProviderContract):
    pass
