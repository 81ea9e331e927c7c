"""Dates that stay dates when SQLite copies a table.

Alembic writes ``CAST(day AS DATE)`` when the type of a column changes. SQLite has no type for
dates, takes that for a number, and makes 2026 of 2026-01-02.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

# What is made of text that SQLAlchemy has stored, by the type before and after.
_MADE: dict[tuple[type[Any], type[Any]], Callable[[Any], Any]] = {
    (sa.Date, sa.DateTime): lambda value: value + " 00:00:00.000000",
    (sa.DateTime, sa.Date): lambda value: sa.func.substr(value, 1, 10),
    (sa.DateTime, sa.Time): lambda value: sa.func.substr(value, 12),
}


def converting_dates(inner: Callable[..., None]) -> Callable[..., None]:
    """Make what stands in for ``cast_for_batch_migrate`` of Alembic's SQLite.

    :param inner: that one; it converts everything else.
    """

    def cast_for_batch_migrate(existing: Any, existing_transfer: Any, new_type: Any) -> None:
        after = _temporal(new_type)
        if after is None:
            inner(existing, existing_transfer, new_type)
            return
        make = _MADE.get((_temporal(existing.type) or object, after))
        if make is not None:
            value = existing_transfer["expr"]
            text = make(sa.type_coerce(value, sa.String))
            is_text = sa.func.typeof(value) == "text"
            existing_transfer["expr"] = sa.case((is_text, text), else_=value)

    return cast_for_batch_migrate


def _temporal(type_: Any) -> type[Any] | None:
    while isinstance(type_, sa.types.TypeDecorator):
        type_ = type_.impl_instance
    return next((one for one in (sa.DateTime, sa.Date, sa.Time) if isinstance(type_, one)), None)
