"""The client as programs see it: behaviors by name, and the mapping interface."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, TypeVar, overload

from omcache_pylibmc import _pylibmc, _servers
from omcache_pylibmc.consts import (
    BehaviorDict,
    all_behaviors,
    all_callbacks,
    distributions,
    distributions_rvs,
    hashers,
    hashers_rvs,
)

_KNOWN = {*all_behaviors, *all_callbacks}
_MISS = object()

_Self = TypeVar("_Self", bound="Client")


def translate_server_spec(server: str, port: int = 11211, weight: int = 1) -> Tuple[int, str, int, int]:
    """A server's text as a tuple of kind, host or path, port and weight.

    ``port`` and ``weight`` are for what the text leaves out.

    >>> translate_server_spec("mc1.example.com")
    (1, 'mc1.example.com', 11211, 1)
    >>> translate_server_spec("mc1.example.com:11300:2")
    (1, 'mc1.example.com', 11300, 2)
    >>> translate_server_spec("[2001:db8::1]:11300:2")
    (1, '2001:db8::1', 11300, 2)
    >>> translate_server_spec("[2001:db8::1]", weight=3)
    (1, '2001:db8::1', 11211, 3)
    >>> translate_server_spec("udp:mc1.example.com")
    (2, 'mc1.example.com', 11211, 1)
    >>> translate_server_spec("/run/memcached.sock")
    (4, '/run/memcached.sock', 0, 1)
    """
    return _servers.parse(server, port, weight)


def translate_server_specs(servers: Iterable[Any]) -> List[Any]:
    """As :func:`translate_server_spec`, for each server of a list; tuples stay as they are."""
    return [server if isinstance(server, tuple) else translate_server_spec(server) for server in servers]


def _numeric(behaviors: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """Behaviors with numbers in place of names."""
    numeric = dict(behaviors or {})
    if "_retry_timeout" in numeric:
        numeric.setdefault("retry_timeout", numeric.pop("_retry_timeout"))
    unknown = sorted(str(name) for name in numeric if name not in _KNOWN)
    if unknown:
        raise ValueError(f"unknown behavior names: {', '.join(unknown)}")
    if numeric.get("hash") is not None:
        numeric["hash"] = hashers[numeric["hash"]]
    if numeric.get("ketama_hash") in hashers:
        numeric["ketama_hash"] = hashers[numeric["ketama_hash"]]
    if numeric.get("distribution") is not None:
        numeric["distribution"] = distributions[numeric["distribution"]]
    return numeric


class Client(_pylibmc.client):
    """A client of one or more memcached servers.

    ``servers`` is a list of text: ``host``, ``host:port``, ``host:port:weight``, ``[v6]:port:weight``, ``/path`` of a
    Unix socket; or of tuples: kind (``_pylibmc.server_type_tcp``, ``server_type_unix``), host, port, weight, of which the
    last two may be left out. It must not be empty. ``udp:host`` raises ``ValueError``: OMcache does not speak UDP.

    ``binary`` tells the protocol in pylibmc. OMcache speaks the binary protocol whatever it says; where the two differ in
    what a program sees, it does what pylibmc does without ``binary``. ``username`` and ``password`` raise ``TypeError``.
    ``behaviors`` are set as :meth:`set_behaviors` does. pylibmc has them as its second argument, behind which comes
    ``binary``; both orders are understood.

    Keys are str, sent as UTF-8, or bytes, of at most 250 bytes. Values are stored by their type: bytes and str as they are,
    bool and int as decimal, anything else pickled. **Reading a pickled value runs code that the value names**: whoever
    can write to the servers can run code in programs that read from them. Where that is not wanted, a subclass can
    refuse::

        class Careful(Client):
            def deserialize(self, bytestring, flag):
                if flag & 1:
                    raise CacheMiss
                return super().deserialize(bytestring, flag)

    Commands raise :class:`Error` or one of its subclasses where a server can't be reached. Those wait no longer than the
    behaviors ``connect_timeout`` and ``receive_timeout`` say.
    """

    @overload
    def __init__(
        self,
        servers: Iterable[Any],
        binary: bool = False,
        username: Optional[str] = None,
        password: Optional[str] = None,
        behaviors: Optional[Mapping[str, Any]] = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        servers: Iterable[Any],
        behaviors: Optional[Mapping[str, Any]] = None,
        binary: bool = False,
        username: Optional[str] = None,
        password: Optional[str] = None,
    ) -> None: ...

    def __init__(self, servers: Iterable[Any], *args: Any, **kwds: Any) -> None:
        names = ["binary", "username", "password"]
        names.insert(0 if args and (args[0] is None or isinstance(args[0], Mapping)) else 3, "behaviors")
        if len(args) > len(names):
            raise TypeError(f"Client takes at most {1 + len(names)} arguments, {1 + len(args)} were given")
        for name, value in zip(names, args):
            if name in kwds:
                raise TypeError(f"Client got two values for its argument {name!r}")
            kwds[name] = value
        self.binary = bool(kwds.pop("binary", False))
        self.addresses: Any = servers if isinstance(servers, (str, bytes)) else list(servers)
        behaviors = _numeric(kwds.pop("behaviors", None))
        super().__init__(self.addresses, binary=self.binary, behaviors=behaviors, **kwds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.addresses!r}, binary={self.binary!r})"

    def __str__(self) -> str:
        addresses = ", ".join(map(str, self.addresses))
        return f"<{type(self).__name__} for {addresses}, binary={self.binary!r}>"

    def __getitem__(self, key: Any) -> Any:
        value = self.get(key, _MISS)
        if value is _MISS:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self.set(key, value):
            raise KeyError(f"failed setting {key!r}")

    def __delitem__(self, key: Any) -> None:
        if not self.delete(key):
            raise KeyError(key)

    def __contains__(self, key: Any) -> bool:
        return self.get(key, _MISS) is not _MISS

    def get_behaviors(self) -> BehaviorDict:
        """The behaviors, ``hash`` and ``distribution`` by name. What is set in the dict is set on the client."""
        behaviors: Dict[str, Any] = super().get_behaviors()
        behaviors["hash"] = hashers_rvs[behaviors["hash"]]
        behaviors["distribution"] = distributions_rvs[behaviors["distribution"]]
        return BehaviorDict(self, behaviors)

    def set_behaviors(self, behaviors: Mapping[str, Any]) -> None:
        """Sets the behaviors that are given, ``hash`` and ``distribution`` by name; all of them, or none.

        Times: ``connect_timeout`` is in milliseconds, ``send_timeout`` and ``receive_timeout`` in microseconds,
        ``retry_timeout`` and ``dead_timeout`` in seconds.

        ======================================= ==============================================================
        ``hash``, ``ketama``,                   which server has a key, as libmemcached chooses it
        ``ketama_weighted``, ``distribution``
        ``cas``                                 whether :meth:`gets` and :meth:`cas` may be used
        ``verify_keys``                         whether keys must be printable ASCII without blanks
        ``namespace``                           bytes before every key; no part of it chooses the server
        ``connect_timeout``                     how long a connection may take to be made
        ``receive_timeout``                     how long a server may make no progress, waits for a connection
                                                and for room to send included; 0 is ``_poll_timeout``'s 5 s
        ``retry_timeout``                       how long a server that failed is left alone: ``ServerDown``
        ``auto_eject``, ``remove_failed``       the keys of a server that fails go to the next one of a ring,
                                                with the first failure, until it answers again
        ``dead_timeout``                        takes the place of ``retry_timeout`` there, if it is not 0
        ``num_replicas``                        on how many more servers values are kept; they are read from
                                                there where the first server fails
        ``buffer_requests``, ``_noreply``       stores and deletes are not waited for, and return True
        ``pickle_protocol``                     the protocol of pickled values, -1 for the newest
        ======================================= ==============================================================

        The others are kept, and change nothing. ``distribution`` is ``"modula"``, ``"consistent"``,
        ``"consistent ketama"`` or ``"consistent weighted"``; for others :class:`Error` is raised.

        Raises ``ValueError`` for a name that is none, ``KeyError`` for a hash function or distribution that is none,
        ``TypeError`` for a value of another type, :class:`Error` for one that is not allowed.
        """
        super().set_behaviors(_numeric(behaviors))

    behaviors = property(get_behaviors, set_behaviors, doc="As :meth:`get_behaviors` and :meth:`set_behaviors`.")

    def clone(self: _Self) -> _Self:
        """A client with the same servers and behaviors, and connections of its own."""
        clone = super().clone()
        clone.addresses = self.addresses[:]
        clone.binary = self.binary
        return clone
