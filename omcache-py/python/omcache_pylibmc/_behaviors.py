"""Behaviors: their names, their numbers, and what the native part is to do for them."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from omcache_pylibmc._exceptions import Error
from omcache_pylibmc._servers import ServerTuple

#: libmemcached's numbers for hash functions.
HASHES = {
    "default": 0,
    "md5": 1,
    "crc": 2,
    "fnv1_64": 3,
    "fnv1a_64": 4,
    "fnv1_32": 5,
    "fnv1a_32": 6,
    "hsieh": 7,
    "murmur": 8,
    "jenkins": 9,
}

#: libmemcached's numbers for distributions.
DISTRIBUTIONS = {
    "modula": 0,
    "consistent": 1,
    "consistent_ketama": 2,
    "random": 3,
    "consistent_ketama_spy": 4,
    "consistent_weighted": 5,
    "virtual_bucket": 6,
    "consistent_max": 7,
}

_HASH_NAMES = {number: name for name, number in HASHES.items()}
_RINGS = (DISTRIBUTIONS["consistent"], DISTRIBUTIONS["consistent_ketama"])
_WEIGHTED = DISTRIBUTIONS["consistent_weighted"]

#: What a new client is set to, in the order in which behaviors are set.
DEFAULTS: Dict[str, int] = {
    "no_block": 0,
    "tcp_nodelay": 0,
    "tcp_keepalive": 0,
    "hash": 0,
    "ketama_hash": 0,
    "ketama": 0,
    "ketama_weighted": 0,
    "distribution": 0,
    "cas": 0,
    "buffer_requests": 0,
    "verify_keys": 0,
    "connect_timeout": 4000,
    "send_timeout": 0,
    "receive_timeout": 0,
    "num_replicas": 0,
    "auto_eject": 0,
    "retry_timeout": 2,
    "remove_failed": 5,
    "failure_limit": 5,
    "_io_msg_watermark": 500,
    "_io_bytes_watermark": 66560,
    "_io_key_prefetch": 0,
    "_hash_with_prefix_key": 0,
    "_noreply": 0,
    "_sort_hosts": 0,
    "_poll_timeout": 5000,
    "_socket_send_size": 0,
    "_socket_recv_size": 0,
    "dead_timeout": 0,
    "pickle_protocol": -1,
}

_SWITCHES = {
    "no_block",
    "tcp_nodelay",
    "tcp_keepalive",
    "cas",
    "buffer_requests",
    "verify_keys",
    "auto_eject",
    "_hash_with_prefix_key",
    "_noreply",
    "_sort_hosts",
}

#: "For ever", in microseconds: ten years.
_FOR_EVER = 10 * 365 * 24 * 3600 * 1_000_000

_MAX_NAMESPACE = 127


class Behaviors:
    """The behaviors of one client, by their numbers, as libmemcached changes one for the sake of another."""

    def __init__(self, binary: bool = False) -> None:
        self._values = dict(DEFAULTS)
        self._binary = binary
        self._namespace = b""

    def copy(self) -> "Behaviors":
        """The same behaviors, to be changed apart."""
        copy = Behaviors(self._binary)
        copy._values.update(self._values)
        copy._namespace = self._namespace
        return copy

    def get(self) -> Dict[str, int]:
        """All of them, but for ``namespace``, which can't be asked for."""
        values = dict(self._values)
        distribution = values["distribution"]
        values["ketama"] = int(distribution in (*_RINGS, _WEIGHTED))
        values["ketama_weighted"] = int(distribution == _WEIGHTED)
        # libmemcached tells the function that keys are hashed by.
        values["ketama_hash"] = values["hash"]
        return values

    def update(self, behaviors: Mapping[str, Any]) -> None:
        """Sets those that are given, in a fixed order. Names that are none are passed over.

        Raises ``TypeError`` for a value that is no number, :class:`Error` for one that can't be.
        """
        for name in DEFAULTS:
            if name in behaviors:
                value = behaviors[name]
                if not isinstance(value, int):
                    raise TypeError(f"behavior {name} must be int, not {type(value).__name__}")
                self._set(name, int(value))
        if "auto_eject" in behaviors:
            # remove_failed turns it on, but not in a dict that says otherwise.
            self._set("auto_eject", behaviors["auto_eject"])
        if "namespace" in behaviors:
            self._set_namespace(behaviors["namespace"])

    def _set(self, name: str, value: int) -> None:
        values = self._values
        if name == "hash" or name == "ketama_hash":
            if value not in _HASH_NAMES or _HASH_NAMES[value] == "hsieh":
                raise self._refused(name, value)
            # What libmemcached's ketama_hash sets has no part in its rings.
            if name == "hash":
                values["hash"] = value
        elif name == "distribution":
            if value not in (DISTRIBUTIONS["modula"], *_RINGS, _WEIGHTED):
                raise self._refused(name, value)
            values["distribution"] = value
        elif name == "ketama":
            values["distribution"] = DISTRIBUTIONS["consistent_ketama" if value else "modula"]
        elif name == "ketama_weighted":
            values["distribution"] = _WEIGHTED if value else DISTRIBUTIONS["consistent_ketama"]
            if value:
                values["hash"] = HASHES["md5"]
        elif name in ("remove_failed", "failure_limit"):
            if value <= 0:
                raise self._refused(name, value)
            values["remove_failed"] = values["failure_limit"] = value
            if name == "remove_failed":
                values["auto_eject"] = 1
        elif name == "retry_timeout" and value == 0:
            raise self._refused(name, value)
        elif name == "verify_keys" and value and self._binary:
            raise self._refused(name, value)
        elif name == "num_replicas" and value < 0:
            raise self._refused(name, value)
        else:
            values[name] = int(bool(value)) if name in _SWITCHES else value

    def _set_namespace(self, namespace: Any) -> None:
        if namespace is None:
            namespace = b""
        elif isinstance(namespace, str):
            namespace = namespace.encode()
        elif not isinstance(namespace, bytes):
            raise TypeError(f"behavior namespace must be bytes or str, not {type(namespace).__name__}")
        if len(namespace) > _MAX_NAMESPACE:
            raise Error(f"namespace has {len(namespace)} bytes, the limit is {_MAX_NAMESPACE}")
        if not self._binary and any(not 0x21 <= byte <= 0x7E for byte in namespace):
            raise ValueError(f"bad key provided: {namespace!r}")
        self._namespace = namespace

    @staticmethod
    def _refused(name: str, value: int) -> Error:
        return Error(f"memcached_behavior_set returned 38 for behavior {name!r} = {value}: not allowed or not offered")

    def rules(self, servers: List[ServerTuple], **own: bool) -> Dict[str, Any]:
        """What the native part is to be told; ``own`` says which of a client's methods are the program's."""
        values = self._values
        distribution = values["distribution"]
        kind = {DISTRIBUTIONS["modula"]: "modula", _WEIGHTED: "ketama_weighted"}.get(distribution, "ketama")
        function = _HASH_NAMES[values["hash"]]
        ejects = bool(values["auto_eject"])
        if values["_sort_hosts"]:
            servers = sorted(servers, key=lambda server: (server[1], server[2]))
        retry = values["dead_timeout"] if ejects and values["dead_timeout"] > 0 else values["retry_timeout"]
        return {
            "servers": servers,
            "distribution": f"{kind}/{'one_at_a_time' if function == 'default' else function}",
            "connect_timeout": _microseconds(values["connect_timeout"], 1000),
            "reply_timeout": _microseconds(values["receive_timeout"] or None, 1)
            or _microseconds(values["_poll_timeout"], 1000),
            "retry_timeout": _microseconds(retry, 1_000_000),
            # libmemcached takes servers out of rings only.
            "failover": ejects and distribution != DISTRIBUTIONS["modula"],
            "down": 35 if ejects else 47,
            "namespace": self._namespace,
            "hash_namespace": bool(values["_hash_with_prefix_key"]),
            "verify_keys": bool(values["verify_keys"]),
            "quiet": bool(values["_noreply"] or values["buffer_requests"]),
            "cas": bool(values["cas"]),
            "replicas": values["num_replicas"],
            "pickle_protocol": values["pickle_protocol"],
            **own,
        }


def _microseconds(time: Optional[int], unit: int) -> int:
    """A time in microseconds; what is not greater than 0 is for ever, and none is 0."""
    if time is None:
        return 0
    return min(time * unit, _FOR_EVER) if time > 0 else _FOR_EVER
