"""A program's own way to wait: gevent's, and any other."""

from __future__ import annotations

import select
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import pytest
from conftest import until
from memcached_process import Memcached

import omcache
from omcache import OMcache
from omcache.testing import Server


def test_select_select(addresses: list[str]) -> None:
    calls: list[tuple[Any, ...]] = []

    def waiter(*arguments: Any) -> Any:
        calls.append(arguments)
        return select.select(*arguments)

    with OMcache(addresses, select=waiter) as cache:
        assert cache.select is waiter
        cache.set("key", "value")
        assert cache.get("key") == b"value"
        assert cache.set_multi({f"key{n}": str(n) for n in range(300)}) == {}
        assert len(cache.get_multi([f"key{n}" for n in range(400)])) == 300
        assert len(cache.stat()) > 30
        cache.buffering = True
        cache.set("buffered", "x")
        cache.flush()
        assert cache.get("buffered", timeout=-1) == b"x"
    assert len(calls) > 5
    for readable, writable, errors, timeout in calls:
        assert isinstance(readable, list) and isinstance(writable, list) and list(errors) == []
        assert all(isinstance(fd, int) for fd in readable + writable)
        assert timeout is None or 0 <= timeout <= 10.5


def test_its_exception_ends_the_call(omcache_server: Server) -> None:
    class Stop(Exception):
        pass

    fails = True

    def waiter(*arguments: Any) -> Any:
        if fails:
            raise Stop
        return select.select(*arguments)

    with OMcache(omcache_server.address, select=waiter) as cache:
        with pytest.raises(Stop):
            cache.get("key")
        with pytest.raises(Stop):
            cache.get_multi(["key"])
        fails = False
        cache.set("key", "value")
        assert cache.get("key") == b"value"


def test_timeouts(omcache_server: Server) -> None:
    with OMcache(omcache_server.address, select=select.select) as cache:
        cache.noop()
        omcache_server.misbehave("stop_answering")
        begin = time.monotonic()
        with pytest.raises(omcache.CommandError) as raised:
            cache.get("key", timeout=200)
        assert raised.value.status == omcache.Status.AGAIN
        assert 0.2 <= time.monotonic() - begin < 1
        cache.dead_timeout = 100
        with pytest.raises(omcache.CommandError) as raised:
            cache.get("key", timeout=-1)
        assert raised.value.status == omcache.Status.SERVER_FAILURE


def test_threads_share_a_client_that_selects(addresses: list[str]) -> None:
    failures: list[object] = []
    with OMcache(addresses, select=select.select) as cache:

        def work(name: int) -> None:
            try:
                for number in range(200):
                    cache.set(f"{name}", f"{name}={number}")
                    if cache.get(f"{name}") != f"{name}={number}".encode():
                        failures.append(name)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failures == []


def run_gevent(code: str, *arguments: str) -> str:
    """Run a program in an interpreter of its own, as gevent changes the one it is in."""
    program = "import sys, time\nimport gevent, gevent.select\nimport omcache\n" + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_other_greenlets_run_while_one_waits() -> None:
    with Server() as server:
        server.misbehave("stop_answering")
        printed = run_gevent(
            """
            cache = omcache.OMcache(sys.argv[1], select=gevent.select.select)
            ticks = 0
            def tick():
                global ticks
                while True:
                    gevent.sleep(0.01)
                    ticks += 1
            other = gevent.spawn(tick)
            try:
                cache.get("key", timeout=500)
            except omcache.CommandError as error:
                print(error.status == omcache.Status.AGAIN, ticks > 20)
            """,
            server.address,
        )
    assert printed.split() == ["True", "True"]


def test_greenlets_share_a_client(shared_servers: list[Memcached]) -> None:
    printed = run_gevent(
        """
        cache = omcache.OMcache(sys.argv[1].split(","), select=gevent.select.select)
        def work(name):
            for number in range(50):
                cache.set(f"g{name}", f"{name}={number}")
                assert cache.get(f"g{name}") == f"{name}={number}".encode()
                assert cache.get_multi([f"g{name}"])
            return 1
        jobs = [gevent.spawn(work, name) for name in range(30)]
        gevent.joinall(jobs, timeout=30, raise_error=True)
        print(sum(job.value for job in jobs))
        """,
        ",".join(server.address for server in shared_servers),
    )
    assert printed.strip() == "30"


