"""A pytest plugin for pylibmc's own tests: they run on omcache_pylibmc, with a memcached where they expect one.

pylibmc's sources are not imported. The examples in their docstrings run in the module of ours that stands for theirs.
"""

from __future__ import annotations

import ast
import doctest
import fcntl
import importlib
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

#: Where pylibmc's tests look for memcached.
ADDRESS = ("127.0.0.1", 11211)

#: The modules of pylibmc that ours stand for.
MODULES = ("", ".autoconf", ".client", ".consts", ".pools", ".test")

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1

for _name in MODULES:
    sys.modules["pylibmc" + _name] = importlib.import_module("omcache_pylibmc" + _name)
sys.modules["_pylibmc"] = importlib.import_module("omcache_pylibmc._pylibmc")

_memcached: Optional[subprocess.Popen[bytes]] = None


def _raise_loopback() -> None:
    """Switch the loopback interface on: in a new network namespace it is off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack_from("16xH", fcntl.ioctl(control, _SIOCGIFFLAGS, request))
        if not flags & _IFF_UP:
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _is_taken() -> bool:
    try:
        socket.create_connection(ADDRESS, 1).close()
    except OSError:
        return False
    return True


def pytest_configure() -> None:
    """Start memcached."""
    global _memcached
    _raise_loopback()
    if _is_taken():
        raise pytest.UsageError(f"{ADDRESS} is taken: pylibmc's tests want a memcached of their own there")
    program = shutil.which("memcached")
    if program is None:
        raise pytest.UsageError("memcached is not installed")
    _memcached = subprocess.Popen([program, "-u", "root", "-l", ADDRESS[0], "-p", str(ADDRESS[1]), "-U", "0"])
    until = time.monotonic() + 10
    while not _is_taken():
        if time.monotonic() > until or _memcached.poll() is not None:
            raise pytest.UsageError("memcached did not start")
        time.sleep(0.01)


def pytest_unconfigure() -> None:
    """Stop memcached."""
    if _memcached is not None:
        _memcached.kill()
        _memcached.wait()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Optional[pytest.Collector]:
    """Take the examples of pylibmc's modules."""
    if file_path.suffix == ".py" and file_path.parent.name == "pylibmc":
        return _Module.from_parent(parent, path=file_path)
    return None


class _Module(pytest.File):
    """A module of pylibmc, read and not imported."""

    def collect(self) -> Iterator[pytest.Item]:
        stem = self.path.stem
        module = sys.modules.get("pylibmc" if stem == "__init__" else f"pylibmc.{stem}")
        tree = ast.parse(self.path.read_text())
        for node in ast.walk(tree):
            if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                continue
            text = ast.get_docstring(node)
            name = getattr(node, "name", stem)
            names = dict(vars(module)) if module is not None else {}
            test = doctest.DocTestParser().get_doctest(text or "", names, name, str(self.path), 0)
            if test.examples:
                yield _Examples.from_parent(self, name=name, test=test)


class _Examples(pytest.Item):
    """The examples of one docstring."""

    def __init__(self, *, test: doctest.DocTest, **more: Any) -> None:
        super().__init__(**more)
        self._test = test

    def runtest(self) -> None:
        runner = doctest.DocTestRunner()
        said: list[str] = []
        if runner.run(self._test, out=said.append).failed:
            pytest.fail("".join(said), pytrace=False)
