"""The cache backend, in a Django project on real memcached."""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import django
import pytest
from conftest import until
from django.conf import settings
from django.core.cache import InvalidCacheKey, caches
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import JSONSerializer
from django.test import AsyncClient, Client
from django.test.utils import override_settings
from memcached_process import Memcached
from test_leaks import TOLERANCE, grows, share

import omcache
from omcache import OMcache
from omcache.django import OMcacheCache

BACKEND = "omcache.django.OMcacheCache"


@pytest.fixture(scope="session", autouse=True)
def project() -> None:
    settings.configure(
        SECRET_KEY="tests",
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF="django_project.urls",
        INSTALLED_APPS=["django.contrib.sessions"],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
        USE_TZ=True,
    )
    django.setup()


@pytest.fixture
def configured(addresses: list[str]) -> Iterator[None]:
    common: dict[str, Any] = {"BACKEND": BACKEND, "LOCATION": addresses}
    configuration = {
        "default": common,
        "text": {**common, "LOCATION": ", ".join(addresses)},
        "prefix": {**common, "KEY_PREFIX": "other"},
        "version": {**common, "VERSION": 2},
        "json": {**common, "OPTIONS": {"serializer": "json"}},
        "short": {**common, "TIMEOUT": 1},
        "for ever": {**common, "TIMEOUT": None},
    }
    with override_settings(CACHES=configuration):
        yield


@pytest.fixture
def cache(configured: None) -> Any:
    return caches["default"]


def test_get_set_add_delete(cache: Any) -> None:
    assert cache.get("key") is None and cache.get("key", "default") == "default"
    cache.set("key", "value")
    assert cache.get("key") == "value" and "key" in cache and cache.has_key("key")
    assert not cache.add("key", "other") and cache.add("new", 1) and cache.get("new") == 1
    assert cache.delete("key") and not cache.delete("key") and "key" not in cache


@pytest.mark.parametrize(
    "value",
    ["", "text \N{SNOWMAN}", b"", b"\x00\xff", 0, 1, -5, 10**30, True, False, None, 1.5, [1], {"a": (1, 2)}, {3}],
    ids=repr,
)
def test_values_come_back_as_they_were(cache: Any, value: Any) -> None:
    cache.set("key", value)
    found = cache.get("key", "missing")
    assert found == value and type(found) is type(value)
    assert cache.get_many(["key"]) == {"key": value}


def test_none_is_a_value(cache: Any) -> None:
    cache.set("none", None)
    assert cache.get("none", "default") is None and "none" in cache
    assert cache.get_or_set("none", 5) is None
    assert cache.get_or_set("absent", lambda: 5) == 5 and cache.get("absent") == 5


def test_timeouts(cache: Any, addresses: list[str]) -> None:
    for timeout in (0, -1, -(10**9)):
        cache.set("key", 1)
        cache.set("key", 2, timeout)
        assert cache.get("key") is None, timeout
    assert cache.add("added", 1, 0) and cache.get("added") is None
    cache.set("forever", 1, None)
    cache.set("long", 1, 60 * 24 * 60 * 60)
    cache.set("short", 1, 1)
    cache.set("fraction", 1, 0.5)
    assert cache.get_backend_timeout(0.5) == 1
    for number, endless in enumerate([2**33, float("inf")]):
        cache.set(f"endless-{number}", 1, endless)
    caches["short"].set("default", 1)
    caches["for ever"].set("default-forever", 1)
    cache.set("touched", 1, 3)
    assert cache.touch("touched", 100) and not cache.touch("absent")
    passing = ["short", "fraction", "default"]
    lasting = ["default-forever", "endless-0", "endless-1", "forever", "long", "touched"]
    until(lambda: not cache.get_many(passing), "the short timeouts end")
    assert sorted(cache.get_many(lasting)) == lasting
    assert cache.touch("touched", 0) and cache.get("touched") is None


def test_many(cache: Any) -> None:
    values = {f"key-{number}": [number, str(number), number * 1.5][number % 3] for number in range(300)}
    assert cache.set_many(values) == []
    assert cache.get_many([*values, "absent"]) == values
    cache.delete_many(["key-0", "key-1", "absent"])
    assert len(cache.get_many(values)) == 298
    assert cache.set_many({}) == [] and cache.get_many([]) == {}
    # A value that is too large is told, and leaves nothing.
    assert cache.set_many({"key-2": b"x" * (2 << 20), "key-3": 3}) == ["key-2"]
    assert cache.get_many(["key-2", "key-3"]) == {"key-3": 3}


