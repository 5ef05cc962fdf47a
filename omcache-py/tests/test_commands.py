"""Every command against memcached."""

from __future__ import annotations

import time

import pytest

import omcache
from omcache import OMcache


def test_set_get(cache: OMcache) -> None:
    assert cache.set("key", "value") is None
    assert cache.get("key") == b"value"
    cache.set("key", b"\x00\xff", flags=0xFFFFFFFF)
    assert cache.get("key", flags=True) == (b"\x00\xff", 0xFFFFFFFF)
    cache.set("empty", "")
    assert cache.get("empty") == b""


def test_get_forms(cache: OMcache) -> None:
    cache.set("key", "value", flags=7)
    value, cas = cache.get("key", cas=True)
    assert value == b"value" and cas > 0
    assert cache.get("key", flags=True, cas=True) == (b"value", 7, cas)
    assert cache.get("key", True, True) == (b"value", 7, cas)


def test_misses(cache: OMcache) -> None:
    for call in (
        lambda: cache.get("none"),
        lambda: cache.gat("none", 1),
        lambda: cache.delete("none"),
        lambda: cache.touch("none", 1),
        lambda: cache.replace("none", "x"),
        lambda: cache.increment("none"),
        lambda: cache.decrement("none"),
        lambda: cache.set("none", "x", cas=12345),
    ):
        with pytest.raises(omcache.NotFoundError) as raised:
            call()
        assert raised.value.status == 1


def test_add_replace_delete(cache: OMcache) -> None:
    cache.add("key", "added", expiration=100, flags=3)
    assert cache.get("key", flags=True) == (b"added", 3)
    with pytest.raises(omcache.KeyExistsError):
        cache.add("key", "again")
    cache.replace("key", "replaced", flags=4)
    assert cache.get("key", flags=True) == (b"replaced", 4)
    cache.delete("key")
    with pytest.raises(omcache.NotFoundError):
        cache.get("key")


def test_append_prepend(cache: OMcache) -> None:
    for call in (cache.append, cache.prepend):
        with pytest.raises(omcache.NotStoredError) as raised:
            call("key", "x")
        assert raised.value.status == 5
    cache.set("key", "b")
    cache.append("key", "c")
    cache.prepend("key", "a")
    value, cas = cache.get("key", cas=True)
    assert value == b"abc"
    cache.append("key", "d", cas=cas)
    with pytest.raises(omcache.KeyExistsError):
        cache.append("key", "e", cas=cas)
    with pytest.raises(omcache.KeyExistsError):
        cache.prepend("key", "e", cas=cas)
    assert cache.get("key") == b"abcd"


def test_cas(cache: OMcache) -> None:
    cache.set("key", "one")
    _, cas = cache.get("key", cas=True)
    cache.set("key", "two", cas=cas)
    with pytest.raises(omcache.KeyExistsError) as raised:
        cache.set("key", "three", cas=cas)
    assert raised.value.status == 2
    assert cache.get("key") == b"two"


def test_counters(cache: OMcache) -> None:
    assert cache.increment("n", 2, initial=10) == 10
    assert cache.increment("n", 2) == 12
    assert cache.increment("n") == 13
    assert cache.decrement("n", 3) == 10
    assert cache.increment("n", -4) == 6
    assert cache.decrement("n", -4) == 10
    assert cache.decrement("n", 100) == 0
    assert cache.increment("n", 5, initial=42) == 5
    assert cache.increment("top", 1, initial=2**64 - 1) == 2**64 - 1
    assert cache.increment("top", 1) == 0
    assert cache.increment("n", 2**64 - 6) == 2**64 - 1
    cache.set("text", "x1")
    with pytest.raises(omcache.DeltaBadValueError) as raised:
        cache.increment("text")
    assert raised.value.status == 6


def test_an_expiration_needs_an_initial_value(cache: OMcache) -> None:
    with pytest.raises(omcache.Error) as raised:
        cache.increment("n", 1, expiration=10)
    assert not isinstance(raised.value, omcache.CommandError)
    with pytest.raises(omcache.NotFoundError):
        cache.increment("n", 1, expiration=omcache.DELTA_NO_ADD)
    assert cache.increment("n", 1, initial=1, expiration=10) == 1


def test_expirations(cache: OMcache) -> None:
    cache.set("soon", "x", expiration=1)
    cache.set("never", "x")
    cache.set("at once", "x", expiration=-1)
    cache.set("touched", "x", expiration=1)
    cache.set("gat", "x", expiration=1)
    cache.touch("touched", 100)
    assert cache.gat("gat", 100) == b"x"
    with pytest.raises(omcache.NotFoundError):
        cache.get("at once")
    with pytest.raises(ValueError):
        cache.set("key", "x", expiration=2**32)
    time.sleep(2.1)
    found = cache.get_multi(["soon", "never", "touched", "gat"])
    assert sorted(found) == [b"gat", b"never", b"touched"]


