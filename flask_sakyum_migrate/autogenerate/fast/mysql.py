"""What is in a MySQL or MariaDB database, in five queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ..differences.names import Place, place_of
from ..scope.schemas import foreign_action
from .records import StoredColumn, StoredIndex, StoredKey, StoredTable, together

_TABLES = """
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_COLLATION, TABLE_COMMENT FROM information_schema.TABLES
WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA IN :schemas
"""
_COLUMNS = """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT,
  COLUMN_COMMENT, CHARACTER_SET_NAME, COLLATION_NAME, EXTRA
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN :schemas
"""
_INDEXES = """
SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART, INDEX_TYPE,
  COLLATION
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA IN :schemas
ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX
"""
_KEY_COLUMNS = """
SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA,
  REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE
WHERE TABLE_SCHEMA IN :schemas AND REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION
"""
_RULES = """
SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE
FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA IN :schemas
"""
_PLAIN = ("", "auto_increment")


def read(connection: sa.Connection, schemas: set[str | None]) -> dict[Place, StoredTable]:
    """Read the tables of some databases; None is the one that is connected to."""
    dialect: Any = connection.dialect
    default = dialect.default_schema_name
    names = [default if one is None else one for one in schemas]

    def run(query: str) -> Iterator[tuple[Place, Any]]:
        text = sa.text(query).bindparams(sa.bindparam("schemas", names, expanding=True))
        for schema, table, *rest in connection.execute(text):
            yield place_of(schema, table, dialect), rest

    found: dict[Place, StoredTable] = {}
    collations: dict[Place, str] = {}
    for place, (collation, comment) in run(_TABLES):
        found[place] = StoredTable(comment=comment or None, one_namespace=True)
        collations[place] = collation
    for place, row in run(_COLUMNS):
        if place in found:  # else of a view
            _add_column(found[place], row, collations[place], is_mariadb=dialect.is_mariadb)
    rules = {(place, row[0]): row[1:] for place, row in run(_RULES)}
    for (place, name), parts in together(run(_KEY_COLUMNS)).items():
        columns, schemas_of, tables, targets = zip(*parts, strict=True)
        if (place, name) not in rules:  # they are not shown to a user who may only read
            found[place].special = f"foreign key {name}"
            continue
        update, delete = (foreign_action(one, dialect) for one in rules[place, name])
        target = place_of(schemas_of[0], tables[0], dialect)
        key = StoredKey(columns, *target, targets, update, delete)
        found[place].keys.append(key)
        found[place].key_names.append(name)
    for (place, name), parts in together(run(_INDEXES)).items():
        if place in found:
            _add_index(found[place], name, parts)
    return found


def _add_column(table: StoredTable, row: Any, collation: str, *, is_mariadb: bool) -> None:
    name, type_, nullable, default, comment, charset, own_collation, extra = row
    if own_collation not in (None, collation):
        type_ = f"{type_} CHARACTER SET {charset} COLLATE {own_collation}"
    default = None if default == "NULL" else default
    # MySQL gives the text of a default, MariaDB the SQL that it is compared as.
    if extra.lower() not in _PLAIN or (default is not None and not is_mariadb):
        table.special = f"column {name}"
    table.columns[name] = StoredColumn(type_, nullable == "YES", default, comment or None)


def _add_index(table: StoredTable, name: str, parts: list[Any]) -> None:
    columns = tuple(row[1] for row in parts)
    is_unique = not parts[0][0]
    if name == "PRIMARY":
        table.primary = set(columns)
    elif any(row[1] is None or row[2] or row[3:] != ["BTREE", "A"] for row in parts):
        table.special = f"index {name}"
    elif is_unique or not _is_made(table, name, columns):
        table.indexes[name] = StoredIndex(columns, is_unique)


def _is_made(table: StoredTable, name: str, columns: tuple[str, ...]) -> bool:
    """Tell whether an index was made for a foreign key, as Alembic tells it: by its name."""
    names = zip(table.key_names, table.keys, strict=True)
    return name in columns or any(
        name == one and not set(columns).isdisjoint(key.columns) for one, key in names
    )
