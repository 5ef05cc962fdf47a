"""Values that other clients write, and that they read: pylibmc, python-memcached, pymemcache."""

from __future__ import annotations

import datetime
import pickle
import zlib
from collections.abc import Iterator
from typing import Any

import memcache
import pylibmc
import pymemcache
import pytest
from memcached_process import Memcached

import omcache
import omcache_pylibmc
from omcache import OMcache

VALUES: list[Any] = [
    b"",
    b"bytes \x00\xff",
    "",
    "text \N{SNOWMAN}",
    0,
    1,
    -1,
    2**31,
    -(2**63),
    2**64,
    10**40,
    True,
    False,
    None,
    1.5,
    [1, "two", None],
    {"a": [1, 2], "b": ("c",)},
    {1, 2, 3},
    datetime.date(2013, 12, 1),
]

LONG: list[Any] = [b"long " * 2000, "long \N{SNOWMAN}" * 2000, ["long"] * 2000, 7**4000]
# Neither python-memcached nor pymemcache compresses numbers.
PACKED = [value for value in LONG if not isinstance(value, int)]


def same(found: Any, value: Any) -> bool:
    """Bools come back as ints, by pylibmc's rules."""
    return bool(found == value) and (type(found) is type(value) or isinstance(value, bool))


@pytest.fixture
def server(shared_servers: list[Memcached]) -> Memcached:
    with OMcache([shared_servers[0].address]) as cache:
        cache.flush_all()
    return shared_servers[0]


@pytest.fixture
def ours(server: Memcached) -> Any:
    return omcache_pylibmc.Client([server.address], behaviors={"cas": True})


@pytest.fixture(params=[True, False], ids=["binary", "text"])
def theirs(request: pytest.FixtureRequest, server: Memcached) -> Any:
    return pylibmc.Client([server.address], binary=request.param)


@pytest.fixture
def raw(server: Memcached) -> Iterator[OMcache]:
    with OMcache([server.address]) as cache:
        yield cache


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_pylibmc_and_ours_read_each_other(ours: Any, theirs: Any, raw: OMcache, value: Any) -> None:
    assert theirs.set("theirs", value) and ours.set("ours", value)
    # What is stored is the same to the last byte and flag.
    assert raw.get("ours", flags=True) == raw.get("theirs", flags=True)
    assert same(ours.get("theirs"), value), ours.get("theirs")
    assert same(theirs.get("ours"), value), theirs.get("ours")
    assert type(ours.get("theirs")) is type(theirs.get("ours"))
    multi = {"a": value, "b": value}
    assert ours.set_multi(multi) == []
    assert theirs.get_multi(["a", "b"]) == multi == ours.get_multi(["a", "b"])


