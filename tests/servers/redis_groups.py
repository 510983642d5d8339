"""Several Redis servers that work together: a cluster, and a master watched by Sentinels."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.process import free_port, tool, wait_until
from tests.servers.redis import PASSWORD, Redis, admit

MASTERS = 3
SLOTS = 16_384
SERVICE = "sojourn"  # what the Sentinels call their master

# In milliseconds.  Sentinels that ping no oftener than DOWN_AFTER find each new master down; and
# they distrust a replica that they have not heard of for five pings, while they ask it each second.
DOWN_AFTER = 1000
HASTE = ("ping-period", 300, "info-period", 500, "publish-period", 500)


class Several:
    """Servers that start and end together, and are told who they are in between."""

    def __init__(self, nodes: list[Redis], watchers: Sequence[Redis] = ()) -> None:
        self.nodes = nodes
        self._all = (*nodes, *watchers)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for server in self._all:
                stack.enter_context(server)
            self.acquaint()
            self.wait_until_ok()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        self._stack.__exit__(kind, error, None)

    def acquaint(self) -> None:
        """Tell them of each other."""

    def wait_until_ok(self) -> None:
        """Until they agree."""
        wait_until(self.is_ok, "the servers agree")

    def is_ok(self) -> bool:
        """Whether they agree."""
        raise NotImplementedError

    def url(self, user: str = "") -> str:
        """Where they are, for a user with `PASSWORD`, or for anyone."""
        raise NotImplementedError

    def limited(self, prefix: str) -> str:
        """The URL for a new user who may do what sessions need, with keys of one prefix."""
        return self.url(user=admit(prefix, *self.nodes))


def _in_step(server: Redis) -> bool:
    """Whether it follows its master, and hears from its replicas: before, they get no changes."""
    told = server.cli("INFO", "replication")
    replicas = [value for value in told.values() if isinstance(value, dict)]
    return told.get("master_link_status", "up") == "up" and all(r["offset"] for r in replicas)


class RedisCluster(Several):
    """Three masters and, if asked for, a replica or more of each; masters come first in `nodes`."""

    def __init__(self, *, replicas: int = 0, **options: Any) -> None:
        settings = {"cluster_enabled": "yes", "cluster_node_timeout": 1500, **options}
        count = MASTERS * (1 + replicas)
        super().__init__([Redis(cluster_port=free_port(), **settings) for _ in range(count)])

    def acquaint(self) -> None:
        for number, node in enumerate(self.nodes):
            node.cli("CLUSTER SET-CONFIG-EPOCH", number + 1)
            for other in self.nodes[:number]:
                bus = other.options["cluster_port"]
                node.cli("CLUSTER MEET", "127.0.0.1", other.port, bus)
        bounds = [SLOTS * number // MASTERS for number in range(MASTERS + 1)]
        for node, (first, after) in zip(self.nodes, itertools.pairwise(bounds), strict=False):
            node.cli("CLUSTER ADDSLOTSRANGE", first, after - 1)
        wait_until(self._acquainted, "each node of the cluster knows all")
        for number, node in enumerate(self.nodes[MASTERS:]):
            node.cli("CLUSTER REPLICATE", self.nodes[number % MASTERS].cli("CLUSTER MYID"))

    def _acquainted(self) -> bool:
        return all(len(node.cli("CLUSTER NODES")) == len(self.nodes) for node in self.nodes)

    def is_ok(self) -> bool:
        """Whether all nodes that run find all slots served, and replicas follow."""
        healths = [node.cli("CLUSTER INFO")["cluster_state"] for node in self.running]
        return set(healths) == {"ok"} and all(map(_in_step, self.running))

    @property
    def running(self) -> list[Redis]:
        """The nodes that are up."""
        return [node for node in self.nodes if node.admin]

    @property
    def masters(self) -> list[Redis]:
        """Those that are masters now."""
        return [node for node in self.running if node.cli("ROLE")[0] == b"master"]

    def master_of(self, key: str) -> Redis:
        """The master that has the slot of a key."""
        slot = self.running[0].cli("CLUSTER KEYSLOT", key)
        ranges = self.running[0].cli("CLUSTER SLOTS")
        [port] = [at[1] for first, last, at, *_ in ranges if first <= slot <= last]
        return next(node for node in self.nodes if node.port == port)

    def url(self, user: str = "") -> str:
        who = f"{user}:{quote(PASSWORD, '')}@" if user else ""
        return f"redis+cluster://{who}{','.join(node.address for node in self.nodes)}"

    def commands(self) -> Counter[str]:
        """How many commands of each name all nodes have executed."""
        return sum((node.commands() for node in self.running), Counter[str]())

    def trips(self) -> int:
        """What its nodes count together, replicas too."""
        return sum(node.trips() for node in self.running)

    def flush(self) -> None:
        """Forget everything."""
        for master in self.masters:
            master.flush()


class Sentinel(Redis):
    """A process that watches over a master, and lets a replica take its place."""

    def __init__(self, master: Redis) -> None:
        super().__init__()
        self._master = master

    def prepare(self) -> None:
        settings = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self.folder,
            "sentinel monitor": f"{SERVICE} 127.0.0.1 {self._master.port} 2",
            "sentinel down-after-milliseconds": f"{SERVICE} {DOWN_AFTER}",
            "sentinel failover-timeout": f"{SERVICE} 2000",
        }
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        (self.folder / "sentinel.conf").write_text(lines)

    def command(self) -> list[str]:
        return [tool("redis-server"), str(self.folder / "sentinel.conf"), "--sentinel"]

    def enter(self) -> redis.Redis:
        return redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=5.0)


class Sentinels(Several):
    """A master with a replica, and three Sentinels that agree on which of them is which."""

    def __init__(self, **options: Any) -> None:
        master = Redis(**options)
        self.servers = [master, Redis(replicaof=f"127.0.0.1 {master.port}", **options)]
        self.sentinels = [Sentinel(master) for _ in range(3)]
        super().__init__(self.servers, self.sentinels)

    def acquaint(self) -> None:
        for sentinel in self.sentinels:
            sentinel.cli("SENTINEL DEBUG", *HASTE)

    def is_ok(self) -> bool:
        """Whether all Sentinels know each other, and a master that a replica follows."""
        seen = [sentinel.cli("SENTINEL MASTER", SERVICE) for sentinel in self.sentinels]
        return bool(
            len({(master["ip"], master["port"]) for master in seen}) == 1
            and all(master["flags"] == "master" for master in seen)
            and all(master["num-other-sentinels"] == 2 for master in seen)
            and all(master["num-slaves"] == 1 for master in seen)
            and self.master.cli("INFO", "replication")["connected_slaves"] == 1
            and all(map(_in_step, self.servers))
        )

    @property
    def master(self) -> Redis:
        """The server that the Sentinels name as the master."""
        _, port = self.sentinels[0].cli("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(server for server in self.nodes if server.port == int(port))

    @property
    def replica(self) -> Redis:
        """The other one."""
        master = self.master
        return next(server for server in self.nodes if server is not master)

    def failover(self) -> None:
        """Change their places, as an administrator does for maintenance."""
        before = self.master
        wait_until(lambda: self._has_left(before), "another master")
        self.wait_until_ok()

    def _has_left(self, master: Redis) -> bool:
        if self.master is not master:
            return True
        with contextlib.suppress(redis.ResponseError):  # it is about to, or the replica is too new
            self.sentinels[0].cli("SENTINEL FAILOVER", SERVICE)
        return False

    def url(self, user: str = "") -> str:
        who = f"{user}:{quote(PASSWORD, '')}@" if user else ""
        places = ",".join(sentinel.address for sentinel in self.sentinels)
        return f"redis+sentinel://{who}{places}/{SERVICE}/0"

    def commands(self) -> Counter[str]:
        """How many commands of each name the master has executed."""
        return self.master.commands()

    def flush(self) -> None:
        """Forget everything."""
        self.master.flush()