def test_counters(cache: Any) -> None:
    cache.set("n", 41)
    assert cache.incr("n") == 42 and cache.incr("n", 8) == 50 and cache.decr("n", 10) == 40
    assert cache.incr("n", -10) == 30 and cache.decr("n", -1) == 31 and cache.get("n") == 31
    for call in (lambda: cache.incr("absent"), lambda: cache.decr("absent")):
        with pytest.raises(ValueError, match="absent"):
            call()
    cache.set("text", "t")
    with pytest.raises(ValueError, match="text"):
        cache.incr("text")
    with pytest.raises(ValueError, match="'n'"):
        cache.incr("n", 2**70)


def test_versions_and_prefixes(cache: Any) -> None:
    cache.set("key", 1)
    cache.set("key", 2, version=2)
    assert cache.get("key") == 1 and cache.get("key", version=2) == 2 and caches["version"].get("key") == 2
    assert caches["prefix"].get("key") is None and caches["text"].get("key") == 1
    assert cache.incr_version("key") == 2 and cache.get("key") is None and cache.get("key", version=2) == 1
    assert cache.decr_version("key", version=2) == 1 and cache.get("key") == 1
    cache.set_many({"a": 1}, version=3)
    assert cache.get_many(["a"]) == {} and cache.get_many(["a"], version=3) == {"a": 1}
    cache.delete_many(["a"], version=3)
    assert not cache.has_key("a", version=3)


@pytest.mark.parametrize("key", ["with space", "line\n", "k" * 251, "\N{SNOWMAN}" * 83], ids=["space", "line", "long", "wide"])
def test_keys_that_memcached_does_not_take(cache: Any, key: str) -> None:
    for call in (cache.get, cache.delete, cache.touch, lambda key: cache.set(key, 1), lambda key: cache.get_many([key])):
        with pytest.raises(InvalidCacheKey):
            call(key)


def test_clear(cache: Any) -> None:
    assert cache.set_many({str(number): number for number in range(50)}) == []
    cache.clear()
    assert cache.get_many([str(number) for number in range(50)]) == {}


@pytest.mark.parametrize("stopped", [0, 1])
def test_clear_goes_on_after_a_failure(start_memcached: Callable[..., Memcached], stopped: int) -> None:
    servers = [start_memcached(), start_memcached()]
    cache = OMcacheCache([server.address for server in servers], {"OPTIONS": {"io_timeout": 500}})
    assert cache.set_many({str(number): number for number in range(50)}) == []
    keys = [f":1:{number}" for number in range(50)]
    # By the client's order, which is not the list's.
    ports = [server.port for server in cache._client.servers()]
    servers.sort(key=lambda server: ports.index(str(server.port)))
    with OMcache(servers[1 - stopped].address) as raw:
        assert raw.get_multi(keys)
        servers[stopped].pause()
        with pytest.raises(omcache.Error):
            cache.clear()
        assert raw.get_multi(keys) == {}


def test_a_large_value_is_an_error_and_leaves_none(cache: Any) -> None:
    cache.set("key", "small")
    with pytest.raises(omcache.TooLargeValueError):
        cache.set("key", "x" * (2 << 20))
    assert cache.get("key") is None


def test_json_never_unpickles(cache: Any) -> None:
    plain = caches["json"]
    plain.set("key", {"a": [1, None, True]})
    assert plain.get("key") == {"a": [1, None, True]}
    with pytest.raises(TypeError):
        plain.set("key", {1, 2})
    cache.set("pickled", [1])
    assert plain.get("pickled", "miss") == "miss" and plain.get_many(["pickled"]) == {}
    cache.set("text", "t")
    assert plain.get("text") == "t"