@pytest.mark.parametrize("value", LONG, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("level", [-1, 1, 9])
def test_compressed_values_are_read_both_ways(
    ours: Any, theirs: Any, raw: OMcache, value: Any, level: int
) -> None:
    assert theirs.set("theirs", value, min_compress_len=100, compress_level=level)
    assert ours.set("ours", value, min_compress_len=100, compress_level=level)
    stored, flags = raw.get("ours", flags=True)
    assert flags & 8 and flags == raw.get("theirs", flags=True)[1]
    assert len(zlib.decompress(stored)) > len(stored)
    assert same(ours.get("theirs"), value) and same(theirs.get("ours"), value)
    assert ours.set_multi({"multi": value}, min_compress_len=100) == []
    assert theirs.get("multi") == value


def test_what_does_not_shrink_or_is_short_is_not_compressed(ours: Any, raw: OMcache) -> None:
    ours.set("short", b"a" * 99, min_compress_len=100)
    ours.set("never", b"a" * 1000)
    ours.set("level 0", b"a" * 1000, min_compress_len=1, compress_level=0)
    ours.set("noise", zlib.compress(bytes(range(256))), min_compress_len=1)
    for key in ("short", "never", "level 0", "noise"):
        assert raw.get(key, flags=True)[1] == 0, key


@pytest.mark.parametrize("value", PACKED, ids=lambda value: type(value).__name__)
def test_python_memcached_and_ours_read_what_is_compressed(
    ours: Any, server: Memcached, raw: OMcache, value: Any
) -> None:
    theirs = memcache.Client([server.address])
    assert theirs.set("theirs", value, min_compress_len=100)
    assert ours.set("ours", value, min_compress_len=100)
    assert raw.get("theirs", flags=True)[1] & 8 and raw.get("ours", flags=True)[1] & 8
    assert same(ours.get("theirs"), value) and same(theirs.get("ours"), value)


@pytest.mark.parametrize("value", PACKED, ids=lambda value: type(value).__name__)
def test_pymemcache_and_ours_read_what_is_compressed(
    ours: Any, server: Memcached, raw: OMcache, value: Any
) -> None:
    theirs = pymemcache.Client(("127.0.0.1", server.port), serde=pymemcache.serde.compressed_serde)
    assert theirs.set("theirs", value)
    assert ours.set("ours", value, min_compress_len=100)
    assert raw.get("theirs", flags=True)[1] & 8 and raw.get("ours", flags=True)[1] & 8
    assert same(ours.get("theirs"), value) and same(theirs.get("ours"), value)
    theirs.close()


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_python_memcached_and_ours_read_each_other(ours: Any, server: Memcached, value: Any) -> None:
    theirs = memcache.Client([server.address])
    assert theirs.set("theirs", value)
    assert same(ours.get("theirs"), value), ours.get("theirs")
    assert ours.set("ours", value)
    # Its text has the flag 16 as well; it reads numbers by the flags 2 and 4 alike.
    assert same(theirs.get("ours"), value), theirs.get("ours")


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_pymemcache_and_ours_read_each_other(ours: Any, server: Memcached, value: Any) -> None:
    theirs = pymemcache.Client(("127.0.0.1", server.port), serde=pymemcache.serde.pickle_serde)
    assert theirs.set("theirs", value)
    assert same(ours.get("theirs"), value), ours.get("theirs")
    assert ours.set("ours", value)
    assert same(theirs.get("ours"), value), theirs.get("ours")
    theirs.close()


def test_flags_that_say_nothing_are_errors(ours: Any, raw: OMcache) -> None:
    for flags in (3, 5, 6, 7, 17, 20):
        raw.set("odd", b"1", flags=flags)
        with pytest.raises(omcache_pylibmc.Error, match=str(flags)):
            ours.get("odd")
    raw.set("high", b"1", flags=1 << 31 | 4 | 32)
    assert ours.get("high") == 1
    raw.set("broken", b"no zlib", flags=8)
    with pytest.raises(omcache_pylibmc.Error, match="decompress"):
        ours.get("broken")


def test_a_subclass_can_refuse_to_unpickle(server: Memcached) -> None:
    class Careful(omcache_pylibmc.Client):
        def deserialize(self, bytestring: bytes, flag: int) -> Any:
            if flag & 1:
                raise omcache_pylibmc.CacheMiss
            return super().deserialize(bytestring, flag)

    careful = Careful([server.address])
    careful.set("pickled", [1])
    careful.set("text", "t")
    assert careful.get("pickled") is None and careful.get("pickled", 5) == 5
    assert "pickled" not in careful
    assert careful.get_multi(["pickled", "text"]) == {"text": "t"}


def test_a_subclass_can_serialize_in_its_own_way(server: Memcached) -> None:
    class Own(omcache_pylibmc.Client):
        def serialize(self, value: Any) -> tuple[bytes, int]:
            if isinstance(value, list):
                return b"list:" + ",".join(value).encode(), 64
            return super().serialize(value)  # type: ignore[no-any-return]

        def deserialize(self, bytestring: bytes, flag: int) -> Any:
            if flag & 64:
                return bytestring[5:].decode().split(",")
            return super().deserialize(bytestring, flag)

    own = Own([server.address])
    own.set("list", ["a", "b"])
    own.set("long", ["a"] * 1000, min_compress_len=10)
    own.set("number", 5)
    assert own.get("list") == ["a", "b"] and own.get("long") == ["a"] * 1000 and own.get("number") == 5


def test_the_protocol_of_pickles_can_be_chosen(ours: Any, raw: OMcache) -> None:
    ours.set("new", [1])
    assert raw.get("new") == pickle.dumps([1], pickle.HIGHEST_PROTOCOL)
    ours.behaviors["pickle_protocol"] = 2
    ours.set("old", [1])
    assert raw.get("old") == pickle.dumps([1], 2)


def test_too_large(ours: Any) -> None:
    with pytest.raises(omcache_pylibmc.TooBig) as caught:
        ours.set("large", b"x" * (2 << 20))
    assert caught.value.retcode == 37
    with pytest.raises(omcache_pylibmc.TooBig):
        ours.set_multi({"large": b"x" * (2 << 20)})
    assert omcache.Status.OK == 0 and ours.set("small", 1)
