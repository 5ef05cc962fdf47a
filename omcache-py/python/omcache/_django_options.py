"""What the settings of the Django backend name: servers and serializers."""

from __future__ import annotations

import json
import pickle
import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


class Json:
    """JSON as UTF-8."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()

    @staticmethod
    def loads(data: bytes) -> Any:
        return json.loads(data)


class Pickle:
    """Pickle, in its newest protocol."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)

    @staticmethod
    def loads(data: bytes) -> Any:
        return pickle.loads(data)


def servers_of(location: Any) -> tuple[str, ...]:
    """The addresses that `LOCATION` has. Raises `ImproperlyConfigured` where there is none."""
    texts = re.split("[;,]", location) if isinstance(location, str) else location
    if isinstance(texts, (list, tuple, set, frozenset)) and all(isinstance(text, str) for text in texts):
        servers = tuple(text.strip() for text in texts if text.strip())
        if servers:
            return servers
    raise ImproperlyConfigured(f"OMcacheCache's LOCATION {location!r} has no servers: host:port, or a list of them")


def serializer_of(name: Any) -> Any:
    if name == "pickle":
        return Pickle
    if name == "json":
        return Json
    try:
        serializer = import_string(name) if isinstance(name, str) else name
    except ImportError as error:
        raise ImproperlyConfigured(f"OMcacheCache's serializer: {error}") from error
    if isinstance(serializer, type):
        serializer = serializer()
    if not all(callable(getattr(serializer, method, None)) for method in ("dumps", "loads")):
        raise ImproperlyConfigured(f"OMcacheCache's serializer {name!r} has no dumps or no loads")
    return serializer
