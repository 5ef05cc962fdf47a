"""A pipeline's descriptors and timer in an event loop."""

from __future__ import annotations

import asyncio
from typing import Callable, Optional


class Readiness:
    """Steps a pipeline when one of its descriptors is ready, or its timer is due.

    A reader stays while its connection rests, as adding and removing it costs more than the request between; it is
    removed when it finds that there was nothing to read.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, step: Callable[[], bool]) -> None:
        self._loop = loop
        self._step = step
        self._readers: set[int] = set()
        self._writers: set[int] = set()
        self._wanted: set[int] = set()
        self._timer: Optional[asyncio.TimerHandle] = None

    def update(self, watched: list[tuple[int, bool, bool]], msec: Optional[int], closed: bool) -> None:
        """Watch these, and step in so many milliseconds at the latest."""
        if closed:
            self._forget()
        self._wanted = {fd for fd, readable, _ in watched if readable}
        for fd in self._wanted - self._readers:
            self._loop.add_reader(fd, self._readable, fd)
            self._readers.add(fd)
        writers = {fd for fd, _, writable in watched if writable}
        if writers or self._writers:
            for fd in self._writers - writers:
                self._loop.remove_writer(fd)
            for fd in writers - self._writers:
                self._loop.add_writer(fd, self._step)
            self._writers = writers
        self._set_timer(msec)

    def clear(self) -> None:
        """Watch nothing any more."""
        self._forget()
        self._set_timer(None)

    def _set_timer(self, msec: Optional[int]) -> None:
        """Set the timer; one that is due earlier may stay, as it is set anew then."""
        if msec is None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            return
        when = self._loop.time() + msec / 1000
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._due)

    def _due(self) -> None:
        self._timer = None
        self._step()

    def _readable(self, fd: int) -> None:
        if not self._step() and fd in self._readers and fd not in self._wanted:
            self._readers.discard(fd)
            self._remove(self._loop.remove_reader, fd)

    def _forget(self) -> None:
        """Take everything off: a descriptor that was closed may stand for another connection by now."""
        for fd in self._readers:
            self._remove(self._loop.remove_reader, fd)
        for fd in self._writers:
            self._remove(self._loop.remove_writer, fd)
        self._readers.clear()
        self._writers.clear()

    @staticmethod
    def _remove(remove: Callable[[int], object], fd: int) -> None:
        try:
            remove(fd)
        except (OSError, ValueError, RuntimeError):
            # The descriptor is closed, which took it off, or the loop is.
            pass
