"""The exceptions of the package."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Optional

from . import _native

__all__ = [
    "CommandError",
    "DeltaBadValueError",
    "Error",
    "KeyExistsError",
    "NotFoundError",
    "NotStoredError",
    "Status",
    "TooLargeValueError",
]


class Status(IntEnum):
    """How a command ended: the return codes of the C interface."""

    OK = _native.STATUSES["OK"]
    NOT_FOUND = _native.STATUSES["NOT_FOUND"]
    KEY_EXISTS = _native.STATUSES["KEY_EXISTS"]
    TOO_LARGE_VALUE = _native.STATUSES["TOO_LARGE_VALUE"]
    NOT_STORED = _native.STATUSES["NOT_STORED"]
    DELTA_BAD_VALUE = _native.STATUSES["DELTA_BAD_VALUE"]
    FAIL = _native.STATUSES["FAIL"]
    AGAIN = _native.STATUSES["AGAIN"]
    INVALID = _native.STATUSES["INVALID"]
    BUFFERED = _native.STATUSES["BUFFERED"]
    BUFFER_FULL = _native.STATUSES["BUFFER_FULL"]
    NO_SERVERS = _native.STATUSES["NO_SERVERS"]
    SERVER_FAILURE = _native.STATUSES["SERVER_FAILURE"]


class Error(Exception):
    """What can go wrong in this package; by itself, a mistake of the program."""

    __module__ = "omcache"


class CommandError(Error):
    """A command that failed: refused by the server, not answered in time, or not sent at all."""

    __module__ = "omcache"

    status: int = Status.FAIL
    """How it ended, one of `Status`."""

    sent: bool = True
    """Whether the command may have been carried out: false only where it surely was not."""

    def __init__(self, message: str = "", status: Optional[int] = None, sent: bool = True) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
        self.sent = sent

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.status, self.sent)


class NotFoundError(CommandError):
    """There is no such key."""

    __module__ = "omcache"
    status: int = Status.NOT_FOUND


class KeyExistsError(CommandError):
    """The key exists already, or its CAS is another one by now."""

    __module__ = "omcache"
    status: int = Status.KEY_EXISTS


class TooLargeValueError(CommandError):
    """The value is larger than the server stores."""

    __module__ = "omcache"
    status: int = Status.TOO_LARGE_VALUE


class NotStoredError(CommandError):
    """There is no such key to append or prepend to."""

    __module__ = "omcache"
    status: int = Status.NOT_STORED


class DeltaBadValueError(CommandError):
    """The key's value is no decimal number, so that it can't be incremented or decremented."""

    __module__ = "omcache"
    status: int = Status.DELTA_BAD_VALUE
