"""The client that waits for each answer."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ._constants import OMcacheValue, ServerInfo
from ._exceptions import CommandError, Error
from ._native import Client

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._types import BytesLike, Logger

__all__ = ["OMcache", "ServerList", "server_entries"]

ServerList = Union[str, Iterable[Union[str, tuple[str, int]]]]
"""Servers: `"a:11211,b:11211"`, or a list, set or tuple of such texts, or of a text and a weight each."""


def server_entries(server_list: ServerList) -> list[tuple[str, int]]:
    """The servers' texts, each with its weight."""
    if isinstance(server_list, str):
        return [(server_list, 1)]
    if isinstance(server_list, (bytes, bytearray)):
        raise Error("a server list is text, or a collection of texts")
    entries: list[tuple[str, int]] = []
    for server in server_list:
        text, weight = (server, 1) if isinstance(server, str) else server
        if weight < 1:
            raise Error(f"server {text!r}: a weight of {weight}")
        entries.append((text, weight))
    return entries


class OMcache(Client):
    """A client of a cluster of memcached servers.

    Keys and values are `str`, which is sent as UTF-8, or bytes-like; values come back as `bytes`. `timeout` is in
    milliseconds everywhere: None means `io_timeout`, -1 waits for ever, 0 sends and does not wait for an answer.

    Several threads may share a client, and a forked child makes connections of its own. As a context manager it sends
    what is buffered, waits for it as long as `io_timeout`, and closes its connections at the end.

        >>> with OMcache("127.0.0.1:11211") as cache:  # doctest: +SKIP
        ...     cache.set("greeting", "hello", expiration=60)
        ...     cache.get("greeting")
        b'hello'
    """

    __module__ = "omcache"

    def __init__(
        self,
        server_list: ServerList,
        log: Optional[Logger] = None,
        select: Optional[Callable[[Any, Any, Any, Any], Any]] = None,
    ) -> None:
        """Make a client. Nothing is connected before it is needed.

        server_list: see set_servers. log: a `logging.Logger`, or anything with its methods. select: a function like
        `select.select` that does the waiting, such as `gevent.select.select`, so that other tasks run meanwhile.
        """
        self._set_select(select)
        self.log = log
        self.set_servers(server_list)

    def set_servers(self, server_list: ServerList) -> None:
        """Set the servers: `"a:1,b:2"`, or a list, set or tuple of `"host:port"`.

        Also `host` (at port 11211), `[v6]:port`, `/path` of a Unix socket, and `(text, weight)`. Servers that stay
        keep their connections. A server's index is its place in the order of hosts and ports as text.
        """
        self._set_servers(server_entries(server_list), True)

    def command(
        self,
        opcode: int,
        key: BytesLike = b"",
        value: BytesLike = b"",
        extra: BytesLike = b"",
        cas: int = 0,
        server_index: Optional[int] = None,
        timeout: Optional[int] = None,
    ) -> list[OMcacheValue]:
        """Send a command as it is on the wire, such as `CMD_TOUCH`, and return its responses.

        The key chooses the server, unless server_index names one. A response with an error status is returned as it
        is; what fails without a response raises CommandError where it was refused, else it is returned with its status.
        """
        found = self._command(opcode, key, value, extra, cas, server_index, timeout)
        return [OMcacheValue(*response) for response in found or ()]

    def servers(self) -> list[ServerInfo]:
        """What is known of the servers, in the order of their indices."""
        return [ServerInfo(index, *known) for index, known in enumerate(self._servers())]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            if exc_type is None:
                # What nobody waited for has no fate to tell.
                with suppress(CommandError):
                    self.flush(None)
        finally:
            self.free()

    def __repr__(self) -> str:
        servers = ",".join(f"{server.host}:{server.port}" for server in self.servers())
        return f"<omcache.OMcache {servers}>"
