from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, overload

from ._calls import Calls
from ._constants import OMcacheValue, ServerInfo
from ._exceptions import CommandError
from ._types import BytesLike

__all__ = ["Client"]

_K = TypeVar("_K", bound=BytesLike)

class Client(Calls):
    def servers(self) -> list[ServerInfo]: ...
    async def set(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        cas: int = 0,
        timeout: int | None = None,
    ) -> None: ...
    async def add(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        timeout: int | None = None,
    ) -> None: ...
    async def replace(
        self,
        key: BytesLike,
        value: BytesLike,
        expiration: int = 0,
        flags: int = 0,
        timeout: int | None = None,
    ) -> None: ...
    async def append(
        self, key: BytesLike, value: BytesLike, cas: int = 0, timeout: int | None = None
    ) -> None: ...
    async def prepend(
        self, key: BytesLike, value: BytesLike, cas: int = 0, timeout: int | None = None
    ) -> None: ...
    async def delete(self, key: BytesLike, timeout: int | None = None) -> None: ...
    async def touch(self, key: BytesLike, expiration: int = 0, timeout: int | None = None) -> None: ...
    @overload
    async def get(
        self,
        key: BytesLike,
        flags: Literal[False] = False,
        cas: Literal[False] = False,
        timeout: int | None = None,
    ) -> bytes: ...
    @overload
    async def get(
        self, key: BytesLike, flags: Literal[True], cas: Literal[False] = False, timeout: int | None = None
    ) -> tuple[bytes, int]: ...
    @overload
    async def get(
        self, key: BytesLike, flags: Literal[False] = False, *, cas: Literal[True], timeout: int | None = None
    ) -> tuple[bytes, int]: ...
    @overload
    async def get(
        self, key: BytesLike, flags: Literal[False], cas: Literal[True], timeout: int | None = None
    ) -> tuple[bytes, int]: ...
    @overload
    async def get(
        self, key: BytesLike, flags: Literal[True], cas: Literal[True], timeout: int | None = None
    ) -> tuple[bytes, int, int]: ...
    @overload
    async def get(
        self, key: BytesLike, flags: bool = False, cas: bool = False, timeout: int | None = None
    ) -> bytes | tuple[bytes, int] | tuple[bytes, int, int]: ...
    @overload
    async def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        flags: Literal[False] = False,
        cas: Literal[False] = False,
        timeout: int | None = None,
    ) -> bytes: ...
    @overload
    async def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        *,
        flags: Literal[True],
        cas: Literal[False] = False,
        timeout: int | None = None,
    ) -> tuple[bytes, int]: ...
    @overload
    async def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        flags: Literal[False] = False,
        *,
        cas: Literal[True],
        timeout: int | None = None,
    ) -> tuple[bytes, int]: ...
    @overload
    async def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        *,
        flags: Literal[True],
        cas: Literal[True],
        timeout: int | None = None,
    ) -> tuple[bytes, int, int]: ...
    @overload
    async def gat(
        self,
        key: BytesLike,
        expiration: int = 0,
        flags: bool = False,
        cas: bool = False,
        timeout: int | None = None,
    ) -> bytes | tuple[bytes, int] | tuple[bytes, int, int]: ...
    async def increment(
        self,
        key: BytesLike,
        delta: int = 1,
        initial: int | None = None,
        expiration: int = 0,
        timeout: int | None = None,
    ) -> int: ...
    async def decrement(
        self,
        key: BytesLike,
        delta: int = 1,
        initial: int | None = None,
        expiration: int = 0,
        timeout: int | None = None,
    ) -> int: ...
    @overload
    async def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[False] = False,
        cas: Literal[False] = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, bytes]: ...
    @overload
    async def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[True],
        cas: Literal[False] = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int]]: ...
    @overload
    async def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[False] = False,
        *,
        cas: Literal[True],
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int]]: ...
    @overload
    async def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[False],
        cas: Literal[True],
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int]]: ...
    @overload
    async def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: Literal[True],
        cas: Literal[True],
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, tuple[bytes, int, int]]: ...
    @overload
    async def get_multi(
        self,
        keys: Iterable[BytesLike],
        flags: bool = False,
        cas: bool = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, bytes | tuple[bytes, int] | tuple[bytes, int, int]]: ...
    @overload
    async def gat_multi(
        self,
        keys: Iterable[BytesLike],
        expiration: int = 0,
        flags: Literal[False] = False,
        cas: Literal[False] = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, bytes]: ...
    @overload
    async def gat_multi(
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
    async def gat_multi(
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
    async def gat_multi(
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
    async def gat_multi(
        self,
        keys: Iterable[BytesLike],
        expiration: int = 0,
        flags: bool = False,
        cas: bool = False,
        timeout: int | None = None,
        errors: dict[Any, CommandError] | None = None,
    ) -> dict[bytes, bytes | tuple[bytes, int] | tuple[bytes, int, int]]: ...
    async def set_multi(
        self, items: Mapping[_K, BytesLike], expiration: int = 0, flags: int = 0, timeout: int | None = None
    ) -> dict[_K, CommandError]: ...
    async def delete_multi(
        self, keys: Iterable[_K], timeout: int | None = None
    ) -> dict[_K, CommandError]: ...
    async def noop(self, server_index: int = 0, timeout: int | None = None) -> None: ...
    async def stat(
        self, command: BytesLike = "", server_index: int = 0, timeout: int | None = None
    ) -> dict[bytes, bytes]: ...
    async def version(self, server_index: int = 0, timeout: int | None = None) -> str: ...
    async def flush_all(
        self, expiration: int = 0, server_index: int = 0, timeout: int | None = None
    ) -> None: ...
    async def command(
        self,
        opcode: int,
        key: BytesLike = b"",
        value: BytesLike = b"",
        extra: BytesLike = b"",
        cas: int = 0,
        server_index: int | None = None,
        timeout: int | None = None,
    ) -> list[OMcacheValue]: ...
