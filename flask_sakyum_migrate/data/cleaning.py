"""Tables emptied; nothing outside of them is touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ..errors import DataError
from .tables import ForeignKey, Table

_OWNED = """
SELECT s.oid::regclass::text FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.deptype IN ('a', 'i') AND d.refobjid = '{table}'::regclass AND a.attname = '{column}'
"""


def count_rows(connection: sa.Connection, tables: Sequence[Table]) -> dict[str, int]:
    """Count the rows of tables."""
    return {
        one.full_name: int(
            connection.exec_driver_sql(
                f"SELECT count(*) FROM {one.quoted(connection.dialect)}"  # noqa: S608
            ).scalar_one()
        )
        for one in tables
    }


def has_rows(connection: sa.Connection, table: Table, condition: str = "") -> bool:
    """Tell whether a table has a row; SQL may say which."""
    statement = f"SELECT 1 FROM {table.quoted(connection.dialect)}{condition} LIMIT 1"  # noqa: S608
    return connection.exec_driver_sql(statement).first() is not None


def empty(connection: sa.Connection, tables: Sequence[Table], every: Sequence[Table]) -> None:
    """Delete the rows of tables, and let their numbers begin again.

    Foreign keys are off on SQLite and MySQL. MySQL keeps its numbers: that would commit.

    :param every: all tables of the database.
    :raises DataError: rows of other tables reference them.
    """
    outside = references(tables, every)
    for key, table in outside:
        quoted = [connection.dialect.identifier_preparer.quote(one) for one in key.columns]
        condition = " WHERE " + " AND ".join(f"{one} IS NOT NULL" for one in quoted)
        if has_rows(connection, table, condition):
            raise DataError(
                f"Rows of {key.table} reference {key.parent}. Nothing was changed.",
                f"Name both:  --tables {key.parent},{key.table}",
                table=key.table,
            )
    dialect = connection.dialect
    names = [one.quoted(dialect) for one in tables]
    if not names:
        return
    if dialect.name == "postgresql":
        _empty_postgresql(connection, tables, names, truncates=not outside)
        return
    for name in reversed(names):
        connection.exec_driver_sql(f"DELETE FROM {name}")  # noqa: S608
    if dialect.name == "sqlite" and sa.inspect(connection).has_table("sqlite_sequence"):
        for table in tables:
            statement = sa.text("DELETE FROM sqlite_sequence WHERE name = :name")
            connection.execute(statement, {"name": table.name})


def begin_again(connection: sa.Connection, tables: Sequence[Table]) -> None:
    """Let the numbers of emptied tables begin again where that commits: on MySQL."""
    if connection.dialect.name in ("mysql", "mariadb"):
        for table in tables:
            name = table.quoted(connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {name} AUTO_INCREMENT = 1")


def sequences(connection: sa.Connection, table: Table) -> list[tuple[str, str]]:
    """Return the sequences that number the rows of a table on PostgreSQL, with the columns."""
    if connection.dialect.name != "postgresql":
        return []
    name = table.quoted(connection.dialect)
    found: list[tuple[str, str]] = []
    for column in table.columns:
        if column.kind != "integer":
            continue
        statement = _OWNED.format(table=text(name), column=text(column.name))
        names = set(connection.exec_driver_sql(statement).scalars())
        match = re.match(r"nextval\('(.+)'::regclass\)", column.default)
        if match is not None and not names:
            names.add(match[1].replace("''", "'"))
        found.extend((one, column.name) for one in sorted(names))
    return found


def _empty_postgresql(
    connection: sa.Connection, tables: Sequence[Table], names: Sequence[str], *, truncates: bool
) -> None:
    if truncates:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(names)}")
    else:  # in one statement, so that they may reference each other
        *first, last = names
        steps = ", ".join(f"d{at} AS (DELETE FROM {name})" for at, name in enumerate(first))  # noqa: S608
        with_ = f"WITH {steps} " if first else ""
        connection.exec_driver_sql(f"{with_}DELETE FROM {last}")  # noqa: S608
    for table in tables:
        for sequence, _ in sequences(connection, table):
            connection.exec_driver_sql(f"ALTER SEQUENCE {sequence} RESTART")


def references(tables: Sequence[Table], every: Sequence[Table]) -> list[tuple[ForeignKey, Table]]:
    """Return the foreign keys of other tables that point to these."""
    names = {one.full_name for one in tables}
    return [
        (key, table)
        for table in every
        if table.full_name not in names
        for key in table.foreign_keys
        if key.parent in names
    ]


def text(name: Any) -> str:
    """Return a name as a literal of a statement has it."""
    return str(name).replace("'", "''").replace("%", "%%")
