"""Clients in forked children."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable

import pytest

import omcache
from omcache import OMcache
from omcache.testing import Server


def in_child(work: Callable[[], None]) -> int:
    """Fork, run the function in the child, and return the child's exit status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    raise AssertionError("the child hangs")


def test_parent_and_child_go_on(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.set("key", "parent")
        accepted = omcache_server.accepted

        def work() -> None:
            assert cache.get("key") == b"parent"
            cache.set("key", "child")
            cache.buffering = True
            cache.set("buffered", "child")
            cache.flush()

        assert in_child(work) == 0
        assert cache.get("key") == b"child" and cache.get("buffered") == b"child"
        # The child made a connection of its own, the parent kept its own.
        assert omcache_server.accepted == accepted + 1
        assert cache.buffering is False


def test_settings_are_inherited(omcache_servers: Callable[..., Server]) -> None:
    servers = [omcache_servers(), omcache_servers()]
    with OMcache([server.address for server in servers]) as cache:
        cache.set_distribution_method("modula")
        cache.dead_timeout, cache.io_timeout = 123, 456
        places = [cache.server_index_for_key(f"key{n}") for n in range(100)]

        def work() -> None:
            assert (cache.dead_timeout, cache.io_timeout) == (123, 456)
            assert [cache.server_index_for_key(f"key{n}") for n in range(100)] == places

        assert in_child(work) == 0


def test_what_the_parent_has_buffered_is_the_parents(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.noop()
        cache.buffering = True
        cache.set("key", "parent")
        assert in_child(cache.flush) == 0
        assert len(omcache_server) == 0
        cache.flush()
        assert omcache_server.get("key") == b"parent"


@pytest.mark.parametrize("threads", [1, 3])
def test_a_fork_while_other_threads_wait(omcache_server: Server, threads: int) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.set("key", "value")
        omcache_server.misbehave("stop_answering")
        raised: list[omcache.CommandError] = []

        def wait() -> None:
            try:
                cache.get("key", timeout=3000)
            except omcache.CommandError as error:
                raised.append(error)

        waiting = [threading.Thread(target=wait) for _ in range(threads)]
        for thread in waiting:
            thread.start()
        time.sleep(0.05)

        def work() -> None:
            omcache_server  # the server's threads are not here: only sockets tell of it
            with pytest.raises(omcache.CommandError):
                cache.get("key", timeout=50)

        assert in_child(work) == 0
        for thread in waiting:
            thread.join(20)
        assert len(raised) == threads


def test_many_forks_among_busy_threads(cache: OMcache) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def busy(name: int) -> None:
        try:
            while not stop.is_set():
                cache.set(f"key{name}", "x")
                assert cache.get(f"key{name}") == b"x"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=busy, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()

    def work() -> None:
        cache.set("child", "y")
        assert cache.get("child") == b"y"

    try:
        assert [in_child(work) for _ in range(20)] == [0] * 20
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert failures == []


_CACHE: OMcache | None = None


def _pool_work(number: int) -> bytes:
    assert _CACHE is not None
    _CACHE.set(f"pool{number}", str(number))
    return _CACHE.get(f"pool{number}")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_multiprocessing(cache: OMcache) -> None:
    global _CACHE
    _CACHE = cache
    cache.set("parent", "x")
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(_pool_work, range(30)) == [str(number).encode() for number in range(30)]
    assert cache.get("parent") == b"x"


def test_the_embedded_server_is_the_parents(omcache_server: Server) -> None:
    assert in_child(omcache_server.close) == 0
    with OMcache(omcache_server.address) as cache:
        cache.set("key", "still there")