def test_gat(cache: OMcache) -> None:
    cache.set("key", "value", flags=9)
    value, flags, cas = cache.gat("key", 100, flags=True, cas=True)
    assert (value, flags) == (b"value", 9) and cas > 0
    assert cache.gat("key", 0) == b"value"


def test_too_large(cache: OMcache) -> None:
    with pytest.raises(omcache.TooLargeValueError) as raised:
        cache.set("key", bytes(2 * 1024 * 1024))
    assert raised.value.status == 3
    cache.set("key", bytes(1000 * 1000))
    assert len(cache.get("key")) == 1000 * 1000


def test_servers(cache: OMcache, addresses: list[str]) -> None:
    cache.noop(0)
    cache.noop(1, timeout=500)
    assert cache.version().split(".")[0] == cache.version(1).split(".")[0] == "1"
    servers = cache.servers()
    assert [server.state for server in servers] == ["ready", "ready"]
    assert [f"{server.host}:{server.port}" for server in servers] == sorted(addresses)
    with pytest.raises(omcache.CommandError) as raised:
        cache.noop(2)
    assert raised.value.status == omcache.Status.NO_SERVERS
    assert raised.value.sent is False


def test_stat(cache: OMcache) -> None:
    general = cache.stat()
    assert len(general) > 30 and general[b"pid"].isdigit()
    assert cache.stat("", 1)[b"pid"] != general[b"pid"]
    settings = cache.stat("settings", 0)
    assert settings[b"binding_protocol"] == b"auto-negotiate"
    with pytest.raises(omcache.CommandError):
        cache.stat("no such group")


def test_flush_all(cache: OMcache) -> None:
    cache.set_multi({f"key{n}": "x" for n in range(100)})
    cache.flush_all(server_index=0)
    left = cache.get_multi([f"key{n}" for n in range(100)])
    assert 0 < len(left) < 100
    assert {cache.server_index_for_key(key) for key in left} == {1}


def test_raw_command(cache: OMcache) -> None:
    cache.set("key", "value", flags=5)
    (found,) = cache.command(omcache.CMD_GETK, "key")
    assert isinstance(found, omcache.OMcacheValue)
    assert (found.status, found.key, found.value, found.flags) == (0, b"key", b"value", 5)
    (missed,) = cache.command(omcache.CMD_GET, "none")
    assert missed.status == 1
    extra = (5).to_bytes(8, "big") + (3).to_bytes(8, "big") + (0).to_bytes(4, "big")
    (counter,) = cache.command(omcache.CMD_INCREMENT, "n", extra=extra)
    assert counter.delta_value == 3
    assert len(cache.command(omcache.CMD_STAT, server_index=1)) > 30
    with pytest.raises(omcache.CommandError):
        cache.command(omcache.CMD_GETQ, "key")


def test_distributions(cache: OMcache) -> None:
    keys = [f"key{n}" for n in range(200)]
    places = {}
    for name in (
        "libmemcached_ketama",
        "libmemcached_ketama_weighted",
        "libmemcached_ketama_pre1010",
        "modula",
        "pymemcache_rendezvous",
    ):
        cache.set_distribution_method(name)
        places[name] = tuple(cache.server_index_for_key(key) for key in keys)
        cache.set("key", name)
        assert cache.get("key") == name.encode()
    assert len(set(places.values())) == len(places)
    with pytest.raises(omcache.Error, match="xxx"):
        cache.set_distribution_method("xxx")


def test_set_servers(cache: OMcache, addresses: list[str]) -> None:
    a, b = sorted(addresses)
    cache.set_servers(f" {b} , {a} ,")
    assert [server.port for server in cache.servers()] == [a.split(":")[1], b.split(":")[1]]
    cache.set_servers({a})
    cache.set("key", "on a")
    cache.set_servers((b,))
    with pytest.raises(omcache.NotFoundError):
        cache.get("key")
    cache.set_servers([a, b] * 8)
    assert len(cache.servers()) == 16
    cache.set_servers([(a, 3), (b, 1)])
    assert [server.weight for server in cache.servers()] == [3, 1]
    cache.set_servers([a, b, "127.0.0.1:2", "127.0.0.1:113333"])
    cache.set_servers([a])
    assert cache.get("key") == b"on a"
    for wrong in ("a:b:c", ["a:"], [("a", 0)], b"a"):
        with pytest.raises(omcache.Error):
            cache.set_servers(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        cache.set_servers(5)  # type: ignore[arg-type]
    assert cache.get("key") == b"on a"


def test_no_servers() -> None:
    cache = OMcache("")
    with pytest.raises(omcache.CommandError) as raised:
        cache.get("key")
    assert raised.value.status == omcache.Status.NO_SERVERS
    assert cache.server_index_for_key("key") == -1
    assert cache.servers() == []
