"""Numbers and truth values as a column of a database takes them."""

from __future__ import annotations

import decimal
import math
import struct
from typing import Any

from . import quick
from .kinds import is_single
from .ways import Convert, Target, Way


def way_to(target: Target) -> Way:
    """Return how any kind of value gets into a column of numbers or truth values."""
    if target.column.kind == "boolean":
        return Way(frozenset({bool}), _boolean, quick.booleans)
    if target.column.kind == "integer":
        return Way(frozenset({int}), _integer)
    if target.column.kind == "float":
        return _float_way(target)
    plain = target.dialect == "sqlite"
    return Way(frozenset(), _decimal(target), quick.decimals(_scale(target), plain))


def _boolean(value: Any) -> bool:
    if value in (0, 1) and isinstance(value, int):
        return bool(value)
    raise ValueError("it is neither true nor false")


def _integer(value: Any) -> int:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str | float):
        try:
            exact = decimal.Decimal(str(value))
            if exact == exact.to_integral_value():
                return int(exact)
        except (decimal.InvalidOperation, OverflowError, ValueError):
            pass
    raise ValueError("it is not a whole number")


def _float_way(target: Target) -> Way:
    single = is_single(target.column.type, target.dialect)

    def convert(value: Any) -> float:
        if isinstance(value, bool):
            raise ValueError("it is not a number")
        try:
            found = float(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError("it is not a number") from None
        if not math.isfinite(found):
            _refuse_not_finite(found, target)
        elif not target.lossy:
            if isinstance(value, str | int) and not _same_number(value, found):
                raise ValueError("a float does not hold it exactly")
            if single and not _is_single(found):
                raise ValueError("a float of 4 bytes does not hold it exactly")
        return found

    if single:
        return Way(frozenset(), convert)
    return Way(frozenset({float}), convert, quick.floats)


def _refuse_not_finite(value: float, target: Target) -> None:
    """Refuse NaN and infinities where a column has none."""
    if target.dialect == "postgresql" or (target.dialect == "sqlite" and math.isinf(value)):
        return
    raise ValueError("the database has no such number")


def _same_number(value: Any, found: float) -> bool:
    return decimal.Decimal(value) == decimal.Decimal(repr(found))


def _is_single(value: float) -> bool:
    """Tell whether a float of 4 bytes is read as this value again.

    PostgreSQL writes 1.1 for the one that is nearest to it.
    """
    single = _single(value)
    return single == value or any(float(f"{single:.{digits}g}") == value for digits in (6, 7, 8, 9))


def _single(value: float) -> float:
    try:
        found: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.inf
    return found


def _decimal(target: Target) -> Convert:
    scale = _scale(target)
    sqlite = target.dialect == "sqlite"

    def convert(value: Any) -> Any:
        text = value if isinstance(value, str) else _number_text(value)
        try:
            number = decimal.Decimal(text)
        except decimal.InvalidOperation:
            raise ValueError("it is not a number") from None
        if not number.is_finite():
            _refuse_not_finite(float(number), target)
            return float(number) if sqlite else text
        if not sqlite:
            return _scaled(text, number, scale, target.lossy)
        whole = number == number.to_integral_value() and abs(number) < 2**63
        found = int(number) if whole else float(number)
        if not target.lossy and not whole and decimal.Decimal(repr(found)) != number:
            raise ValueError("SQLite keeps 15 digits of a number, and it has more")
        return found

    return convert


def _scale(target: Target) -> int | None:
    scale: int | None = getattr(target.column.type, "scale", None)
    return 0 if target.dialect == "mysql" and scale is None else scale


def _scaled(text: str, number: decimal.Decimal, scale: int | None, lossy: bool) -> str:
    digits = -int(number.as_tuple().exponent)
    if scale is None or digits <= scale:
        return text
    step = decimal.Decimal(1).scaleb(-scale)
    with decimal.localcontext() as context:
        context.prec = max(len(number.as_tuple().digits) + digits, 28)
        rounded = number.quantize(step)
    if rounded != number and not lossy:
        raise ValueError(f"the column keeps {scale} digits after the point")
    return format(rounded, "f")


def _number_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("it is not a number")
    return repr(value)
