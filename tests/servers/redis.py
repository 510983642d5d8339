"""One Redis, private to the tests.

It listens on a port of its own and on a socket in its folder, and keeps nothing on disk unless it is
told to.  Tests that share one use a prefix each.  An administrator comes in by the socket,
whatever password the others need.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import shutil
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.certificates import Certificate
from tests.servers.process import SETTLES_WITHIN, Server, tool

PASSWORD = "p@ss:w/rd"  # all that a URL may trip over

# Nothing on disk, and replicas that need not wait for 5 or 10 seconds to be heard.
QUICK = {"save": "", "repl_diskless_sync_delay": 0, "repl_ping_replica_period": 1}

ADMINISTRATOR = ("--user", "administrator", "on", "nopass", "~*", "&*", "+@all")

# What a store of sessions needs of a server.
RIGHTS = (
    "+@read",
    "+@write",
    "+@connection",
    "+@scripting",
    "-@dangerous",
    "+info",
    "+time",
    "+wait",
    "+cluster|slots",
)


def fresh_prefix() -> str:
    """A prefix that no key has yet."""
    return f"sojourn:{secrets.token_hex(4)}"


class Redis(Server):
    """One server.

    `options` are its own, as `appendonly="yes"` or `maxmemory="4mb"`.  With `tls` it speaks
    nothing else on its port.
    """

    def __init__(self, *, tls: Certificate | None = None, **options: object) -> None:
        super().__init__(**{**QUICK, **options})
        self.tls = tls
        self.admin: redis.Redis | None = None
        self._asked = self._own_info = 0

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        for path in (self.tls.certificate, self.tls.key) if self.tls else ():
            shutil.copy(path, self.folder)

    def command(self) -> list[str]:
        settings: dict[str, object] = {
            "bind": "127.0.0.1",
            "dir": self.folder,
            "unixsocket": self.socket,
            "unixsocketperm": "700",
            **self._ports(),
            **self.options,
        }
        pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in settings.items()]
        return [tool("redis-server"), *itertools.chain.from_iterable(pairs), *ADMINISTRATOR]

    def _ports(self) -> dict[str, object]:
        if self.tls is None:
            return {"port": self.port}
        return {
            "port": 0,
            "tls_port": self.port,
            "tls_auth_clients": "no",
            "tls_ca_cert_file": self.tls.ca,
            "tls_cert_file": self.folder / self.tls.certificate.name,
            "tls_key_file": self.folder / self.tls.key.name,
        }

    def is_up(self) -> bool:
        """Let the administrator in, who then stays."""
        self._leave()
        with contextlib.suppress(redis.ConnectionError):
            if super().is_up():
                self.admin = self.enter()
                return bool(self.admin.ping())
        return False

    def enter(self) -> redis.Redis:
        """A client of the administrator's."""
        return redis.Redis(
            unix_socket_path=str(self.socket),
            username="administrator",
            password="any",
            retry=Retry(NoBackoff(), 0),
            socket_timeout=SETTLES_WITHIN,
        )

    def stop(self) -> None:
        self._leave()
        super().stop()

    def kill(self) -> None:
        super().kill()
        self._leave()

    def _leave(self) -> None:
        if self.admin is not None:
            self.admin.close()
            self.admin = None
        self._asked = self._own_info = 0

    def url(self, user: str = "", database: int = 0) -> str:
        """Where it is, for a user with `PASSWORD`, or for anyone."""
        secret = (
            quote(PASSWORD, "") if user else quote(str(self.options.get("requirepass", "")), "")
        )
        who = f"{user}:{secret}@" if secret else ""
        return f"{'rediss' if self.tls else 'redis'}://{who}{self.address}/{database}"

    def socket_url(self, database: int = 0) -> str:
        """The same through the socket."""
        return f"unix://{self.socket}?db={database}"

    def limited(self, prefix: str) -> str:
        """The URL for a new user who may do what sessions need, with keys of one prefix."""
        return self.url(user=admit(prefix, self))

    def cli(self, *words: object) -> Any:
        """What it answers to a command of the administrator's, as `cli("ACL WHOAMI")`."""
        assert self.admin, "it does not serve"
        self._asked += 1
        plain = [word if isinstance(word, bytes) else str(word) for word in words]
        return self.admin.execute_command(*plain)  # type: ignore[no-untyped-call]

    def commands(self) -> Counter[str]:
        """How many commands of each name it has executed, those of scripts too.

        It counts all but the INFO that asks for this; subtract what it says before from after.
        """
        said = self.cli("INFO", "commandstats")
        counted = Counter({name.removeprefix("cmdstat_"): said[name]["calls"] for name in said})
        counted["info"] -= self._own_info
        self._own_info += 1
        return counted

    def trips(self) -> int:
        """How often others have sent it something: one at a time, these are round trips.

        The end of a connection counts as one.
        """
        self._own_info += 1
        return int(self.cli("INFO", "stats")["total_reads_processed"]) - self._asked

    def kill_connections(self) -> None:
        """End every connection but the administrator's."""
        self.cli("CLIENT KILL", "TYPE", "normal", "SKIPME", "yes")

    def flush(self) -> None:
        """Forget everything."""
        self.cli("FLUSHALL")


def admit(prefix: str, *servers: Redis) -> str:
    """The name of a new user who may do what sessions need, with keys of one prefix."""
    name = f"user-{secrets.token_hex(4)}"
    for server in servers:
        server.cli("ACL SETUSER", name, "on", f">{PASSWORD}", f"~{prefix}:*", *RIGHTS)
    return name
