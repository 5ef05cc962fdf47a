"""omcache_pylibmc: the contract of pylibmc's Client, beside what pylibmc's own tests look at."""

from __future__ import annotations

import gc
import multiprocessing
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pylibmc
import pytest
from conftest import until
from memcached_process import Memcached

import omcache
import omcache_pylibmc
from omcache import OMcache
from omcache.testing import Server
from omcache_pylibmc import Client


@pytest.fixture
def mc(addresses: list[str]) -> Any:
    return Client(addresses, behaviors={"cas": True})


def test_misses_and_defaults(mc: Any) -> None:
    assert mc.get("none") is None and mc.get("none", 5) == 5
    assert mc.get("") is None and mc.get("", "default") == "default"
    assert mc.gets("none") == (None, None)
    assert mc.get_multi([]) == {} and mc.get_multi(["none"]) == {}
    assert not mc.delete("none") and not mc.touch("none", 10)
    for call in (lambda: mc.incr("none"), lambda: mc.decr("none")):
        with pytest.raises(omcache_pylibmc.NotFound) as caught:
            call()
        assert caught.value.retcode == 16


def test_stores_say_whether_they_stored(mc: Any) -> None:
    assert mc.add("key", 1) and not mc.add("key", 2)
    assert mc.replace("key", "text") and not mc.replace("none", 1)
    assert mc.append("key", " behind") and mc.prepend("key", "before ")
    assert mc.get("key") == "before text behind"
    assert not mc.append("none", "x")
    assert mc.set_multi({"a": 1, "b": 2}, key_prefix="p:") == []
    assert sorted(mc.add_multi({"a": 5, "b": 6, "c": 7}, key_prefix="p:")) == ["a", "b"]
    assert mc.get_multi(["a", "b", "c"], key_prefix="p:") == {"a": 1, "b": 2, "c": 7}
    assert mc.delete_multi(["a", "b"], key_prefix="p:") and not mc.delete_multi(["a", "p:c"])
    assert mc.touch("key", 100) and mc.delete("key")


def test_counters(mc: Any) -> None:
    mc.set_multi({"a": 10, "b": 20})
    assert mc.incr("a", 5) == 15 and mc.decr("a", 20) == 0 and mc.incr("a") == 1
    mc.incr_multi(["a", "b"], delta=3)
    assert mc.get_multi(["a", "b"]) == {"a": 4, "b": 23}
    for call in (lambda: mc.incr("a", -1), lambda: mc.decr("a", -1), lambda: mc.incr_multi(["a"], delta=-1)):
        with pytest.raises(ValueError):
            call()
    mc.set("text", "t")
    with pytest.raises(omcache_pylibmc.ClientError):
        mc.incr("text")


def test_cas(mc: Any, addresses: list[str]) -> None:
    mc.set("key", 1)
    value, version = mc.gets("key")
    assert value == 1 and mc.cas("key", 2, version) and not mc.cas("key", 3, version)
    mc.delete("key")
    with pytest.raises(omcache_pylibmc.NotFound):
        mc.cas("key", 4, version)
    plain = Client(addresses)
    for call in (lambda: plain.gets("key"), lambda: plain.cas("key", 1, 1)):
        with pytest.raises(ValueError):
            call()


def test_keys(mc: Any) -> None:
    mc.set("sch\N{LATIN SMALL LETTER O WITH DIAERESIS}n", 1)
    assert mc.get("schön".encode()) == 1
    # The caller's own objects are the keys of what is found.
    assert mc.get_multi(["schön", "schön".encode()]) == {"schön": 1, "schön".encode(): 1}
    for key in (5, None, 1.5, ("a",)):
        with pytest.raises(TypeError):
            mc.get(key)
    assert mc.set("k" * 250, 1)
    for call in (lambda: mc.get("k" * 251), lambda: mc.get_multi(["k"], key_prefix="p" * 250)):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(TypeError):
        mc.delete_multi({"a": 1})


def test_mapping_access(mc: Any) -> None:
    mc["key"] = None
    assert mc["key"] is None and "key" in mc
    del mc["key"]
    assert "key" not in mc
    for call in (lambda: mc["key"], lambda: mc.__delitem__("key")):
        with pytest.raises(KeyError):
            call()


