"""pylibmc's interface, on OMcache.

A program that was written for pylibmc 1.6 runs with it::

    import omcache_pylibmc as pylibmc

    mc = pylibmc.Client(["mc1.example.com", "mc2.example.com:11300"], behaviors={"ketama": True, "cas": True})

Keys go to the servers that pylibmc sends them to, and values are stored as pylibmc stores them, so that both can be used
on one cluster. **Values of types other than bytes, str, bool and int are pickled, and reading them runs code**:
:class:`Client` says how to refuse them.

>>> from omcache_pylibmc.test import make_test_client
>>> mc = make_test_client(behaviors={"ketama": True, "cas": True})
>>> mc.set("greeting", "hello", time=60)
True
>>> mc.get("greeting")
'hello'
>>> mc["numbers"] = [1, 2, 3]
>>> mc.get_multi(["greeting", "numbers", "no such key"])
{'greeting': 'hello', 'numbers': [1, 2, 3]}
>>> mc.set("visits", 41)
True
>>> mc.incr("visits")
42
>>> visits, version = mc.gets("visits")
>>> mc.cas("visits", 1000, version), mc.cas("visits", 2000, version)
(True, False)
>>> mc.set_multi({"a": 1, "b": b"two", "c": None}, key_prefix="letter:")
[]
>>> sorted(mc.get_multi("abc", key_prefix="letter:").items())
[('a', 1), ('b', b'two'), ('c', None)]
>>> mc.delete_multi(["a", "b", "c", "d"], key_prefix="letter:")
False
>>> mc.behaviors["connect_timeout"] = 500
>>> mc.delete_multi(["greeting", "numbers", "visits"])
True

What differs from pylibmc:

- The binary protocol is spoken in any case, so keys may have blanks and control characters in them.
- There is no UDP, no SASL, and of the distributions no random, spy, virtual bucket or max one.
- ``receive_timeout`` is kept to, and a server that does not answer in time raises :class:`Error` where pylibmc makes a miss
  of it.
- ``get_multi`` takes any iterable of keys, and its values are keyed by the very objects that were given.
- ``set_multi`` tries all keys before it raises; ``replace`` of a missing key is False with ``binary`` too.
- :meth:`Client.get_stats` has all statistics that the servers tell.
- A client may be shared by threads, which wait for each other, and be used on both sides of a fork.
"""

from __future__ import annotations

from omcache import _native
from omcache_pylibmc._pylibmc import *  # noqa: F403
from omcache_pylibmc._pylibmc import (
    __version__,
    libmemcached_version,
    support_compression,
    support_sasl,
)
from omcache_pylibmc.client import Client
from omcache_pylibmc.consts import distributions, hashers
from omcache_pylibmc.pools import ClientPool, ThreadMappedPool

__all__ = [
    "AllocationError",
    "BadKeyProvided",
    "CacheMiss",
    "Client",
    "ClientError",
    "ClientPool",
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
    "ThreadMappedPool",
    "TooBig",
    "UnixSocketError",
    "UnknownReadFailure",
    "UnknownStatKey",
    "WriteError",
    "all_behaviors",
    "all_callbacks",
    "build_info",
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
    "distributions",
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
    "hashers",
    "libmemcached_version",
    "libmemcached_version_hex",
    "server_type_tcp",
    "server_type_udp",
    "server_type_unix",
    "support_compression",
    "support_sasl",
]


def build_info() -> str:
    """The versions of the interface, of the rules, and of OMcache."""
    return (
        f"pylibmc {__version__} for libmemcached {libmemcached_version} "
        f"(compression={support_compression}, sasl={support_sasl}), by OMcache {_native.__version__}"
    )
