"""Rows by INSERT: on SQLite, MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa

from .literals import literals
from .refused import Rejected, words
from .tables import Column, Table

_ROWS = 10
"""Of one INSERT on SQLite: more make it no faster."""
_MARKS = 900
"""Older releases of SQLite take 999."""


class _Inserting:
    """What SQLite and MySQL have in common: when a batch fails, its rows go in one by one."""

    def __init__(self, connection: sa.Connection, merge: bool) -> None:
        self._dialect = connection.dialect
        self._quote = connection.dialect.identifier_preparer.quote
        self._raw: Any = connection.connection.driver_connection
        self._cursor: Any = self._raw.cursor()  # type: ignore[union-attr]
        self._merge = merge
        self._table: Table
        self._columns: Sequence[Column] = ()
        self._done = 0

    def begin(self, table: Table, columns: Sequence[Column]) -> None:
        self._table, self._columns, self._done = table, columns, 0

    def write(self, columns: Sequence[Sequence[Any]]) -> None:
        dbapi: Any = self._dialect.dbapi
        count = len(columns[0])
        try:
            self._insert(columns)
        except (dbapi.Error, OverflowError, UnicodeEncodeError) as error:
            if not self._is_open():
                raise Rejected(words(error), None) from error
            for at in range(count):
                try:
                    self._insert([[column[at]] for column in columns])
                except (dbapi.Error, OverflowError, UnicodeEncodeError) as single:
                    raise Rejected(words(single), self._done + at) from single
            raise Rejected(words(error), None) from error
        self._done += count

    def end(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def _insert(self, columns: Sequence[Sequence[Any]]) -> None:
        """Insert all of these rows, or none of them."""
        raise NotImplementedError

    def _is_open(self) -> bool:
        """Tell whether there is a transaction still: SQLite ends it when the disk is full."""
        return bool(getattr(self._raw, "in_transaction", True))

    def _names(self, columns: Sequence[str] | None = None) -> str:
        names = columns or [one.name for one in self._columns]
        return ", ".join(map(self._quote, names))


class SQLite(_Inserting):
    """Some rows to a statement, which is executed for all of them."""

    def begin(self, table: Table, columns: Sequence[Column]) -> None:
        """Get ready for rows of a table."""
        super().begin(table, columns)
        self._at_once = max(1, min(_ROWS, _MARKS // len(columns)))
        self._one, self._many = self._statement(1), self._statement(self._at_once)

    def _statement(self, rows: int) -> str:
        into = f"{self._table.quoted(self._dialect)} ({self._names()})"
        marks = f"({', '.join('?' * len(self._columns))})"
        end = on_conflict(self._table, self._columns, self._quote) if self._merge else ""
        return f"INSERT INTO {into} VALUES {', '.join([marks] * rows)}{end}"  # noqa: S608

    def _insert(self, columns: Sequence[Sequence[Any]]) -> None:
        rows = list(zip(*columns, strict=True))
        if len(rows) == 1:
            self._cursor.execute(self._one, rows[0])
            return
        whole = len(rows) - len(rows) % self._at_once
        values = chain.from_iterable(rows[:whole])
        width = self._at_once * len(columns)
        self._cursor.execute("SAVEPOINT migrate_batch")
        try:
            self._cursor.executemany(self._many, zip(*[values] * width, strict=True))
            self._cursor.executemany(self._one, rows[whole:])
        except Exception:
            if self._is_open():
                self._cursor.execute("ROLLBACK TO SAVEPOINT migrate_batch")
            raise
        self._cursor.execute("RELEASE SAVEPOINT migrate_batch")


class MySQL(_Inserting):
    """Rows as literals of one INSERT: ten times as fast as what drivers make of parameters.

    The session is in a mode in which a backslash escapes.
    """

    def begin(self, table: Table, columns: Sequence[Column]) -> None:
        """Get ready for rows of a table."""
        super().begin(table, columns)
        self._into = table.quoted(self._dialect)
        if self._merge:
            self._cursor.execute(f"CREATE TEMPORARY TABLE migrate_load LIKE {self._into}")
            self._into = "migrate_load"

    def _insert(self, columns: Sequence[Sequence[Any]]) -> None:
        texts = [
            literals(values, column.kind)
            for values, column in zip(columns, self._columns, strict=True)
        ]
        rows = "),(".join(map(",".join, zip(*texts, strict=True)))
        self._cursor.execute(f"INSERT INTO {self._into} ({self._names()}) VALUES ({rows})")  # noqa: S608

    def end(self) -> None:
        """Finish the table."""
        if not self._merge:
            return
        table = self._table.quoted(self._dialect)
        key = self._names(self._table.primary_key)
        rest = [self._quote(one.name) for one in self._columns]
        values = ", ".join(f"t.{one} = l.{one}" for one in rest)
        dbapi: Any = self._dialect.dbapi
        try:
            self._cursor.execute(
                f"UPDATE {table} t JOIN migrate_load l USING ({key}) SET {values}"  # noqa: S608
            )
            first = self._quote(self._table.primary_key[0])
            taken = ", ".join(f"l.{one}" for one in rest)
            self._cursor.execute(
                f"INSERT INTO {table} ({self._names()}) SELECT {taken} FROM migrate_load l "  # noqa: S608
                f"LEFT JOIN {table} t USING ({key}) WHERE t.{first} IS NULL"
            )
            self._cursor.execute("DROP TEMPORARY TABLE migrate_load")
        except dbapi.Error as error:
            raise Rejected(words(error), None) from error


def on_conflict(table: Table, columns: Sequence[Column], quote: Any) -> str:
    """Return the end of an INSERT that changes the rows that are there already."""
    key = ", ".join(map(quote, table.primary_key))
    rest = [quote(one.name) for one in columns if one.name not in table.primary_key]
    if not rest:
        return f" ON CONFLICT ({key}) DO NOTHING"
    return f" ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(
        f"{one} = excluded.{one}" for one in rest
    )
