"""A cache backend for Django 4.2 and later.

    CACHES = {
        "default": {
            "BACKEND": "omcache.django.OMcacheCache",
            "LOCATION": ["10.0.0.1:11211", "10.0.0.2:11211"],
            "OPTIONS": {"io_timeout": 200, "ignore_failures": True},
        }
    }

Values are stored as pylibmc stores them, so that a project can move from Django's PyLibMCCache with a full cache: bytes, str
and int as they are (so that `incr` works on what `set` stored), everything else by the serializer. What pylibmc compressed
is read; nothing is compressed here.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache, InvalidCacheKey, memcache_key_warnings
from django.core.exceptions import ImproperlyConfigured

from ._client import OMcache
from ._django_options import Pickle, serializer_of, servers_of
from ._exceptions import (
    CommandError,
    DeltaBadValueError,
    Error,
    KeyExistsError,
    NotFoundError,
    TooLargeValueError,
)

__all__ = ["OMcacheCache"]

_log = logging.getLogger(__name__)

_BYTES, _PICKLE, _BOOL, _INT, _ZLIB, _TEXT, _OTHER = 0, 1, 2, 4, 8, 16, 64

_MAX_KEY = 250
_MAX_RELATIVE = 30 * 24 * 60 * 60
_MAX_EXPIRATION = 2**32 - 1

_TIMES = ("connect_timeout", "reconnect_timeout", "dead_timeout", "io_timeout")
_SETTINGS = (*_TIMES, "send_buffer_max_size", "recv_buffer_max_size")
_MISS: Any = object()

# They stay for good: Django makes a backend for every thread and asynchronous task, and drops it with that.
_clients: dict[Any, OMcache] = {}


def _client_of(servers: tuple[str, ...], options: Mapping[str, Any]) -> OMcache:
    """The client for these servers and options, which all threads of the process share."""
    distribution = options.get("distribution")
    settings = tuple((name, options[name]) for name in _SETTINGS if name in options)
    configuration = (servers, distribution, settings)
    if configuration in _clients:
        return _clients[configuration]
    client = OMcache(servers, log=logging.getLogger("omcache"))
    for name, value in settings:
        setattr(client, name, value)
    if distribution is not None:
        client.set_distribution_method(distribution)
    # No lock, which a fork could leave locked: of two threads, the one that comes later takes the other's.
    return _clients.setdefault(configuration, client)


class OMcacheCache(BaseCache):
    """Django's cache on memcached servers, by OMcache.

    `LOCATION` has the servers: a list, or text with commas or semicolons between them. `OPTIONS`:

    - `connect_timeout`, `reconnect_timeout`, `dead_timeout`, `io_timeout`: milliseconds, as those of `omcache.OMcache`.
    - `send_buffer_max_size`, `recv_buffer_max_size`: bytes; for values above memcached's default limit of 1 MiB, as those of
      `omcache.OMcache`.
    - `distribution`: which server has a key, as `omcache.OMcache.set_distribution_method` takes it.
    - `serializer`: `"pickle"` (the default), `"json"`, or an object with `dumps` (to bytes or str) and `loads` (from bytes), a
      class of such ones, or the dotted path of either. **Reading a pickled value runs code that it names**: whoever can
      write to the servers can run code in the project. With another serializer nothing is ever unpickled: what was pickled
      before is not found. Others than pickle don't know each other's values: change `KEY_PREFIX` with them.
    - `ignore_failures`: whether a server that fails is a miss, told to the logger `omcache.django` alone. By default
      `omcache.Error` is raised. In both cases the keys of a failing server are missing from `get_many` and returned by
      `set_many`, and logged; `get_many` raises only where nothing could be learned of any key.

    A key has 1 to 250 bytes as UTF-8, with prefix and version, and neither spaces nor control characters: else
    `InvalidCacheKey`. A timeout has whole seconds; less than one second is one.

    Threads and asynchronous tasks share one client for each configuration; it lives as long as the process, and connections
    stay open between requests. The asynchronous methods run the others in Django's thread for such calls, one at a time: the
    event loop is not blocked, but calls queue behind one that waits for a server. A small `io_timeout` bounds that.
    """

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        """Take what the settings say. Raises `ImproperlyConfigured` for options that are none."""
        super().__init__(params)
        self._servers = servers_of(server)
        options = dict(params.get("OPTIONS") or {})
        self._serializer = serializer_of(options.pop("serializer", "pickle"))
        self._ignores = bool(options.pop("ignore_failures", False))
        unknown = sorted(set(options) - {*_SETTINGS, "distribution", "MAX_ENTRIES", "CULL_FREQUENCY"})
        if unknown:
            raise ImproperlyConfigured(f"OMcacheCache has no options {', '.join(unknown)}")
        self._options = options
        try:
            self._client = _client_of(self._servers, options)
        except (Error, TypeError, OverflowError) as error:
            raise ImproperlyConfigured(f"OMcacheCache: {error}") from error

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> int:
        """Django's timeout in seconds as memcached's expiration: None is never, 0 and less is at once.

        What would end after the year 2106, where memcached's clock ends, never does.
        """
        if timeout is DEFAULT_TIMEOUT:
            timeout = self.default_timeout
        if timeout is None:
            return 0
        if timeout <= 0:
            return -1
        if timeout > _MAX_RELATIVE:
            moment = time.time() + timeout
            return int(moment) if moment <= _MAX_EXPIRATION else 0
        # Less than a second is one, as 0 is for ever.
        return max(int(timeout), 1)

    def validate_key(self, key: str) -> None:
        """Refuse keys that memcached does not take. Raises `InvalidCacheKey`."""
        for warning in memcache_key_warnings(key):
            raise InvalidCacheKey(warning)
        # Django counts characters.
        if not 0 < len(key.encode()) <= _MAX_KEY:
            raise InvalidCacheKey(f"Cache key {key!r} has {len(key.encode())} bytes, not 1 to {_MAX_KEY}")

    def _key(self, key: Any, version: Optional[int]) -> str:
        made = self.make_key(key, version=version)
        self.validate_key(made)
        return made

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Let no failure of a server out, if the project wants it so."""
        try:
            yield
        except Error as error:
            if not self._ignores:
                raise
            _log.warning("%s", error)

    def _stored(self, value: Any) -> tuple[bytes | str, int]:
        kind = type(value)
        if kind is bytes:
            return value, _BYTES
        if kind is str:
            return value, _TEXT
        if kind is int:
            return str(value), _INT
        return self._serializer.dumps(value), _PICKLE if self._serializer is Pickle else _OTHER

    def _is_readable(self, flags: int) -> bool:
        """Whether a value is stored in a form that is to be read."""
        return flags & ~_ZLIB in (_BYTES, _TEXT, _INT, _BOOL, _PICKLE if self._serializer is Pickle else _OTHER)

    def _loaded(self, data: bytes, flags: int) -> Any:
        """The value, or `_MISS` where it is stored in a form that is not to be read."""
        if not self._is_readable(flags):
            return _MISS
        kind = flags & ~_ZLIB
        if flags & _ZLIB:
            data = zlib.decompress(data)
        if kind == _BYTES:
            return data
        if kind == _TEXT:
            return data.decode()
        if kind in (_INT, _BOOL):
            return int(data)
        return self._serializer.loads(data)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Optional[int] = None) -> bool:
        """Store a value where `get` finds none; True where that was done."""
        key = self._key(key, version)
        data, flags = self._stored(value)
        expiration = self.get_backend_timeout(timeout)
        with self._failures():
            try:
                self._client.add(key, data, expiration, flags)
            except KeyExistsError:
                return self._replace_unreadable(key, data, expiration, flags)
            return True
        return False

    def _replace_unreadable(self, key: str, data: bytes | str, expiration: int, flags: int) -> bool:
        """Store a value in the place of one that is not to be read, unless another program is first."""
        try:
            _, found, cas = self._client.get(key, flags=True, cas=True)
            if self._is_readable(found):
                return False
            self._client.set(key, data, expiration, flags, cas)
        except (KeyExistsError, NotFoundError):
            return False
        return True

    def get(self, key: Any, default: Any = None, version: Optional[int] = None) -> Any:
        """The value of a key, or the default."""
        found = self._raw(self._key(key, version))
        if found is None:
            return default
        value = self._loaded(*found)
        return default if value is _MISS else value

    def _raw(self, key: str) -> Optional[tuple[bytes, int]]:
        with self._failures():
            try:
                return self._client.get(key, flags=True)
            except NotFoundError:
                return None
        return None

    def has_key(self, key: Any, version: Optional[int] = None) -> bool:
        """Whether `get` finds a value."""
        found = self._raw(self._key(key, version))
        return found is not None and self._is_readable(found[1])

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Optional[int] = None) -> None:
        """Store a value. One that is too large for the servers leaves none: `omcache.TooLargeValueError`."""
        key = self._key(key, version)
        data, flags = self._stored(value)
        with self._failures():
            try:
                self._client.set(key, data, self.get_backend_timeout(timeout), flags)
            except TooLargeValueError:
                # The value that was there is not to be taken for this one.
                with self._failures():
                    self._remove(key)
                raise

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Optional[int] = None) -> bool:
        """Set the timeout of a key anew; True where there is one."""
        key = self._key(key, version)
        with self._failures():
            try:
                self._client.touch(key, self.get_backend_timeout(timeout))
            except NotFoundError:
                return False
            return True
        return False

    def _remove(self, key: str) -> bool:
        try:
            self._client.delete(key)
        except NotFoundError:
            return False
        return True

    def delete(self, key: Any, version: Optional[int] = None) -> bool:
        """Remove a key; True where there was one."""
        key = self._key(key, version)
        with self._failures():
            return self._remove(key)
        return False

    def incr(self, key: Any, delta: int = 1, version: Optional[int] = None) -> int:
        """Add to a number, and return the sum. It does not go below 0.

        Raises `ValueError` where there is no such key, or its value is no number that is at least 0.
        """
        sent = self._key(key, version)
        try:
            return self._client.increment(sent, delta)
        except NotFoundError:
            raise ValueError(f"Key '{key}' not found") from None
        except (DeltaBadValueError, OverflowError) as error:
            raise ValueError(f"the value of key '{key}' can't be counted: {error}") from error
        except Error as error:
            if not self._ignores:
                raise
            raise ValueError(f"Key '{key}' can't be counted: {error}") from error

    def decr(self, key: Any, delta: int = 1, version: Optional[int] = None) -> int:
        """Subtract from a number, as `incr`."""
        return self.incr(key, -delta, version=version)

    def get_many(self, keys: Iterable[Any], version: Optional[int] = None) -> dict[Any, Any]:
        """The values of many keys, by the keys that were given; those without a value are left out."""
        sent = {self._key(key, version): key for key in keys}
        failed: dict[Any, CommandError] = {}
        found: dict[Any, Any] = {}
        with self._failures():
            for key, (data, flags) in self._client.get_multi(list(sent), flags=True, errors=failed).items():
                value = self._loaded(data, flags)
                if value is not _MISS:
                    found[sent[key.decode()]] = value
        self._warn(failed)
        return found

    def set_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Optional[int] = None
    ) -> list[Any]:
        """Store many values, and return the keys whose values were not stored."""
        expiration = self.get_backend_timeout(timeout)
        sent: dict[str, Any] = {}
        by_flags: dict[int, dict[str, bytes | str]] = {}
        for key, value in data.items():
            made = self._key(key, version)
            sent[made] = key
            stored, flags = self._stored(value)
            by_flags.setdefault(flags, {})[made] = stored
        failed: dict[Any, CommandError] = {}
        for flags, items in by_flags.items():
            failed.update(self._client.set_multi(items, expiration, flags))
        self._warn(failed)
        return [sent[key] for key in failed]

    def delete_many(self, keys: Iterable[Any], version: Optional[int] = None) -> None:
        """Remove many keys."""
        failed = self._client.delete_multi([self._key(key, version) for key in keys])
        failed = {key: error for key, error in failed.items() if not isinstance(error, NotFoundError)}
        self._warn(failed)
        for error in failed.values():
            if not self._ignores:
                raise error

    def clear(self) -> None:
        """Empty all servers, of other projects' values too. Each is tried before the first failure is raised."""
        first: Optional[Error] = None
        for index in range(len(self._client.servers())):
            try:
                self._client.flush_all(server_index=index)
            except Error as error:
                first = first or error
                _log.warning("%s", error)
        if first is not None and not self._ignores:
            raise first

    # Django's own make a read and a write of a count, which loses others' steps and the timeout, and ask key by key.

    async def aincr(self, key: Any, delta: int = 1, version: Optional[int] = None) -> int:
        """As `incr`."""
        return await sync_to_async(self.incr)(key, delta, version)

    async def aget_many(self, keys: Iterable[Any], version: Optional[int] = None) -> dict[Any, Any]:
        """As `get_many`."""
        return await sync_to_async(self.get_many)(keys, version)

    async def aset_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Optional[int] = None
    ) -> list[Any]:
        """As `set_many`."""
        return await sync_to_async(self.set_many)(data, timeout, version)

    async def adelete_many(self, keys: Iterable[Any], version: Optional[int] = None) -> None:
        """As `delete_many`."""
        await sync_to_async(self.delete_many)(keys, version)

    def close(self, **kwargs: Any) -> None:
        """Do nothing: connections are kept for the next request."""

    @staticmethod
    def _warn(failed: Mapping[Any, Exception]) -> None:
        for key, error in failed.items():
            _log.warning("%s: %s", key, error)
