"""How much something that is gone looks like something that is new.

The figures only order the questions. Two columns of one type look alike whether one became the
other or not: taken for an answer, any limit either loses rows or keeps those of another column.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl

_FAMILIES: tuple[tuple[type[Any], ...], ...] = (
    (sa.Integer, sa.Numeric, sa.Float, sa.Boolean),
    (sa.String, sa.Uuid),
    (sa.Date, sa.DateTime, sa.Time, sa.Interval),
    (sa.LargeBinary,),
    (sa.JSON, sa.ARRAY),
)
"""Types whose values can become those of another type of the same family."""

_LEAST = 0.5  # more than that of the columns of a table, for another to look like it


@dataclass(frozen=True)
class Likeness:
    """How much two things look alike.

    :param score: from 0 to 1.
    :param words: what is alike: ``same type``.
    """

    score: float
    words: str


def columns_alike(old: sa.Column[Any], new: sa.Column[Any], impl: DefaultImpl) -> Likeness | None:
    """Tell how much a column of the database looks like one of the models.

    :returns: None when its values could not be the values of the other.
    """
    kind = _same_kind(old, new, impl)
    if kind is None:
        return None
    score = (
        0.4 * (kind == "same type")
        + 0.2 * _similar(old.name, new.name)
        + 0.2 * (_index(old) == _index(new))
        + 0.1 * (bool(old.nullable) == bool(new.nullable))
        + 0.1 * (bool(old.foreign_keys) == bool(new.foreign_keys))
    )
    return Likeness(score, kind)


def tables_alike(old: sa.Table, new: sa.Table, impl: DefaultImpl) -> Likeness | None:
    """Tell how much a table of the database looks like one of the models.

    :returns: None when not more than half of their columns do.
    """
    after = {one.name: one for one in new.c}
    same = {
        one.name for one in old.c if one.name in after and _same_kind(one, after[one.name], impl)
    }
    left = [one for one in new.c if one.name not in same]
    moved = 0
    for column in old.c:
        if column.name not in same:
            match = next((one for one in left if _same_kind(column, one, impl)), None)
            if match is not None:
                left.remove(match)
                moved += 1
    most = max(len(old.c), len(new.c))
    if not most or (len(same) + moved / 2) / most <= _LEAST:
        return None
    score = 0.8 * (len(same) + moved / 2) / most + 0.2 * _similar(old.name, new.name)
    if len(same) == most:
        return Likeness(score, "same columns")
    return Likeness(score, f"{len(same)} of {most} columns the same")


def _same_kind(old: sa.Column[Any], new: sa.Column[Any], impl: DefaultImpl) -> str | None:
    """Return ``same type``, or the two types when values may go over; None when they cannot."""
    known = not isinstance(old.type, sa.types.NullType)  # one that SQLAlchemy did not recognise
    if known and not impl.compare_type(old, new):
        return "same type"
    before, after = _family(old.type, impl), _family(new.type, impl)
    if before != after and None not in (before, after):
        return None
    return f"{_name(old.type, impl)} -> {_name(new.type, impl)}"


def _family(type_: Any, impl: DefaultImpl) -> int | None:
    """Return the number of the family of a type; None for one that nothing is known of."""
    while isinstance(type_, sa.TypeDecorator):
        type_ = type_.load_dialect_impl(impl.dialect)
    for number, family in enumerate(_FAMILIES):
        if isinstance(type_, family):
            return number
    return None


def _name(type_: Any, impl: DefaultImpl) -> str:
    try:
        return str(type_.compile(dialect=impl.dialect))
    except sa.exc.CompileError:  # a type of another database, or one that was not recognised
        return type(type_).__name__


def _similar(old: str, new: str) -> float:
    return SequenceMatcher(None, old.lower(), new.lower()).ratio()


def _index(column: sa.Column[Any]) -> int:
    return list(column.table.c).index(column) if column.table is not None else -1
