from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any, Final, Literal, TypeVar, overload

from typing_extensions import Self, disjoint_base

from ._exceptions import CommandError
from ._types import BytesLike, Logger

_K = TypeVar("_K", bound=BytesLike)
_Key = TypeVar("_Key", bound=str | bytes)
_Known = tuple[str, str, int, str, str | None, int | None]
_Response = tuple[int, bytes, bytes, int, int, int]
_Result = tuple[int, bool, Any]

__all__ = ["STATUSES", "Client", "Pipeline", "PylibmcClient", "Server", "__version__", "_forked"]

__version__: Final[str]
STATUSES: Final[dict[str, int]]

def _forked() -> None: ...

@disjoint_base
class Client:
    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def set(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        cas: int = 0,
        timeout: int | None = None,
    ) -> None: ...
    def add(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        timeout: int | None = None,
    ) -> None: ...
    def replace(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        timeout: int | None = None,
    ) -> None: ...
    def append(self, key: BytesLike, value: BytesLike, cas: int = 0, timeout: int | None = None) -> None: ...
    def prepend(self, key: BytesLike, value: BytesLike, cas: int = 0, timeout: int | None = None) -> None: ...
    def delete(self, key: BytesLike, timeout: int | None = None) -> None: ...
    def touch(self, key: BytesLike, expiration: int = 0, timeout: int | None = None) -> None: ...
    @overload
    def get(  # type: ignore[overload-overlap]
        self, key: BytesLike, flags: bool = False, cas: bool = False, *, timeout: Literal[0]
    ) -> None: ...
    @overload
    def get(
        self,
        key: BytesLike,
        flags: Literal[False] = False,
        cas: Literal[False] = False,
        timeout: int | None = None,
    ) -> bytes: ...
    @overload
    def get(
        self, key: BytesLike, flags: Literal[True], cas: Literal[False] = False, timeout: int | None = None
    ) -> tuple[bytes, int]: ...
    @overload
    def get(
        self, key: BytesLike, flags: Literal[False] = False, *, cas: Literal[True], timeout: int | None = None
    ) -> tuple[bytes, int]: ...
    @overload
    def get(
        self, key: BytesLike, flags: Literal[False], cas: Literal[True], timeout: int | None = None
    ) -> tuple[bytes, int]: ...
    @overload
    def get(
        self, key: BytesLike, flags: Literal[True], cas: Literal[True], timeout: int | None = None
    ) -> tuple[bytes, int, int]: ...
    @overload
    def get(
        self, key: BytesLike, flags: bool = False, cas: bool = False, timeout: int | None = None
    ) -> bytes | tuple[bytes, int] | tuple[bytes, int, int]: ...
    @overload
    def gat(  # type: ignore[overload-overlap]
        self, key: BytesLike, expiration: int = 0, flags: bool = False, cas: bool = False, *, timeout: Literal[0]
    ) -> None: ...
    @overload
    def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        flags: Literal[False] = False,
        cas: Literal[False] = False,
        timeout: int | None = None,
    ) -> bytes: ...
    @overload
    def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        *,
        flags: Literal[True],
        cas: Literal[False] = False,
        timeout: int | None = None,
    ) -> tuple[bytes, int]: ...
    @overload
    def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        flags: Literal[False] = False,
        *,
        cas: Literal[True],
        timeout: int | None = None,
    ) -> tuple[bytes, int]: ...
    @overload
    def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        *,
        flags: Literal[True],
        cas: Literal[True],
        timeout: int | None = None,
    ) -> tuple[bytes, int, int]: ...
    @overload
    def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        flags: bool = False,
        cas: bool = False,
        timeout: int | None = None,
    ) -> bytes | tuple[bytes, int] | tuple[bytes, int, int]: ...
    @overload
    def increment(  # type: ignore[overload-overlap]
        self,
        key: BytesLike,
        delta: int = 1,
        initial: int | None = None,
        expiration: int = 0,
        *,
        timeout: Literal[0],
    ) -> None: ...
    @overload
    def increment(
        self,
        key: BytesLike,
        delta: int = 1,
        initial: int | None = None,
        expiration: int = 0,
        timeout: int | None = None,
    ) -> int: ...
    @overload
    def decrement(  # type: ignore[overload-overlap]
        self,
        key: BytesLike,
        delta: int = 1,
        initial: int | None = None,
        expiration: int = 0,
        *,
        timeout: Literal[0],
    ) -> None: ...
    @overload
    def decrement(
        self,
        key: BytesLike,
        delta: int = 1,
        initial: int | None = None,
        expiration: int = 0,
        timeout: int | None = None,
    ) -> int: ...
    @overload
    def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[False] = False,
        cas: Literal[False] = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, bytes]: ...
    @overload
    def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[True],
        cas: Literal[False] = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int]]: ...
    @overload
    def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[False] = False,
        *,
        cas: Literal[True],
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int]]: ...
    @overload
    def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[False],
        cas: Literal[True],
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int]]: ...
    @overload
    def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[True],
        cas: Literal[True],
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int, int]]: ...
    @overload
    def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: bool = False,
        cas: bool = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, bytes | tuple[bytes, int] | tuple[bytes, int, int]]: ...
    @overload
    def gat_multi(
        self,
        keys: Iterable[BytesLike],
        expiration: int = 0,
        flags: Literal[False] = False,
        cas: Literal[False] = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, bytes]: ...
    @overload
    def gat_multi(
        self,
        keys: Iterable[BytesLike],
        expiration: int = 0,
        *,
        flags: Literal[True],
        cas: Literal[False] = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int]]: ...
    @overload
    def gat_multi(
        self,
        keys: Iterable[BytesLike],
        expiration: int = 0,
        flags: Literal[False] = False,
        *,
        cas: Literal[True],
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int]]: ...
    @overload
    def gat_multi(
        self,
        keys: Iterable[BytesLike],
        expiration: int = 0,
        *,
        flags: Literal[True],
        cas: Literal[True],
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int, int]]: ...
    @overload
    def gat_multi(
        self,
        keys: Iterable[BytesLike],
        expiration: int = 0,
        flags: bool = False,
        cas: bool = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, bytes | tuple[bytes, int] | tuple[bytes, int, int]]: ...
    def set_multi(
        self, items: Mapping[_K, BytesLike], expiration: int = 0, flags: int = 0, timeout: int | None = None
    ) -> dict[_K, CommandError]: ...
    def delete_multi(self, keys: Iterable[_K], timeout: int | None = None) -> dict[_K, CommandError]: ...
    def noop(self, server_index: int = 0, timeout: int | None = None) -> None: ...
    def stat(
        self, command: BytesLike = "", server_index: int = 0, timeout: int | None = None
    ) -> dict[bytes, bytes]: ...
    @overload
    def version(  # type: ignore[overload-overlap]
        self, server_index: int = 0, *, timeout: Literal[0]
    ) -> None: ...
    @overload
    def version(self, server_index: int = 0, timeout: int | None = None) -> str: ...
    def flush_all(self, expiration: int = 0, server_index: int = 0, timeout: int | None = None) -> None: ...
    def server_index_for_key(self, key: BytesLike) -> int: ...
    def set_distribution_method(self, name: str) -> None: ...
    def flush(self, timeout: int | None = -1) -> None: ...
    def reset_buffers(self) -> None: ...
    def disconnect(self) -> None: ...
    def free(self) -> None: ...
    @property
    def connect_timeout(self) -> int: ...
    @connect_timeout.setter
    def connect_timeout(self, value: int) -> None: ...
    @property
    def reconnect_timeout(self) -> int: ...
    @reconnect_timeout.setter
    def reconnect_timeout(self, value: int) -> None: ...
    @property
    def dead_timeout(self) -> int: ...
    @dead_timeout.setter
    def dead_timeout(self, value: int) -> None: ...
    @property
    def send_buffer_max_size(self) -> int: ...
    @send_buffer_max_size.setter
    def send_buffer_max_size(self, value: int) -> None: ...
    @property
    def recv_buffer_max_size(self) -> int: ...
    @recv_buffer_max_size.setter
    def recv_buffer_max_size(self, value: int) -> None: ...
    @property
    def io_timeout(self) -> int: ...
    @io_timeout.setter
    def io_timeout(self, value: int) -> None: ...
    @property
    def buffering(self) -> bool: ...
    @buffering.setter
    def buffering(self, value: bool) -> None: ...
    @property
    def log(self) -> Logger | None: ...
    @log.setter
    def log(self, value: Logger | None) -> None: ...
    @property
    def select(self) -> Callable[[Any, Any, Any, Any], Any] | None: ...
    def _command(
        self,
        opcode: int,
        key: BytesLike,
        value: BytesLike,
        extra: BytesLike,
        cas: int = 0,
        server_index: int | None = None,
        timeout: int | None = None,
    ) -> list[_Response] | None: ...
    def _servers(self) -> list[_Known]: ...
    def _set_servers(self, servers: list[tuple[str, int]], sort: bool) -> None: ...
    def _set_select(self, select: Callable[[Any, Any, Any, Any], Any] | None) -> None: ...

