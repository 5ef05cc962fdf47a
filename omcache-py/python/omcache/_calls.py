"""How a call of the client for asyncio runs: a pipeline in an event loop."""

from __future__ import annotations

import asyncio
import operator
import os
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Union
from weakref import WeakSet

from ._client import ServerList, server_entries
from ._exceptions import CommandError, Error, Status
from ._native import Pipeline
from ._readiness import Readiness

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._types import Logger


class Calls(Pipeline):
    """What `omcache.aio.Client` is made of: everything but the commands."""

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
        _clients.add(self)
        self.log = log
        self.set_servers(server_list)

    def set_servers(self, server_list: ServerList) -> None:
        """Set the servers, as `omcache.OMcache.set_servers` does. Those that stay keep their connections."""
        self._unwatch()
        try:
            self._set_servers(server_entries(server_list), True)
        finally:
            self._watch()
        self._step_soon()

    async def flush(self, timeout: Optional[int] = -1) -> None:
        """Send what is buffered and wait until nothing is pending; raise CommandError where the time is over first."""
        msec = self._begin(timeout, returns=True)
        loop = self._bind()
        self._settle()
        self._step()
        if self._is_drained():
            return
        try:
            if msec == 0:
                raise asyncio.TimeoutError
            future: asyncio.Future[None] = loop.create_future()
            self._draining.append(future)
            try:
                await asyncio.wait_for(future, None if msec < 0 else msec / 1000)
            finally:
                if future in self._draining:
                    self._draining.remove(future)
        except asyncio.TimeoutError:
            message = "flush: Call would block, try again: something is still under way"
            raise CommandError(message, Status.AGAIN) from None

    def disconnect(self) -> None:
        """Close every connection; the next command makes new ones. What is under way ends as failed."""
        self._unwatch()
        self._disconnect()
        self._settle_results()
        self._watch()

    def free(self) -> None:
        """Close every connection, for good: later calls raise Error."""
        self._unwatch()
        self._free()
        self._settle_results()

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
                # What nobody waited for has no fate to tell, and the client may have been freed.
                with suppress(Error):
                    await self.flush(None)
        finally:
            self.free()

    def _begin(self, timeout: Optional[int], returns: bool = False) -> int:
        """The call's timeout in milliseconds; while buffering, what returns nothing is not waited for.

        Called before anything is submitted: a call that is refused does nothing.
        """
        self._bind()
        if timeout is None:
            timeout = 0 if self.buffering and not returns else self.io_timeout
        msec = operator.index(timeout)
        if not -(2**63) <= msec < 2**63:
            raise OverflowError("a timeout has at most 64 bits")
        return msec

    async def _answer(self, ticket: Optional[int], msec: int) -> Any:
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
        timer = None if msec < 0 else loop.call_later(msec / 1000, self._expire, ticket)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()
            # Still there where the task was cancelled.
            if self._waiting.pop(ticket, None) is not None:
                self._cancel(ticket)

    async def _batch(self, submitted: Union[int, dict[Any, Any]], msec: int) -> dict[Any, Any]:
        """Wait for the result of a batch; of one that is not waited for, what is known of it is known already."""
        watched, left, closed = self._interests()
        # A large batch looks at the sockets while it is submitted.
        if closed and self._readiness is not None:
            self._readiness.update(watched, left, closed)
        if isinstance(submitted, dict):
            await self._answer(None, msec)
            return submitted
        found: dict[Any, Any] = await self._answer(submitted, msec)
        return found

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
            # The descriptors were that loop's to watch; what waited there waits no more.
            self._forget_loop()
            self._loop = loop
            self._readiness = Readiness(loop, self._step)
        return loop

    def _forget_loop(self) -> None:
        self._loop = self._readiness = None
        self._waiting.clear()
        self._draining.clear()
        self._is_stepping_soon = False

    def _unwatch(self) -> None:
        """Watch nothing. Before descriptors are closed: another one of the loop's may get a number at once."""
        if self._readiness is not None:
            self._readiness.clear()

    def _watch(self) -> None:
        if self._readiness is not None and self._loop is not None and not self._loop.is_closed():
            self._readiness.update(*self._interests())

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


_clients: WeakSet[Calls] = WeakSet()


def _begin_anew() -> None:
    """In a forked child: the parent's loop, and what it watches, are left alone."""
    for client in list(_clients):
        client._forget_loop()


os.register_at_fork(after_in_child=_begin_anew)
