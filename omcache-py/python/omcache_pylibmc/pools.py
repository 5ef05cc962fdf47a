"""Pools of clients, for programs with several threads."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from queue import Queue
from typing import Any, Dict, Iterator, Optional

from omcache_pylibmc.client import Client


class ClientPool(Queue):  # type: ignore[type-arg]
    """A queue of clients, each of which one thread has at a time.

    ``ClientPool(client, count)`` is filled with so many clones of the client; a pool that is made empty is filled later.

    >>> from omcache_pylibmc.test import make_test_client
    >>> pool = ClientPool()
    >>> pool.fill(make_test_client(), 4)
    >>> with pool.reserve() as client:
    ...     client.set("pool", "clients")
    ...     client.delete("pool")
    True
    True
    """

    def __init__(self, mc: Optional[Client] = None, n_slots: int = 0) -> None:
        super().__init__(n_slots)
        if mc is not None and n_slots:
            self.fill(mc, n_slots)

    @contextmanager
    def reserve(self, block: bool = False) -> Iterator[Any]:
        """Has a client for the ``with`` statement.

        Where all are taken, ``queue.Empty`` is raised; with ``block``, one is waited for.
        """
        client = self.get(block)
        try:
            yield client
        finally:
            self.put(client)

    def fill(self, mc: Client, n_slots: int) -> None:
        """Adds so many clones of a client."""
        for _ in range(n_slots):
            self.put(mc.clone())


class ThreadMappedPool(Dict[Optional[int], Any]):
    """A client for each thread: a clone of the master, made when the thread first wants one.

    A thread that ends must call :meth:`relinquish` before, or its client stays.

    >>> from omcache_pylibmc.test import make_test_client
    >>> pool = ThreadMappedPool(make_test_client())
    >>> with pool.reserve() as client:
    ...     client.set("pool", "threads")
    ...     client.delete("pool")
    True
    True
    >>> pool.relinquish() is client
    True
    """

    def __new__(cls, master: Client) -> "ThreadMappedPool":
        return super().__new__(cls)

    def __init__(self, master: Client) -> None:
        super().__init__()
        self.master = master

    @property
    def current_key(self) -> Optional[int]:
        """The key of this thread's client."""
        return threading.current_thread().ident

    @contextmanager
    def reserve(self) -> Iterator[Any]:
        """Has this thread's client for the ``with`` statement. One that is reserved already is not had twice."""
        key = self.current_key
        client = self.pop(key, None)
        if client is None:
            client = self.master.clone()
        try:
            yield client
        finally:
            self[key] = client

    def relinquish(self) -> Any:
        """Gives up this thread's client, which is returned; None where it has none."""
        return self.pop(self.current_key, None)
