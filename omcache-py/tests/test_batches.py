"""Commands on many keys at once."""

from __future__ import annotations

import random

import pytest

import omcache
from omcache import OMcache
from omcache.testing import Server


def test_get_multi(cache: OMcache) -> None:
    assert cache.set_multi({f"key{n}": str(n) for n in range(0, 246, 2)}, flags=8) == {}
    keys = [f"key{n}" for n in range(246)]
    random.Random(1).shuffle(keys)
    expected = {f"key{n}".encode(): str(n).encode() for n in range(0, 246, 2)}
    assert cache.get_multi(keys) == expected
    assert cache.get_multi(keys, flags=True) == {key: (value, 8) for key, value in expected.items()}
    with_cas = cache.get_multi(keys, cas=True)
    assert {key: value for key, (value, _) in with_cas.items()} == expected
    assert all(cas > 0 for _, cas in with_cas.values())
    assert cache.get_multi(keys, flags=True, cas=True) == {
        key: (value, 8, cas) for key, (value, cas) in with_cas.items()
    }


def test_collections(cache: OMcache) -> None:
    cache.set("a", "1")
    for keys in (["a"], ("a",), {"a"}, frozenset("a"), {"a": 5}, iter(["a", b"b"]), (k for k in "a")):
        assert cache.get_multi(keys) == {b"a": b"1"}
    assert cache.get_multi([]) == {}
    assert cache.set_multi({}) == {}
    assert cache.delete_multi([]) == {}
    assert cache.get_multi(["a", "a"]) == {b"a": b"1"}
    for one in ("a", b"a"):
        with pytest.raises(TypeError):
            cache.get_multi(one)
    for wrong in (5, [5], [None]):
        with pytest.raises(TypeError):
            cache.get_multi(wrong)  # type: ignore[arg-type]


def test_an_invalid_key_sends_nothing(cache: OMcache) -> None:
    for keys in (["a", ""], ["a", "x" * 251]):
        with pytest.raises(omcache.CommandError) as raised:
            cache.get_multi(keys)
        assert raised.value.status == omcache.Status.INVALID
        with pytest.raises(omcache.CommandError):
            cache.set_multi(dict.fromkeys(keys, "value"))
    assert cache.get_multi(["a"]) == {}


def test_set_multi_tells_what_failed(cache: OMcache) -> None:
    large = bytes(2 * 1024 * 1024)
    failed = cache.set_multi({"small": "x", "large": large, b"other": b"y"})
    assert list(failed) == ["large"]
    assert isinstance(failed["large"], omcache.TooLargeValueError)
    assert cache.get_multi(["small", "other", "large"]) == {b"small": b"x", b"other": b"y"}


def test_set_multi_takes_any_mapping(cache: OMcache) -> None:
    class Mapping:
        def items(self) -> list[tuple[str, str]]:
            return [("a", "1"), ("b", "2")]

    assert cache.set_multi(Mapping()) == {}  # type: ignore[arg-type]
    assert cache.get_multi("ab"[:2].split() + ["a", "b"]) == {b"a": b"1", b"b": b"2"}


def test_delete_multi(cache: OMcache) -> None:
    cache.set_multi({"a": "1", "b": "2"})
    failed = cache.delete_multi(["a", "none", "b"])
    assert list(failed) == ["none"] and isinstance(failed["none"], omcache.NotFoundError)
    assert cache.get_multi(["a", "b"]) == {}


def test_gat_multi(cache: OMcache) -> None:
    cache.set_multi({"a": "1", "b": "2"}, flags=3)
    assert cache.gat_multi(["a", "b", "c"], 100, flags=True) == {b"a": (b"1", 3), b"b": (b"2", 3)}
    assert cache.gat_multi(["a"], -1) == {b"a": b"1"}
    assert cache.get_multi(["a", "b"]) == {b"b": b"2"}


def test_a_large_batch(cache: OMcache) -> None:
    items = {f"key{n}": str(n) * 3 for n in range(100_000)}
    assert cache.set_multi(items, timeout=60_000) == {}
    found = cache.get_multi(items, timeout=60_000)
    assert len(found) == len(items)
    assert found[b"key99999"] == b"999999999999999"


def test_more_than_the_buffers_hold(cache: OMcache) -> None:
    value = bytes(500_000)
    items = {f"key{n}": value for n in range(60)}
    assert cache.set_multi(items, timeout=60_000) == {}
    found = cache.get_multi(items, timeout=60_000)
    assert found and all(len(one) == 500_000 for one in found.values())


def test_one_server_of_many_is_gone(addresses: list[str]) -> None:
    with OMcache([*addresses, "127.0.0.1:1"]) as cache:
        items = {f"key{n}": str(n) for n in range(300)}
        # What is not sent goes to the next server of the ring within the same call.
        assert cache.set_multi(items) == {}
        assert len(cache.get_multi(items)) == 300


def test_all_servers_are_gone() -> None:
    with OMcache(["127.0.0.1:1", "127.0.0.1:2"]) as cache:
        errors: dict[str, omcache.CommandError] = {}
        with pytest.raises(omcache.CommandError) as raised:
            cache.get_multi(["a", "b"], errors=errors)
        assert raised.value.status == omcache.Status.NO_SERVERS
        assert set(errors) == {"a", "b"}
        failed = cache.set_multi({"a": "1", "b": "2"})
        assert {error.status for error in failed.values()} == {omcache.Status.NO_SERVERS}
        assert not any(error.sent for error in failed.values())


def test_a_batch_given_up_tells_of_each_key_whether_it_was_sent(omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.noop()
        omcache_server.misbehave("stop_reading")
        values = {f"key{n:05}": bytes(1000) for n in range(20_000)}
        failed = cache.set_multi(values, timeout=200)
        assert list(failed) == list(values)
        assert {error.status for error in failed.values()} == {omcache.Status.AGAIN}
        sent = [error.sent for error in failed.values()]
        # What the kernel took is unknown, everything behind it was taken back.
        assert sent == sorted(sent, reverse=True) and set(sent) == {True, False}
