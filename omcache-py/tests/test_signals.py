"""Ctrl-C, and other signals, while an operation waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from types import FrameType

import pytest

import omcache
from omcache import OMcache
from omcache.testing import Server

# One who starts the tests in the background may have the signal ignored.
PROGRAM = """
import signal, sys, time, threading
import omcache
signal.signal(signal.SIGINT, signal.default_int_handler)
cache = omcache.OMcache(sys.argv[1])
cache.noop()
calls = {
    "get": lambda: cache.get("key", timeout=-1),
    "get_multi": lambda: cache.get_multi(["key"], timeout=-1),
    "flush": lambda: (cache.get("key", timeout=0), cache.flush()),
}
print("ready", flush=True)
if sys.argv[3] == "threads":
    for _ in range(2):
        threading.Thread(target=cache.get, args=("key",), kwargs={"timeout": 2000}, daemon=True).start()
    time.sleep(0.1)
sys.stdin.readline()
print("waiting", flush=True)
try:
    calls[sys.argv[2]]()
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
"""


@pytest.mark.parametrize("threads", ["alone", "threads"])
@pytest.mark.parametrize("call", ["get", "get_multi", "flush"])
def test_ctrl_c_is_honoured_at_once(omcache_server: Server, call: str, threads: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), omcache_server.address, call, threads],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None
    with child:
        assert child.stdout.readline() == "ready\n"
        omcache_server.misbehave("stop_answering")
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "waiting\n"
        time.sleep(0.3)
        begin = time.time()
        child.send_signal(signal.SIGINT)
        line = child.stdout.readline().split()
        child.kill()
    assert line and line[0] == "interrupted"
    assert float(line[1]) - begin < 0.1


PYLIBMC = """
import signal, sys, time, threading
import omcache_pylibmc
signal.signal(signal.SIGINT, signal.default_int_handler)
behaviors = {"receive_timeout": 20_000_000, "send_timeout": 20_000_000}
mc = omcache_pylibmc.Client([sys.argv[1]], binary=True, behaviors=behaviors)
mc.set("key", "value")
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[2] == "threads":
    threading.Thread(target=mc.get, args=("key",), daemon=True).start()
    time.sleep(0.1)
print("waiting", flush=True)
try:
    mc.get("key")
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
"""


@pytest.mark.parametrize("threads", ["alone", "threads"])
def test_ctrl_c_ends_a_wait_of_pylibmcs_client(omcache_server: Server, threads: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PYLIBMC, omcache_server.address, threads],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None
    with child:
        assert child.stdout.readline() == "ready\n"
        omcache_server.misbehave("stop_answering")
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "waiting\n"
        time.sleep(0.3)
        begin = time.time()
        child.send_signal(signal.SIGINT)
        line = child.stdout.readline().split()
        child.kill()
    assert line and line[0] == "interrupted"
    assert float(line[1]) - begin < 1


def test_a_handler_runs_and_the_wait_goes_on(omcache_server: Server) -> None:
    handled: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        handled.append(time.monotonic())

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with OMcache(omcache_server.address) as cache:
            cache.set("key", "value")
            omcache_server.misbehave("delay", seconds=0.5)
            begin = time.monotonic()
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            assert cache.get("key", timeout=5000) == b"value"
            took = time.monotonic() - begin
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(handled) == 1 and handled[0] - begin < 0.3
    assert took >= 0.5


def test_what_a_handler_raises_ends_the_call(omcache_server: Server) -> None:
    class Alarm(Exception):
        pass

    def handle(number: int, frame: FrameType | None) -> None:
        raise Alarm

    before = signal.signal(signal.SIGALRM, handle)
    try:
        with OMcache(omcache_server.address) as cache:
            cache.set("key", "value")
            omcache_server.misbehave("delay", 1, seconds=0.4)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(Alarm):
                cache.get("key", timeout=-1)
            # The answer that nobody waits for comes first, and is dropped.
            cache.set("other", "another value")
            assert cache.get("other") == b"another value"
            assert omcache_server.accepted == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_handler_may_use_the_client(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.set("key", "value")
        found: list[bytes] = []

        def handle(number: int, frame: FrameType | None) -> None:
            found.append(cache.get("key"))

        before = signal.signal(signal.SIGALRM, handle)
        try:
            omcache_server.misbehave("delay", seconds=0.3)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            assert cache.get("key", timeout=5000) == b"value"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert found == [b"value"]


def test_a_closed_connection_raises_no_signal(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.set("key", "value")
        omcache_server.stop()
        for _ in range(3):
            with pytest.raises(omcache.CommandError):
                cache.set("key", b"x" * 100_000)
