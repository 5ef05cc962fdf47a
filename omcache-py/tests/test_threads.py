"""Threads that share one client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from conftest import key_of
from holding_server import HoldingServer
from memcached_process import Memcached

import omcache
from omcache import OMcache
from omcache.testing import Server


def run(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_everybody_gets_its_own_answers(cache: OMcache) -> None:
    failures: list[object] = []

    def work(name: int) -> None:
        try:
            for number in range(500):
                key, value = f"{name}:{number % 10}", f"{name}={number}".encode()
                cache.set(key, value)
                if cache.get(key) != value:
                    failures.append(key)
                if number % 50 == 0:
                    keys = [f"{name}:{n}" for n in range(10)]
                    if not all(found.startswith(b"%d=" % name) for found in cache.get_multi(keys).values()):
                        failures.append(keys)
                if number % 100 == 0:
                    try:
                        cache.get(f"none {name}")
                        failures.append("none")
                    except omcache.NotFoundError:
                        pass
        except Exception as error:
            failures.append(error)

    run([threading.Thread(target=work, args=(name,)) for name in range(8)])
    assert failures == []


def test_a_waiting_thread_holds_nobody_up(
    start_memcached: Callable[..., Memcached],
) -> None:
    servers = [start_memcached(), start_memcached()]
    with OMcache([server.address for server in servers]) as cache:
        slow, fast = (key_of(cache, server.address) for server in servers)
        cache.set(slow, "slow")
        cache.set(fast, "fast")
        servers[0].pause()
        results: dict[str, object] = {}

        def wait() -> None:
            results["slow"] = cache.get(slow, timeout=20_000)

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.1)
        begin = time.monotonic()
        for _ in range(100):
            assert cache.get(fast) == b"fast"
        took = time.monotonic() - begin
        assert waiting.is_alive()
        servers[0].resume()
        waiting.join(20)
        assert results == {"slow": b"slow"}
        assert took < 1


def test_the_interpreter_is_released_while_waiting(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.noop()
        omcache_server.misbehave("stop_answering")
        counted = 0
        over = threading.Event()

        def wait() -> None:
            with pytest.raises(omcache.CommandError):
                cache.get("key", timeout=500)
            over.set()

        thread = threading.Thread(target=wait)
        begin = time.monotonic()
        thread.start()
        while not over.is_set():
            counted += 1
            time.sleep(0.001)
        thread.join()
        assert 0.4 < time.monotonic() - begin < 2
        assert counted > 50


def test_each_thread_has_its_own_deadline(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.noop()
        omcache_server.misbehave("stop_answering")
        took: dict[int, float] = {}

        def wait(msec: int) -> None:
            begin = time.monotonic()
            with pytest.raises(omcache.CommandError):
                cache.get("key", timeout=msec)
            took[msec] = time.monotonic() - begin

        run([threading.Thread(target=wait, args=(msec,)) for msec in (600, 100, 300, 900)])
        for msec, seconds in took.items():
            assert msec / 1000 <= seconds < msec / 1000 + 0.6


def test_requests_of_threads_share_the_connection() -> None:
    ended: list[BaseException] = []
    with HoldingServer(4) as server, OMcache(server.address) as cache:

        def work() -> None:
            try:
                cache.get("key", timeout=10_000)
            except omcache.CommandError as error:
                ended.append(error)

        run([threading.Thread(target=work) for _ in range(4)])
    # No answer came before the last thread's request was there, on the one connection that the server takes.
    assert server.arrived == 4
    assert [type(error) for error in ended] == [omcache.NotFoundError] * 4


def test_buffered_writes_of_threads(cache: OMcache) -> None:
    cache.buffering = True

    def work(name: int) -> None:
        for number in range(1000):
            cache.set(f"{name}:{number}", str(number))
            if number % 100 == 99:
                cache.flush()

    run([threading.Thread(target=work, args=(name,)) for name in range(4)])
    cache.buffering = False
    keys = [f"{name}:{number}" for name in range(4) for number in range(1000)]
    assert len(cache.get_multi(keys, timeout=10_000)) == 4000


def test_free_ends_what_other_threads_wait_for(omcache_server: Server) -> None:
    cache = OMcache(omcache_server.address)
    cache.noop()
    omcache_server.misbehave("stop_answering")
    raised: list[omcache.CommandError] = []

    def wait() -> None:
        try:
            cache.get("key", timeout=20_000)
        except omcache.CommandError as error:
            raised.append(error)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    begin = time.monotonic()
    cache.free()
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - begin < 2
    assert [error.status for error in raised] == [omcache.Status.SERVER_FAILURE] * 3
