"""Fixtures for pytest, which finds them by itself: `omcache_server` and `omcache_servers`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from .testing import Server


@pytest.fixture
def omcache_servers() -> Iterator[Callable[..., Server]]:
    """Start servers: each call starts one, with the arguments of `omcache.testing.Server`. They end with the test."""
    servers: list[Server] = []

    def start(**arguments: Any) -> Server:
        server = Server(**arguments)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def omcache_server(omcache_servers: Callable[..., Server]) -> Server:
    """A memcached server in this process, empty and at a port of its own."""
    return omcache_servers()
