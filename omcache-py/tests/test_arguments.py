"""What may be given as a key, a value or a setting, and what becomes of the references to it."""

from __future__ import annotations

import array
import gc
import pickle
import sys
import weakref
from typing import Any

import pytest

import omcache
import omcache_pylibmc
from omcache import OMcache


def test_keys_and_values(cache: OMcache) -> None:
    text = "schlüssel-\N{SNOWMAN}"
    for key in (text, text.encode(), bytearray(text.encode()), memoryview(text.encode())):
        cache.set(key, "x")
        assert cache.get(key) == b"x"
        assert cache.get_multi([key]) == {text.encode(): b"x"}
    for value in (b"a\0b", bytearray(b"a\0b"), memoryview(b"a\0b"), memoryview(b"a_\0_b")[::2], array.array("B", b"a\0b")):
        cache.set("key", value)
        assert cache.get("key") == b"a\0b"
    cache.set(b"\x00\xff \n", b"binary keys are keys")
    assert cache.get(b"\x00\xff \n") == b"binary keys are keys"
    cache.set("x" * 250, "longest")
    assert cache.get("x" * 250) == b"longest"


@pytest.mark.parametrize("wrong", [None, 5, 1.5, ["a"], object()])
def test_wrong_types(cache: OMcache, wrong: Any) -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        cache.get(wrong)
    with pytest.raises(TypeError, match="bytes-like"):
        cache.set("key", wrong)
    with pytest.raises(TypeError):
        cache.set("key", "value", expiration="x")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        cache.get("key", timeout="x")  # type: ignore[call-overload]


def test_keys_of_wrong_lengths(cache: OMcache) -> None:
    for key in ("", "x" * 251):
        with pytest.raises(omcache.CommandError) as raised:
            cache.get(key)
        assert raised.value.status == omcache.Status.INVALID and not raised.value.sent
    with pytest.raises(UnicodeEncodeError):
        cache.get("\ud800")


def test_numbers_out_of_range(cache: OMcache) -> None:
    for arguments in ({"flags": 2**32}, {"flags": -1}, {"cas": 2**64}, {"cas": -1}):
        with pytest.raises(OverflowError):
            cache.set("key", "value", **arguments)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        cache.increment("n", 2**64, initial=0)
    with pytest.raises(OverflowError):
        cache.increment("n", -(2**64), initial=0)
    with pytest.raises(TypeError):
        cache.increment("n", "1")  # type: ignore[arg-type]


def test_no_reference_outlives_a_call(cache: OMcache) -> None:
    key, value = b"key-of-its-own" + bytes(1), b"value-of-its-own" + bytes(1)
    text = "".join(["text-", "key"])
    buffer = bytearray(b"buffer")
    objects = (key, value, text, buffer)
    before = [sys.getrefcount(one) for one in objects]
    for _ in range(10):
        cache.set(key, value)
        cache.set(text, buffer)
        cache.get(key)
        cache.get_multi([key, text])
        cache.set_multi({key: value, text: buffer})
        cache.delete_multi([key, text, b"none"])
        with pytest.raises(omcache.NotFoundError):
            cache.get(key)
        cache.add(text, value, timeout=0)
    gc.collect()
    assert [sys.getrefcount(one) for one in objects] == before
    buffer.append(1)  # nothing exports it any more


def test_settings(cache: OMcache) -> None:
    assert (cache.connect_timeout, cache.reconnect_timeout, cache.dead_timeout) == (10_000,) * 3
    assert cache.io_timeout == 1000
    assert cache.buffering is False and cache.log is None and cache.select is None
    cache.connect_timeout, cache.reconnect_timeout, cache.dead_timeout, cache.io_timeout = 1, 2, 3, -1
    assert (cache.connect_timeout, cache.reconnect_timeout, cache.dead_timeout) == (1, 2, 3)
    assert cache.io_timeout == -1
    with pytest.raises(OverflowError):
        cache.dead_timeout = -1
    with pytest.raises(TypeError):
        OMcache("a", select="select")  # type: ignore[arg-type]


