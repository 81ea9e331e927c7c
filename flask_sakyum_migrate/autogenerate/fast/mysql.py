"""What is in a MySQL or MariaDB database, in five queries."""

from __future__ import annotations

import json
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
SELECT TABLE_SCHEMA, TABLE_NAME, COUNT(*),
  JSON_ARRAYAGG(JSON_ARRAY(COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, COLUMN_COMMENT,
    CHARACTER_SET_NAME, COLLATION_NAME, EXTRA))
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN :schemas GROUP BY TABLE_SCHEMA, TABLE_NAME
"""
_INDEXES = """
SELECT TABLE_SCHEMA, TABLE_NAME, COUNT(*),
  JSON_ARRAYAGG(JSON_ARRAY(INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE, SUB_PART, INDEX_TYPE,
    COLLATION))
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA IN :schemas GROUP BY TABLE_SCHEMA, TABLE_NAME
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
# The first MariaDB and MySQL with JSON_ARRAYAGG.
_LEAST = {True: (10, 5), False: (5, 7, 22)}


def read(connection: sa.Connection, schemas: set[str | None]) -> dict[Place, StoredTable]:
    """Read the tables of some databases; None is the one that is connected to.

    :return: none where the server is too old for it.
    """
    dialect: Any = connection.dialect
    if dialect.server_version_info < _LEAST[dialect.is_mariadb]:
        return {}
    reader = _Reader(connection, schemas)
    collations = reader.tables()
    for place, row in reader.lists(_COLUMNS):
        collation = collations[place]
        _add_column(reader.found[place], row, collation, is_mariadb=dialect.is_mariadb)
    reader.keys()
    for (place, name), parts in together(reader.lists(_INDEXES)).items():
        _add_index(reader.found[place], name, sorted(parts))
    return reader.found


class _Reader:
    """Reads the catalogue of a server.

    :ivar found: the tables, as far as they have been read.
    """

    def __init__(self, connection: sa.Connection, schemas: set[str | None]) -> None:
        self._connection = connection
        self._dialect: Any = connection.dialect
        default = self._dialect.default_schema_name
        self._names = [default if one is None else one for one in schemas]
        self.found: dict[Place, StoredTable] = {}

    def _rows(self, query: str) -> Iterator[tuple[Place, Any]]:
        schemas: Any = sa.bindparam("schemas", self._names, expanding=True)
        for schema, table, *rest in self._connection.execute(sa.text(query).bindparams(schemas)):
            yield place_of(schema, table, self._dialect), rest

    def lists(self, query: str) -> Iterator[tuple[Place, Any]]:
        """Give the rows that a query puts into one text for each table.

        A driver in Python takes longer for 24,000 rows than the server does to find them.
        """
        for place, (count, text) in self._rows(query):
            table = self.found.get(place)  # not of a view
            if table is not None:
                rows = _parsed(text)
                if len(rows) != count:
                    table.special = "too much for one text"
                for row in rows:
                    yield place, row

    def tables(self) -> dict[Place, str]:
        """Find the tables; return their collations."""
        collations = {}
        for place, (collation, comment) in self._rows(_TABLES):
            self.found[place] = StoredTable(comment=comment or None, one_namespace=True)
            collations[place] = collation
        return collations

    def keys(self) -> None:
        """Add the foreign keys."""
        rules = {(place, row[0]): row[1:] for place, row in self._rows(_RULES)}
        for (place, name), parts in together(self._rows(_KEY_COLUMNS)).items():
            table = self.found[place]
            columns, schemas, tables, targets = zip(*parts, strict=True)
            if (place, name) not in rules:  # they are not shown to a user who may only read
                table.special = f"foreign key {name}"
                continue
            update, delete = (foreign_action(one, self._dialect) for one in rules[place, name])
            target = place_of(schemas[0], tables[0], self._dialect)
            table.keys.append(StoredKey(columns, *target, targets, update, delete))
            table.key_names.append(name)


def _parsed(text: str) -> list[Any]:
    """Return the rows in a text; none where MariaDB cut it off (group_concat_max_len)."""
    try:
        rows: list[Any] = json.loads(text)
    except ValueError:
        return []
    return rows


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
    is_unique = not parts[0][2]
    if name == "PRIMARY":
        table.primary = set(columns)
    elif any(row[1] is None or row[3] or row[4:] != ["BTREE", "A"] for row in parts):
        table.special = f"index {name}"
    elif is_unique or not _is_made(table, name, columns):
        table.indexes[name] = StoredIndex(columns, is_unique)


def _is_made(table: StoredTable, name: str, columns: tuple[str, ...]) -> bool:
    """Tell whether an index was made for a foreign key, as Alembic tells it: by its name."""
    names = zip(table.key_names, table.keys, strict=True)
    return name in columns or any(
        name == one and not set(columns).isdisjoint(key.columns) for one, key in names
    )
