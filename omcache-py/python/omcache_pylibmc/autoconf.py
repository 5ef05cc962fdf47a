"""Servers from Amazon ElastiCache's configuration endpoint."""

from __future__ import annotations

import socket
from typing import Any, List

from omcache_pylibmc.client import Client

#: How long the endpoint may take for an answer, in seconds.
_TIMEOUT = 10.0


class UnsupportedAutoconfMethod(Exception):
    """The endpoint does not know the command ``config get``."""


class NoAutoconfFound(Exception):
    """The endpoint has no configuration."""


def _config_get(address: str, key: bytes) -> bytes:
    """The configuration, as newer endpoints tell it."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT) as connection:
        connection.sendall(b"config get " + key + b"\r\n")
        with connection.makefile("rb") as answer:
            line = answer.readline().split()
            if line[:1] == [b"ERROR"]:
                raise UnsupportedAutoconfMethod(f"{address} does not know 'config get'")
            if line[:1] == [b"END"]:
                raise NoAutoconfFound(f"{address} has no configuration {key.decode()!r}")
            if len(line) != 4 or line[0] != b"CONFIG":
                raise RuntimeError(f"{address} answers {b' '.join(line)!r} when it is asked for {key.decode()!r}")
            size = int(line[3])
            config = answer.read(size)
    if len(config) != size:
        raise RuntimeError(f"{address} closed the connection in the middle of its configuration")
    return config


def _servers(config: bytes) -> List[str]:
    """The servers of a configuration: a version, and a line of ``name|address|port``, the address being optional."""
    _version, _, nodes = config.strip().partition(b"\n")
    servers = []
    for node in nodes.split():
        name, address, port = node.decode("ascii").split("|")
        servers.append(f"{address or name}:{port}")
    return servers


def elasticache(
    address: str = "127.0.0.1:11211",
    config_key: Any = b"cluster",
    mc_key: str = "AmazonElastiCache:cluster",
) -> Client:
    """A client of the servers that a configuration endpoint tells.

    It is asked with ``config get`` and ``config_key``, and where it does not know that, for the value of ``mc_key``. Raises
    :class:`NoAutoconfFound` where it has neither, ``OSError`` where it can't be reached.
    """
    key = config_key.encode() if isinstance(config_key, str) else config_key
    try:
        config = _config_get(address, key)
    except UnsupportedAutoconfMethod:
        found = Client([address]).get(mc_key)
        if found is None:
            raise NoAutoconfFound(f"{address} has no configuration {mc_key!r}") from None
        config = found.encode() if isinstance(found, str) else found
    return Client(_servers(config))
