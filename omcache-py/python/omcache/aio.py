"""The client for asyncio: the loop's own readers and writers drive it, and no thread is started.

import asyncio
import omcache.aio

async def main() -> None:
    async with omcache.aio.Client("127.0.0.1:11211") as cache:
        await cache.set("greeting", "hello", expiration=60)
        print(await cache.get("greeting"))

asyncio.run(main())
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from ._client import ServerList, server_entries
from ._constants import OMcacheValue, ServerInfo
from ._exceptions import CommandError, Error, Status
from ._native import Pipeline
from ._readiness import Readiness

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._types import BytesLike, Logger

__all__ = ["Client"]


class Client(Pipeline):
    """A client of a cluster of memcached servers, for asyncio.

    Methods, arguments, results and exceptions are those of `omcache.OMcache`. Calls that run at the same time share the
    connections, and their requests go out together. A call that is cancelled, or whose time is over, leaves the
    connection in order: no other call ever sees its answer.

    A client belongs to the event loop in which it is first used, and to that loop's thread.
    """

    io_timeout: int = 1000
    """How long a call may take that is given no timeout, in milliseconds; -1 is for ever."""

    def __init__(self, server_list: ServerList, log: Optional[Logger] = None) -> None:
        """Make a client. Nothing is connected before it is needed.

        server_list: as for `omcache.OMcache`. log: a `logging.Logger`, or anything with its methods.
        """
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._readiness: Optional[Readiness] = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._draining: list[asyncio.Future[None]] = []
        self._is_stepping_soon = False
        self.log = log
        self.set_servers(server_list)

    # Settings.

    def set_servers(self, server_list: ServerList) -> None:
        """Set the servers, as `omcache.OMcache.set_servers` does. Those that stay keep their connections."""
        self._set_servers(server_entries(server_list), True)
        self._step_soon()

    def servers(self) -> list[ServerInfo]:
        """What is known of the servers, in the order of their indices."""
        return [ServerInfo(index, *known) for index, known in enumerate(self._servers())]

    # Commands on one key.

    async def set(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        cas: int = 0,
        timeout: Optional[int] = None,
    ) -> None:
        """Store a value. Raises KeyExistsError, NotFoundError (a CAS is given, no such key), TooLargeValueError."""
        quiet = self._is_quiet(timeout)
        await self._answer(self._store("set", key, value, expiration, flags, cas, quiet), timeout)

    async def add(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        timeout: Optional[int] = None,
    ) -> None:
        """Store a value where there is no such key yet; else raise KeyExistsError."""
        quiet = self._is_quiet(timeout)
        await self._answer(self._store("add", key, value, expiration, flags, 0, quiet), timeout)

    async def replace(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        timeout: Optional[int] = None,
    ) -> None:
        """Store a value where the key exists; else raise NotFoundError."""
        quiet = self._is_quiet(timeout)
        await self._answer(self._store("replace", key, value, expiration, flags, 0, quiet), timeout)

    async def append(
        self, key: BytesLike, value: BytesLike, cas: int = 0, timeout: Optional[int] = None
    ) -> None:
        """Add bytes behind a key's value. Raises NotStoredError, KeyExistsError."""
        quiet = self._is_quiet(timeout)
        await self._answer(self._concatenate(True, key, value, cas, quiet), timeout)

    async def prepend(
        self, key: BytesLike, value: BytesLike, cas: int = 0, timeout: Optional[int] = None
    ) -> None:
        """Add bytes before a key's value. Raises NotStoredError, KeyExistsError."""
        quiet = self._is_quiet(timeout)
        await self._answer(self._concatenate(False, key, value, cas, quiet), timeout)

    async def delete(self, key: BytesLike, timeout: Optional[int] = None) -> None:
        """Remove a key; raise NotFoundError where there is none."""
        await self._answer(self._delete(key, self._is_quiet(timeout)), timeout)

    async def touch(self, key: BytesLike, expiration: int = 0, timeout: Optional[int] = None) -> None:
        """Set a key's expiration; raise NotFoundError where there is no such key."""
        await self._answer(self._touch(key, expiration, self._is_quiet(timeout)), timeout)

    async def get(
        self, key: BytesLike, flags: bool = False, cas: bool = False, timeout: Optional[int] = None
    ) -> Any:
        """Read a value, or (value, flags), (value, cas), (value, flags, cas). Raises NotFoundError."""
        return await self._answer(self._get(key, flags, cas, timeout == 0), timeout)

    async def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        flags: bool = False,
        cas: bool = False,
        timeout: Optional[int] = None,
    ) -> Any:
        """Read a value and set its expiration ("get and touch"). As get."""
        return await self._answer(self._gat(key, expiration, flags, cas, timeout == 0), timeout)

    async def increment(
        self,
        key: BytesLike,
        delta: int = 1,
        initial: Optional[int] = None,
        expiration: int = 0,
        timeout: Optional[int] = None,
    ) -> Any:
        """Add to a counter and return its new value. As `omcache.OMcache.increment`."""
        ticket = self._count(True, key, delta, initial, expiration, timeout == 0)
        return await self._answer(ticket, timeout)

    async def decrement(
        self,
        key: BytesLike,
        delta: int = 1,
        initial: Optional[int] = None,
        expiration: int = 0,
        timeout: Optional[int] = None,
    ) -> Any:
        """Subtract from a counter and return its new value, which stops at 0."""
        ticket = self._count(False, key, delta, initial, expiration, timeout == 0)
        return await self._answer(ticket, timeout)

    # Commands on many keys.

    async def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: bool = False,
        cas: bool = False,
        timeout: Optional[int] = None,
        errors: Optional[dict[Any, CommandError]] = None,
    ) -> dict[bytes, Any]:
        """Read many values: a dict of those that were found, by key as bytes.

        The keys of a server that fails are missing; an errors dict receives each of them with its exception.
        """
        ticket = self._get_multi(keys, flags, cas, errors, timeout == 0)
        return await self._answer(ticket, timeout) or {}

    async def gat_multi(
        self,
        keys: Iterable[BytesLike],
        expiration: int = 0,
        flags: bool = False,
        cas: bool = False,
        timeout: Optional[int] = None,
        errors: Optional[dict[Any, CommandError]] = None,
    ) -> dict[bytes, Any]:
        """Read many values and set their expiration. As get_multi."""
        ticket = self._gat_multi(keys, expiration, flags, cas, errors, timeout == 0)
        return await self._answer(ticket, timeout) or {}

    async def set_multi(
        self,
        items: Mapping[Any, BytesLike],
        expiration: int = 0,
        flags: int = 0,
        timeout: Optional[int] = None,
    ) -> dict[Any, CommandError]:
        """Store many values: a dict of those that were not stored, with their exceptions."""
        ticket = self._set_multi(items, expiration, flags, self._is_quiet(timeout))
        return await self._answer(ticket, timeout) or {}

    async def delete_multi(
        self, keys: Iterable[BytesLike], timeout: Optional[int] = None
    ) -> dict[Any, CommandError]:
        """Remove many keys: a dict of those that were not removed, with their exceptions."""
        ticket = self._delete_multi(keys, self._is_quiet(timeout))
        return await self._answer(ticket, timeout) or {}

    # Commands to a server.

    async def noop(self, server_index: int = 0, timeout: Optional[int] = None) -> None:
        """Ask a server whether it is there; raise CommandError where it can't be reached."""
        await self._answer(self._noop(server_index, timeout == 0), timeout)

    async def stat(
        self, command: BytesLike = "", server_index: int = 0, timeout: Optional[int] = None
    ) -> dict[bytes, bytes]:
        """Ask a server for statistics: a dict of names to values."""
        found: Optional[dict[bytes, bytes]]
        found = await self._answer(self._stat(command, server_index, timeout == 0), timeout)
        return found or {}

    async def version(self, server_index: int = 0, timeout: Optional[int] = None) -> Any:
        """Ask a server for its version, such as "1.6.18"."""
        return await self._answer(self._version(server_index, timeout == 0), timeout)

    async def flush_all(
        self, expiration: int = 0, server_index: int = 0, timeout: Optional[int] = None
    ) -> None:
        """Invalidate everything that one server has stored, now or after so many seconds."""
        quiet = self._is_quiet(timeout)
        await self._answer(self._flush_all(expiration, server_index, quiet), timeout)

    async def command(
        self,
        opcode: int,
        key: BytesLike = b"",
        value: BytesLike = b"",
        extra: BytesLike = b"",
        cas: int = 0,
        server_index: Optional[int] = None,
        timeout: Optional[int] = None,
    ) -> list[OMcacheValue]:
        """Send a command as it is on the wire and return its responses. As `omcache.OMcache.command`."""
        ticket = self._command(opcode, key, value, extra, cas, server_index, timeout == 0)
        return [OMcacheValue(*response) for response in await self._answer(ticket, timeout) or ()]

    # The end.

    async def flush(self, timeout: Optional[int] = -1) -> None:
        """Send what is buffered and wait until nothing is pending; raise CommandError where the time is over first."""
        loop = self._bind()
        self._settle()
        future: asyncio.Future[None] = loop.create_future()
        self._draining.append(future)
        self._step_soon()
        msec = self.io_timeout if timeout is None else timeout
        try:
            await asyncio.wait_for(future, None if msec < 0 else msec / 1000)
        except asyncio.TimeoutError:
            message = "flush: Call would block, try again: something is still under way"
            raise CommandError(message, Status.AGAIN) from None
        finally:
            if future in self._draining:
                self._draining.remove(future)

    def disconnect(self) -> None:
        """Close every connection; the next command makes new ones. What is under way ends as failed."""
        self._disconnect()
        self._settle_results()

    def free(self) -> None:
        """Close every connection, for good: later calls raise Error."""
        self._free()
        self._settle_results()
        if self._readiness is not None:
            self._readiness.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            if exc_type is None:
                # What nobody waited for has no fate to tell.
                with suppress(CommandError):
                    await self.flush(None)
        finally:
            self.free()

    def __repr__(self) -> str:
        servers = ",".join(f"{server.host}:{server.port}" for server in self.servers())
        return f"<omcache.aio.Client {servers}>"

    # How a call runs.

    def _is_quiet(self, timeout: Optional[int]) -> bool:
        """Whether a command that returns nothing goes out without an answer being waited for."""
        return timeout == 0 or (timeout is None and self.buffering)

    async def _answer(self, ticket: Optional[int], timeout: Optional[int]) -> Any:
        """Wait for the result of what was submitted."""
        loop = self._bind()
        if ticket is None:
            # While buffering it stays where it is until something that is waited for, or a flush, sends it.
            if not self.buffering:
                self._step_soon()
            return None
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting[ticket] = future
        self._step_soon()
        msec = self.io_timeout if timeout is None else timeout
        timer = None if msec < 0 else loop.call_later(msec / 1000, self._expire, ticket)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()
            # Still there where the task was cancelled.
            if self._waiting.pop(ticket, None) is not None:
                self._cancel(ticket)

    def _expire(self, ticket: int) -> None:
        """End a call whose time is over, unless its answer has come."""
        self._step()
        future = self._waiting.get(ticket)
        if future is None or future.done():
            return
        cancelled = self._cancel(ticket)
        if cancelled is not None:
            del self._waiting[ticket]
            _settle(future, *cancelled)

    def _bind(self) -> asyncio.AbstractEventLoop:
        """The running loop, which becomes the client's own where it has none that still lives."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None and not self._loop.is_closed():
                raise Error("the client is in use in another event loop")
            if self._loop is not None:
                # The descriptors were that loop's to watch; what waited there waits no more.
                self._waiting.clear()
                self._draining.clear()
            self._loop = loop
            self._readiness = Readiness(loop, self._step)
            self._is_stepping_soon = False
        return loop

    def _step_soon(self) -> None:
        """Send with the next turn of the loop, together with what else is submitted until then."""
        if not self._is_stepping_soon and self._loop is not None and not self._loop.is_closed():
            self._is_stepping_soon = True
            self._loop.call_soon(self._step_now)

    def _step_now(self) -> None:
        self._is_stepping_soon = False
        self._step()

    def _step(self) -> bool:
        """Do all that can be done without waiting. True where something happened."""
        happened = super()._step()
        self._settle_results()
        if self._readiness is not None:
            self._readiness.update(*self._interests())
        return happened

    def _settle_results(self) -> None:
        for ticket, failed, result in self._results():
            future = self._waiting.pop(ticket, None)
            if future is not None:
                _settle(future, failed, result)
        if self._draining and self._is_drained():
            for draining in self._draining:
                if not draining.done():
                    draining.set_result(None)
            self._draining.clear()


def _settle(future: asyncio.Future[Any], failed: bool, result: Any) -> None:
    if not future.done():
        (future.set_exception if failed else future.set_result)(result)
