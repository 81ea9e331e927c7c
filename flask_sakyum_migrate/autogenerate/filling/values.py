"""Values for rows that have none: what a model says, what a person types, what is neutral."""

from __future__ import annotations

import contextlib
import datetime
import enum
import json
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from ..types.underlying import is_decorator, underlying
from ..writing.rendering import render_expression

SQL = "sql:"
"""Typed before an expression of the database."""


@dataclass(frozen=True)
class Value:
    """What rows get.

    :param plain: a value of Python.
    :param sql: or an expression, which the database computes for each row.
    """

    plain: Any = None
    sql: sa.ClauseElement | None = None

    def code(self, context: AutogenContext) -> str:
        """Return it as it stands in a revision, with the imports noted."""
        if self.sql is not None:
            return render_expression(self.sql, context)
        for type_, line in _IMPORTS.items():
            if isinstance(self.plain, type_):
                context.imports.add(line)
        return repr(self.plain)

    def __str__(self) -> str:
        return str(self.sql) if self.sql is not None else repr(self.plain)


_IMPORTS: dict[type[Any], str] = {
    Decimal: "from decimal import Decimal",
    uuid.UUID: "from uuid import UUID",
    datetime.date: "import datetime",
    datetime.time: "import datetime",
    datetime.timedelta: "import datetime",
}
_PLAIN = (bool, int, float, str, bytes, type(None), *_IMPORTS)


def of_model(column: sa.Column[Any], dialect: sa.Dialect) -> tuple[Value | None, str]:
    """Return the default that a model gives to new rows.

    :returns: it, or None with the reason.
    """
    default: Any = column.default
    if default is None:
        if isinstance(column.server_default, sa.DefaultClause):
            return of_server_default(column.server_default, column.type, dialect), ""
        return None, "no default"
    if default.is_clause_element:
        return Value(sql=default.arg), ""
    if not default.is_scalar:
        return None, "a default that only Python can compute"
    plain = _as_stored(default.arg, column.type, dialect)
    if not _is_literal(plain):
        return None, "a default that cannot be written to a file"
    return Value(plain), ""


def of_server_default(
    default: sa.DefaultClause, type_: TypeEngine[Any], dialect: sa.Dialect
) -> Value:
    """Return what the database gives to new rows, for the others."""
    if not isinstance(default.arg, str):
        return Value(sql=default.arg)
    try:
        return typed(default.arg, type_, dialect)
    except ValueError:
        return Value(sql=sa.literal(default.arg))


def typed(text: str, type_: TypeEngine[Any], dialect: sa.Dialect) -> Value:
    """Read what a person typed for a column.

    :raises ValueError: it is no value of the type.
    """
    if text.startswith(SQL):
        return Value(sql=sa.text(text.removeprefix(SQL).strip().replace(":", "\\:")))
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1].replace("''", "'")
    kind_of = underlying(type_, dialect)
    for kind, read in _READERS:
        if isinstance(kind_of, kind):
            return Value(read(text, kind_of))
    raise ValueError("a value of it has to be an expression: sql:...")


def neutral(type_: TypeEngine[Any], dialect: sa.Dialect) -> Value | None:
    """Return a value that says nothing; None for a type that has none."""
    kind_of = underlying(type_, dialect)
    if isinstance(kind_of, sa.Enum):
        return Value(kind_of.enums[0]) if kind_of.enums else None
    return next((Value(value) for kind, value in _NEUTRAL if isinstance(kind_of, kind)), None)


def examples(type_: TypeEngine[Any]) -> list[str]:
    """Return what a person may type for a type: a value that says nothing, if there is one."""
    if isinstance(type_, sa.Enum):
        return list(type_.enums[:1])
    return [text for kind, text in _EXAMPLES if isinstance(type_, kind)][:1]


def as_server_default(value: Value, type_: TypeEngine[Any], dialect: sa.Dialect) -> Any:
    """Return a value as a default that every database takes for a new column; None: there is none.

    :returns: an argument for ``server_default``.
    """
    kind, plain = underlying(type_, dialect), value.plain
    if value.sql is not None:
        return None
    if isinstance(plain, bool):
        return sa.true() if plain else sa.false()
    if isinstance(kind, sa.Integer | sa.Numeric) and isinstance(plain, int | float | Decimal):
        return str(plain)
    if isinstance(kind, sa.String) and isinstance(plain, str):
        return plain if kind.length is not None else None  # MySQL has none for long texts
    if type(plain) is datetime.date:
        return plain.isoformat()
    return None