@disjoint_base
class Pipeline:
    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    @property
    def connect_timeout(self) -> int: ...
    @connect_timeout.setter
    def connect_timeout(self, value: int) -> None: ...
    @property
    def reconnect_timeout(self) -> int: ...
    @reconnect_timeout.setter
    def reconnect_timeout(self, value: int) -> None: ...
    @property
    def dead_timeout(self) -> int: ...
    @dead_timeout.setter
    def dead_timeout(self, value: int) -> None: ...
    @property
    def send_buffer_max_size(self) -> int: ...
    @send_buffer_max_size.setter
    def send_buffer_max_size(self, value: int) -> None: ...
    @property
    def recv_buffer_max_size(self) -> int: ...
    @recv_buffer_max_size.setter
    def recv_buffer_max_size(self, value: int) -> None: ...
    @property
    def buffering(self) -> bool: ...
    @buffering.setter
    def buffering(self, value: bool) -> None: ...
    @property
    def log(self) -> Logger | None: ...
    @log.setter
    def log(self, value: Logger | None) -> None: ...
    def server_index_for_key(self, key: BytesLike) -> int: ...
    def set_distribution_method(self, name: str) -> None: ...
    def reset_buffers(self) -> None: ...
    def _store(
        self, name: str, key: BytesLike, value: BytesLike, expiration: int, flags: int, cas: int, quiet: bool
    ) -> int | None: ...
    def _concatenate(
        self, behind: bool, key: BytesLike, value: BytesLike, cas: int, quiet: bool
    ) -> int | None: ...
    def _count(
        self,
        up: bool,
        key: BytesLike,
        delta: int,
        initial: int | None,
        expiration: int,
        quiet: bool,
    ) -> int | None: ...
    def _delete(self, key: BytesLike, quiet: bool) -> int | None: ...
    def _touch(self, key: BytesLike, expiration: int, quiet: bool) -> int | None: ...
    def _get(self, key: BytesLike, flags: bool, cas: bool, quiet: bool) -> int | None: ...
    def _gat(self, key: BytesLike, expiration: int, flags: bool, cas: bool, quiet: bool) -> int | None: ...
    def _get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: bool = False,
        cas: bool = False,
        errors: dict[Any, CommandError] | None = None,
        quiet: bool = False,
    ) -> int | dict[bytes, Any]: ...
    def _gat_multi(
        self,
        keys: Iterable[BytesLike],
        expiration: int = 0,
        flags: bool = False,
        cas: bool = False,
        errors: dict[Any, CommandError] | None = None,
        quiet: bool = False,
    ) -> int | dict[bytes, Any]: ...
    def _set_multi(
        self, items: Mapping[Any, BytesLike], expiration: int = 0, flags: int = 0, quiet: bool = False
    ) -> int | dict[Any, CommandError]: ...
    def _delete_multi(self, keys: Iterable[BytesLike], quiet: bool = False) -> int | dict[Any, CommandError]: ...
    def _noop(self, server_index: int, quiet: bool) -> int | None: ...
    def _stat(self, command: BytesLike, server_index: int, quiet: bool) -> int | None: ...
    def _version(self, server_index: int, quiet: bool) -> int | None: ...
    def _flush_all(self, expiration: int, server_index: int, quiet: bool) -> int | None: ...
    def _command(
        self,
        opcode: int,
        key: BytesLike,
        value: BytesLike,
        extra: BytesLike,
        cas: int,
        server_index: int | None,
        quiet: bool,
    ) -> int | None: ...
    def _servers(self) -> list[_Known]: ...
    def _set_servers(self, servers: list[tuple[str, int]], sort: bool) -> None: ...
    def _step(self) -> bool: ...
    def _results(self) -> list[_Result]: ...
    def _interests(self) -> tuple[list[tuple[int, bool, bool]], int | None, bool]: ...
    def _cancel(self, ticket: int) -> tuple[bool, Any] | None: ...
    def _settle(self) -> None: ...
    def _is_drained(self) -> bool: ...
    def _disconnect(self) -> None: ...
    def _free(self) -> None: ...

