"""The log of the core, handed to `logging`."""

from __future__ import annotations

import logging

from onegrid import _ffi, _raw
from onegrid._border import call
from onegrid._ffi import LogLevel

__all__ = ["LogLevel", "log_to", "stop_log"]

LEVELS: dict[LogLevel, int] = {
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARN: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.DEBUG: logging.DEBUG,
}


def log_to(logger: logging.Logger, level: LogLevel = LogLevel.INFO) -> None:
    """Sends the log of the core to `logger` from now on, in place of an earlier one.

    The core filters by `level`, so that less costs less. Lines hold codes and counts, never content, names or
    positions. They arrive on a thread of their own; lines that come faster than the logger takes them are
    counted in the support bundle and left out. An exception of a handler is ignored.
    """
    call(_ffi.set_log_sink, _LogAdapter(logger), level)


def stop_log() -> None:
    """Ends the log."""
    call(_ffi.clear_log_sink)


class _LogAdapter(_ffi.LogSink):
    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def log(self, line: _ffi.LogLine) -> None:
        try:
            record = self._logger.makeRecord(
                self._logger.name, LEVELS[line.level], line.target, 0, line.text, (), None
            )
            record.created = line.at_ms / 1000
            self._logger.handle(record)
        except BaseException as error:
            raise _raw.ListenerError.Failed(type(error).__name__) from None
