"""A memcached process of a test's own: at a port that the kernel chooses, paused and killed at will."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 20.0
"""Seconds that a process may take to start or to stop."""


class Memcached:
    """A running memcached."""

    def __init__(self, *arguments: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._start("-1")
        self.port = self._told_port()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _start(self, port: str) -> None:
        environment = dict(os.environ, MEMCACHED_PORT_FILENAME=str(self._port_file))
        command = ["memcached", "-l", "127.0.0.1", "-p", port, "-t", "1", *self._arguments]
        if os.geteuid() == 0:
            command += ["-u", "root"]
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    @property
    def _port_file(self) -> Path:
        return Path(self._folder.name) / "port"

    def _told_port(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._port_file.exists():
                for line in self._port_file.read_text().splitlines():
                    if line.startswith("TCP INET: "):
                        return int(line.split(": ")[1])
            assert self._process is not None and self._process.poll() is None, "memcached ended"
            time.sleep(0.005)
        raise AssertionError("memcached does not tell its port")

    def pause(self) -> None:
        """Stop the process; the kernel goes on accepting connections for it."""
        self._signal(signal.SIGSTOP)
        # The signal takes its time to arrive; meanwhile the server would go on answering.
        assert self._process is not None
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self) -> None:
        """Start again, empty, at the same port."""
        self.kill()
        self._start(str(self.port))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.005)
        raise AssertionError("memcached does not listen")

    def close(self) -> None:
        self.kill()
        self._folder.cleanup()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
