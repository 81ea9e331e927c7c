"""The enum types of PostgreSQL: those of the models, and those that are there."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects import postgresql

from ..differences.changes import Changes
from ..differences.names import place_of
from ..types.underlying import adapted

Key = tuple["str | None", str]
"""The schema and the name of a type; no schema is the default one."""

_TYPES = """
SELECT n.nspname, t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder), EXISTS (
  SELECT FROM pg_depend d
  WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN pg_enum e ON e.enumtypid = t.oid
GROUP BY n.nspname, t.typname, t.oid
"""
_COLUMNS = """
SELECT tn.nspname, t.typname, n.nspname, c.relname, a.attname, a.atttypid <> t.oid,
  pg_get_expr(d.adbin, d.adrelid)
FROM pg_type t
JOIN pg_namespace tn ON tn.oid = t.typnamespace
JOIN pg_attribute a ON a.atttypid IN (t.oid, t.typarray)
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE t.typtype = 'e' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND NOT a.attisdropped
ORDER BY n.nspname, c.relname, a.attnum
"""


class ENUM(postgresql.ENUM):
    """SQLAlchemy's, which before 2.0.30 leaves ``create_type`` out of its code."""

    __module__ = postgresql.ENUM.__module__  # it is written as what it is there

    def __repr__(self) -> str:
        """Return the code."""
        code = super().__repr__()
        return code if "create_type" in code else f"{code[:-1]}, create_type=False)"


@dataclass(frozen=True)
class Use:
    """A column of an enum type.

    :param is_array: it is an array of the type.
    :param default: SQL.
    """

    schema: str | None
    table: str
    column: str
    is_array: bool
    default: str | None


@dataclass
class StoredType:
    """A type of the database with a name of its own.

    :param foreign: it belongs to an extension.
    """

    foreign: bool = False
    uses: list[Use] = field(default_factory=list)


@dataclass
class EnumType(StoredType):
    """An enum type of the database."""

    labels: tuple[str, ...] = ()


def others_do_it() -> bool:
    """Tell whether env.py has imported alembic-postgresql-enum, which does this as well."""
    return "alembic_postgresql_enum" in sys.modules


def stored_types(changes: Changes) -> dict[Key, EnumType]:
    """Return the enum types of the database."""
    dialect, run = changes.context.dialect, changes.connection.exec_driver_sql
    found = {
        place_of(schema, name, dialect): EnumType(foreign, labels=tuple(labels))
        for schema, name, labels, foreign in run(_TYPES).all()
    }
    for schema, name, *place, is_array, sql in run(_COLUMNS).all():
        table_schema, table, column = place
        use = Use(*place_of(table_schema, table, dialect), column, is_array, sql)
        found[place_of(schema, name, dialect)].uses.append(use)
    return found


def wanted_types(changes: Changes) -> dict[Key, list[tuple[sa.Column[Any], postgresql.ENUM]]]:
    """Return the enum types of the models, each with the columns that have it."""
    dialect = changes.context.dialect
    found: dict[Key, list[tuple[sa.Column[Any], postgresql.ENUM]]] = {}
    for table in changes.tables.values():
        for column in table.c:
            enum = enum_of(column.type, dialect)
            if enum is not None:
                found.setdefault(key_of(enum, dialect), []).append((column, enum))
    return found


def key_of(type_: postgresql.ENUM | postgresql.DOMAIN, dialect: sa.Dialect) -> Key:
    """Return the place of a type."""
    return place_of(type_.schema, str(type_.name), dialect)


def enum_of(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> postgresql.ENUM | None:
    """Return the enum type that a type is on PostgreSQL, or an array of it."""
    here = adapted(type_, dialect)
    if isinstance(here, sa.ARRAY):
        return enum_of(here.item_type, dialect)
    return here if isinstance(here, postgresql.ENUM) and here.name else None


def leave_types(changes: Changes) -> None:
    """Have tables and columns not make their enum types: that is done once, by itself."""
    dialect = changes.context.dialect
    if changes.dialect != "postgresql" or others_do_it():
        return
    for _, one in changes.walk():
        if isinstance(one, ops.CreateTableOp):
            one.columns = [_left(item, dialect) for item in one.columns]
        elif isinstance(one, ops.AddColumnOp):
            one.column = _left(one.column, dialect)


def _left(item: Any, dialect: sa.Dialect) -> Any:
    if not isinstance(item, sa.Column) or enum_of(item.type, dialect) is None:
        return item
    column = copy.copy(item)  # the models keep theirs
    column.type = _left_type(item.type, dialect)
    return column


def _left_type(type_: Any, dialect: sa.Dialect) -> Any:
    if isinstance(type_, sa.ARRAY):
        array = copy.copy(type_)
        array.item_type = _left_type(type_.item_type, dialect)
        return array
    enum = enum_of(type_, dialect)
    assert enum is not None
    return ENUM(*enum.enums, name=enum.name, schema=enum.schema, create_type=False)


def freed(changes: Changes, uses: Mapping[Key, StoredType]) -> Iterator[Key]:
    """Give the types of the database that no column has any more after the changes."""
    tables, columns = set(), set()
    for _, one in changes.walk():
        if isinstance(one, ops.DropTableOp):
            tables.add((one.schema, one.table_name))
        elif isinstance(one, ops.DropColumnOp):
            columns.add((one.schema, _stored(changes, one), one.column_name))
        elif isinstance(one, ops.AlterColumnOp) and one.modify_type is not None:
            table = (one.table_name, one.schema)
            name = changes.renamed.stored_column(*table, one.column_name)
            columns.add((one.schema, _stored(changes, one), name))
    for key, type_ in uses.items():
        left = [
            use
            for use in type_.uses
            if (use.schema, use.table) not in tables
            and (use.schema, use.table, use.column) not in columns
        ]
        if type_.uses and not left and not type_.foreign:
            yield key


def _stored(changes: Changes, one: Any) -> str:
    return changes.renamed.stored_table(one.table_name, one.schema)
