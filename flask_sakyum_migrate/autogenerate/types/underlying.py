"""What a type is in the database, below what applications, packages and variants put around it."""

from __future__ import annotations

from typing import Any, TypeGuard

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

_SIMPLE = (
    sa.Boolean,
    sa.Date,
    sa.DateTime,
    sa.Integer,
    sa.LargeBinary,
    sa.Numeric,
    sa.String,
    sa.Time,
)


def underlying(type_: TypeEngine[Any], dialect: sa.Dialect) -> TypeEngine[Any]:
    """Return the type that SQLAlchemy or a dialect defines.

    SQLAlchemy has decorators of its own, such as Interval: they are left as they are.
    """
    while True:
        variant = variant_of(type_, dialect)
        if variant is not None:
            type_ = variant
        elif is_decorator(type_):
            type_ = type_.load_dialect_impl(dialect)
        else:
            return type_


def adapted(type_: TypeEngine[Any], dialect: sa.Dialect) -> Any:
    """Return the type as a dialect has it, below every decorator; None for numbers, texts, dates.

    Those are what most columns have, no enum, domain or array anywhere, and slow to adapt.
    """
    if is_simple(type_, dialect):
        return None
    here: Any = type_.dialect_impl(dialect)
    while isinstance(here, TypeDecorator):
        here = here.load_dialect_impl(dialect).dialect_impl(dialect)
    return here


def is_simple(type_: TypeEngine[Any], dialect: sa.Dialect) -> bool:
    """Tell whether a type is a number, a text, a date and the like of SQLAlchemy's own."""
    is_own = type(type_).__module__.startswith("sqlalchemy.")
    return (
        is_own
        and isinstance(type_, _SIMPLE)
        and not isinstance(type_, sa.Enum)  # it is a text as well
        and variant_of(type_, dialect) is None
    )


def variant_of(type_: TypeEngine[Any], dialect: sa.Dialect) -> TypeEngine[Any] | None:
    """Return what ``with_variant()`` gave a type for a dialect."""
    # SQLAlchemy has no public name for it; Alembic reads it as well.
    variants: dict[str, TypeEngine[Any]] = getattr(type_, "_variant_mapping", {})
    return variants.get(dialect.name)


def is_decorator(type_: TypeEngine[Any]) -> TypeGuard[TypeDecorator[Any]]:
    """Tell whether a type is one of an application or a package around another one."""
    is_ours = isinstance(type_, TypeDecorator)
    return is_ours and not type(type_).__module__.startswith("sqlalchemy.")
