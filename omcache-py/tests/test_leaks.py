"""Memory, descriptors and threads stay as they are, however many operations there are."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import resource
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from conftest import until

import omcache
import omcache_pylibmc
from omcache import OMcache
from omcache.aio import Client

TOLERANCE = 256 * 1024
"""Bytes by which memory may grow: the allocator's, whatever the number of operations."""


def resident() -> int:
    """Bytes of memory in use."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def opened() -> tuple[int, int]:
    """Descriptors and threads, native ones among them."""
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def grows(work: Callable[[], object], times: int, warm: int) -> int:
    """The bytes by which memory grows over so many times of the work, once it is warm. Nothing else may."""
    for _ in range(warm):
        work()
    gc.collect()
    before, open_before = resident(), opened()
    for _ in range(times):
        work()
    gc.collect()
    grown = resident() - before
    assert opened() == open_before
    return grown


def share(cache: OMcache) -> None:
    """Have threads wait side by side: for the first that do, or a wait that takes long, a client opens two descriptors."""
    cache.noop()
    before, _ = opened()

    def both() -> bool:
        threads = [threading.Thread(target=lambda: [cache.noop() for _ in range(20)]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return opened()[0] >= before + 2

    until(both, "two threads wait at the same time")


def test_a_million_operations(cache: OMcache) -> None:
    cache.noop(1)
    share(cache)
    items = {f"key{n}": bytes(n) for n in range(1000)}
    count = 0

    def work() -> None:
        nonlocal count
        for name, value in items.items():
            cache.set(name, value, timeout=0)
            cache.get(name, timeout=0)
            cache.delete("none", timeout=0)
        for name, value in itertools.islice(items.items(), 50):
            cache.set(name, value)
            assert cache.get(name) == value
        for call in (lambda: cache.get("none"), lambda: cache.get(""), lambda: cache.noop(7)):
            with suppress(omcache.CommandError):
                call()
        assert cache.set_multi(items) == {} and len(cache.get_multi(items)) == 1000
        cache.flush()
        count += 3000 + 100 + 3 + 2000

    grown = grows(work, 200, 60)
    assert count > 1_000_000
    assert grown < TOLERANCE


def operations(cache: OMcache, items: dict[str, bytes]) -> Callable[[], None]:
    def work() -> None:
        cache.set("key", "value" * 100)
        cache.get("key", flags=True, cas=True)
        cache.get_multi(items)
        cache.set_multi(items)
        cache.increment("n", initial=1)
        cache.stat("settings")
        cache.delete_multi(["none", "none either"])
        for call in (lambda: cache.get("none"), lambda: cache.get(""), lambda: cache.noop(7)):
            with suppress(omcache.CommandError):
                call()
        cache.set("quiet", "x", timeout=0)

    return work


@pytest.mark.parametrize("select", [None, "select"])
def test_memory_is_flat(addresses: list[str], select: Any) -> None:
    if select is not None:
        import select as module

        select = module.select
    items = {f"key{n}": bytes(500) for n in range(50)}
    with OMcache(addresses, select=select) as cache:
        if select is None:
            cache.noop(1)
            share(cache)
        assert grows(operations(cache, items), 2000, 300) < TOLERANCE


def test_memory_is_flat_with_asyncio(addresses: list[str]) -> None:
    key, value = b"key-of-its-own" + bytes(1), b"value-of-its-own" + bytes(1)
    items = {f"key{n}": bytes(500) for n in range(50)}
    loop = asyncio.new_event_loop()
    cache = Client(addresses)

    async def work() -> None:
        await cache.set_multi(items)
        found = await asyncio.gather(*(cache.get(name) for name in items))
        assert found == list(items.values())
        await cache.set_multi(items, timeout=0)
        await cache.set(key, value)
        # Cancelled before they are sent, and while they are under way.
        for turns in range(4):
            tasks = [asyncio.ensure_future(call) for call in (cache.get(key), cache.get_multi([key]))]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for call in (cache.get("none"), cache.get(""), cache.noop(7)):
            with suppress(omcache.CommandError):
                await call

    loop.run_until_complete(work())
    gc.collect()
    before = sys.getrefcount(key), sys.getrefcount(value)
    assert grows(lambda: loop.run_until_complete(work()), 1000, 200) < TOLERANCE
    cache.free()
    loop.close()
    del loop
    gc.collect()
    assert (sys.getrefcount(key), sys.getrefcount(value)) == before


def test_memory_is_flat_with_pylibmcs_client(addresses: list[str]) -> None:
    value = ["value", "of", "its own"]
    items: dict[str, Any] = {f"key{n}": [n, "x" * n] for n in range(50)}
    mc: Any = omcache_pylibmc.Client(addresses, behaviors={"cas": True})

    def work() -> None:
        assert mc.set("key", value) and mc.get("key") == value
        assert mc.set("packed", b"x" * 1000, min_compress_len=10) and len(mc.get("packed")) == 1000
        assert mc.set_multi(items) == [] and mc.get_multi(items) == items
        _, cas = mc.gets("key")
        assert mc.cas("key", value, cas)
        assert mc.get("none") is None and mc.get_multi(["none"]) == {}
        for call in (lambda: mc.incr("none"), lambda: mc.incr_multi(["none"]), lambda: mc.get("x" * 251)):
            with suppress(omcache_pylibmc.Error, ValueError):
                call()

    work()
    before = sys.getrefcount(value)
    assert grows(work, 2000, 300) < TOLERANCE
    assert sys.getrefcount(value) == before


def test_clients_come_and_go(addresses: list[str]) -> None:
    def work() -> None:
        cache = OMcache(addresses)
        cache.set("key", "value")
        cache.get_multi(["key"])
        del cache

    assert grows(work, 500, 100) < TOLERANCE


def test_large_values_are_let_go(cache: OMcache) -> None:
    def work() -> None:
        cache.set("large", bytes(900_000))
        cache.get("large")

    assert grows(work, 300, 20) < 4 * 1024 * 1024