# ---- types --------------------------------------------------------------------------------------


def _as_stored(value: Any, type_: TypeEngine[Any], dialect: sa.Dialect) -> Any:
    """Return what reaches the database of a value of the model."""
    while is_decorator(type_):
        with contextlib.suppress(NotImplementedError):  # it leaves values as they are
            value = type_.process_bind_param(value, dialect)
        type_ = type_.load_dialect_impl(dialect)
    if isinstance(type_, sa.Enum):
        process: Any = type_.bind_processor(dialect)  # type: ignore[no-untyped-call]
        return process(value) if process is not None else value
    return value.value if isinstance(value, enum.Enum) else value


def _is_literal(value: Any) -> bool:
    """Tell whether ``repr()`` of a value is code that gives it again."""
    if isinstance(value, list | tuple):
        return all(_is_literal(one) for one in value)
    if isinstance(value, dict):
        return all(_is_literal(one) for pair in value.items() for one in pair)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, datetime.datetime | datetime.time) and value.tzinfo is not None:
        return value.tzinfo is datetime.timezone.utc
    return type(value) in (*_PLAIN, datetime.datetime)


# ---- what is typed ------------------------------------------------------------------------------

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _boolean(text: str, type_: Any) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("it is true or false") from None


def _label(text: str, type_: Any) -> str:
    if text not in type_.enums:
        raise ValueError(f"it is one of {', '.join(type_.enums)}")
    return text


def _text(text: str, type_: Any) -> str:
    if type_.length is not None and len(text) > type_.length:
        raise ValueError(f"it has at most {type_.length} characters")
    return text


def _decimal(text: str, type_: Any) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError("it is a number") from None


def _reading(read: Callable[[str], Any], words: str) -> Callable[[str, Any], Any]:
    def reader(text: str, type_: Any) -> Any:
        try:
            return read(text)
        except ValueError:
            raise ValueError(words) from None

    return reader


_READERS: tuple[tuple[type[Any], Callable[[str, Any], Any]], ...] = (
    (sa.Boolean, _boolean),
    (sa.Integer, _reading(int, "it is a whole number")),
    (sa.Float, _reading(float, "it is a number")),
    (sa.Numeric, _decimal),
    (sa.Enum, _label),
    (sa.String, _text),
    (sa.DateTime, _reading(datetime.datetime.fromisoformat, "it is like 2026-01-31 12:00")),
    (sa.Date, _reading(datetime.date.fromisoformat, "it is like 2026-01-31")),
    (sa.Time, _reading(datetime.time.fromisoformat, "it is like 12:00")),
    (sa.Uuid, _reading(uuid.UUID, "it is a UUID")),
    (sa.JSON, _reading(json.loads, 'it is JSON, such as {} or "text"')),
)

_DAY = datetime.date(2000, 1, 1)
_NEUTRAL: tuple[tuple[type[Any], Any], ...] = (
    (sa.Boolean, False),
    (sa.Integer, 0),
    (sa.Float, 0.0),
    (sa.Numeric, 0),
    (sa.String, ""),
    (sa.DateTime, datetime.datetime(2000, 1, 1)),
    (sa.Date, _DAY),
    (sa.Time, datetime.time(0)),
    (sa.Interval, datetime.timedelta(0)),
    (sa.Uuid, uuid.UUID(int=0)),
    (sa.JSON, {}),
    (sa.LargeBinary, b""),
    (postgresql.INTERVAL, datetime.timedelta(0)),
    (sa.ARRAY, []),
)
_EXAMPLES: tuple[tuple[type[Any], str], ...] = (
    (sa.Boolean, "false"),
    (sa.Integer, "0"),
    (sa.Numeric, "0"),
    (sa.String, ""),
    (sa.DateTime, "2000-01-01 00:00"),
    (sa.Date, "2000-01-01"),
    (sa.JSON, "{}"),
)
