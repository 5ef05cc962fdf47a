"""A client for tests, of a server that is known to answer."""

from __future__ import annotations

import os
import socket
from typing import Any, Callable, Mapping, Optional, Tuple

from omcache_pylibmc import _servers
from omcache_pylibmc.client import Client

_TYPES = {
    "tcp": _servers.server_type_tcp,
    "udp": _servers.server_type_udp,
    "unix": _servers.server_type_unix,
}

#: How long the server may take to tell its version, in seconds.
_TIMEOUT = 5.0

Address = Tuple[int, str, int]


class NotAliveError(Exception):
    """The test's memcached does not answer."""

    def __init__(self, svr: Address) -> None:
        super().__init__(svr)
        self.server_type, self.address, self.port = svr

    def __str__(self) -> str:
        return (
            f"no memcached answers at {self.address}:{self.port}; "
            "the environment's MEMCACHED_HOST and MEMCACHED_PORT say where it is"
        )


def get_version(addr: Address) -> bytes:
    """The version that a memcached on TCP tells of itself.

    Raises ``OSError`` where it can't be reached, ``ValueError`` where the answer is something else.
    """
    kind, host, port = addr
    if kind != _servers.server_type_tcp:
        raise NotImplementedError("the server of a test listens on TCP")
    with socket.create_connection((host, port), _TIMEOUT) as connection:
        connection.sendall(b"version\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            more = connection.recv(4096)
            if not more:
                break
            answer += more
    if not answer.startswith(b"VERSION ") or not answer.endswith(b"\r\n"):
        raise ValueError(f"{host}:{port} answers {answer!r} when it is asked for its version")
    return answer[len(b"VERSION ") : -2]


def is_alive(addr: Address) -> Tuple[bool, Optional[bytes]]:
    """Whether a memcached answers, and its version."""
    try:
        return True, get_version(addr)
    except (OSError, ValueError):
        return False, None


def make_test_client(
    cls: Callable[..., Any] = Client,
    env: Optional[Mapping[str, str]] = None,
    server_type: str = "tcp",
    host: str = "127.0.0.1",
    port: Any = 11211,
    **kwds: Any,
) -> Any:
    """A client of the test's memcached; raises :class:`NotAliveError` where none answers.

    ``MEMCACHED_TYPE``, ``MEMCACHED_HOST`` and ``MEMCACHED_PORT`` in ``env``, by default the process's environment, go
    before the arguments. ``kwds`` are for ``cls``, the client's class.

    >>> make_test_client(binary=True).set("test", "client")
    True
    """
    given = os.environ if env is None else env
    kind = _TYPES[given.get("MEMCACHED_TYPE", server_type)]
    address = (kind, given.get("MEMCACHED_HOST", host), int(given.get("MEMCACHED_PORT", port)))
    if not is_alive(address)[0]:
        raise NotAliveError(address)
    return cls([address], **kwds)
