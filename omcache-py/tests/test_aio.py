"""The client for asyncio, on its own loop and on uvloop."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from holding_server import HoldingServer

import omcache
from omcache import OMcache
from omcache.aio import Client
from omcache.testing import Server

Run = Callable[[Awaitable[Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a coroutine in a loop of its own."""
    if request.param == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    problems: list[Any] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    yield loop.run_until_complete
    loop.close()
    gc.collect()
    assert problems == []


def test_all_commands(run: Run, addresses: list[str]) -> None:
    async def main() -> None:
        async with Client(addresses) as cache:
            assert await cache.set("key", "value", flags=3) is None
            assert await cache.get("key") == b"value"
            value, flags, cas = await cache.get("key", flags=True, cas=True)
            assert (value, flags) == (b"value", 3)
            await cache.set("key", "two", cas=cas)
            with pytest.raises(omcache.KeyExistsError):
                await cache.set("key", "three", cas=cas)
            with pytest.raises(omcache.KeyExistsError):
                await cache.add("key", "x")
            with pytest.raises(omcache.NotFoundError):
                await cache.replace("none", "x")
            await cache.append("key", "!")
            await cache.prepend("key", "<")
            assert await cache.gat("key", 100) == b"<two!"
            with pytest.raises(omcache.NotStoredError):
                await cache.append("none", "x")
            await cache.touch("key", 100)
            await cache.delete("key")
            for call in (cache.get("key"), cache.delete("key"), cache.touch("key"), cache.increment("n")):
                with pytest.raises(omcache.NotFoundError):
                    await call
            assert await cache.increment("n", 5, initial=1) == 1
            assert await cache.increment("n", 5) == 6
            assert await cache.decrement("n", -4) == 10
            with pytest.raises(omcache.Error):
                await cache.increment("n", expiration=5)
            await cache.noop(1)
            assert (await cache.version()).startswith("1.")
            assert len(await cache.stat("settings", 1)) > 30
            (response,) = await cache.command(omcache.CMD_GETK, "n")
            assert response.key == b"n" and response.value == b"10"
            with pytest.raises(omcache.CommandError):
                await cache.noop(9)
            with pytest.raises(TypeError):
                await cache.get(5)  # type: ignore[call-overload]
            await cache.flush_all(server_index=0)
            await cache.flush_all(server_index=1)
            assert await cache.get_multi(["n"]) == {}

    run(main())


def test_batches(run: Run, addresses: list[str]) -> None:
    async def main() -> None:
        async with Client(addresses) as cache:
            items = {f"key{n}": str(n) for n in range(5000)}
            assert await cache.set_multi(items, flags=2) == {}
            expected = {key.encode(): value.encode() for key, value in items.items()}
            assert await cache.get_multi([*items, "none"]) == expected
            assert await cache.gat_multi(["key1", "none"], 100, flags=True) == {b"key1": (b"1", 2)}
            failed = await cache.set_multi({"large": bytes(2_000_000), "small": "x"})
            assert isinstance(failed.pop("large"), omcache.TooLargeValueError) and not failed
            failed = await cache.delete_multi(["key1", "none"])
            assert list(failed) == ["none"]
            assert await cache.get_multi([]) == {}

    run(main())


def test_a_batch_that_the_buffers_do_not_hold(run: Run, addresses: list[str]) -> None:
    async def main() -> None:
        async with Client(addresses) as cache:
            items = {f"key{n}": bytes(500_000) for n in range(80)}
            assert await cache.set_multi(items, timeout=60_000) == {}
            assert len(await cache.get_multi(items, timeout=60_000)) > 10

    run(main())


