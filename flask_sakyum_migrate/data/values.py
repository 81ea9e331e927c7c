"""A value of a dump as a column of a database takes it, exactly, or a reason why not.

What JSON gave comes in; out goes what the driver takes: Python's own types for SQLite, and texts,
numbers and truth values for what is written as text (COPY, INSERT).
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from . import numbers, quick, times
from .kinds import ARRAY
from .tables import Column
from .ways import Convert, Target, Way


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
    if kind == "bytes" and wanted not in ("bytes", "other"):
        raise ValueError(f"bytes cannot become {wanted}")
    if wanted in ("boolean", "integer", "float", "decimal"):
        return numbers.way_to(target)
    if wanted in ("date", "time", "interval", "datetime", "datetimetz"):
        return times.way_to(kind, target)
    plain = target.dialect == "sqlite"
    makers = {
        "bytes": lambda: Way(frozenset(), _bytes(target), quick.hexadecimal(plain)),
        "uuid": lambda: Way(frozenset(), _uuid, quick.uuids),
        "json": lambda: _json_way(kind, target),
        "timetz": lambda: Way(frozenset({str}), _text("time")),
        "text": lambda: _text_way(kind, target),
        "other": lambda: _other_way(kind, target),
    }
    return makers[wanted]()


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