def test_behaviors_write_through(addresses: list[str]) -> None:
    # One server, as no part of a namespace chooses it.
    mc = Client(addresses[:1])
    behaviors = mc.behaviors
    assert behaviors["hash"] == "default" and behaviors["distribution"] == "modula"
    behaviors["ketama"] = True
    assert mc.get_behaviors()["distribution"] == "consistent ketama"
    mc.set_behaviors({"connect_timeout": 100})
    assert mc.behaviors["connect_timeout"] == 100
    with pytest.raises(ValueError, match="nonsense"):
        mc.set_behaviors({"nonsense": 1})
    mc.behaviors["namespace"] = "n:"
    mc.set("key", 1)
    mc.behaviors["namespace"] = ""
    assert mc.get("n:key") == 1
    clone = mc.clone()
    assert clone.behaviors == mc.behaviors and clone.get("n:key") == 1


def test_defaults_are_those_of_pylibmc(addresses: list[str]) -> None:
    ours, theirs = Client(addresses).get_behaviors(), pylibmc.Client(addresses).get_behaviors()
    assert set(ours) == set(theirs)
    for name in ("hash", "distribution", "cas", "connect_timeout", "retry_timeout", "num_replicas", "auto_eject"):
        assert ours[name] == theirs[name], name


def test_statistics(mc: Any, addresses: list[str]) -> None:
    names = [name for name, _ in mc.get_stats()]
    assert names == [f"{address} ({index})".encode() for index, address in enumerate(addresses)]
    assert all(isinstance(values["pid"], bytes) for _, values in mc.get_stats())
    assert mc.flush_all() and mc.get("key") is None


@pytest.mark.parametrize(
    ("behaviors", "weights"),
    [
        ({}, (1, 1, 1, 1)),
        ({"hash": "md5"}, (1, 1, 1, 1)),
        ({"ketama": True}, (1, 1, 1, 1)),
        ({"hash": "crc", "ketama": True}, (1, 1, 1, 1)),
        ({"ketama_weighted": True}, (1, 1, 1, 1)),
        ({"ketama_weighted": True}, (1, 3, 2, 1)),
    ],
)
def test_keys_go_where_pylibmc_sends_them(
    start_memcached: Callable[..., Memcached], behaviors: dict[str, Any], weights: tuple[int, ...]
) -> None:
    servers = [start_memcached() for _ in weights]
    specs = [f"{server.address}:{weight}" for server, weight in zip(servers, weights)]
    theirs, ours = pylibmc.Client(specs, behaviors=behaviors), Client(specs, behaviors=behaviors)
    keys = [f"key-{number}-\N{SNOWMAN}" for number in range(500)]
    assert theirs.set_multi({key: key for key in keys}) == []
    assert ours.get_multi(keys) == {key: key for key in keys}
    holds = [int(values["curr_items"]) for _, values in ours.get_stats()]
    assert sum(holds) == len(keys) and all(holds)
    for key in keys[:50]:
        with OMcache([servers[ours.hash(key)].address]) as direct:
            assert direct.get(key) == key.encode()


def test_exceptions_are_those_of_pylibmc() -> None:
    for name, theirs in pylibmc._pylibmc.exceptions:
        ours = getattr(omcache_pylibmc, name)
        assert issubclass(ours, omcache_pylibmc.Error)
        assert getattr(ours, "retcode", None) == getattr(theirs, "retcode", None), name


def test_wrong_arguments(addresses: list[str]) -> None:
    with pytest.raises(omcache_pylibmc.Error):
        Client([])
    with pytest.raises(ValueError, match="UDP"):
        Client(["udp:127.0.0.1"])
    with pytest.raises(TypeError):
        Client(addresses, username="u", password="p")
    with pytest.raises(TypeError):
        Client("127.0.0.1")


def test_a_dead_server_is_told_in_bounded_time(start_memcached: Callable[..., Memcached]) -> None:
    server = start_memcached()
    mc = Client([server.address], behaviors={"connect_timeout": 500, "receive_timeout": 500_000})
    mc.set("key", 1)
    server.pause()
    begin = time.monotonic()
    with pytest.raises(omcache_pylibmc.Error):
        mc.get("key")
    assert time.monotonic() - begin < 3
    server.resume()
    server.kill()
    begin = time.monotonic()
    for _ in range(3):
        with pytest.raises(omcache_pylibmc.Error):
            mc.get("key")
    with pytest.raises(omcache_pylibmc.ServerDown) as caught:
        mc.set("key", 1)
    assert caught.value.retcode == 47 and time.monotonic() - begin < 5
    server.restart()
    mc.disconnect_all()
    assert mc.set("key", 2) and mc.get("key") == 2


