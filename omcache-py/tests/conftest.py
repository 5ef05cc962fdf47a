"""Servers and clients for the tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from memcached_process import Memcached

from omcache import OMcache


@pytest.fixture
def start_memcached() -> Iterator[Callable[..., Memcached]]:
    """Start a memcached; it ends with the test."""
    servers: list[Memcached] = []

    def start(*arguments: str) -> Memcached:
        servers.append(Memcached(*arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def shared_servers() -> Iterator[list[Memcached]]:
    """Two servers that live as long as the tests; nobody is to stop them."""
    servers = [Memcached(), Memcached()]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def addresses(shared_servers: list[Memcached]) -> list[str]:
    """The addresses of the shared servers, which are emptied."""
    found = [server.address for server in shared_servers]
    with OMcache(found) as cache:
        cache.flush_all(server_index=0)
        cache.flush_all(server_index=1)
    return found


@pytest.fixture
def cache(addresses: list[str]) -> Iterator[OMcache]:
    """A client of the shared servers."""
    with OMcache(addresses) as cache:
        yield cache


def key_of(cache: OMcache, address: str, start: int = 0) -> str:
    """A key that goes to this server."""
    index = [f"{server.host}:{server.port}" for server in cache.servers()].index(address)
    keys = (f"key-{number}" for number in range(start, start + 10_000))
    return next(key for key in keys if cache.server_index_for_key(key) == index)


def until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.005)
