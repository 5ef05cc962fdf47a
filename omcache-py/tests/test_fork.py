"""Clients in forked children."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from conftest import until
from memcached_process import Memcached

import omcache
import omcache.aio
import omcache_pylibmc
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
    return end_of(pid)


def end_of(pid: int) -> int:
    """Wait for a child, and return its exit status."""
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


def sockets() -> set[str]:
    """The sockets that this process has open, by names that are the same in both processes."""
    links = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            links.add(os.readlink(f"/proc/self/fd/{number}"))
    return {link for link in links if link.startswith("socket:")}


def test_the_child_closes_the_parents_connections(start_memcached: Callable[..., Memcached]) -> None:
    server = start_memcached()
    before = sockets()
    with OMcache(server.address) as cache:
        cache.set("key", "value")
        connections = sockets() - before
        assert len(connections) == 1
        server.pause()
        waiting = threading.Thread(target=lambda: cache.get("key", timeout=20_000))
        waiting.start()
        # By then the thread waits without the core.
        time.sleep(0.2)

        def work() -> None:
            with pytest.raises(omcache.CommandError):
                cache.get("key", timeout=50)
            assert not connections & sockets()

        assert in_child(work) == 0
        server.resume()
        waiting.join(20)
        assert cache.get("key") == b"value" and connections <= sockets()


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
    def work() -> None:
        with OMcache(omcache_server.address) as cache:
            cache.set("key", "from the child")
        with pytest.raises(RuntimeError, match="forked"):
            omcache_server.get("key")
        omcache_server.close()

    assert in_child(work) == 0
    assert omcache_server.get("key") == b"from the child"
    with OMcache(omcache_server.address) as cache:
        cache.set("key", "still there")


def test_a_freed_client_is_freed_in_the_child(omcache_server: Server) -> None:
    cache = OMcache(omcache_server.address)
    cache.set("key", "value")
    cache.free()

    def work() -> None:
        with pytest.raises(omcache.Error, match="freed"):
            cache.get("key")

    assert in_child(work) == 0


def test_asyncio(omcache_server: Server) -> None:
    cache = omcache.aio.Client(omcache_server.address)

    async def call(name: str) -> None:
        await cache.set(name, "value")
        assert await cache.get(name) == b"value"

    def work() -> None:
        asyncio.run(call("child"))
        asyncio.run(call("child again"))
        cache.free()

    async def main() -> None:
        await call("parent")
        accepted = omcache_server.accepted
        waiting = asyncio.ensure_future(cache.get("parent", timeout=20_000))
        omcache_server.misbehave("delay", 1, seconds=0.3)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        # The loop is the parent's alone, and so is the answer.
        assert in_child(work) == 0
        assert await waiting == b"value"
        await call("parent")
        assert omcache_server.accepted == accepted + 1

    asyncio.run(main())
    assert omcache_server.get("child again") == b"value"
    cache.free()

    async def freed() -> None:
        with pytest.raises(omcache.Error, match="freed"):
            await cache.get("key")

    assert in_child(lambda: asyncio.run(freed())) == 0


def test_pylibmc_among_busy_threads(addresses: list[str]) -> None:
    mc: Any = omcache_pylibmc.Client(addresses, binary=True)
    stop = threading.Event()
    failures: list[BaseException] = []

    def busy(name: int) -> None:
        try:
            while not stop.is_set():
                mc.set(f"key{name}", "x")
                assert mc.get(f"key{name}") == "x"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=busy, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()

    def work() -> None:
        for _ in range(3):
            assert mc.set("child", "y") and mc.get("child") == "y"
        assert mc.get_multi(["child"]) == {"child": "y"}

    try:
        # A thread has a lock for so short a time that few forks fall into it.
        assert [in_child(work) for _ in range(300)] == [0] * 300
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert failures == []


@pytest.mark.parametrize("waits_for", ["a server", "another thread"])
@pytest.mark.parametrize("uses_it", [False, True])
def test_a_handler_that_forks_while_pylibmcs_client_waits(
    omcache_server: Server, waits_for: str, uses_it: bool
) -> None:
    mc: Any = omcache_pylibmc.Client([omcache_server.address], binary=True)
    mc.set("key", "value")
    parent, children = os.getpid(), []

    def handle(number: int, frame: FrameType | None) -> None:
        children.append(os.fork())
        if children[-1] == 0 and uses_it:
            assert mc.get("key") == "value"

    before = signal.signal(signal.SIGALRM, handle)
    status = 1
    accepted = omcache_server.accepted
    threads = [threading.Thread(target=mc.get, args=("key",))] if waits_for == "another thread" else []
    try:
        # One that the child asks is answered at once.
        omcache_server.misbehave("delay", 1, seconds=1.0)
        for thread in threads:
            thread.start()
            time.sleep(0.1)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            assert mc.get("key") == "value"
            assert os.getpid() == parent
        except OSError as error:
            assert os.getpid() != parent
            assert "lost by a fork" in str(error)
            for _ in range(2):
                assert mc.get("key") == "value"
        status = 0
    finally:
        if os.getpid() != parent:
            os._exit(status)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for thread in threads:
        thread.join(20)
    assert [end_of(child) for child in children] == [0]
    # The parent's own connection still stands, and the child made one.
    assert mc.get("key") == "value" and omcache_server.accepted == accepted + 1


APPLICATION = """
import os
import omcache
import omcache_pylibmc

cache = omcache.OMcache(os.environ["SERVER"])
cache.set("master", "value")
mc = omcache_pylibmc.Client([os.environ["SERVER"]], binary=True)
mc.set("pylibmc", "value")


def application(environ, start_response):
    name = environ["PATH_INFO"]
    cache.set(name, name)
    mc.set("pylibmc" + name, name)
    body = b"%d %s %s %s" % (os.getpid(), cache.get(name), cache.get("master"), mc.get("pylibmc" + name).encode())
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def test_gunicorn_that_loads_the_program_before_it_forks(omcache_server: Server, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        arguments = ["--preload", "--workers", "3", "--bind", f"fd://{listener.fileno()}", "program:application"]
        gunicorn = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments],
            cwd=tmp_path,
            env=dict(os.environ, SERVER=omcache_server.address),
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
        try:
            workers: set[bytes] = set()
            number = 0

            def ask() -> bool:
                nonlocal number
                number += 1
                url = f"http://127.0.0.1:{listener.getsockname()[1]}/{number}"
                with urllib.request.urlopen(url, timeout=20) as answer:
                    worker, *rest = answer.read().split()
                assert rest == [f"/{number}".encode(), b"value", f"/{number}".encode()]
                workers.add(worker)
                return len(workers) == 3 and number >= 100

            until(ask, "every worker answers")
        finally:
            gunicorn.send_signal(signal.SIGTERM)
            gunicorn.wait(20)
    # The master's two, and two of each worker.
    assert omcache_server.accepted == 8
