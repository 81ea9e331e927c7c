"""The values of a whole column at once, where they are what they mostly are.

Each of these gives what `values` gives one by one, or raises, and then that is done. None stays.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Any

Quick = Callable[[Sequence[Any]], Sequence[Any]]

_BOOLEANS = {0: False, 1: True, None: None}
_HEXADECIMAL = re.compile("[0-9A-Fa-f]*")
_UUIDS = re.compile(r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n|[0-9a-f]{32}\n)*")
_DATES = re.compile(r"(?:[1-9]\d{3}-\d\d-\d\d\n)*", re.ASCII)
_EXACT = 2**53


def booleans(values: Sequence[Any]) -> Sequence[Any]:
    """SQLite and MySQL have 0 and 1."""
    return list(map(_BOOLEANS.__getitem__, values))


def floats(values: Sequence[Any]) -> Sequence[Any]:
    """Some databases write 1.0 as 1."""
    given = [one for one in values if one is not None]
    if not set(map(type, given)) <= {int, float}:
        raise ValueError
    if any(type(one) is int and not -_EXACT <= one <= _EXACT for one in given):
        raise ValueError
    return _each(float, values, given)


def decimals(scale: int | None, as_number: bool) -> Quick:
    """Return what takes numbers with no more digits than the column has.

    :param scale: digits after the point.
    :param as_number: SQLite keeps a float, which is exact for 15 digits.
    """
    fraction = r"(?:\.\d*)?" if scale is None else rf"(?:\.\d{{1,{scale}}})?" if scale else ""
    pattern = re.compile(rf"(?:-?\d+{fraction}\n)*", re.ASCII)

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        given = _match(pattern, values)
        if not as_number:
            return values
        if max(map(len, given), default=0) > 16:
            raise ValueError
        return _each(float, values, given)

    return convert


def hexadecimal(as_bytes: bool) -> Quick:
    """Return what takes bytes in hexadecimal; SQLite's driver takes bytes."""

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        given = [one for one in values if one is not None]
        if _HEXADECIMAL.fullmatch("".join(given)) is None or any(
            n & 1 for n in set(map(len, given))
        ):
            raise ValueError
        if not as_bytes:
            return values
        return _each(bytes.fromhex, values, given)

    return convert


def uuids(values: Sequence[Any]) -> Sequence[Any]:
    """Take UUIDs with dashes or without."""
    _match(_UUIDS, values)
    return values


def dates(checks: bool) -> Quick:
    """Return what takes dates.

    :param checks: whether the database does not look whether there is such a day.
    """

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        given = _match(_DATES, values)
        if checks:
            list(map(datetime.date.fromisoformat, given))
        return values

    return convert


def moments(digits: int, zone: str, *, keeps_zone: bool, checks: bool) -> Quick:
    """Return what takes dates with times.

    :param digits: how many of a second the column keeps.
    :param zone: what each ends with.
    :param keeps_zone: whether it goes in with the value.
    :param checks: as for `dates`; there are six digits then, as SQLAlchemy writes them.
    """
    fraction = rf"(?:\.\d{{1,{digits}}})?" if digits else ""
    one = rf"[1-9]\d{{3}}-\d\d-\d\d \d\d:\d\d:\d\d{fraction}{re.escape(zone)}\n"
    pattern = re.compile(rf"(?:{one})*", re.ASCII)

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        given = _match(pattern, values)
        if zone and not keeps_zone:
            values = [None if one is None else one[: -len(zone)] for one in values]
        if checks and set(map(len, given)) == {26} and (keeps_zone or not zone):
            list(map(datetime.datetime.fromisoformat, given))
        elif checks:
            values = [
                one if one is None or len(one) == 26 else f"{one}{'.000000'[len(one) - 19 :]}"
                for one in values
            ]
            list(map(datetime.datetime.fromisoformat, filter(None, values)))
        return values

    return convert


def _each(
    convert: Callable[[Any], Any], values: Sequence[Any], given: Sequence[Any]
) -> Sequence[Any]:
    """Convert the values that are there.

    :param given: those.
    """
    if len(given) == len(values):
        return list(map(convert, values))
    return [None if one is None else convert(one) for one in values]


def _match(pattern: re.Pattern[str], values: Sequence[Any]) -> list[str]:
    """See to it that all values match; return those that are there."""
    given = [one for one in values if one is not None]
    if pattern.fullmatch("\n".join([*given, ""])) is None or "\n" in given:
        raise ValueError
    return given
