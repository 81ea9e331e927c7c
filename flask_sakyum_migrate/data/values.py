"""A value of a dump as a column of a database takes it, exactly, or a reason why not.

What JSON gave comes in; out goes what the driver takes: Python's own types for SQLite, and texts,
numbers and truth values for what is written as text (COPY, INSERT).
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
import re
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import quick
from .kinds import ARRAY, is_single
from .tables import Column

Convert = Callable[[Any], Any]

_EPOCH = datetime.datetime(1970, 1, 1)
_INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?"
    r"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?[\d.]+)S)?)?"
)
_UTC = ("+00", "+00:00", "Z")


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
    quick: quick.Quick | None = None


def way(kind: str, target: Target) -> Way:
    """Return how values of a kind get into a column.

    :param kind: of the column they come from.
    :raises ValueError: they never do.
    """
    wanted = target.column.kind
    if wanted.startswith(ARRAY):
        return Way(frozenset(), _array(kind, target))
    if kind.startswith(ARRAY):
        if wanted in ("json", "text", "other"):
            return Way(frozenset(), lambda value: json.dumps(value, ensure_ascii=False))
        raise ValueError(f"an array cannot become {wanted}")
    plain = target.dialect == "sqlite"
    makers = {
        "boolean": lambda: Way(frozenset({bool}), _boolean, quick.booleans),
        "integer": lambda: Way(frozenset({int}), _integer),
        "float": lambda: _float_way(target),
        "decimal": lambda: Way(
            frozenset(), _decimal(target), quick.decimals(_scale(target), plain)
        ),
        "bytes": lambda: Way(frozenset(), _bytes(target), quick.hexadecimal(plain)),
        "uuid": lambda: Way(frozenset(), _uuid, quick.uuids),
        "interval": lambda: Way(frozenset(), _interval),
        "json": lambda: _json_way(kind, target),
        "date": lambda: Way(frozenset(), _date(target), quick.dates(plain)),
        "time": lambda: Way(frozenset(), _time(target)),
        "timetz": lambda: Way(frozenset({str}), _text("time")),
        "datetime": lambda: _datetime_way(kind, target),
        "datetimetz": lambda: _datetime_way(kind, target),
        "text": lambda: _text_way(kind, target),
        "other": lambda: _other_way(kind, target),
    }
    if kind == "bytes" and wanted not in ("bytes", "other"):
        raise ValueError(f"bytes cannot become {wanted}")
    return makers[wanted]()


def apply(found: Way, values: list[Any]) -> list[Any]:
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


# ---- numbers -----------------------------------------------------------------------------------


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
            refuse_not_finite(found, target)
        elif not target.lossy:
            if isinstance(value, str | int) and not _same_number(value, found):
                raise ValueError("a float does not hold it exactly")
            if single and _single(found) != found:
                raise ValueError("a float of 4 bytes does not hold it exactly")
        return found

    if single:
        return Way(frozenset(), convert)
    return Way(frozenset({float}), convert, quick.floats)


def refuse_not_finite(value: float, target: Target) -> None:
    """Refuse NaN and infinities where a column has none."""
    if target.dialect == "postgresql" or (target.dialect == "sqlite" and math.isinf(value)):
        return
    raise ValueError("the database has no such number")


def _same_number(value: Any, found: float) -> bool:
    return decimal.Decimal(value) == decimal.Decimal(repr(found))


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
            refuse_not_finite(float(number), target)
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


# ---- text, bytes, structures -------------------------------------------------------------------


def _text_way(kind: str, target: Target) -> Way:
    length = getattr(target.column.type, "length", None)
    if kind == "uuid" and length == 32:  # what SQLAlchemy's Uuid is where there is no such type
        return Way(frozenset(), lambda value: _uuid(value).replace("-", ""))
    return Way(frozenset({str}), _text(kind))


def _text(kind: str) -> Convert:
    def convert(value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return repr(value)
        raise ValueError("it is not a text")

    return convert


def _other_way(kind: str, target: Target) -> Way:
    if target.dialect != "sqlite":
        convert = _text(kind)
        if kind == "bytes":
            convert = _bytes(target)
        return Way(frozenset({str}), convert)
    if kind == "bytes":
        return Way(frozenset(), _bytes(target))

    def anything(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"bytes"}:
            return bytes.fromhex(value["bytes"])
        if isinstance(value, list | dict):
            return json.dumps(value, ensure_ascii=False)
        return value

    return Way(frozenset({str, int, float}), anything)


def _bytes(target: Target) -> Convert:
    sqlite = target.dialect == "sqlite"

    def convert(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"text"}:
            raise ValueError("it is a text, not bytes")
        try:
            found = bytes.fromhex(value.removeprefix("\\x"))
        except (ValueError, AttributeError):
            raise ValueError("it is not bytes in hexadecimal") from None
        return found if sqlite else found.hex()

    return convert


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise ValueError("it is not a UUID") from None


def _json_way(kind: str, target: Target) -> Way:
    # PostgreSQL and MySQL look at it themselves; SQLite's JSON is any text.
    trusted = kind == "json" or (target.dialect != "sqlite" and kind in ("text", "other"))
    return Way(frozenset({str}) if trusted else frozenset(), _json(kind))


def _json(kind: str) -> Convert:
    written = kind in ("json", "text", "other")

    def convert(value: Any) -> str:
        if not (written and isinstance(value, str)):
            return json.dumps(value, ensure_ascii=False)
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("it is not JSON") from None
        return value

    return convert


def _array(kind: str, target: Target) -> Convert:
    inner = kind.removeprefix(ARRAY) if kind.startswith(ARRAY) else "other"
    wanted = target.column.kind.removeprefix(ARRAY)
    item = getattr(target.column.type, "item_type", None)
    element = way(inner, Target(Column("", item), target.dialect, target.lossy)).convert
    natural = inner == wanted or inner == "other"

    def literal(value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, list):
            return "{" + ",".join(map(literal, value)) + "}"
        found = value if natural and isinstance(value, str) else element(value)
        text = found if isinstance(found, str) else repr(found).lower()
        if wanted == "bytes":
            text = "\\x" + text.removeprefix("\\x")
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def convert(value: Any) -> str:
        found = value
        if isinstance(value, str):
            try:
                found = json.loads(value)
            except ValueError:
                found = None
        if not isinstance(found, list):
            raise ValueError("it is not an array")
        return literal(found)

    return convert


# ---- dates and times ---------------------------------------------------------------------------


def _date(target: Target) -> Convert:
    postgresql = target.dialect == "postgresql"

    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("it is not a date")
        text, _, time = value.replace("T", " ").partition(" ")
        if time and not time.startswith(("BC", "00:00:00")) and not target.lossy:
            raise ValueError("the column keeps no time of day")
        if postgresql:
            return f"{text} BC" if value.endswith(" BC") else text
        try:
            datetime.date.fromisoformat(text)
        except ValueError:
            if target.dialect == "mysql" and text.startswith("0000"):
                return text  # MySQL's date that is none
            raise ValueError("it is not a date that this database has") from None
        return text

    return convert


def _fraction(target: Target) -> int:
    """Return how many digits of a second a column keeps."""
    if target.dialect == "mysql":
        return int(getattr(target.column.type, "fsp", None) or 0)
    precision = getattr(target.column.type, "precision", None)
    return 6 if precision is None else int(precision)


def _cut(text: str, digits: int, lossy: bool) -> str:
    """Return a time of day with no more digits after the second than a column keeps."""
    head, point, fraction = text.partition(".")
    if not point or len(fraction) <= digits:
        return text
    if fraction[digits:].strip("0") and not lossy:
        what = f"{digits} digits of a second" if digits else "whole seconds only"
        raise ValueError(f"the column keeps {what}")
    return f"{head}.{fraction[:digits]}" if digits else head


def _time(target: Target) -> Convert:
    digits = _fraction(target)
    sqlite = target.dialect == "sqlite"

    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("it is not a time")
        text = value
        if re.search(r"[+-]", text[1:]):
            raise ValueError("the column keeps no time zone")
        text = _cut(text, digits, target.lossy)
        if not sqlite:
            return text
        text = _six(text)
        try:
            datetime.time.fromisoformat(text)
        except ValueError:
            raise ValueError("it is not a time that this database has") from None
        return text

    return convert


def _six(text: str) -> str:
    """Write a time as SQLAlchemy does for SQLite, with six digits of a second."""
    head, _, fraction = text.partition(".")
    return f"{head}.{fraction[:6]:0<6}"


def _datetime_way(kind: str, target: Target) -> Way:
    zone = "+00" if kind == "datetimetz" else ""
    kept = zone if target.dialect == "postgresql" and target.column.kind == "datetimetz" else ""
    sqlite = target.dialect == "sqlite"
    found = quick.moments(_fraction(target), zone, keeps_zone=bool(kept), checks=sqlite)
    return Way(frozenset(), _datetime(kind, target), found)


def _datetime(kind: str, target: Target) -> Convert:
    digits = _fraction(target)
    interval = kind == "interval"
    sqlite, postgresql = target.dialect == "sqlite", target.dialect == "postgresql"
    zone = postgresql and target.column.kind == "datetimetz"

    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("it is not a date and time")
        text = str(_EPOCH + _timedelta(value)) if interval else value.replace("T", " ")
        if postgresql and (text.endswith("BC") or text.strip("-") == "infinity"):
            return text
        if len(text) == 10:
            text += " 00:00:00"
        text = _cut(_utc(text), digits, target.lossy)
        if postgresql:
            return text + "+00" if zone else text
        checked = _six(text)
        try:
            datetime.datetime.fromisoformat(checked)
        except ValueError:
            if target.dialect == "mysql" and text.startswith("0000"):
                return text
            raise ValueError("it is not a date and time that this database has") from None
        return checked if sqlite else text

    return convert


def _utc(text: str) -> str:
    """Return a date and time in UTC, without saying so."""
    for end in _UTC:
        if text.endswith(end):
            return text[: -len(end)]
    if len(text) > 19 and ("+" in text[19:] or "-" in text[19:]):
        try:
            moment = datetime.datetime.fromisoformat(text)
            return str(moment.astimezone(datetime.timezone.utc).replace(tzinfo=None))
        except (ValueError, OverflowError):
            raise ValueError("its time zone cannot be read") from None
    return text


def _interval(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it is not an interval")
    if value.startswith(("P", "-P")):
        return value
    try:  # what SQLAlchemy's Interval is where there is no such type: a time since 1970
        span = datetime.datetime.fromisoformat(_six(value.replace("T", " "))) - _EPOCH
    except ValueError:
        raise ValueError("it is not an interval") from None
    return f"P{span.days}DT{span.seconds}.{span.microseconds:06}S"


def _timedelta(text: str) -> datetime.timedelta:
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise ValueError("it is not an interval")
    years, months, weeks, days, hours, minutes = (int(one or 0) for one in match.groups()[:6])
    if years or months:
        raise ValueError("it has months, whose length this database does not know")
    micros = int(decimal.Decimal(match[7] or 0) * 1_000_000)
    try:
        return datetime.timedelta(
            weeks=weeks, days=days, hours=hours, minutes=minutes, microseconds=micros
        )
    except OverflowError:
        raise ValueError("it is too long for this database") from None
