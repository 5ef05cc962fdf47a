"""Numbers of the protocol and of syslog, and the tuples that answers are told as."""

from __future__ import annotations

from typing import NamedTuple, Optional

DELTA_NO_ADD = 0xFFFFFFFF
"""An expiration that keeps increment and decrement from making a missing counter."""

LOG_ERR = 3
LOG_WARNING = 4
LOG_NOTICE = 5
LOG_INFO = 6
LOG_DEBUG = 7

CMD_GET = 0x00
CMD_SET = 0x01
CMD_ADD = 0x02
CMD_REPLACE = 0x03
CMD_DELETE = 0x04
CMD_INCREMENT = 0x05
CMD_DECREMENT = 0x06
CMD_QUIT = 0x07
CMD_FLUSH = 0x08
CMD_GETQ = 0x09
CMD_NOOP = 0x0A
CMD_VERSION = 0x0B
CMD_GETK = 0x0C
CMD_GETKQ = 0x0D
CMD_APPEND = 0x0E
CMD_PREPEND = 0x0F
CMD_STAT = 0x10
CMD_SETQ = 0x11
CMD_ADDQ = 0x12
CMD_REPLACEQ = 0x13
CMD_DELETEQ = 0x14
CMD_INCREMENTQ = 0x15
CMD_DECREMENTQ = 0x16
CMD_QUITQ = 0x17
CMD_FLUSHQ = 0x18
CMD_APPENDQ = 0x19
CMD_PREPENDQ = 0x1A
CMD_VERBOSITY = 0x1B
CMD_TOUCH = 0x1C
CMD_GAT = 0x1D
CMD_GATQ = 0x1E
CMD_SASL_LIST_MECHS = 0x20
CMD_SASL_AUTH = 0x21
CMD_SASL_STEP = 0x22
CMD_GATK = 0x23
CMD_GATKQ = 0x24


class OMcacheValue(NamedTuple):
    """A response as it was received."""

    status: int
    key: bytes
    value: bytes
    flags: int
    cas: int
    delta_value: int


class ServerInfo(NamedTuple):
    """What is known of a server."""

    server_index: int
    """Its place in the list of servers."""
    host: str
    port: str
    weight: int
    state: str
    """`idle`, `connecting` and `ready` servers take keys; `disabled` and `retrying` ones do not."""
    last_failure: Optional[str]
    """Why it could last not be reached."""
    retry_msec: Optional[int]
    """Milliseconds until a disabled server is tried again."""
