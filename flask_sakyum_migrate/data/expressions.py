"""The JSON of a row, built by the database: nothing is faster that says every value exactly.

What JSON has no word for is a text: decimals, dates, UUIDs, bytes (in hexadecimal), JSON itself
(whose numbers would be rounded otherwise), floats that are no numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from .kinds import ARRAY
from .tables import Column, Table

# PostgreSQL takes 100 arguments to a function, SQLite 127.
_AT_ONCE = 90

_POSTGRESQL = {
    **dict.fromkeys(("boolean", "integer", "text", "uuid"), "{column}"),
    # to_json() has -0.0 as -0, which is an integer for others, and quotes what is no number.
    "float": "CASE WHEN {column} <> 0 THEN to_json({column}) ELSE to_json({column}::text) END",
    "bytes": "encode({column}, 'hex')",
}
_MYSQL = {
    **dict.fromkeys(("boolean", "integer", "text"), "{column}"),
    "float": "{column} + 0e0",
    "bytes": "hex({column})",
}
_SQLITE = {
    "float": "json(migrate_float({column}))",
    "decimal": "migrate_decimal({column}, {scale})",
    "bytes": "CASE typeof({column}) WHEN 'blob' THEN hex({column}) "
    "ELSE json(migrate_other({column})) END",
    "other": "json(migrate_other({column}))",
}
_NATURAL = ("boolean", "integer", "text", "uuid")


def select(table: Table, label: str, dialect: sa.Dialect, where: str = "") -> str:
    """Return the statement that gives each row of a table as a line of JSON.

    :param label: the first value of each row.
    :param where: SQL: only these rows.
    """
    quote = dialect.identifier_preparer.quote
    values = [_literal(label, dialect)]
    values += [_value(one, quote(one.name), dialect.name) for one in table.columns]
    function, end = ("json_array", "")
    if dialect.name == "postgresql":
        function, end = "json_build_array", "::text"
    row = _joined(values, function, end, dialect.name)
    if dialect.name in ("mysql", "mariadb"):
        row = f"CAST({row} AS BINARY)"  # drivers need not decode it
    condition = f" WHERE ({where})" if where else ""
    return f"SELECT {row} FROM {table.quoted(dialect)}{condition}"  # noqa: S608


def _joined(values: Sequence[str], function: str, end: str, dialect: str) -> str:
    parts = [
        f"{function}({', '.join(values[at : at + _AT_ONCE])}){end}"
        for at in range(0, len(values), _AT_ONCE)
    ]
    first, *rest = parts
    if not rest:
        return first
    # Without the bracket that ends the one and that begins the other.
    pieces = [f"substr({first}, 1, length({first}) - 1)"]
    pieces += [f"',', substr({one}, 2, length({one}) - 2)" for one in rest]
    joined = ", ".join([*pieces, "']'"])
    if dialect == "sqlite":
        return joined.replace("), ',', substr(", ") || ',' || substr(").replace(", ']'", " || ']'")
    return f"concat({joined})"


def _value(column: Column, quoted: str, dialect: str) -> str:
    kind = column.kind
    if dialect == "sqlite":
        scale = getattr(column.type, "scale", None)
        return _SQLITE.get(kind, "{column}").format(
            column=quoted, scale="NULL" if scale is None else int(scale)
        )
    if dialect == "postgresql":
        if kind.startswith(ARRAY):
            natural = kind.removeprefix(ARRAY) in _NATURAL
            return quoted if natural else f"{quoted}::text[]"
        return _POSTGRESQL.get(kind, "{column}::text").format(column=quoted)
    if isinstance(column.type, mysql.LONGTEXT):  # MariaDB's JSON is one, and would be taken apart
        return f"CAST({quoted} AS CHAR)"
    if isinstance(column.type, mysql.BIT):
        return f"{quoted} + 0"
    return _MYSQL.get(kind, "CAST({column} AS CHAR)").format(column=quoted)


def _literal(text: str, dialect: sa.Dialect) -> str:
    quoted = text.replace("'", "''")
    if dialect.name in ("mysql", "mariadb"):
        quoted = quoted.replace("\\", "\\\\")
    return f"'{quoted}'"


# ---- functions that SQLite borrows -------------------------------------------------------------


def sqlite_functions() -> dict[str, tuple[int, Callable[..., Any]]]:
    """Return what the statements for SQLite call: the number of arguments, the function.

    SQLite's own text of a float has 15 digits, and its columns hold values of any type.
    """
    return {
        "migrate_float": (1, _exact),
        "migrate_decimal": (2, _decimal),
        "migrate_other": (1, _exact),
    }


def _exact(value: Any) -> str | None:
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if value is None:
        return None
    if isinstance(value, bytes):
        return json.dumps({"bytes": value.hex()})
    if isinstance(value, float):
        value = str(value).replace("inf", "Infinity").replace("nan", "NaN")
    return json.dumps(value)


def _decimal(value: Any, scale: int | None) -> Any:
    """Return the text of a number with the digits of its type, and more where it has more."""
    if not isinstance(value, float):
        return str(value) if isinstance(value, int) else value
    if scale is not None:
        text = f"{value:.{scale}f}"
        if float(text) == value:
            return text
    text = repr(value)
    return text.replace("inf", "Infinity") if "inf" in text else text
