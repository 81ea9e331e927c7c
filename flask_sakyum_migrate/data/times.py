"""Dates, times and intervals as a column of a database takes them."""

from __future__ import annotations

import datetime
import decimal
import re
from typing import Any

from . import quick
from .ways import Convert, Target, Way

_EPOCH = datetime.datetime(1970, 1, 1)
_INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?"
    r"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?[\d.]+)S)?)?"
)
_UTC = ("+00", "+00:00", "Z")


def way_to(kind: str, target: Target) -> Way:
    """Return how values of a kind get into a column of dates, times or intervals."""
    wanted = target.column.kind
    if wanted == "date":
        return Way(frozenset(), _date(target), quick.dates(checks=target.dialect == "sqlite"))
    if wanted == "time":
        return Way(frozenset(), _time(target))
    if wanted == "interval":
        return Way(frozenset(), _interval)
    return _datetime_way(kind, target)


def _date(target: Target) -> Convert:
    postgresql = target.dialect == "postgresql"

    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("it is not a date")
        if value.endswith(" BC") and not postgresql:
            raise ValueError("it is before the year 1, which this database does not have")
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
