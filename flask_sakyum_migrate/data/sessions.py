"""A connection that is set up to change rows: one transaction, foreign keys checked at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..binds import Database
from ..errors import DatabaseError, DataError
from ..runtime.sqlite import is_sqlite, real_transactions
from .tables import ForeignKey, Table, Wanted

Check = Callable[[Sequence[Table]], None]
"""Called before the commit with the tables that were changed; raises `DataError`."""
Hold = Callable[[sa.Connection], AbstractContextManager[Any]]
"""Keeps other runs away from the database of a connection on which nothing was executed yet."""

_POSTGRESQL = (
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'iso_8601'",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL client_encoding = 'UTF8'",
)
_MYSQL = (
    "SET time_zone = '+00:00'",
    "SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'",
    "SET foreign_key_checks = 0",
    "SET autocommit = 0",
)


@dataclass(frozen=True)
class Place:
    """A database whose rows are to be changed.

    :param wanted: the tables that are meant, and those that are nobody's data.
    :param version: the version table, and its schema.
    :param hold: keeps other runs away meanwhile.
    """

    database: Database
    wanted: Wanted
    version: tuple[str, str | None]
    hold: Hold


@contextmanager
def changing(place: Place) -> Iterator[tuple[sa.Connection, Check]]:
    """Open a transaction on a database for changes in any order of its tables.

    Whoever gets it commits it; else it is rolled back.
    """
    engine = place.database.engine
    name = engine.dialect.name
    way = {"sqlite": _sqlite, "postgresql": _postgresql}.get(name, _mysql)
    with engine.connect() as connection, place.hold(connection), way(connection) as check:
        try:
            yield connection, check
        finally:
            if not connection.closed and not connection.invalidated:
                connection.rollback()


@contextmanager
def _sqlite(connection: sa.Connection) -> Iterator[Check]:
    if not is_sqlite(connection):
        yield lambda tables: None
        return
    with real_transactions(connection) as refuse:

        def check(tables: Sequence[Table]) -> None:
            try:
                refuse()
            except DatabaseError as error:
                raise _dangling(", ".join(error.tables)) from error

        connection.exec_driver_sql("SELECT 1")
        yield check


@contextmanager
def _postgresql(connection: sa.Connection) -> Iterator[Check]:
    try:
        for statement in _POSTGRESQL:
            connection.exec_driver_sql(statement)
        yield lambda tables: None
    finally:
        connection.close()  # before the lock, which gives the session back to its pool as it came


@contextmanager
def _mysql(connection: sa.Connection) -> Iterator[Check]:
    raw: Any = connection.connection.driver_connection
    if hasattr(raw, "set_character_set"):
        raw.set_character_set("utf8mb4")
    for statement in _MYSQL:
        connection.exec_driver_sql(statement)

    def check(tables: Sequence[Table]) -> None:
        for table in tables:
            for key in table.foreign_keys:
                row = _orphan(connection, table, key)
                if row is not None:
                    values = ", ".join(map(str, row))
                    raise _dangling(f"{key.table} -> {key.parent}: {values}")

    try:
        yield check
    finally:
        if not connection.invalidated:
            connection.rollback()
            connection.detach()  # its settings are nobody else's; the lock is still on it


def _orphan(connection: sa.Connection, table: Table, key: ForeignKey) -> Any:
    """Return the first values of a foreign key that point nowhere."""
    quote = connection.dialect.identifier_preparer.quote
    parent = ".".join(map(quote, key.parent.split(".")))
    pairs = list(zip(map(quote, key.columns), map(quote, key.parent_columns), strict=True))
    on = " AND ".join(f"c.{one} = p.{other}" for one, other in pairs)
    there = " AND ".join(f"c.{one} IS NOT NULL" for one, _ in pairs)
    values = ", ".join(f"c.{one}" for one, _ in pairs)
    statement = (
        f"SELECT {values} FROM {table.quoted(connection.dialect)} c LEFT JOIN {parent} p ON {on} "  # noqa: S608
        f"WHERE {there} AND p.{pairs[0][1]} IS NULL LIMIT 1"
    )
    return connection.exec_driver_sql(statement).first()


def _dangling(where: str) -> DataError:
    return DataError(
        f"Rows would have a foreign key that points nowhere ({where}). Nothing was loaded.",
        "Dump the table they point to as well.",
    )


@contextmanager
def deferred(connection: sa.Connection, keys: Sequence[ForeignKey]) -> Iterator[None]:
    """Have PostgreSQL check foreign keys at the end of this, in any order of the rows.

    A constraint stays what it is: what is changed is when it is checked, and back again.

    :raises DataError: one points nowhere.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    quote = connection.dialect.identifier_preparer.quote
    alter = [
        f"ALTER TABLE {'.'.join(map(quote, key.table.split('.')))} "
        f"ALTER CONSTRAINT {quote(key.name)} "
        for key in keys
        if not key.deferrable
    ]
    for one in alter:
        connection.exec_driver_sql(one + "DEFERRABLE INITIALLY DEFERRED")
    connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
    yield
    try:
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    except sa.exc.DBAPIError as error:
        diag = getattr(error.orig, "diag", None)
        detail = getattr(diag, "message_detail", None) or " ".join(str(error.orig).split())
        raise _dangling(detail.rstrip(".")) from error
    for one in alter:
        connection.exec_driver_sql(one + "NOT DEFERRABLE")
