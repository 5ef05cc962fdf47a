"""The client for asyncio: the loop's own readers and writers drive it. Only host names are looked up in threads.

import asyncio
import omcache.aio

async def main() -> None:
    async with omcache.aio.Client("127.0.0.1:11211") as cache:
        await cache.set("greeting", "hello", expiration=60)
        print(await cache.get("greeting"))

asyncio.run(main())
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ._calls import Calls
from ._constants import OMcacheValue, ServerInfo
from ._exceptions import CommandError

if TYPE_CHECKING:
    from ._types import BytesLike

__all__ = ["Client"]


class Client(Calls):
    """A client of a cluster of memcached servers, for asyncio.

    Methods, arguments, results and exceptions are those of `omcache.OMcache`. Calls that run at the same time share the
    connections, and their requests go out together. A call that is cancelled, or whose time is over, leaves the
    connection in order: no other call ever sees its answer.

    A client belongs to the event loop in which it is first used, and to that loop's thread. A forked child begins anew, in a
    loop of its own.
    """

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
        msec = self._begin(timeout)
        await self._answer(self._store("set", key, value, expiration, flags, cas, msec == 0), msec)

    async def add(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        timeout: Optional[int] = None,
    ) -> None:
        """Store a value where there is no such key yet; else raise KeyExistsError."""
        msec = self._begin(timeout)
        await self._answer(self._store("add", key, value, expiration, flags, 0, msec == 0), msec)

    async def replace(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        timeout: Optional[int] = None,
    ) -> None:
        """Store a value where the key exists; else raise NotFoundError."""
        msec = self._begin(timeout)
        await self._answer(self._store("replace", key, value, expiration, flags, 0, msec == 0), msec)

    async def append(
        self, key: BytesLike, value: BytesLike, cas: int = 0, timeout: Optional[int] = None
    ) -> None:
        """Add bytes behind a key's value. Raises NotStoredError, KeyExistsError."""
        msec = self._begin(timeout)
        await self._answer(self._concatenate(True, key, value, cas, msec == 0), msec)

    async def prepend(
        self, key: BytesLike, value: BytesLike, cas: int = 0, timeout: Optional[int] = None
    ) -> None:
        """Add bytes before a key's value. Raises NotStoredError, KeyExistsError."""
        msec = self._begin(timeout)
        await self._answer(self._concatenate(False, key, value, cas, msec == 0), msec)

    async def delete(self, key: BytesLike, timeout: Optional[int] = None) -> None:
        """Remove a key; raise NotFoundError where there is none."""
        msec = self._begin(timeout)
        await self._answer(self._delete(key, msec == 0), msec)

    async def touch(self, key: BytesLike, expiration: int = 0, timeout: Optional[int] = None) -> None:
        """Set a key's expiration; raise NotFoundError where there is no such key."""
        msec = self._begin(timeout)
        await self._answer(self._touch(key, expiration, msec == 0), msec)

    async def get(
        self, key: BytesLike, flags: bool = False, cas: bool = False, timeout: Optional[int] = None
    ) -> Any:
        """Read a value, or (value, flags), (value, cas), (value, flags, cas). Raises NotFoundError."""
        msec = self._begin(timeout, returns=True)
        return await self._answer(self._get(key, flags, cas, msec == 0), msec)

    async def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        flags: bool = False,
        cas: bool = False,
        timeout: Optional[int] = None,
    ) -> Any:
        """Read a value and set its expiration ("get and touch"). As get."""
        msec = self._begin(timeout, returns=True)
        return await self._answer(self._gat(key, expiration, flags, cas, msec == 0), msec)

    async def increment(
        self,
        key: BytesLike,
        delta: int = 1,
        initial: Optional[int] = None,
        expiration: int = 0,
        timeout: Optional[int] = None,
    ) -> Any:
        """Add to a counter and return its new value. As `omcache.OMcache.increment`."""
        msec = self._begin(timeout, returns=True)
        ticket = self._count(True, key, delta, initial, expiration, msec == 0)
        return await self._answer(ticket, msec)

    async def decrement(
        self,
        key: BytesLike,
        delta: int = 1,
        initial: Optional[int] = None,
        expiration: int = 0,
        timeout: Optional[int] = None,
    ) -> Any:
        """Subtract from a counter and return its new value, which stops at 0."""
        msec = self._begin(timeout, returns=True)
        ticket = self._count(False, key, delta, initial, expiration, msec == 0)
        return await self._answer(ticket, msec)

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
        msec = self._begin(timeout, returns=True)
        ticket = self._get_multi(keys, flags, cas, errors, msec == 0)
        return await self._batch(ticket, msec)

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
        msec = self._begin(timeout, returns=True)
        ticket = self._gat_multi(keys, expiration, flags, cas, errors, msec == 0)
        return await self._batch(ticket, msec)

    async def set_multi(
        self,
        items: Mapping[Any, BytesLike],
        expiration: int = 0,
        flags: int = 0,
        timeout: Optional[int] = None,
    ) -> dict[Any, CommandError]:
        """Store many values: a dict of those that were not stored, with their exceptions."""
        msec = self._begin(timeout)
        ticket = self._set_multi(items, expiration, flags, msec == 0)
        return await self._batch(ticket, msec)

    async def delete_multi(
        self, keys: Iterable[BytesLike], timeout: Optional[int] = None
    ) -> dict[Any, CommandError]:
        """Remove many keys: a dict of those that were not removed, with their exceptions."""
        msec = self._begin(timeout)
        ticket = self._delete_multi(keys, msec == 0)
        return await self._batch(ticket, msec)

    # Commands to a server.

    async def noop(self, server_index: int = 0, timeout: Optional[int] = None) -> None:
        """Ask a server whether it is there; raise CommandError where it can't be reached."""
        msec = self._begin(timeout, returns=True)
        await self._answer(self._noop(server_index, msec == 0), msec)

    async def stat(
        self, command: BytesLike = "", server_index: int = 0, timeout: Optional[int] = None
    ) -> dict[bytes, bytes]:
        """Ask a server for statistics: a dict of names to values."""
        found: Optional[dict[bytes, bytes]]
        msec = self._begin(timeout, returns=True)
        found = await self._answer(self._stat(command, server_index, msec == 0), msec)
        return found or {}

    async def version(self, server_index: int = 0, timeout: Optional[int] = None) -> Any:
        """Ask a server for its version, such as "1.6.18"."""
        msec = self._begin(timeout, returns=True)
        return await self._answer(self._version(server_index, msec == 0), msec)

    async def flush_all(
        self, expiration: int = 0, server_index: int = 0, timeout: Optional[int] = None
    ) -> None:
        """Invalidate everything that one server has stored, now or after so many seconds."""
        msec = self._begin(timeout)
        await self._answer(self._flush_all(expiration, server_index, msec == 0), msec)

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
        msec = self._begin(timeout, returns=True)
        ticket = self._command(opcode, key, value, extra, cas, server_index, msec == 0)
        return [OMcacheValue(*response) for response in await self._answer(ticket, msec) or ()]

    def __repr__(self) -> str:
        servers = ",".join(f"{server.host}:{server.port}" for server in self.servers())
        return f"<omcache.aio.Client {servers}>"
