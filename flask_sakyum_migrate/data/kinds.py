"""Which kind of value a column holds, whatever the database calls its type."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

_BY_PYTHON_TYPE = {
    bool: "boolean",
    int: "integer",
    float: "float",
    decimal.Decimal: "decimal",
    str: "text",
    bytes: "bytes",
    datetime.date: "date",
    datetime.timedelta: "interval",
    uuid.UUID: "uuid",
    dict: "json",
}
ARRAY = "array:"
"""How the kind of an array begins; behind it is that of its elements."""


def kind_of(type_: Any) -> str:
    """Return the kind of value of a type that was read from a database.

    :returns: ``boolean integer float decimal text bytes date time timetz datetime datetimetz
        interval uuid json``, ``array:`` and one of them, or ``other``: the database's own text.
    """
    if isinstance(type_, postgresql.DOMAIN):
        return kind_of(type_.data_type)
    if isinstance(type_, sa.ARRAY):
        return ARRAY + kind_of(type_.item_type)
    if isinstance(type_, mysql.BIT | mysql.YEAR):
        return "integer"
    if isinstance(type_, mysql.TIMESTAMP):
        return "datetimetz"  # it is kept in UTC, and shown in the zone of the session
    if isinstance(type_, sa.Time):
        return "timetz" if type_.timezone else "time"
    if isinstance(type_, sa.DateTime):
        return "datetimetz" if type_.timezone else "datetime"
    if isinstance(type_, postgresql.BIT | postgresql.HSTORE):
        return "other"
    if isinstance(type_, sa.Float):
        return "float"
    try:
        return _BY_PYTHON_TYPE.get(type_.python_type, "other")
    except NotImplementedError:
        return "other"


def is_single(type_: Any, dialect: str) -> bool:
    """Tell whether a type keeps 4 bytes of a float, which is not what Python has."""
    if isinstance(type_, sa.REAL | mysql.FLOAT):
        return dialect != "sqlite"
    return False