def test_a_subclass(addresses: list[str]) -> None:
    class Cache(OMcache):
        def __init__(self, servers: list[str], prefix: str) -> None:
            super().__init__(servers)
            self.prefix = prefix

        def get(self, key: Any, *arguments: Any, **named: Any) -> Any:
            return super().get(self.prefix + key, *arguments, **named)

    with Cache(addresses, "p:") as cache:
        cache.set("p:key", "value")
        assert cache.get("key") == b"value"


def test_free(addresses: list[str]) -> None:
    cache = OMcache(addresses)
    cache.set("key", "value")
    cache.disconnect()
    assert cache.get("key") == b"value"
    cache.free()
    cache.free()
    for call in (lambda: cache.get("key"), lambda: cache.get_multi(["key"]), cache.noop, cache.flush):
        with pytest.raises(omcache.Error, match="freed"):
            call()


def test_the_end_of_a_client(addresses: list[str]) -> None:
    with OMcache(addresses) as cache:
        cache.buffering = True
        cache.set("key", "sent at the end")
    with OMcache(addresses) as other:
        assert other.get("key") == b"sent at the end"
    reference = weakref.ref(cache)
    del cache
    gc.collect()
    assert reference() is None


def test_a_client_in_a_cycle_is_collected(addresses: list[str]) -> None:
    class Log:
        def getEffectiveLevel(self) -> int:
            return 10

        def log(self, level: int, text: str) -> None:
            pass

    log = Log()
    cache = OMcache(addresses, log=log)
    log.cache = cache  # type: ignore[attr-defined]
    reference = weakref.ref(cache)
    del log, cache
    gc.collect()
    assert reference() is None


def test_exceptions() -> None:
    assert issubclass(omcache.CommandError, omcache.Error) and issubclass(omcache.Error, Exception)
    expected = {
        omcache.NotFoundError: 1,
        omcache.KeyExistsError: 2,
        omcache.TooLargeValueError: 3,
        omcache.NotStoredError: 5,
        omcache.DeltaBadValueError: 6,
    }
    for kind, status in expected.items():
        assert issubclass(kind, omcache.CommandError)
        assert kind.status == kind("text").status == status
        assert kind.__module__ == "omcache" and kind.__doc__
        again = pickle.loads(pickle.dumps(kind("text")))
        assert type(again) is kind and str(again) == "text" and again.status == status
    error = omcache.CommandError("text", omcache.Status.AGAIN, False)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.status, again.sent) == ("text", 0x1001, False)


def test_constants() -> None:
    assert omcache.DELTA_NO_ADD == 0xFFFFFFFF
    levels = [omcache.LOG_ERR, omcache.LOG_WARNING, omcache.LOG_NOTICE, omcache.LOG_INFO, omcache.LOG_DEBUG]
    assert levels == [3, 4, 5, 6, 7]
    assert (omcache.CMD_GET, omcache.CMD_STAT, omcache.CMD_TOUCH, omcache.CMD_GATKQ) == (0, 0x10, 0x1C, 0x24)
    assert omcache.OMcacheValue._fields == ("status", "key", "value", "flags", "cas", "delta_value")


def undocumented(kind: type) -> list[str]:
    """What has no docstring of its own among a class, its bases of this package, and their public members."""
    bases = [base for base in kind.__mro__ if base.__module__.partition(".")[0] in ("omcache", "omcache_pylibmc", __name__)]
    found = [base.__name__ for base in bases if not base.__doc__]
    for base in bases:
        for name, member in vars(base).items():
            # What a plain value has is its type's.
            is_plain = not (callable(member) or hasattr(member, "__get__"))
            if not name.startswith("_") and not is_plain and not member.__doc__:
                found.append(f"{base.__name__}.{name}")
    return found


def test_everything_has_a_docstring() -> None:
    import omcache.aio
    import omcache.testing

    for module in (omcache, omcache.aio, omcache.testing, omcache_pylibmc):
        assert module.__doc__
    for kind in (OMcache, omcache.aio.Client, omcache.testing.Server, omcache_pylibmc.Client):
        assert undocumented(kind) == []

    class Bare(OMcache):
        def noop(self, *arguments: Any, **named: Any) -> None:
            pass

        @property
        def io_timeout(self) -> int:
            return 0

    assert undocumented(Bare) == ["Bare", "Bare.noop", "Bare.io_timeout"]