def test_a_greenlet_that_hangs_holds_up_no_other() -> None:
    with Server() as hanging, Server() as living:
        # The handshake and the program's own NOOP are answered, and nothing behind them.
        hangs = threading.Thread(target=hang_after, args=(hanging, 2))
        hangs.start()
        printed = run_gevent(
            """
            cache = omcache.OMcache(sys.argv[1:], select=gevent.select.select)
            cache.noop(0)
            cache.noop(1)
            hanging = next(n for n in range(2) if cache.servers()[n].port == sys.argv[1].split(":")[1])
            keys = [next(k for k in map(str, range(9999)) if cache.server_index_for_key(k) == n) for n in range(2)]
            slow, fast = keys[hanging], keys[1 - hanging]
            cache.set(fast, "x")
            time.sleep(0.5)

            def wait():
                try:
                    cache.get(slow, timeout=1500)
                except omcache.CommandError:
                    return "failed"

            waiting = [gevent.spawn(wait) for _ in range(3)]
            gevent.sleep(0.05)
            count = 0
            while not all(job.ready() for job in waiting):
                assert cache.get(fast) == b"x"
                gevent.sleep(0.01)
                count += 1
            print([job.value for job in waiting], count > 30)
            # One that is killed while it leads leaves the others in order.
            leader, follower = gevent.spawn(cache.get, fast), gevent.spawn(cache.get, fast)
            gevent.sleep(0)
            leader.kill()
            print(follower.get(timeout=5))
            """,
            hanging.address,
            living.address,
        )
        hangs.join()
    assert printed.splitlines() == ["['failed', 'failed', 'failed'] True", "b'x'"]


@pytest.mark.parametrize("end", ["free", "disconnect"])
def test_the_end_of_the_connections_wakes_greenlets(end: str) -> None:
    with Server() as server:
        # The handshake and the program's own NOOP are answered, and nothing behind them.
        hangs = threading.Thread(target=hang_after, args=(server, 2))
        hangs.start()
        printed = run_gevent(
            """
            cache = omcache.OMcache(sys.argv[1], select=gevent.select.select)
            cache.noop()
            time.sleep(0.5)

            def wait():
                try:
                    cache.get("key", timeout=30_000)
                except omcache.CommandError as error:
                    return error.status

            waiting = [gevent.spawn(wait) for _ in range(3)]
            gevent.sleep(0.05)
            getattr(cache, sys.argv[2])()
            gevent.joinall(waiting, timeout=5)
            print(*[job.value == omcache.Status.SERVER_FAILURE for job in waiting])
            """,
            server.address,
            end,
        )
        hangs.join()
    assert printed.split() == ["True"] * 3


def test_a_greenlet_in_a_forked_child_leaves_the_answer_to_the_parent() -> None:
    with Server() as server:
        server.insert("key", "value")
        delays = threading.Thread(target=delay_after, args=(server, 2))
        delays.start()
        printed = run_gevent(
            """
            import os
            cache = omcache.OMcache(sys.argv[1], select=gevent.select.select)
            cache.noop()
            time.sleep(0.5)

            def wait():
                try:
                    return cache.get("key", timeout=10_000)
                except omcache.CommandError as error:
                    return str(error)

            job = gevent.spawn(wait)
            gevent.sleep(0.05)
            pid = gevent.fork()
            if pid == 0:
                job.join(timeout=5)
                print(job.value, cache.get("key", timeout=10_000), flush=True)
                os._exit(0)
            # The child is the first that could read the answer.
            os.waitpid(pid, 0)
            job.join(timeout=5)
            print(job.value)
            """,
            server.address,
        )
        delays.join()
    child, parent = printed.splitlines()
    assert "lost by a fork" in child and child.endswith("b'value'")
    assert parent == "b'value'"


def test_greenlets_give_their_descriptors_back() -> None:
    with Server() as server:
        hangs = threading.Thread(target=hang_after, args=(server, 2))
        hangs.start()
        printed = run_gevent(
            """
            import os, resource
            cache = omcache.OMcache(sys.argv[1], select=gevent.select.select)
            cache.noop()
            time.sleep(0.5)
            before = len(os.listdir("/proc/self/fd"))

            def wait():
                try:
                    cache.get("key", timeout=1000)
                except omcache.Error as error:
                    return type(error).__name__

            waiting = [gevent.spawn(wait) for _ in range(200)]
            gevent.sleep(0.2)
            print(len(os.listdir("/proc/self/fd")) - before <= 200 + 5)
            gevent.joinall(waiting)
            print(len(os.listdir("/proc/self/fd")) - before <= 16 + 5)
            # Without descriptors left it is an error of the library's.
            resource.setrlimit(resource.RLIMIT_NOFILE, (before + 40, before + 40))
            waiting = [gevent.spawn(wait) for _ in range(100)]
            gevent.joinall(waiting)
            print({job.value for job in waiting})
            """,
            server.address,
        )
        hangs.join()
    assert printed.splitlines() == ["True", "True", "{'CommandError'}"]


def delay_after(server: Server, commands: int) -> None:
    """Let the server answer so many commands, and the next one late."""
    until(lambda: server.commands >= commands, "the first commands arrive")
    server.misbehave("delay", 1, seconds=1.5)


def hang_after(server: Server, commands: int) -> None:
    """Let the server answer so many commands, and nothing any more."""
    until(lambda: server.commands >= commands, "the first commands arrive")
    server.misbehave("stop_answering")
