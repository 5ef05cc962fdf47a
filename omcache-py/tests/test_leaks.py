"""Memory, descriptors and threads stay as they are, however many operations there are."""

from __future__ import annotations

import gc
import os
import resource
import threading
from collections.abc import Callable
from typing import Any

import pytest

import omcache
from omcache import OMcache


def resident() -> int:
    """Bytes of memory in use."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


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
            try:
                call()
            except omcache.CommandError:
                pass
        cache.set("quiet", "x", timeout=0)

    return work


@pytest.mark.parametrize("select", [None, "select"])
def test_memory_is_flat(addresses: list[str], select: Any) -> None:
    if select is not None:
        import select as module

        select = module.select
    items = {f"key{n}": bytes(500) for n in range(50)}
    with OMcache(addresses, select=select) as cache:
        work = operations(cache, items)
        for _ in range(500):
            work()
        gc.collect()
        before, open_before, threads = resident(), descriptors(), threading.active_count()
        for _ in range(3000):
            work()
        gc.collect()
        assert resident() - before < 2_000_000
        assert (descriptors(), threading.active_count()) == (open_before, threads)


def test_clients_come_and_go(addresses: list[str]) -> None:
    def work() -> None:
        cache = OMcache(addresses)
        cache.set("key", "value")
        cache.get_multi(["key"])
        del cache

    for _ in range(50):
        work()
    gc.collect()
    before, open_before = resident(), descriptors()
    for _ in range(500):
        work()
    gc.collect()
    assert descriptors() == open_before
    assert resident() - before < 2_000_000


def test_large_values_are_let_go(cache: OMcache) -> None:
    cache.set("large", bytes(900_000))
    cache.get("large")
    gc.collect()
    before = resident()
    for _ in range(300):
        cache.get("large")
        cache.set("large", bytes(900_000))
    gc.collect()
    assert resident() - before < 8_000_000
