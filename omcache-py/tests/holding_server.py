"""A server that answers nothing before so many requests are there: only who sends ahead ever gets an answer."""

from __future__ import annotations

import socket
import threading

NOT_FOUND = 1


class HoldingServer:
    """A server for one connection."""

    def __init__(self, count: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self._count = count
        self.arrived = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except TimeoutError:
            return
        with connection, connection.makefile("rb") as requests:
            connection.settimeout(20)
            try:
                # The handshake is a NOOP.
                connection.sendall(answer(request(requests.read), 0))
                held = []
                for _ in range(self._count):
                    held.append(request(requests.read))
                    self.arrived += 1
                connection.sendall(b"".join(answer(header, NOT_FOUND) for header in held))
                requests.read()
            except (OSError, EOFError):
                pass

    def __enter__(self) -> HoldingServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(30)


def request(read: object) -> bytes:
    """The header of the next request."""
    header = read(24)  # type: ignore[operator]
    if len(header) < 24:
        raise EOFError
    read(int.from_bytes(header[8:12], "big"))  # type: ignore[operator]
    return bytes(header)


def answer(header: bytes, status: int) -> bytes:
    """An answer without a body to the request with this header."""
    return b"\x81" + header[1:2] + bytes(4) + status.to_bytes(2, "big") + bytes(4) + header[12:16] + bytes(8)