def test_a_value_that_is_not_to_be_read_is_as_none(cache: Any) -> None:
    plain = caches["json"]
    cache.set("pickled", [1])
    assert plain.get("pickled") is None
    assert not plain.has_key("pickled") and "pickled" not in plain
    assert plain.add("pickled", [2]) and plain.get("pickled") == [2]
    assert plain.has_key("pickled") and not plain.add("pickled", [3]) and plain.get("pickled") == [2]
    cache.set("or-set", [1])
    assert plain.get_or_set("or-set", [2]) == [2]


def test_large_values(start_memcached: Callable[..., Memcached]) -> None:
    memcached = start_memcached("-I", "16m")
    large = bytes(11 * 1024 * 1024)
    cache = OMcacheCache(memcached.address, {"OPTIONS": {"io_timeout": 20_000}})
    cache.set("key", "small")
    with pytest.raises(omcache.TooLargeValueError):
        cache.set("key", large)
    assert cache.get("key") is None
    sizes = {"send_buffer_max_size": 12 * 1024 * 1024, "recv_buffer_max_size": 12 * 1024 * 1024}
    cache = OMcacheCache(memcached.address, {"OPTIONS": {"io_timeout": 20_000, **sizes}})
    cache.set("key", large)
    assert cache.get("key") == large


@pytest.mark.parametrize("serializer", ["django.core.signing.JSONSerializer", JSONSerializer, JSONSerializer()])
def test_serializers_of_others(addresses: list[str], serializer: Any) -> None:
    cache = OMcacheCache(addresses, {"OPTIONS": {"serializer": serializer}})
    cache.set("key", {"a": [1, None]})
    assert cache.get("key") == {"a": [1, None]}


def test_what_pylibmc_stored_is_read(cache: Any, addresses: list[str]) -> None:
    with OMcache(addresses) as raw:
        raw.set(":1:bool", b"1", flags=2)
        raw.set(":1:pickle", pickle.dumps([1]), flags=1)
        raw.set(":1:int", b"7", flags=4)
        raw.set(":1:packed-bytes", zlib.compress(b"b"), flags=8)
        raw.set(":1:packed-pickle", zlib.compress(pickle.dumps([2])), flags=1 | 8)
        raw.set(":1:packed-text", zlib.compress(b"t"), flags=16 | 8)
        raw.set(":1:unknown", b"u", flags=32)
    expected = {"bool": 1, "pickle": [1], "int": 7, "packed-bytes": b"b", "packed-pickle": [2], "packed-text": "t"}
    assert cache.get_many([*expected, "unknown"]) == expected
    assert caches["json"].get("packed-pickle", "miss") == "miss"


def test_options(addresses: list[str]) -> None:
    cache = OMcacheCache(
        addresses, {"OPTIONS": {"io_timeout": 123, "dead_timeout": 456, "distribution": "modula", "MAX_ENTRIES": 5}}
    )
    assert cache._client.io_timeout == 123 and cache._client.dead_timeout == 456
    same = OMcacheCache(",".join(addresses), {"OPTIONS": {"io_timeout": 123, "dead_timeout": 456, "distribution": "modula"}})
    assert same._client is cache._client
    assert OMcacheCache(addresses, {})._client is not cache._client
    for options in ({"nonsense": 1}, {"distribution": "nonsense"}, {"serializer": "no.such.thing"}, {"serializer": 5}):
        with pytest.raises(ImproperlyConfigured):
            OMcacheCache(addresses, {"OPTIONS": options})
    for location in ("", " , ;", [], None, 5, [5]):
        with pytest.raises(ImproperlyConfigured, match="LOCATION"):
            OMcacheCache(location, {})


