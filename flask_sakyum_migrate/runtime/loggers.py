"""Keep the application's logging as it is while an env.py runs."""

from __future__ import annotations

import functools
import logging
import logging.config
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def untouched_logging() -> Iterator[None]:
    """Keep the application's logging as it is, whatever env.py does to it.

    ``fileConfig()``, which the env.py files of every tutorial call, disables the loggers that
    exist, and closes and replaces the handlers of the root logger. In this thread it does
    nothing meanwhile; levels, handlers and flags that change another way are put back.
    """
    before = {name: _state(logger) for name, logger in _loggers()}
    original = logging.config.fileConfig
    thread = threading.get_ident()

    @functools.wraps(original)
    def file_config(*args: Any, **kwargs: Any) -> Any:
        return None if threading.get_ident() == thread else original(*args, **kwargs)

    logging.config.fileConfig = file_config
    try:
        yield
    finally:
        logging.config.fileConfig = original
        for name, logger in _loggers():
            if name in before and _state(logger) != before[name]:
                logger.disabled, level, logger.propagate, handlers = before[name]
                logger.setLevel(level)
                logger.handlers[:] = handlers


@contextmanager
def silenced(name: str) -> Iterator[None]:
    """Keep a logger and those below it quiet: what is tried did not happen."""
    mine = [one for key, one in _loggers() if f"{key}.".startswith(f"{name}.") and not one.disabled]
    for logger in mine:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in mine:
            logger.disabled = False


def _loggers() -> list[tuple[str, logging.Logger]]:
    named = logging.root.manager.loggerDict.copy()
    known = [(name, one) for name, one in named.items() if isinstance(one, logging.Logger)]
    return [("", logging.root), *known]


def _state(logger: logging.Logger) -> tuple[bool, int, bool, Sequence[logging.Handler]]:
    return logger.disabled, logger.level, logger.propagate, tuple(logger.handlers)