def test_concurrent_calls_go_out_together(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            await cache.set_multi({f"key{n}": str(n) for n in range(100)})
            found = await asyncio.gather(*(cache.get(f"key{n}") for n in range(100)))
            assert found == [str(n).encode() for n in range(100)]
            assert omcache_server.accepted == 1

    run(main())


def test_concurrent_calls_wait_for_no_answer_before_they_go_out(run: Run) -> None:
    async def main(address: str) -> list[Any]:
        async with Client(address) as cache:
            calls = (cache.get(f"key{n}", timeout=10_000) for n in range(100))
            return await asyncio.gather(*calls, return_exceptions=True)

    with HoldingServer(100) as server:
        found = run(main(server.address))
    assert server.arrived == 100
    assert {type(one) for one in found} == {omcache.NotFoundError}


def test_no_thread_is_started(run: Run, addresses: list[str]) -> None:
    async def main() -> None:
        async with Client(addresses) as cache:
            await cache.set_multi({f"key{n}": str(n) for n in range(100)})
            await asyncio.gather(*(cache.get(f"key{n}") for n in range(100)))
            assert set(os.listdir("/proc/self/task")) == threads

    threads = set(os.listdir("/proc/self/task"))
    run(main())


def test_a_slow_server_holds_nobody_up(run: Run, omcache_servers: Callable[..., Server]) -> None:
    slow, fast = omcache_servers(), omcache_servers()

    async def main() -> None:
        async with Client([slow.address, fast.address]) as cache:
            names = {f"{one.host}:{one.port}": one.server_index for one in cache.servers()}
            key = {
                server: next(k for k in map(str, range(9999)) if cache.server_index_for_key(k) == names[server.address])
                for server in (slow, fast)
            }
            await cache.set(key[slow], "slow")
            await cache.set(key[fast], "fast")
            slow.misbehave("delay", seconds=0.5)
            waiting = asyncio.ensure_future(cache.get(key[slow], timeout=5000))
            for _ in range(50):
                assert await cache.get(key[fast]) == b"fast"
            assert not waiting.done()
            assert await waiting == b"slow"

    run(main())


def test_timeouts(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            await cache.set("key", "value")
            omcache_server.misbehave("delay", 2, seconds=0.2)
            with pytest.raises(omcache.CommandError) as raised:
                await cache.get("key", timeout=50)
            assert raised.value.status == omcache.Status.AGAIN and raised.value.sent
            with pytest.raises(omcache.CommandError):
                await cache.get_multi(["key"], timeout=50)
            await cache.set("other", "another value", timeout=5000)
            assert await cache.get("other") == b"another value"
            assert omcache_server.accepted == 1
            cache.io_timeout = 30
            omcache_server.misbehave("delay", 1, seconds=0.2)
            with pytest.raises(omcache.CommandError):
                await cache.get("key")

    run(main())


def test_cancelled_calls_leave_the_connection_in_order(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            await cache.set_multi({f"key{n}": str(n) for n in range(200)})
            for turn in range(20):
                omcache_server.misbehave("delay", 1, seconds=0.01)
                tasks = [asyncio.ensure_future(cache.get(f"key{n}")) for n in range(50)]
                await asyncio.sleep(0.002 * (turn % 3))
                for task in tasks[::2]:
                    task.cancel()
                found = await asyncio.gather(*tasks, return_exceptions=True)
                for n, one in enumerate(found):
                    if n % 2:
                        assert one == str(n).encode()
                    else:
                        assert isinstance(one, asyncio.CancelledError) or one == str(n).encode()
                assert await cache.get("key7") == b"7"
            assert omcache_server.accepted == 1

    run(main())


def test_wait_for(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            await cache.set("key", "value")
            omcache_server.misbehave("delay", 1, seconds=0.2)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(cache.get("key"), 0.05)
            assert await cache.get_multi(["key"]) == {b"key": b"value"}

    run(main())


def test_what_is_cancelled_unsent_is_never_sent(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            task = asyncio.ensure_future(cache.set("key", "value"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await cache.set("other", "value")
            assert omcache_server.get("key") is None

    run(main())


def test_failover(run: Run, omcache_servers: Callable[..., Server]) -> None:
    servers = [omcache_servers() for _ in range(3)]

    async def main() -> None:
        async with Client([server.address for server in servers]) as cache:
            cache.dead_timeout, cache.reconnect_timeout = 200, 300
            items = {f"key{n}": str(n) for n in range(100)}
            assert await cache.set_multi(items) == {}
            servers[0].stop()
            results = await asyncio.gather(*(cache.get(key) for key in items), return_exceptions=True)
            hits = [one for one in results if isinstance(one, bytes)]
            assert 0 < len(hits) < 100
            assert await cache.set_multi(items) == {}
            assert len(await cache.get_multi(items)) == 100
            assert "disabled" in {server.state for server in cache.servers()}
            servers[0].restart()
            for _ in range(100):
                await asyncio.sleep(0.02)
                if {server.state for server in cache.servers()} == {"ready"}:
                    break
            assert {server.state for server in cache.servers()} == {"ready"}
            servers[1].misbehave("stop_answering")
            errors: dict[str, omcache.CommandError] = {}
            found = await cache.get_multi(items, errors=errors)
            assert found and errors and len(found) + len(errors) <= 100

    run(main())


def test_a_connection_that_ends_while_it_rests(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            cache.reconnect_timeout = 20
            for turn in range(5):
                for _ in range(100):
                    try:
                        await cache.set("key", str(turn))
                        break
                    except omcache.CommandError:
                        await asyncio.sleep(0.01)
                omcache_server.stop()
                await asyncio.sleep(0.05)
                omcache_server.restart()
                assert await cache.get_multi([]) == {}
            assert omcache_server.get("key") == b"4"

    run(main())


def test_buffering(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            await cache.noop()
            cache.buffering = True
            for n in range(100):
                await cache.set(f"key{n}", "x")
            await asyncio.sleep(0.02)
            assert len(omcache_server) == 0
            await cache.flush()
            assert len(omcache_server) == 100
            assert await cache.increment("n", initial=5) == 5
            await cache.set("reset", "x")
            cache.reset_buffers()
            await cache.flush()
            assert omcache_server.get("reset") is None
            cache.buffering = False
            await cache.set("quiet", "x", timeout=0)
            await cache.flush()
            assert omcache_server.get("quiet") == b"x"
            omcache_server.misbehave("stop_answering")
            assert await cache.get("key1", timeout=0) is None
            with pytest.raises(omcache.CommandError) as raised:
                await cache.flush(50)
            assert raised.value.status == omcache.Status.AGAIN
            cache.io_timeout = 20

    run(main())


def test_the_end(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        cache = Client(omcache_server.address)
        await cache.set("key", "value")
        omcache_server.misbehave("stop_answering")
        waiting = asyncio.ensure_future(cache.get("key"))
        await asyncio.sleep(0.02)
        cache.free()
        with pytest.raises(omcache.CommandError) as raised:
            await waiting
        assert raised.value.status == omcache.Status.SERVER_FAILURE
        with pytest.raises(omcache.Error, match="freed"):
            await cache.get("key")
        with pytest.raises(omcache.Error, match="freed"):
            await cache.get_multi(["key"])

    run(main())


def test_log(run: Run, omcache_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Client(omcache_server.address, log=logging.getLogger("aio-test")) as cache:
            await cache.set("key", "value")

    with caplog.at_level(logging.INFO, "aio-test"):
        run(main())
    assert [record.getMessage() for record in caplog.records] == [f"[{omcache_server.address}]: connected"]


def test_set_servers(run: Run, addresses: list[str]) -> None:
    async def main() -> None:
        async with Client(addresses[0]) as cache:
            await cache.set("key", "on the first")
            cache.set_servers(addresses[1])
            assert await cache.get_multi(["key"]) == {}
            cache.set_servers(",".join(addresses))
            cache.set_distribution_method("modula")
            assert len(cache.servers()) == 2
            cache.set_servers([addresses[0]])
            assert await cache.get("key") == b"on the first"

    run(main())


def test_one_loop_after_the_other(omcache_server: Server) -> None:
    cache = Client(omcache_server.address)

    async def main() -> bytes:
        await cache.set("key", "value")
        return await cache.get("key")

    for _ in range(3):
        assert asyncio.run(main()) == b"value"

    async def two() -> None:
        await cache.get("key")
        loop = asyncio.new_event_loop()
        failures: list[BaseException] = []

        def elsewhere() -> None:
            try:
                loop.run_until_complete(cache.get("key"))
            except omcache.Error as error:
                failures.append(error)
            with pytest.raises(omcache.Error, match="another event loop"):
                loop.run_until_complete(cache.set("refused", "x"))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        loop.close()
        assert "another event loop" in str(failures[0])
        await cache.noop()
        assert omcache_server.get("refused") is None

    asyncio.run(two())
    cache.free()


@pytest.mark.parametrize("buffering", [False, True])
def test_a_large_batch_that_is_not_waited_for(run: Run, omcache_server: Server, buffering: bool) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            await cache.noop()
            cache.buffering = buffering
            items = {f"key{n}": bytes(500_000) for n in range(80)}
            failed = await cache.set_multi(items, timeout=0)
            await cache.flush(20_000)
            assert len(omcache_server) >= 20
            assert {error.status for error in failed.values()} <= {omcache.Status.BUFFER_FULL}
            assert [key for key in items if omcache_server.get(key) is None] == list(failed)

    run(main())


def test_a_batch_that_is_not_waited_for_tells_what_was_refused(run: Run) -> None:
    async def main() -> None:
        cache = Client([])
        failed = await cache.set_multi({"key": "value"}, timeout=0)
        assert failed["key"].status == omcache.Status.NO_SERVERS
        assert list(await cache.delete_multi(["key"], timeout=0)) == ["key"]
        with pytest.raises(omcache.CommandError):
            await cache.get_multi(["key"], timeout=0)
        errors: dict[str, omcache.CommandError] = {}
        with pytest.raises(omcache.CommandError):
            await cache.gat_multi(["key"], timeout=0, errors=errors)
        assert list(errors) == ["key"]
        cache.free()

    run(main())


def test_a_part_of_a_batch_that_is_refused_at_once_is_told_at_once(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            batch = cache.set_multi({"small": "x", "large": bytes(11 * 1024 * 1024)}, timeout=60_000)
            failed = await asyncio.wait_for(batch, 10)
            assert list(failed) == ["large"] and isinstance(failed["large"], omcache.TooLargeValueError)
            cache.send_buffer_max_size = cache.recv_buffer_max_size = 12 * 1024 * 1024
            assert (cache.send_buffer_max_size, cache.recv_buffer_max_size) == (12 * 1024 * 1024,) * 2

    run(main())


@pytest.mark.parametrize("end", ["disconnect", "set_servers", "free"])
def test_descriptors_that_are_closed_are_the_loops_again(
    run: Run, omcache_servers: Callable[..., Server], end: str
) -> None:
    old, new = omcache_servers(), omcache_servers()

    async def main() -> None:
        async with Client(old.address) as cache:
            await cache.set("key", "value")
            if end == "set_servers":
                cache.set_servers(new.address)
            else:
                getattr(cache, end)()
            # The first one has the number of the connection that was closed.
            connections = [await asyncio.open_connection("127.0.0.1", new.port) for _ in range(3)]
            if end != "free":
                await cache.set("key", "again")
            for reader, writer in connections:
                writer.write(b"\x80\x0a" + bytes(22))
                assert (await asyncio.wait_for(reader.readexactly(24), 10))[:2] == b"\x81\x0a"
                writer.close()
                await writer.wait_closed()

    run(main())


def test_disconnect_after_the_loops_end(omcache_server: Server) -> None:
    cache = Client(omcache_server.address)
    asyncio.run(cache.set("key", "value"))
    cache.set_servers([omcache_server.address])
    cache.disconnect()
    assert asyncio.run(cache.get("key")) == b"value"
    cache.free()


def test_a_call_that_is_refused_is_not_carried_out(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            wrong: Any
            for wrong, error in (("5", TypeError), (0.5, TypeError), (2**70, OverflowError)):
                with pytest.raises(error):
                    await cache.set("key", "value", timeout=wrong)
                with pytest.raises(error):
                    await cache.set_multi({"key": "value"}, timeout=wrong)
                cache.io_timeout = wrong
                with pytest.raises(error):
                    await cache.set("key", "value")
            cache.io_timeout = 1000
            await cache.noop()
            assert len(omcache_server) == 0

    run(main())


def test_an_io_timeout_of_0(run: Run, omcache_server: Server) -> None:
    async def main() -> None:
        async with Client(omcache_server.address) as cache:
            await cache.noop()
            cache.io_timeout = 0
            assert await cache.set("key", "value") is None
            assert await cache.delete("none") is None
            assert await cache.get("key") is None
            assert await cache.get_multi(["key"]) == {}
            await cache.flush()
            assert omcache_server.get("key") == b"value"
            # Nothing is under way, so that no time is needed.
            await cache.flush(0)
            await cache.flush(None)
            omcache_server.misbehave("stop_answering")
            await cache.set("key", "value")
            with pytest.raises(omcache.CommandError) as raised:
                await cache.flush(0)
            assert raised.value.status == omcache.Status.AGAIN

    run(main())


def test_same_methods_as_the_client_that_waits() -> None:
    for name, method in inspect.getmembers(OMcache, callable):
        if name.startswith("_"):
            continue
        mine = inspect.signature(getattr(Client, name))
        theirs = inspect.signature(method)
        assert [p for p in mine.parameters if p != "self"] == [p for p in theirs.parameters if p != "self"], name
        defaults = {p.name: p.default for p in theirs.parameters.values()}
        assert {p.name: p.default for p in mine.parameters.values()} == defaults, name
    properties = {name for name in dir(OMcache) if not name.startswith("_")} - {"select"}
    assert properties <= set(dir(Client))


def test_nothing_is_left_over(run: Run, addresses: list[str]) -> None:
    async def main() -> None:
        async with Client(addresses) as cache:
            for n in range(2000):
                await cache.set("key", str(n))
                await cache.get_multi(["key", "none"])
            assert not cache._waiting

    run(main())
