"""The Python clients that `cargo xtask bench` measures.

Arguments CLIENT SERVERS WORKLOAD VALUE_LENGTH BUDGET, as the C programs beside it take them, and the same line as the result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any


class Measured:
    """One client: it stores and reads, and each answer is looked at."""

    def __init__(self, servers: list[str]) -> None:
        self.servers = servers

    def get(self, key: str) -> Any:
        return self.client.get(key)

    def set(self, key: str, value: bytes) -> Any:
        return self.client.set(key, value)

    def get_multi(self, keys: list[str]) -> dict[Any, Any]:
        return self.client.get_multi(keys)

    def set_multi(self, items: dict[str, bytes]) -> Any:
        return self.client.set_multi(items)


class OMcache(Measured):
    def __init__(self, servers: list[str]) -> None:
        import omcache

        self.client = omcache.OMcache(servers)


class OMcachePylibmc(Measured):
    def __init__(self, servers: list[str]) -> None:
        import omcache_pylibmc

        self.client = omcache_pylibmc.Client(servers, behaviors={"ketama": True})


class Pylibmc(Measured):
    def __init__(self, servers: list[str]) -> None:
        import pylibmc

        self.client = pylibmc.Client(servers, behaviors={"ketama": True, "tcp_nodelay": True})


class Libmc(Measured):
    def __init__(self, servers: list[str]) -> None:
        import libmc

        self.client = libmc.Client(servers)


class Pymemcache(Measured):
    def __init__(self, servers: list[str]) -> None:
        import pymemcache

        self.client = pymemcache.HashClient(servers, no_delay=True)

    def get_multi(self, keys: list[str]) -> dict[Any, Any]:
        return self.client.get_many(keys)

    def set_multi(self, items: dict[str, bytes]) -> Any:
        return self.client.set_many(items)


class PythonBinaryMemcached(Measured):
    def __init__(self, servers: list[str]) -> None:
        import bmemcached

        self.client = bmemcached.DistributedClient(servers, compression=None)


class MetaMemcache(Measured):
    def __init__(self, servers: list[str]) -> None:
        from meta_memcache import CacheClient, ServerAddress, connection_pool_factory_builder

        addresses = [ServerAddress(*server.rsplit(":", 1)) for server in servers]
        self.client = CacheClient.cache_client_from_servers(
            servers=[ServerAddress(address.host, int(address.port)) for address in addresses],
            connection_pool_factory_fn=connection_pool_factory_builder(),
        )

    def set(self, key: str, value: bytes) -> Any:
        return self.client.set(key, value, ttl=0)

    def get_multi(self, keys: list[str]) -> dict[Any, Any]:
        return self.client.multi_get(keys)


CLIENTS: dict[str, Callable[[list[str]], Measured]] = {
    "omcache": OMcache,
    "omcache_pylibmc": OMcachePylibmc,
    "pylibmc": Pylibmc,
    "libmc": Libmc,
    "pymemcache": Pymemcache,
    "python-binary-memcached": PythonBinaryMemcached,
    "meta-memcache": MetaMemcache,
}


def main() -> None:
    name, servers, workload, length, budget = sys.argv[1:]
    client = CLIENTS[name](servers.split(","))
    count = 10_000 if workload == "get10000" else 100
    keys = [f"key_{number:012}" for number in range(count)]
    value = b"v" * int(length)
    for key in keys:
        client.set(key, value)

    def get(at: int) -> int:
        assert client.get(keys[at % count]) == value
        return 1

    def set(at: int) -> int:
        client.set(keys[at % count], value)
        return 1

    def get_multi(at: int) -> int:
        assert len(client.get_multi(keys)) == count
        return count

    items = dict.fromkeys(keys, value)

    def set_multi(at: int) -> int:
        client.set_multi(items)
        return count

    if workload == "set100" and type(client).set_multi is Measured.set_multi and not hasattr(client.client, "set_multi"):
        sys.exit("unsupported: set100")
    unit = {"get": get, "set": set, "set100": set_multi}.get(workload, get_multi)
    kind, _, number = budget.partition(":")
    limit, span = (int(number), float("inf")) if kind == "ops" else (sys.maxsize, int(number) / 1000)
    latencies: list[float] = []
    done = 0
    processor, begin = time.process_time_ns(), time.perf_counter()
    now = begin
    while done < limit and now - begin < span:
        done += unit(done)
        later = time.perf_counter()
        latencies.append(later - now)
        now = later
    processor = time.process_time_ns() - processor
    latencies.sort()
    p50, p99 = (int(latencies[len(latencies) * part // 100] * 1e9) for part in (50, 99))
    # What getrusage tells may be that of the program before exec.
    with open("/proc/self/status") as status:
        memory = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
    assert client.get(keys[-1]) == value
    print(
        f"ops={done} wall_ns={int((now - begin) * 1e9)} cpu_ns={processor} p50_ns={p50} p99_ns={p99} rss_kb={memory}"
    )


main()
