"""CHECK constraints as the database has them, and as it would write those of the models."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ...runtime.sqlite_schema import mentioned, tokens_of
from ...runtime.sqlite_table import read_table
from ..differences.bysql import colons
from ..differences.changes import Changes
from ..differences.names import Place, place_of
from ..types.expressions import compared, made

_TABLE = "flask_sakyum_migrate_checks"

_POSTGRESQL = """
SELECT n.nspname, c.relname, o.conname, pg_get_expr(o.conbin, o.conrelid) FROM pg_constraint o
JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE o.contype = 'c' AND c.relkind IN ('r', 'p') AND o.conislocal AND {where}
"""
_HERE = "n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'"
_ASKED = f"c.oid = to_regclass('pg_temp.{_TABLE}')"
_MARIADB = "SELECT * FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()"
_SQLITE = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%CHECK%'"

_TYPE = r"::(?:character varying|double precision|time(?:stamp)? with(?:out)? time zone|[\w.\"]+)"
_TYPE += r"(?:\([\d, ]+\))?(?:\[\])*"
_CASTS = (
    re.compile(rf"('(?:[^']|'')*'){_TYPE}"),
    re.compile(rf"\(('(?:[^']|'')*'|-?\d[\d.]*)\){_TYPE}"),
    re.compile(rf"\(?(ARRAY\[[^\[\]]*\])\)?{_TYPE}"),
    re.compile(r"\((\w+|\"[^\"]+\")\)::(?:text|character varying)(?:\(\d+\))?"),
)
_NUMBER = re.compile(r"'(-?\d+(?:\.\d+)?)'")


@dataclass
class Stored:
    """A CHECK of the database.

    :param name: empty where it has none.
    :param sql: the condition, as the database writes it.
    :param can_go: it can be dropped by its name.
    """

    name: str
    sql: str
    can_go: bool = True


def alike(sql: str) -> list[str]:
    """Return a condition without what depends on the types that its columns had when it was made.

    PostgreSQL and MariaDB convert the literals then, and keep them when a column gets another type.
    """
    before = ""
    while sql != before:
        before = sql
        for cast in _CASTS:
            sql = cast.sub(r"\1", sql)
    return compared(_NUMBER.sub(r"\1", sql))


def checks_of(table: sa.Table) -> list[sa.CheckConstraint]:
    """Return the CHECK constraints of a table of the models."""
    found = [one for one in table.constraints if isinstance(one, sa.CheckConstraint)]
    return found + at_columns(table)


def at_columns(table: sa.Table) -> list[sa.CheckConstraint]:
    """Return those that stand at a column; SQLAlchemy does not count them among the table's."""
    return [
        one
        for column in table.c
        for one in column.constraints
        if isinstance(one, sa.CheckConstraint)
    ]


def name_of(check: sa.CheckConstraint) -> str | None:
    """Return the name of a CHECK of the models; one without has a symbol for it."""
    return check.name if isinstance(check.name, str) else None


def is_looked_at(dialect: sa.Dialect, place: Place) -> bool:
    """Tell whether the CHECK constraints of a table are compared.

    Of SQLite and MariaDB only the database itself is looked at, and none beside it; MySQL is not.
    """
    here: Any = dialect
    if here.name in ("mysql", "mariadb") and not here.is_mariadb:
        return False
    return here.name in _WAYS and (here.name == "postgresql" or place[0] is None)


def stored(connection: sa.Connection) -> dict[Place, list[Stored]]:
    """Return what the database has; nothing where it is not looked at."""
    dialect, found = connection.dialect, dict[Place, list[Stored]]()
    if is_looked_at(dialect, (None, "")):
        for schema, table, one in _WAYS[dialect.name](connection):
            found.setdefault(place_of(schema, table, dialect), []).append(one)
    return found


_Found = Iterator[tuple["str | None", str, Stored]]


def _of_postgresql(connection: sa.Connection, where: str = _HERE) -> _Found:
    text = _POSTGRESQL.format(where=where)
    if connection.dialect.paramstyle not in ("format", "pyformat"):
        text = text.replace("%%", "%")
    for schema, table, name, sql in connection.exec_driver_sql(text):
        yield schema, table, Stored(name, sql)


def _of_mariadb(connection: sa.Connection) -> _Found:
    for row in connection.exec_driver_sql(_MARIADB).mappings():
        name, sql = row["CONSTRAINT_NAME"], row["CHECK_CLAUSE"]
        is_table = row.get("LEVEL", "Table") == "Table"  # older ones do not tell
        if is_table or compared(sql) != compared(f"json_valid(`{name}`)"):  # as JSON has it
            yield row["CONSTRAINT_SCHEMA"], row["TABLE_NAME"], Stored(name, sql, is_table)


def _of_sqlite(connection: sa.Connection) -> _Found:
    for table, sql in connection.exec_driver_sql(_SQLITE):
        for clause in read_table(sql):
            if clause.kind == "CHECK":
                yield None, table, Stored(clause.name, clause.value, bool(clause.name))


_WAYS: dict[str, Callable[[sa.Connection], _Found]] = {
    "postgresql": _of_postgresql,
    "mysql": _of_mariadb,
    "mariadb": _of_mariadb,
    "sqlite": _of_sqlite,
}


def ask(
    changes: Changes, table: sa.Table, texts: Mapping[str, str], *, after: bool = False
) -> dict[str, str] | None:
    """Return how the database writes conditions; None where it would not make one of them.

    :param table: of the models.
    :param texts: the conditions by name.
    :param after: with the types that the columns get; else with those that they have.
    """
    asked = sa.Table(_TABLE, sa.MetaData(), prefixes=["TEMPORARY"])
    used = {name for text in texts.values() for name in mentioned(tokens_of(text))}
    for column in table.c:
        if column.name.lower() in used:
            type_ = column.type if after else changes.type_before(column)
            asked.append_column(sa.Column(column.name, type_))
    for name, text in texts.items():
        # Of the model's own columns it would become a constraint of the model.
        asked.append_constraint(sa.CheckConstraint(sa.text(colons(text)), name=name))
    try:
        with made(changes.connection, asked):
            return {name: sql for name, sql in _read(changes.connection) if name in texts}
    except sa.exc.DBAPIError:
        return None


def _read(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    if connection.dialect.name == "postgresql":
        for _, _, one in _of_postgresql(connection, _ASKED):
            yield one.name, one.sql
        return
    for found in sa.inspect(connection).get_check_constraints(_TABLE):
        yield str(found["name"]), found["sqltext"]
