"""What a database says about a row that it does not take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_COLUMN = re.compile(r"column (?:`[^`]+`\.)*['\"`]?([^'\"`:]+?)['\"`]?(?: at row| of|$|:)")


class Rejected(Exception):  # noqa: N818 - it never leaves this room
    """The database did not take a row.

    :param at: which one of those given, from 0; None when the database does not say.
    :param column: the column, and its ``value``, as far as the database names them.
    """

    def __init__(
        self, reason: str, at: int | None, column: str = "", value: str | None = None
    ) -> None:
        super().__init__(reason)
        named = _COLUMN.search(reason)
        self.reason, self.at = re.sub(r" at row \d+$", "", reason), at
        self.value = value
        self.column = column or (named[1] if named else "")


def words(error: BaseException) -> str:
    """Return what a driver said, on one line."""
    diag = getattr(error, "diag", None)
    if diag is not None and getattr(diag, "message_primary", None):
        parts = [diag.message_primary, diag.message_detail]
        return ". ".join(one.rstrip(".") for one in parts if one)
    args: Sequence[Any] = error.args
    text: Any = args[1] if len(args) > 1 and isinstance(args[0], int) else error
    if isinstance(error, OverflowError):
        text = "SQLite keeps whole numbers of 64 bits"
    if isinstance(error, UnicodeEncodeError):
        text = "it has half of a character (a lone surrogate)"
    return " ".join(str(text).split()).rstrip(".")
