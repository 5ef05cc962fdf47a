"""The exceptions: one class for each of libmemcached's return codes that has one in pylibmc."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple, Type

__all__ = [
    "AllocationError",
    "BadKeyProvided",
    "CacheMiss",
    "ClientError",
    "ConnectionBindError",
    "ConnectionError",
    "DataDoesNotExist",
    "DataExists",
    "Error",
    "Failure",
    "FetchNotFinished",
    "HostLookupError",
    "InvalidHostProtocolError",
    "MemcachedError",
    "NoServers",
    "NotFound",
    "NotSupportedError",
    "ProtocolError",
    "ReadError",
    "ServerDead",
    "ServerDown",
    "ServerError",
    "SocketCreateError",
    "SomeErrors",
    "TooBig",
    "UnixSocketError",
    "UnknownReadFailure",
    "UnknownStatKey",
    "WriteError",
]


class Error(Exception):
    """Any failure.

    It is raised itself where the return code has no class of its own, as for a timeout (31), and for what has no code,
    as flags that say nothing. ``retcode`` is libmemcached's number for what happened, where it has one.
    """

    retcode: Optional[int] = None


class CacheMiss(Error):
    """Raised by a subclass's ``deserialize``: the value counts as not found."""


#: An older name of :class:`Error`.
MemcachedError = Error


class Failure(Error):
    """The command failed, and nothing more is known."""

    retcode = 1


class HostLookupError(Error):
    """A server's name could not be looked up."""

    retcode = 2


class ConnectionError(Error):
    """A server could not be connected to."""

    retcode = 3


class ConnectionBindError(Error):
    """A socket could not be bound. OMcache does not raise it."""

    retcode = 4


class WriteError(Error):
    """The connection failed while a request was written."""

    retcode = 5


class ReadError(Error):
    """The connection failed before the answer was read: the command may have been carried out."""

    retcode = 6


class UnknownReadFailure(Error):
    """The answer was not understood."""

    retcode = 7


class ProtocolError(Error):
    """A server broke the protocol."""

    retcode = 8


class ClientError(Error):
    """The server says that the request was wrong, as for an increment of what is no number."""

    retcode = 9


class ServerError(Error):
    """The server says that it failed."""

    retcode = 10


class SocketCreateError(Error):
    """A socket could not be made."""

    retcode = 11


class DataExists(Error):
    """The key exists, or its value was changed meanwhile."""

    retcode = 12


class DataDoesNotExist(Error):
    """The data does not exist. OMcache does not raise it."""

    retcode = 13


class NotFound(Error):
    """There is no such key."""

    retcode = 16


class AllocationError(Error):
    """The server is out of memory."""

    retcode = 17


class SomeErrors(Error):
    """At least one of several servers failed."""

    retcode = 19


class NoServers(Error):
    """There is no server to send to."""

    retcode = 20


class UnixSocketError(Error):
    """A Unix socket could not be connected to."""

    retcode = 27


class NotSupportedError(Error):
    """The server does not know the command, or OMcache does not offer what was asked for."""

    retcode = 28


class FetchNotFinished(Error):
    """A fetch was not finished. OMcache does not raise it."""

    retcode = 30


class BadKeyProvided(Error):
    """The key is empty, or the behavior verify_keys does not allow it."""

    retcode = 33


class InvalidHostProtocolError(Error):
    """A server's kind is not allowed. OMcache does not raise it."""

    retcode = 34


class ServerDead(Error):
    """The server is taken out for failing, and no other one takes its keys."""

    retcode = 35


class ServerDown(Error):
    """The server failed a moment ago and is left alone until retry_timeout is over."""

    retcode = 47


class TooBig(Error):
    """The value is larger than the server takes."""

    retcode = 37


class UnknownStatKey(Error):
    """There are no such statistics. OMcache does not raise it."""

    retcode = 36


#: Names and classes, as ``_pylibmc.exceptions`` has them.
exceptions: List[Tuple[str, Type[Error]]] = [
    (_class.__name__, _class)
    for _class in (
        Error,
        CacheMiss,
        Failure,
        HostLookupError,
        ConnectionError,
        ConnectionBindError,
        WriteError,
        ReadError,
        UnknownReadFailure,
        ProtocolError,
        ClientError,
        ServerError,
        SocketCreateError,
        DataExists,
        DataDoesNotExist,
        NotFound,
        AllocationError,
        SomeErrors,
        NoServers,
        UnixSocketError,
        NotSupportedError,
        FetchNotFinished,
        BadKeyProvided,
        InvalidHostProtocolError,
        ServerDead,
        ServerDown,
        TooBig,
        UnknownStatKey,
    )
]

by_retcode: Dict[int, Type[Error]] = {
    _class.retcode: _class for _name, _class in exceptions if _class.retcode is not None
}


def failed(retcode: int, what: str, reason: str = "") -> Error:
    """The exception for a return code, not raised.

    Its text begins as pylibmc's does, ``error RETCODE from WHAT``. Where the code has no class, it is an
    :class:`Error` whose own ``retcode`` tells the code.
    """
    text = f"error {retcode} from {what}"
    error = by_retcode.get(retcode, Error)(f"{text}: {reason}" if reason else text)
    if error.retcode is None:
        error.retcode = retcode
    return error
