"""What pylibmc's extension module ``_pylibmc`` offers: the class ``client``, exceptions and libmemcached's numbers.

Programs use :class:`omcache_pylibmc.Client`, which takes text for what is a number here.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, TypeVar

from omcache import _native
from omcache_pylibmc._behaviors import DEFAULTS, DISTRIBUTIONS, HASHES, Behaviors
from omcache_pylibmc._exceptions import *  # noqa: F403
from omcache_pylibmc._exceptions import exceptions
from omcache_pylibmc._servers import (
    normalize,
    server_type_tcp,
    server_type_udp,
    server_type_unix,
)

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
    "all_behaviors",
    "all_callbacks",
    "callback_namespace",
    "client",
    "distribution_consistent",
    "distribution_consistent_ketama",
    "distribution_consistent_ketama_spy",
    "distribution_consistent_max",
    "distribution_consistent_weighted",
    "distribution_modula",
    "distribution_random",
    "distribution_virtual_bucket",
    "exceptions",
    "hash_crc",
    "hash_default",
    "hash_fnv1_32",
    "hash_fnv1_64",
    "hash_fnv1a_32",
    "hash_fnv1a_64",
    "hash_hsieh",
    "hash_jenkins",
    "hash_md5",
    "hash_murmur",
    "libmemcached_version",
    "libmemcached_version_hex",
    "server_type_tcp",
    "server_type_udp",
    "server_type_unix",
    "support_compression",
    "support_sasl",
]

#: The version of pylibmc whose interface this is.
__version__ = "1.6.3"

#: The version of libmemcached by whose rules servers are chosen.
libmemcached_version = "1.1.4"
#: The same as a number, two hexadecimal digits for the first part and three for each other.
libmemcached_version_hex = 0x01001004

#: Values can be compressed: Python's zlib does it.
support_compression = True
#: Servers that want a user name and a password can't be used.
support_sasl = False

hash_default = HASHES["default"]
hash_md5 = HASHES["md5"]
hash_crc = HASHES["crc"]
hash_fnv1_64 = HASHES["fnv1_64"]
hash_fnv1a_64 = HASHES["fnv1a_64"]
hash_fnv1_32 = HASHES["fnv1_32"]
hash_fnv1a_32 = HASHES["fnv1a_32"]
hash_hsieh = HASHES["hsieh"]
hash_murmur = HASHES["murmur"]
hash_jenkins = HASHES["jenkins"]

distribution_modula = DISTRIBUTIONS["modula"]
distribution_consistent = DISTRIBUTIONS["consistent"]
distribution_consistent_ketama = DISTRIBUTIONS["consistent_ketama"]
distribution_random = DISTRIBUTIONS["random"]
distribution_consistent_ketama_spy = DISTRIBUTIONS["consistent_ketama_spy"]
distribution_consistent_weighted = DISTRIBUTIONS["consistent_weighted"]
distribution_virtual_bucket = DISTRIBUTIONS["virtual_bucket"]
distribution_consistent_max = DISTRIBUTIONS["consistent_max"]

callback_namespace = 0

#: Names of the behaviors that are numbers.
all_behaviors: List[str] = list(DEFAULTS)
#: Names of the behaviors that are bytes.
all_callbacks: List[str] = ["namespace"]

_Self = TypeVar("_Self", bound="client")


class client(_native.PylibmcClient):
    """A client of one or more servers, with numbers for what has names in :class:`omcache_pylibmc.Client`.

    ``servers`` has text (``host``, ``host:port``, ``host:port:weight``, ``[v6]:port:weight``, ``/path``), bytes with such
    text, comma-separated, or tuples: kind, host, port, weight, of which the last two may be left out; or host, port,
    weight. An empty list raises :class:`Error`, a server that is to be reached by UDP ``ValueError``.

    With ``binary`` or without it, OMcache speaks the binary protocol. ``username`` and ``password`` raise ``TypeError``:
    there is no authentication.

    Connections are made when they are needed. A client may be used by several threads, one at a time: the others wait.
    In a forked child it makes connections of its own.
    """

    def __init__(
        self,
        servers: Iterable[Any],
        binary: bool = False,
        username: Optional[str] = None,
        password: Optional[str] = None,
        behaviors: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__()
        if username is not None or password is not None:
            raise TypeError("OMcache does not support SASL: leave username and password out")
        kind = type(self)
        self._omcache_servers = normalize(servers)
        self._omcache_own = {
            "own_serialize": kind.serialize is not client.serialize,
            "own_deserialize": kind.deserialize is not client.deserialize,
        }
        self._omcache_behaviors = Behaviors(bool(binary))
        client.set_behaviors(self, behaviors or {})

    def get_behaviors(self) -> Dict[str, int]:
        """A dict of the behaviors, all of them numbers."""
        return self._omcache_behaviors.get()

    def set_behaviors(self, behaviors: Mapping[str, Any]) -> None:
        """Sets the behaviors that are given.

        Raises ``TypeError`` for a value that is no number, :class:`Error` for one that is not allowed; then none is set.
        """
        changed = self._omcache_behaviors.copy()
        changed.update(behaviors)
        self._configure(changed.rules(self._omcache_servers, **self._omcache_own))
        self._omcache_behaviors = changed

    def clone(self: _Self) -> _Self:
        """A client with the same servers and behaviors, and connections of its own."""
        kind = type(self)
        clone = kind.__new__(kind)
        clone._omcache_servers = self._omcache_servers
        clone._omcache_own = self._omcache_own
        clone._omcache_behaviors = self._omcache_behaviors.copy()
        clone._configure(clone._omcache_behaviors.rules(clone._omcache_servers, **clone._omcache_own))
        return clone
