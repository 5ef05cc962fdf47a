"""Servers that hang, die and come back."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from conftest import key_of, until
from memcached_process import Memcached

import omcache
from omcache import OMcache
from omcache.testing import Server


@pytest.fixture
def three(start_memcached: Callable[..., Memcached]) -> list[Memcached]:
    return [start_memcached() for _ in range(3)]


def client_of(servers: list[Memcached]) -> OMcache:
    client = OMcache([server.address for server in servers])
    client.dead_timeout, client.connect_timeout, client.reconnect_timeout = 1000, 3000, 4000
    return client


def timed(call: Callable[[], object]) -> tuple[float, object]:
    begin = time.monotonic()
    try:
        result: object = call()
    except omcache.CommandError as error:
        result = error
    return time.monotonic() - begin, result


@pytest.mark.parametrize("io_timeout", [1000, 1400, -1])
def test_a_server_that_hangs_costs_two_timeouts(three: list[Memcached], io_timeout: int) -> None:
    client = client_of(three)
    client.io_timeout = io_timeout
    for number in range(100):
        client.set(f"key-{number}", "x")
    hanging = three[1]
    key = key_of(client, hanging.address)
    hanging.pause()
    for _ in range(2):
        took, result = timed(lambda: client.get(key))
        assert took < 1.5 and isinstance(result, omcache.CommandError), result
        assert result.status in (omcache.Status.SERVER_FAILURE, omcache.Status.AGAIN)
    took, result = timed(lambda: client.get(key))
    assert took < 0.5 and isinstance(result, omcache.NotFoundError), result
    client.set(key, "elsewhere")
    assert client.get(key) == b"elsewhere"
    (state,) = {server.state for server in client.servers() if server.port == str(hanging.port)}
    assert state == "disabled"
    # It comes back by itself, with what it had.
    hanging.resume()
    until(lambda: client.get_multi([key]).get(key.encode()) == b"x", "the server is used again", 10)
    client.free()


def test_a_server_that_dies_is_passed_over(three: list[Memcached]) -> None:
    with client_of(three) as client:
        keys = [f"key-{number}" for number in range(300)]
        client.set_multi(dict.fromkeys(keys, "x"))
        three[0].kill()
        mine = key_of(client, three[0].address)
        took, result = timed(lambda: client.get(mine))
        assert took < 0.5 and isinstance(result, omcache.CommandError)
        for key in keys:
            took, _ = timed(lambda key=key: client.set(key, "y"))  # type: ignore[misc]
            assert took < 0.5
        assert len(client.get_multi(keys)) == 300
        three[0].restart()
        until(lambda: client.server_index_for_key(mine) >= 0 and is_back(client, three[0]), "it is back", 10)
        client.set(mine, "z")
        assert client.get(mine) == b"z"


def is_back(client: OMcache, server: Memcached) -> bool:
    client.get_multi(["any"])
    return all(known.state in ("ready", "idle") for known in client.servers() if known.port == str(server.port))


def test_a_batch_returns_what_the_living_servers_have(three: list[Memcached]) -> None:
    with client_of(three) as client:
        keys = [f"key-{number}" for number in range(300)]
        client.set_multi(dict.fromkeys(keys, "x"))
        owned = {key for key in keys if client.server_index_for_key(key) == 2}
        hanging = next(one for one in three if str(one.port) == client.servers()[2].port)
        hanging.pause()
        errors: dict[str, omcache.CommandError] = {}
        found = client.get_multi(keys, timeout=300, errors=errors)
        assert set(errors) == owned
        assert set(found) == {key.encode() for key in keys if key not in owned}
        assert all(error.status == omcache.Status.AGAIN and error.sent for error in errors.values())
        hanging.resume()
        assert len(client.get_multi(keys, timeout=10_000)) == 300


def test_garbage_is_no_answer(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as client:
        client.set("key", "value")
        for fault in ("garbage", "wrong_opaque", "wrong_opcode", "close"):
            omcache_server.misbehave(fault, 1)  # type: ignore[arg-type]
            with pytest.raises(omcache.CommandError) as raised:
                client.get("key")
            assert raised.value.status == omcache.Status.SERVER_FAILURE and raised.value.sent
            assert client.get("key") == b"value"


def test_an_answer_in_pieces(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as client:
        client.set("key", "value" * 10)
        omcache_server.misbehave("split", bytes=7, seconds=0.001)
        assert client.get("key") == b"value" * 10
        assert client.get_multi(["key"]) == {b"key": b"value" * 10}


def test_a_refusal_is_told(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as client:
        client.noop()
        omcache_server.misbehave("status", status=0x82)
        with pytest.raises(omcache.CommandError, match="OUT_OF_MEMORY") as raised:
            client.set("key", "value")
        assert raised.value.status == omcache.Status.FAIL


def test_an_answer_too_large(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as client:
        omcache_server.insert("key", bytes(4_000_000))
        with pytest.raises(omcache.CommandError) as raised:
            client.get("key")
        assert raised.value.status == omcache.Status.BUFFER_FULL
        client.set("key", "small")
        assert client.get("key") == b"small"


def test_a_name_that_does_not_resolve() -> None:
    with OMcache("no-such-host.invalid") as client:
        took, result = timed(lambda: client.get("key", timeout=5000))
        assert took < 6 and isinstance(result, omcache.CommandError)
        with pytest.raises(omcache.CommandError):
            client.noop()


def test_a_unix_socket(tmp_path: object) -> None:
    path = f"{tmp_path}/socket"
    with Server(path=path) as server, OMcache(server.address) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"