def test_auto_eject_hands_keys_on(start_memcached: Callable[..., Memcached]) -> None:
    servers = [start_memcached() for _ in range(2)]
    mc = Client(
        [server.address for server in servers],
        behaviors={"ketama": True, "auto_eject": True, "remove_failed": 1, "connect_timeout": 500},
    )
    keys = [f"key-{number}" for number in range(40)]
    assert mc.set_multi(dict.fromkeys(keys, 1)) == []
    servers[0].kill()
    for key in keys:
        try:
            mc.set(key, 2)
        except omcache_pylibmc.Error:
            pass
    assert mc.set_multi(dict.fromkeys(keys, 3)) == []
    assert mc.get_multi(keys) == dict.fromkeys(keys, 3)


def test_pools_and_threads(mc: Any) -> None:
    pool = omcache_pylibmc.ClientPool(mc, 4)
    mapped = omcache_pylibmc.ThreadMappedPool(mc)
    failures: queue.Queue[BaseException] = queue.Queue()

    def work(number: int) -> None:
        try:
            for round_ in range(50):
                with pool.reserve(block=True) as client:
                    client.set(f"pool-{number}", round_)
                    assert client.get(f"pool-{number}") == round_
                with mapped.reserve() as client:
                    assert client.get(f"pool-{number}") == round_
                # The client itself may be shared as well.
                assert mc.get(f"pool-{number}") == round_
            mapped.relinquish()
        except BaseException as error:
            failures.put(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures.empty(), failures.get()


def _in_child(mc: Any, results: Any) -> None:
    results.put((mc.get("parent"), mc.set("child", 2)))


def test_fork(mc: Any) -> None:
    context = multiprocessing.get_context("fork")
    mc.set("parent", 1)
    results = context.Queue()
    child = context.Process(target=_in_child, args=(mc, results))
    child.start()
    for _ in range(100):
        assert mc.get("parent") == 1
    assert results.get(timeout=20) == (1, True)
    child.join(20)
    assert child.exitcode == 0 and mc.get("child") == 2


def test_nothing_refers_to_keys_and_values_after_a_call(mc: Any) -> None:
    key, value, keys = "key-of-references", "value" * 100, [f"reference-{number}" for number in range(20)]
    mc.set(key, value)
    gc.collect()
    before = [sys.getrefcount(one) for one in (key, value, keys, *keys)]
    for _ in range(50):
        mc.set(key, value)
        mc.get(key)
        mc.set_multi(dict.fromkeys(keys, value))
        mc.get_multi(keys)
        mc.delete_multi(keys)
    gc.collect()
    assert [sys.getrefcount(one) for one in (key, value, keys, *keys)] == before


def test_without_waiting(mc: Any) -> None:
    mc.behaviors["_noreply"] = True
    for number in range(100):
        assert mc.set(f"quiet-{number}", number)
    assert mc.get_multi([f"quiet-{number}" for number in range(100)]) == {f"quiet-{n}": n for n in range(100)}


def test_build_info() -> None:
    assert "OMcache" in omcache_pylibmc.build_info()
    assert omcache_pylibmc.libmemcached_version == "1.1.4" and omcache_pylibmc.support_compression


def test_what_is_not_waited_for_goes_on_while_the_socket_is_full(omcache_server: Server) -> None:
    mc: Any = omcache_pylibmc.Client([omcache_server.address], binary=True, behaviors={"_noreply": True})
    for number in range(12):
        assert mc.set(f"key{number}", bytes(900_000))

    def all_arrive() -> bool:
        mc.set("small", b"x")
        return all(omcache_server.get(f"key{number}") is not None for number in range(12))

    # Timers look at the sockets too, but after seconds.
    until(all_arrive, "what the socket did not take at once goes out with what follows", seconds=2)
    assert omcache_server.accepted == 1
