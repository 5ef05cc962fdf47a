"""A memcached server for tests: it starts in microseconds, can be looked into, and misbehaves when it is told to.

    from omcache import OMcache
    from omcache.testing import Server

    def test_greeting() -> None:
        with Server() as server, OMcache(server.address) as cache:
            cache.set("greeting", "hello", expiration=60)
            assert server.get("greeting") == b"hello"
            server.advance(60)
            assert server.get("greeting") is None

With pytest, the fixture `omcache_server` is such a server, and `omcache_servers` starts as many as are asked for.

It speaks the binary protocol as memcached 1.6 does, keeps everything, and has no other limit than that of an item's size.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, Optional

from ._native import Server as _Server

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._types import BytesLike

__all__ = ["Server", "StoredItem"]


class StoredItem(NamedTuple):
    """An item of a server."""

    value: bytes
    flags: int
    cas: int
    expires_in: Optional[float]
    """Seconds that it still lives; None is without end."""


class Server(_Server):
    """A memcached server in this process, at a port that the kernel chooses unless told otherwise.

    `host` is the IP address to listen at; with `path` it listens on a Unix socket instead. It ends with `close()`, at the
    end of a `with` block, or with the object. A forked child has its address, and may end its own copy; whatever else is asked
    of it there is a `RuntimeError`.
    """

    def misbehave(
        self,
        fault: Literal[
            "stop_answering",
            "stop_reading",
            "close",
            "cut_short",
            "cut_short_and_hang",
            "garbage",
            "wrong_opaque",
            "wrong_opcode",
            "oversized_length",
            "delay",
            "split",
            "status",
            "refuse",
            "refuse_connections",
        ],
        times: Optional[int] = None,
        *,
        bytes: int = 0,
        seconds: float = 0.0,
        status: int = 0x84,
    ) -> None:
        """Misbehave with the next `times` answers, or until `behave()`.

        - `stop_answering`, `stop_reading`: carry requests out without an answer; read nothing.
        - `close`: close the connection instead of answering.
        - `cut_short`, `cut_short_and_hang`: send the first `bytes` of an answer, then close, or nothing more.
        - `garbage`, `wrong_opaque`, `wrong_opcode`: answer with something else.
        - `oversized_length`: tell a body that is longer by `bytes`.
        - `delay`: wait `seconds` before each answer. `split`: send pieces of `bytes`, with `seconds` between them.
        - `status`: answer everything with `status`.
        - `refuse`: close new connections at once. `refuse_connections`: do not listen.
        """
        self._misbehave(fault, times, bytes, seconds, status)

    def item(self, key: BytesLike) -> Optional[StoredItem]:
        """A key's value and what is stored beside it; None where it is absent or has expired."""
        item = self._item(key)
        return None if item is None else StoredItem(*item)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<omcache.testing.Server {self.address}>"