@disjoint_base
class Server:
    def __new__(
        cls,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str | PathLike[str] | None = None,
        max_item_size: int = 1048576,
        version: str = "1.6.18",
    ) -> Self: ...
    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def connections(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def commands(self) -> int: ...
    def commands_of(self, opcode: int) -> int: ...
    def stop(self) -> None: ...
    def restart(self) -> None: ...
    def close(self) -> None: ...
    def behave(self) -> None: ...
    def advance(self, seconds: float) -> None: ...
    def clear(self) -> None: ...
    def get(self, key: BytesLike) -> bytes | None: ...
    def insert(self, key: BytesLike, value: BytesLike) -> None: ...
    def _item(self, key: BytesLike) -> tuple[bytes, int, int, float | None] | None: ...
    def _misbehave(self, fault: str, times: int | None, bytes: int, seconds: float, status: int) -> None: ...
    def __len__(self) -> int: ...

@disjoint_base
class PylibmcClient:
    """What `omcache_pylibmc.Client` is made of; that one's documentation has the rules."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def _configure(self, rules: Mapping[str, Any]) -> None: ...
    def get(self, key: str | bytes, default: Any = None) -> Any: ...
    # The CAS is None where there is no value.
    def gets(self, key: str | bytes) -> tuple[Any, int | Any]: ...
    @overload
    def set(
        self, key: str | bytes, value: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def set(
        self, key: str | bytes, *, val: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def add(
        self, key: str | bytes, value: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def add(
        self, key: str | bytes, *, val: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def replace(
        self, key: str | bytes, value: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def replace(
        self, key: str | bytes, *, val: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def append(
        self, key: str | bytes, value: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def append(
        self, key: str | bytes, *, val: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def prepend(
        self, key: str | bytes, value: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def prepend(
        self, key: str | bytes, *, val: Any, time: int = 0, min_compress_len: int = 0, compress_level: int = -1
    ) -> bool: ...
    @overload
    def cas(self, key: str | bytes, value: Any, cas: int, time: int = 0) -> bool: ...
    @overload
    def cas(self, key: str | bytes, *, val: Any, cas: int, time: int = 0) -> bool: ...
    def delete(self, key: str | bytes) -> bool: ...
    def touch(self, key: str | bytes, seconds: int) -> bool: ...
    def incr(self, key: str | bytes, delta: int = 1) -> int: ...
    def decr(self, key: str | bytes, delta: int = 1) -> int: ...
    def get_multi(self, keys: Iterable[_Key], key_prefix: str | bytes | None = None) -> dict[_Key, Any]: ...
    @overload
    def set_multi(
        self,
        mapping: Mapping[_Key, Any],
        time: int = 0,
        key_prefix: str | bytes | None = None,
        min_compress_len: int = 0,
        compress_level: int = -1,
    ) -> list[_Key]: ...
    @overload
    def set_multi(
        self,
        *,
        keys: Mapping[_Key, Any],
        time: int = 0,
        key_prefix: str | bytes | None = None,
        min_compress_len: int = 0,
        compress_level: int = -1,
    ) -> list[_Key]: ...
    @overload
    def add_multi(
        self,
        mapping: Mapping[_Key, Any],
        time: int = 0,
        key_prefix: str | bytes | None = None,
        min_compress_len: int = 0,
        compress_level: int = -1,
    ) -> list[_Key]: ...
    @overload
    def add_multi(
        self,
        *,
        keys: Mapping[_Key, Any],
        time: int = 0,
        key_prefix: str | bytes | None = None,
        min_compress_len: int = 0,
        compress_level: int = -1,
    ) -> list[_Key]: ...
    def delete_multi(self, keys: Iterable[str | bytes], key_prefix: str | bytes | None = None) -> bool: ...
    def incr_multi(
        self, keys: Iterable[str | bytes], key_prefix: str | bytes | None = None, delta: int = 1
    ) -> None: ...
    def get_stats(self, arg: str | None = None) -> list[tuple[bytes, dict[str, bytes]]]: ...
    def flush_all(self, time: int = 0) -> bool: ...
    def disconnect_all(self) -> None: ...
    def hash(self, key: str | bytes) -> int: ...
    def serialize(self, value: Any) -> tuple[bytes, int]: ...
    def deserialize(self, bytestring: bytes, flag: int) -> Any: ...
