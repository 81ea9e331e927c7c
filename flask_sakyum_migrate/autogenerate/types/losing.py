"""Whether a column may lose something when it gets another type.

What is known to keep every value keeps it; whatever else is a loss until somebody has looked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from .underlying import underlying

# Characters that a value may take as text.
_WIDTHS: dict[type[Any], int] = {
    sa.Boolean: 5,
    sa.Date: 10,
    sa.Time: 21,
    sa.DateTime: 32,
    sa.Uuid: 36,
    sa.Float: 24,
}
_BITS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INTEGER": 32, "BIGINT": 64}
_DIGITS = {8: 3, 16: 5, 24: 8, 32: 10, 64: 20}  # with the sign
_TEXTS = {"TINYTEXT": 255, "TEXT": 65_535, "MEDIUMTEXT": 2**24, "LONGTEXT": 2**32}
_EXACT = {53: 15, 24: 6}  # decimal digits that a float of so many bits keeps


def may_lose(before: TypeEngine[Any], after: TypeEngine[Any], dialect: sa.Dialect) -> bool:
    """Tell whether a column may lose something.

    :param before: the type it has.
    :param after: the type it gets.
    """
    old: Any
    new: Any
    old, new = underlying(before, dialect), underlying(after, dialect)
    kinds = _kind(old), _kind(new)
    if kinds[0] is kinds[1] is None:
        return type(old) is not type(new)
    keeps = _KEEPS.get(kinds)
    if keeps is None and kinds[1] == "text":
        keeps = _as_text
    return keeps is None or not keeps(old, new, dialect)


def _kind(type_: Any) -> str | None:
    kinds: list[tuple[Any, str]] = [
        (sa.Boolean, "bool"),
        (sa.Integer, "integer"),
        (sa.Float, "float"),
        (sa.Numeric, "numeric"),
        (sa.Enum, "enum"),
        (sa.String, "text"),
        (sa.DateTime, "datetime"),
        (sa.Date, "date"),
        (sa.Time, "time"),
        (sa.JSON, "json"),
        (sa.Uuid, "uuid"),
        (sa.LargeBinary, "binary"),
        (sa.ARRAY, "array"),
    ]
    name = type_.__visit_name__
    if name in ("BINARY", "VARBINARY"):
        return "binary"
    if name == "TINYINT" and getattr(type_, "display_width", None) == 1:
        return "bool"
    return next((kind for cls, kind in kinds if isinstance(type_, cls)), None)


def _length(type_: Any, dialect: sa.Dialect) -> int | None:
    """Return how long a text or a binary may be; None: as long as it likes."""
    if type_.length is not None:
        return int(type_.length)
    if dialect.name in ("mysql", "mariadb") and isinstance(type_, sa.String):
        name = str(type_.compile(dialect=dialect)).split(" ")[0]
        return _TEXTS.get(name)
    return None


def _bits(type_: Any) -> tuple[int, bool]:
    """Return how many bits an integer has, and whether it has no sign."""
    name = type_.__visit_name__.upper().replace("BIG_INTEGER", "BIGINT")
    name = name.replace("SMALL_INTEGER", "SMALLINT")
    return _BITS.get(name, 32), bool(getattr(type_, "unsigned", False))


def _places(type_: Any, dialect: sa.Dialect) -> tuple[float, float]:
    """Return how many digits a number has before and after the point."""
    if type_.precision is None:
        mysql = dialect.name in ("mysql", "mariadb")
        return (10, 0) if mysql else (float("inf"), float("inf"))
    scale = type_.scale or 0
    return type_.precision - scale, scale


def _mantissa(type_: Any, dialect: sa.Dialect) -> int:
    name = str(type_.compile(dialect=dialect)).upper()
    single = name.startswith("REAL") and dialect.name == "postgresql"
    single |= name.startswith("FLOAT") and dialect.name in ("mysql", "mariadb")
    precision = type_.precision
    return 24 if single and (precision is None or precision <= 24) else 53


def _integers(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    (bits, unsigned), (room, only_positive) = _bits(old), _bits(new)
    if unsigned and not only_positive:
        return room > bits
    return room >= bits and unsigned == only_positive


def _integer_to_numeric(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    return _places(new, dialect)[0] >= _DIGITS[_bits(old)[0]] - (_bits(old)[0] == 64)


def _integer_to_float(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    return _bits(old)[0] < _mantissa(new, dialect)


def _numerics(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    pairs = zip(_places(old, dialect), _places(new, dialect), strict=True)
    return all(room >= needed for needed, room in pairs)


def _numeric_to_integer(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    before, behind = _places(old, dialect)
    return behind == 0 and before < _DIGITS[_bits(new)[0]] - (_bits(new)[0] == 64)


def _numeric_to_float(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    return sum(_places(old, dialect)) <= _EXACT[_mantissa(new, dialect)]


def _floats(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    return _mantissa(old, dialect) <= _mantissa(new, dialect)


def _texts(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    needed, room = _length(old, dialect), _length(new, dialect)
    return room is None or (needed is not None and needed <= room)


def _enum_to_text(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    room = _length(new, dialect)
    return room is None or all(len(label) <= room for label in old.enums)


def _enums(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    return set(old.enums) <= set(new.enums)


def _as_text(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    room = _length(new, dialect)
    if room is None:
        return True
    if isinstance(old, sa.Integer):
        return room >= _DIGITS[_bits(old)[0]] + 1
    if isinstance(old, sa.Numeric) and not isinstance(old, sa.Float):
        return room >= sum(_places(old, dialect)) + 2
    return room >= next((width for cls, width in _WIDTHS.items() if isinstance(old, cls)), 2**32)


def _datetimes(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    if old.timezone and not new.timezone:
        return False
    return _fraction(old, dialect) <= _fraction(new, dialect)


def _fraction(type_: Any, dialect: sa.Dialect) -> int:
    """Return how many digits of a second are kept."""
    given = getattr(type_, "fsp", None) or getattr(type_, "precision", None)
    if given is None:
        return 0 if dialect.name in ("mysql", "mariadb") else 6
    return int(given)


def _arrays(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    return not may_lose(old.item_type, new.item_type, dialect)


def _always(old: Any, new: Any, dialect: sa.Dialect) -> bool:
    return True


_KEEPS: dict[tuple[str | None, str | None], Callable[[Any, Any, sa.Dialect], bool]] = {
    ("bool", "bool"): _always,
    ("bool", "integer"): _always,
    ("bool", "numeric"): _always,
    ("bool", "float"): _always,
    ("integer", "integer"): _integers,
    ("integer", "numeric"): _integer_to_numeric,
    ("integer", "float"): _integer_to_float,
    ("numeric", "numeric"): _numerics,
    ("numeric", "integer"): _numeric_to_integer,
    ("numeric", "float"): _numeric_to_float,
    ("float", "float"): _floats,
    ("text", "text"): _texts,
    ("text", "json"): _always,  # what is no JSON is refused
    ("json", "json"): _always,
    ("binary", "binary"): _texts,
    ("enum", "text"): _enum_to_text,
    ("enum", "enum"): _enums,
    ("date", "date"): _always,
    ("date", "datetime"): _always,
    ("datetime", "datetime"): _datetimes,
    ("time", "time"): _datetimes,
    ("uuid", "uuid"): _always,
    ("array", "array"): _arrays,
}
