"""The log: which lines come, at which level, and when."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from conftest import until

import omcache
from omcache import OMcache
from omcache.testing import Server


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(level=0)
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))


@pytest.fixture
def handler() -> Lines:
    return Lines()


@pytest.fixture
def logger(handler: Lines) -> logging.Logger:
    logger = logging.Logger("omcache-test", logging.DEBUG)
    logger.addHandler(handler)
    return logger


def test_levels(logger: logging.Logger, handler: Lines, omcache_server: Server) -> None:
    with OMcache(omcache_server.address, logger) as cache:
        assert cache.log is logger
        cache.set("key", "value")
        name = f"[{omcache_server.address}]"
        assert (logging.INFO, f"{name}: connected") in handler.lines
        messages = [text for level, text in handler.lines if level == logging.DEBUG]
        assert any("sending SET" in text for text in messages)
        assert any("received SET" in text for text in messages)
        omcache_server.stop()
        with pytest.raises(omcache.CommandError):
            cache.get("key")
        with pytest.raises(omcache.CommandError):
            cache.get("key")
        notices = [text for level, text in handler.lines if level == logging.INFO + 1]
        assert any("disabled" in text and name in text for text in notices)
        assert any(level == logging.ERROR for level, _ in handler.lines)


def test_the_effective_level_decides(logger: logging.Logger, handler: Lines, omcache_server: Server) -> None:
    logger.setLevel(logging.INFO)
    with OMcache(omcache_server.address, logger) as cache:
        cache.set("key", "value")
        assert [level for level, _ in handler.lines] == [logging.INFO]
        logger.setLevel(logging.DEBUG)
        cache.set("key", "value")
        assert len(handler.lines) > 1
        count = len(handler.lines)
        logger.setLevel(logging.WARNING)
        cache.disconnect()
        cache.set("key", "value")
        assert len(handler.lines) == count


def test_it_can_be_set_and_taken_away(logger: logging.Logger, handler: Lines, omcache_server: Server) -> None:
    with OMcache(omcache_server.address) as cache:
        cache.set("key", "value")
        assert handler.lines == []
        cache.log = logger
        cache.get("key")
        count = len(handler.lines)
        assert count > 0
        cache.log = None
        cache.get("key")
        assert len(handler.lines) == count and cache.log is None


def test_a_failed_look_up_is_a_warning(logger: logging.Logger, handler: Lines) -> None:
    with OMcache("no-such-host.invalid", logger) as cache:

        def tried() -> bool:
            with pytest.raises(omcache.CommandError):
                cache.get("key", timeout=2000)
            return any(level == logging.WARNING for level, _ in handler.lines)

        until(tried, "the look-up fails")


def test_an_adapter_and_a_stranger(omcache_server: Server) -> None:
    logger = logging.getLogger("omcache-adapter-test")
    with OMcache(omcache_server.address, logging.LoggerAdapter(logger, {})) as cache:
        cache.set("key", "value")

    class Stranger:
        def __init__(self) -> None:
            self.lines: list[tuple[int, str]] = []

        def log(self, level: int, text: str) -> None:
            self.lines.append((level, text))

    stranger: Any = Stranger()
    with OMcache(omcache_server.address, stranger) as cache:
        cache.set("key", "value")
    assert stranger.lines


def test_a_logger_that_fails_fails_no_operation(
    omcache_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def getEffectiveLevel(self) -> int:
            return 10

        def log(self, level: int, text: str) -> None:
            raise ValueError(text)

    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with OMcache(omcache_server.address, Broken()) as cache:
        cache.set("key", "value")
        assert cache.get("key") == b"value"
    assert told and all(isinstance(one.exc_value, ValueError) for one in told)


def test_a_logger_may_use_the_client(omcache_server: Server) -> None:
    class Curious:
        def __init__(self) -> None:
            self.found: list[bytes] = []

        def getEffectiveLevel(self) -> int:
            return 20

        def log(self, level: int, text: str) -> None:
            self.found.append(cache.get("key"))

    curious = Curious()
    cache = OMcache(omcache_server.address)
    cache.set("key", "value")
    cache.log = curious
    cache.disconnect()
    assert cache.get("key") == b"value"
    assert curious.found and set(curious.found) == {b"value"}
    cache.free()
