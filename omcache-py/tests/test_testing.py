"""The embedded server as tests have it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import omcache
from omcache import OMcache
from omcache.testing import Server, StoredItem


def test_looking_inside(omcache_server: Server) -> None:
    server = omcache_server
    with OMcache(server.address) as cache:
        cache.set("key", "value", flags=7, expiration=100)
        cache.set("other", "x")
        assert len(server) == 2 and bool(server)
        assert server.get("key") == b"value" and server.get("none") is None
        item = server.item("key")
        assert isinstance(item, StoredItem)
        assert (item.value, item.flags) == (b"value", 7) and item.cas > 0
        assert item.expires_in is not None and 98 < item.expires_in <= 100
        assert server.item("other").expires_in is None  # type: ignore[union-attr]
        assert server.connections == 1 and server.accepted == 1
        assert server.commands_of(omcache.CMD_SET) == 2 and server.commands >= 3
        server.insert("inserted", bytes(2_000_000))
        server.clear()
        assert len(server) == 0 and bool(server)


def test_time_goes_when_it_is_told_to(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.set("key", "value", expiration=3600)
        omcache_server.advance(3599)
        assert cache.get("key") == b"value"
        omcache_server.advance(1.5)
        with pytest.raises(omcache.NotFoundError):
            cache.get("key")
        with pytest.raises(ValueError):
            omcache_server.advance(-1)


def test_stop_and_restart(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.reconnect_timeout = 50
        cache.set("key", "value")
        address = omcache_server.address
        omcache_server.stop()
        with pytest.raises(omcache.CommandError):
            cache.get("key")
        omcache_server.restart()
        assert omcache_server.address == address
    with OMcache(address) as cache:
        assert cache.get("key") == b"value"


def test_settings(omcache_servers: Callable[..., Server], tmp_path: object) -> None:
    server = omcache_servers(version="9.9", max_item_size=10_000)
    with OMcache(server.address) as cache:
        assert cache.version() == "9.9"
        with pytest.raises(omcache.TooLargeValueError):
            cache.set("key", bytes(10_001))
    path = f"{tmp_path}/socket"
    assert (omcache_servers(path=path).address, omcache_servers(path=path + "2").port) == (path, 0)
    with pytest.raises(OSError):
        Server(path=path)
    assert omcache_servers(host="::1").address.startswith("[::1]:")
    with pytest.raises(ValueError):
        Server(host="localhost")


def test_misbehaviour(omcache_server: Server) -> None:
    with pytest.raises(ValueError, match="no fault is called"):
        omcache_server.misbehave("dance")  # type: ignore[arg-type]
    with OMcache(omcache_server.address) as cache:
        cache.set("key", "value" * 100)
        for fault in ("cut_short", "close"):
            omcache_server.misbehave(fault, 1, bytes=10)  # type: ignore[arg-type]
            with pytest.raises(omcache.CommandError):
                cache.get("key", timeout=200)
            assert cache.get("key") == b"value" * 100
        omcache_server.misbehave("status", status=5)
        with pytest.raises(omcache.NotStoredError):
            cache.set("key", "x")
        omcache_server.behave()
        cache.set("key", "x")


def test_close() -> None:
    with Server() as server:
        assert "127.0.0.1" in repr(server)
    server.close()
    with pytest.raises(RuntimeError, match="closed"):
        server.get("key")
