"""Servers, as programs write them and as the native part takes them: kind, host or path, port, weight."""

from __future__ import annotations

from typing import Any, Iterable, List, Tuple

from omcache_pylibmc._exceptions import Error

server_type_tcp = 1
server_type_udp = 2
server_type_unix = 4

#: The port of a server that is given without one.
DEFAULT_PORT = 11211

ServerTuple = Tuple[int, str, int, int]


def parse(server: str, port: Any = DEFAULT_PORT, weight: Any = 1) -> ServerTuple:
    """A server from its text; ``port`` and ``weight`` are for what the text leaves out.

    Raises ``ValueError`` for a bracket that is not closed, and for a port or weight that is no number.
    """
    if server.startswith("/"):
        return (server_type_unix, server, 0, int(weight))
    kind = server_type_tcp
    if server.startswith("udp:"):
        kind, server = server_type_udp, server[len("udp:") :]
    if server.startswith("["):
        host, closed, rest = server[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"server {server!r}: an IPv6 address is written [address] or [address]:port")
        rest = rest[1:]
    else:
        host, _, rest = server.partition(":")
    given_port, _, given_weight = rest.partition(":")
    return (kind, host, int(given_port or port), int(given_weight or weight))


def _from_tuple(server: Tuple[Any, ...]) -> ServerTuple:
    filled: List[Any] = [*server, None, None]
    kind, host, port, weight = filled[:4]
    if isinstance(kind, str):
        # Host, port, weight.
        kind, host, port, weight = server_type_tcp, kind, host, port
    if not isinstance(host, str):
        raise TypeError(f"server {server!r}: the host is not str")
    if kind == server_type_unix and port:
        raise ValueError("can't set port on unix sockets")
    if port is None:
        port = 0 if kind == server_type_unix else DEFAULT_PORT
    return (kind, host, int(port), 1 if weight is None else int(weight))


def normalize(servers: Iterable[Any]) -> List[ServerTuple]:
    """What the native part takes, from what ``client`` is given: text, tuples, or bytes with a comma-separated list.

    Raises :class:`Error` where there is no server, ``TypeError`` and ``ValueError`` for what is none.
    """
    if isinstance(servers, (str, bytes)):
        raise TypeError(f"servers are a list, not {servers!r} alone")
    found: List[ServerTuple] = []
    for server in servers:
        if isinstance(server, bytes):
            found.extend(parse(entry.strip()) for entry in server.decode().split(",") if entry.strip())
        elif isinstance(server, tuple) and 2 <= len(server) <= 4:
            found.append(_from_tuple(server))
        elif isinstance(server, str):
            found.append(parse(server))
        else:
            raise TypeError(f"a server is text or a tuple of 2 to 4, not {server!r}")
    if not found:
        raise Error("empty server list")
    _check(found)
    return found


def _check(servers: List[ServerTuple]) -> None:
    for kind, host, port, weight in servers:
        if kind not in (server_type_tcp, server_type_udp, server_type_unix):
            raise ValueError(f"bad type: {kind}")
        if kind == server_type_udp:
            raise ValueError(f"server {host}: OMcache does not speak UDP; use TCP (without 'udp:')")
        if not host:
            raise ValueError("a server has an empty host")
        if not 0 <= port <= 0xFFFF:
            raise ValueError(f"server {host}: port {port} is not between 0 and 65535")
        if not 0 <= weight <= 0xFFFF:
            raise ValueError(f"server {host}: weight {weight} is not between 0 and 65535")
