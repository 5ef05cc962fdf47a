"""Timeouts of 0, and buffering."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from conftest import until
from memcached_process import Memcached

import omcache
from omcache import OMcache
from omcache.testing import Server


@pytest.fixture
def server(omcache_server: Server) -> Server:
    return omcache_server


@pytest.fixture
def client(server: Server) -> Iterator[OMcache]:
    with OMcache(server.address) as client:
        client.noop()
        yield client


def test_a_timeout_of_0_sends_and_returns(server: Server, client: OMcache) -> None:
    server.misbehave("stop_answering")
    assert client.set("key", "value", timeout=0) is None
    until(lambda: server.get("key") == b"value", "the value arrives")
    assert server.commands_of(omcache.CMD_SETQ) == 1
    assert client.add("key", "again", timeout=0) is None
    assert client.append("key", "+", timeout=0) is None
    assert client.touch("key", 100, timeout=0) is None
    assert client.get("key", timeout=0) is None
    assert client.increment("key", timeout=0) is None
    assert client.get_multi(["key"], timeout=0) == {}
    assert client.set_multi({"other": "x"}, timeout=0) == {}
    assert client.delete_multi(["none"], timeout=0) == {}
    assert client.noop(timeout=0) is None
    assert client.stat(timeout=0) == {}
    assert client.delete("key", timeout=0) is None
    until(lambda: server.commands_of(omcache.CMD_DELETEQ) == 2, "all arrive")
    assert server.get("key") is None and server.get("other") == b"x"


def test_late_answers_reach_nobody(client: OMcache) -> None:
    for number in range(100):
        client.set(f"key{number}", str(number))
    for number in range(100):
        assert client.get(f"key{number}", timeout=0) is None
        assert client.get(f"key{99 - number}") == str(99 - number).encode()


def test_buffering(server: Server, client: OMcache) -> None:
    client.buffering = True
    assert client.buffering is True
    commands = server.commands
    for number in range(100):
        client.set(f"key{number}", str(number))
    client.add("added", "x")
    client.delete("key0")
    client.set_multi({"a": "1", "b": "2"})
    assert len(server) == 0 and server.commands == commands
    client.flush()
    assert len(server) == 102
    assert server.commands_of(omcache.CMD_SETQ) == 102
    client.buffering = False
    client.set("at once", "x")
    assert server.get("at once") == b"x"


def test_what_has_a_result_is_answered_while_buffering(server: Server, client: OMcache) -> None:
    client.buffering = True
    client.set("key", "value")
    assert len(server) == 0
    assert client.get("key") == b"value"
    assert client.increment("n", initial=7) == 7
    client.set("waited for", "x", timeout=1000)
    assert server.get("waited for") == b"x"
    with pytest.raises(omcache.KeyExistsError):
        client.add("key", "x", timeout=1000)


def test_a_quiet_failure_is_no_failure_of_the_flush(client: OMcache) -> None:
    client.buffering = True
    client.delete("none")
    client.replace("none", "x")
    client.flush()
    assert client.get_multi(["none"]) == {}


def test_reset_buffers(server: Server, client: OMcache) -> None:
    client.buffering = True
    client.set("key", "value")
    client.reset_buffers()
    client.flush()
    assert len(server) == 0


def test_flush_has_a_timeout(server: Server, client: OMcache) -> None:
    server.misbehave("stop_answering")
    client.buffering = True
    client.set("key", "value")
    with pytest.raises(omcache.CommandError) as raised:
        client.flush(100)
    assert raised.value.status == omcache.Status.AGAIN
    client.io_timeout = 100
    with pytest.raises(omcache.CommandError):
        client.flush(None)
    server.behave()


def test_a_timeout_tells_whether_it_was_sent(server: Server, client: OMcache) -> None:
    server.misbehave("stop_answering")
    with pytest.raises(omcache.CommandError) as raised:
        client.set("key", "value", timeout=50)
    assert raised.value.status == omcache.Status.AGAIN and raised.value.sent is True
    with OMcache(server.address) as other:
        with pytest.raises(omcache.CommandError) as raised:
            other.set("other", "value", timeout=50)
    # The handshake was not answered, so that nothing else was sent.
    assert raised.value.status == omcache.Status.AGAIN and raised.value.sent is False
    assert server.get("other") is None and server.get("key") == b"value"


def test_the_send_buffer_is_bounded(server: Server, client: OMcache) -> None:
    client.buffering = True
    value = bytes(1024 * 1024)
    with pytest.raises(omcache.CommandError) as raised:
        for number in range(11):
            client.set(f"key{number}", value)
    assert raised.value.status == omcache.Status.BUFFER_FULL and not raised.value.sent
    client.reset_buffers()
    client.set("key", "small")
    client.flush()
    assert server.get("key") == b"small"


def test_what_is_not_waited_for_goes_on_while_the_socket_is_full(server: Server, client: OMcache) -> None:
    value, stored = bytes(1_000_000), 0
    deadline = time.monotonic() + 20
    while stored < 40:
        try:
            client.set(f"key{stored}", value, timeout=0)
            stored += 1
        except omcache.CommandError as error:
            assert error.status == omcache.Status.BUFFER_FULL
            assert time.monotonic() < deadline, f"{stored} of 40 went out"
            time.sleep(0.001)
    client.flush(20_000)
    assert len(server) == 40


def test_a_value_above_the_limit_of_the_buffer(start_memcached: Callable[..., Memcached]) -> None:
    memcached = start_memcached("-I", "16m")
    large = bytes(11 * 1024 * 1024)
    with OMcache(memcached.address) as cache:
        assert cache.send_buffer_max_size == 10 * 1024 * 1024
        assert cache.recv_buffer_max_size == 1056 * 1024
        with pytest.raises(omcache.TooLargeValueError) as raised:
            cache.set("key", large)
        assert not raised.value.sent
        failed = cache.set_multi({"key": large, "small": "x"})
        assert isinstance(failed.pop("key"), omcache.TooLargeValueError) and not failed
        cache.send_buffer_max_size = 12 * 1024 * 1024
        cache.set("key", large, timeout=20_000)
        with pytest.raises(omcache.CommandError) as answered:
            cache.get("key", timeout=20_000)
        assert answered.value.status == omcache.Status.BUFFER_FULL
        cache.recv_buffer_max_size = 12 * 1024 * 1024
        assert cache.get("key", timeout=20_000) == large
        assert (cache.send_buffer_max_size, cache.recv_buffer_max_size) == (12 * 1024 * 1024,) * 2
