"""How the values of a column get into a column of another database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .quick import Quick
from .tables import Column

Convert = Callable[[Any], Any]
"""Makes of a value what a driver takes; raises ValueError with the reason."""


@dataclass(frozen=True)
class Target:
    """A column that takes values.

    :param column: the column.
    :param dialect: ``sqlite``, ``postgresql`` or ``mysql`` (MariaDB too).
    :param lossy: cut what it cannot hold: fractions of a second, digits after the point.
    """

    column: Column
    dialect: str
    lossy: bool = False


@dataclass(frozen=True)
class Way:
    """How the values of a column get into another one.

    :param types: of the values that need nothing done; None is always one.
    :param convert: makes of every other value what the target takes, or raises ValueError.
    :param quick: does a whole column at once; raises ValueError where it cannot.
    """

    types: frozenset[type]
    convert: Convert
    quick: Quick | None = None


def apply(found: Way, values: Sequence[Any]) -> Sequence[Any]:
    """Convert the values of a column; None stays what it is.

    :raises ValueError: one cannot be converted.
    """
    if set(map(type, values)) <= found.types | {type(None)}:
        return values
    if found.quick is not None:
        try:
            return found.quick(values)
        except (ValueError, TypeError, KeyError):
            pass  # one by one: that tells which one it is, and why
    convert = found.convert
    return [None if value is None else convert(value) for value in values]
