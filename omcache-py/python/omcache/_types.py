"""Types that the package's signatures name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Union

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    BytesLike = Union[str, ReadableBuffer]
    """A key or value: text is sent as UTF-8."""
else:
    BytesLike = Union[str, bytes, bytearray, memoryview]


class Logger(Protocol):
    """What of a `logging.Logger` is used."""

    def getEffectiveLevel(self) -> int:
        """The lowest level that is let through."""

    def log(self, level: int, msg: str, /) -> Any:
        """Take a line."""
