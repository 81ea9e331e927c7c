"""Values as texts: for COPY of PostgreSQL, for an INSERT of MySQL. A whole column at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_COPY_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
_SQL_ESCAPES = (("\\", "\\\\"), ("'", "''"), ("\0", "\\0"))
_NONE = type(None)


def literals(values: Sequence[Any], kind: str) -> Sequence[str]:
    """Write values for an INSERT of MySQL, which reads numbers and truth values as Python does."""
    types = set(map(type, values))
    if kind == "bytes":
        return _written(values, types, "x'{}'".format, "NULL")
    if types <= {str, _NONE}:
        return _written(_escaped(values, _SQL_ESCAPES), types, "'{}'".format, "NULL")
    return _written(values, types, repr, "NULL")


def _written(
    values: Sequence[Any], types: set[type], write: Callable[[Any], str], null: str
) -> Sequence[str]:
    if _NONE not in types:
        return list(map(write, values))
    return [null if one is None else write(one) for one in values]


def _escaped(values: Sequence[Any], escapes: Sequence[tuple[str, str]]) -> Sequence[Any]:
    """Replace the characters that mean something, of a whole column at once."""
    text = "".join(filter(None, values))
    for char, written in escapes:
        if char in text:
            values = [one and one.replace(char, written) for one in values]
    return values


def copied(values: Sequence[Any], kind: str) -> Sequence[str]:
    """Write values for COPY."""
    types = set(map(type, values))
    if kind == "bytes":
        return _written(values, types, "\\\\x{}".format, "\\N")
    if types <= {str, _NONE}:
        escaped = _escaped(values, _COPY_ESCAPES)
        return escaped if _NONE not in types else ["\\N" if x is None else x for x in escaped]
    return _written(values, types, repr, "\\N")
