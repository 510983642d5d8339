"""The contract over files, in both colours."""

from __future__ import annotations

import os
from pathlib import Path

from sojourn.providers.file import FileProvider
from sojourn.providers.frame import pack, unpack
from sojourn.testing import AsyncProviderContract, ProviderContract


class Files(ProviderContract):
    @property
    def place(self) -> Path:
        return self.folder / "sessions"

    def make(self) -> FileProvider:
        return FileProvider(self.place)

    def again(self) -> FileProvider:
        return FileProvider(self.place)

    def break_store(self) -> None:
        self.place.rename(self.folder / "moved")
        self.place.touch()

    def corrupt(self, id: str, field: bytes | None = None) -> None:
        file = self.place / id[0] / id[1] / id
        status, data = file.stat(), file.read_bytes()
        if field is None:
            data = data[:-1]
        else:
            record = unpack(id, data)
            data = pack(record._replace(fields={**record.fields, field: b"\xc1"}))
        file.write_bytes(data)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


class TestFile(Files):
    pass


class TestFileOnDisk(Files):
    def make(self) -> FileProvider:
        return FileProvider(self.place, fsync=True)


class TestAsyncFile(Files, AsyncProviderContract):
    pass