def test_failures_are_told_or_ignored(
    start_memcached: Callable[..., Memcached], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_memcached()
    loud = OMcacheCache(server.address, {})
    mild = OMcacheCache(server.address, {"OPTIONS": {"ignore_failures": True}})
    mild.set("key", 1)
    server.kill()
    begin = time.monotonic()
    for call in (
        lambda: loud.get("key"),
        lambda: loud.set("key", 1),
        lambda: loud.delete("key"),
        lambda: loud.touch("key"),
        lambda: loud.get_many(["key"]),
        lambda: loud.clear(),
    ):
        with pytest.raises(omcache.Error):
            call()
    with caplog.at_level(logging.WARNING, "omcache.django"):
        assert mild.get("key", "default") == "default" and mild.set("key", 1) is None
        assert not mild.add("key", 1) and not mild.delete("key") and not mild.touch("key")
        assert mild.get_many(["key"]) == {} and mild.set_many({"key": 1}) == ["key"]
        mild.delete_many(["key"])
        mild.clear()
        with pytest.raises(ValueError):
            mild.incr("key")
    assert len(caplog.records) >= 8 and time.monotonic() - begin < 20


def test_threads_share_a_client(cache: Any) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(100):
                caches["default"].set(f"thread-{number}", step)
                assert caches["default"].get(f"thread-{number}") == step
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_connections_outlive_threads(start_memcached: Callable[..., Memcached]) -> None:
    server = start_memcached()
    configuration = {"default": {"BACKEND": BACKEND, "LOCATION": server.address}}
    with OMcache(server.address) as raw, override_settings(CACHES=configuration):
        before = int(raw.stat()[b"total_connections"])
        for _ in range(10):
            thread = threading.Thread(target=lambda: caches["default"].set("key", 1))
            thread.start()
            thread.join()
        assert raw.get(":1:key") == b"1" and int(raw.stat()[b"total_connections"]) == before + 1


def test_asynchronous_methods(cache: Any) -> None:
    async def use() -> None:
        await cache.aset("key", 1)
        assert await cache.aget("key") == 1 and await cache.ahas_key("key")
        assert not await cache.aadd("key", 2)
        assert await cache.aincr("key") == 2 and await cache.adecr("key") == 1
        assert await cache.aset_many({"a": 1, "b": 2}) == []
        assert await cache.aget_many(["a", "b", "c"]) == {"a": 1, "b": 2}
        assert await cache.atouch("a", 100) and await cache.adelete("a")
        await cache.adelete_many(["b"])
        assert await cache.aget_or_set("made", 5) == 5
        gathered = await asyncio.gather(*(cache.aget("key") for _ in range(20)))
        assert gathered == [1] * 20
        assert sorted(await asyncio.gather(*(cache.aincr("key") for _ in range(20)))) == list(range(2, 22))
        with pytest.raises(ValueError, match="absent"):
            await cache.aincr("absent")
        assert await cache.aset_many({"big": b"x" * (2 << 20), "c": 1}, version=3) == ["big"]
        assert await cache.aget_many(["big", "c"], version=3) == {"c": 1}
        await cache.aclear()
        assert await cache.aget("key") is None
        await cache.aset("passing", 1, 2)
        assert await cache.aincr("passing") == 2

    asyncio.run(use())
    until(lambda: cache.get("passing") is None, "counting leaves the timeout as it was")


def test_pages_and_sessions(cache: Any) -> None:
    browser = Client()
    first = browser.get("/cached").content
    assert first.startswith(b"made ") and browser.get("/cached").content == first
    cache.clear()
    assert browser.get("/cached").content != first
    assert [browser.get("/visits").content for _ in range(3)] == [b"1", b"2", b"3"]
    assert Client().get("/visits").content == b"1"

    async def visit() -> list[bytes]:
        asynchronous = AsyncClient()
        return [(await asynchronous.get("/counted")).content for _ in range(2)]

    assert asyncio.run(visit()) == [b"1", b"2"]


def test_the_package_does_without_django() -> None:
    import subprocess

    code = "import sys, omcache, omcache.aio; assert 'django' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_memory_is_flat(configured: None, addresses: list[str]) -> None:
    options = {"io_timeout": 987}
    cache = OMcacheCache(addresses, {"OPTIONS": options})
    plain = OMcacheCache(addresses, {"OPTIONS": {**options, "serializer": "json"}})
    value = {"name": "Ada"}
    items = {f"key{n}": [n] for n in range(20)}

    def work() -> None:
        cache.set("key", value)
        assert cache.get("key") == value and cache.get("none") is None
        assert cache.set_many(items) == [] and cache.get_many(items) == items
        assert not cache.add("key", value) and not plain.has_key("key")
        with pytest.raises(InvalidCacheKey):
            cache.get("with space")

    work()
    share(cache._client)
    before = sys.getrefcount(value)
    assert grows(work, 1000, 200) < TOLERANCE
    assert sys.getrefcount(value) == before
