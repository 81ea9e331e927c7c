"""Functions of an application that are called around a run, and what is said when one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import HookError, MigrateError

Hook = Callable[..., Any]


@dataclass
class Hooks:
    """The functions of an application that are called around a run.

    :param before_upgrade: called with the `Visit` of each database that has something to do, when
        its lock is held and before its first step.
    :param after_upgrade: called with the `UpgradeResult` when something was applied.
    :param before_step: called with the `Step` and its connection, inside the step's transaction.
    :param after_step: called with the same when the version table has the step, still inside.
    :param seed: called without arguments; they fill a new database.
    """

    before_upgrade: Sequence[Hook] = ()
    after_upgrade: Sequence[Hook] = ()
    before_step: Sequence[Hook] = ()
    after_step: Sequence[Hook] = ()
    seed: Sequence[Hook] = ()

    def add(self, moment: str, function: Hook) -> None:
        """Register a function for one of the moments."""
        setattr(self, moment, (*getattr(self, moment), function))

    def call(self, moment: str, *arguments: Any, left: str = "") -> None:
        """Call the functions of a moment, in the order they were registered.

        :param left: said when one fails: what became of the run.
        :raises HookError: one of them raised; a `MigrateError` of its own passes through.
        """
        for function in getattr(self, moment):
            call(moment, function, *arguments, left=left)


def call(moment: str, function: Hook, *arguments: Any, left: str = "") -> None:
    """Call one function; say which one it was, and where, when it fails.

    :raises HookError: it raised; a `MigrateError` of its own passes through.
    """
    try:
        function(*arguments)
    except MigrateError:
        raise
    except Exception as error:
        raise hook_error(moment, function, error, left) from error


def hook_error(moment: str, function: Hook, error: Exception, left: str = "") -> HookError:
    """Say which function failed, where in the application's code, and why."""
    reason = getattr(error, "orig", None) or error
    text = f"{type(reason).__name__}: {' '.join(str(reason).split())}"
    path, line = _place(function, error)
    return HookError(
        f"{moment}: {name_of(function)}() failed: {text}\n  {path}, line {line}",
        left,
        function=name_of(function),
        path=path,
        line=line,
    )


def name_of(function: Hook) -> str:
    """Return the name of a function as its author wrote it."""
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _place(function: Hook, error: Exception) -> tuple[str, int]:
    """Find the last line of the application's own code that was reached."""
    import sysconfig
    import traceback

    others = (str(Path(__file__).parent), *map(sysconfig.get_path, ("purelib", "stdlib")))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((*others, "<")):
            return frame.filename, frame.lineno or 0
    code = getattr(function, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code is not None else ("?", 0)
