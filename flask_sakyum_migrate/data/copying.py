"""Rows by COPY: on PostgreSQL."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from .inserting import on_conflict
from .literals import copied
from .refused import Rejected, words
from .tables import Column, Table


class PostgreSQL:
    """COPY from this process, a block of rows at a time."""

    def __init__(self, connection: sa.Connection, merge: bool) -> None:
        self._dialect = connection.dialect
        self._quote = connection.dialect.identifier_preparer.quote
        self._raw: Any = connection.connection.driver_connection
        self._merge = merge
        self._table: Table
        self._columns: Sequence[Column] = ()
        self._cursor: Any = None
        self._pipe: Any = None

    def begin(self, table: Table, columns: Sequence[Column]) -> None:
        """Get ready for rows of a table."""
        self._table, self._columns = table, columns
        self._cursor = self._raw.cursor()
        into = table.quoted(self._dialect)
        if self._merge:
            self._cursor.execute(
                f"CREATE TEMP TABLE migrate_load (LIKE {into} INCLUDING DEFAULTS) ON COMMIT DROP"
            )
            into = "migrate_load"
        names = ", ".join(self._quote(one.name) for one in columns)
        self._into = f"COPY {into} ({names}) FROM STDIN"
        self._pipe = _pipe(self._cursor, self._into)

    def write(self, columns: Sequence[Sequence[Any]]) -> None:
        """Write rows."""
        texts = [
            copied(values, column.kind)
            for values, column in zip(columns, self._columns, strict=True)
        ]
        with self._rejecting():
            self._pipe.write("\n".join(map("\t".join, zip(*texts, strict=True))) + "\n")

    def end(self) -> None:
        """Finish the table."""
        with self._rejecting():
            self._pipe.close()
            if self._merge:
                names = ", ".join(self._quote(one.name) for one in self._columns)
                self._cursor.execute(
                    f"INSERT INTO {self._table.quoted(self._dialect)} ({names}) "  # noqa: S608
                    f"OVERRIDING SYSTEM VALUE SELECT {names} FROM migrate_load"
                    + on_conflict(self._table, self._columns, self._quote)
                )
                self._cursor.execute("DROP TABLE migrate_load")
        self._cursor.close()

    def abort(self) -> None:
        """Leave the table as far as it is."""
        self._pipe.abort()

    @contextmanager
    def _rejecting(self) -> Iterator[None]:
        dbapi: Any = self._dialect.dbapi
        try:
            yield
        except UnicodeEncodeError as error:
            raise Rejected("it has half of a character (a lone surrogate)", None) from error
        except dbapi.Error as error:
            context = getattr(error.diag, "context", None) or ""
            match = re.search(r'COPY .+, line (\d+)(?:, column ([^:]+)(?:: "(.*)")?)?', context)
            if match is None:
                raise Rejected(words(error), None) from error
            at = int(match[1]) - 1 + self._pipe.before
            raise Rejected(words(error), at, match[2] or "", match[3]) from error


def _pipe(cursor: Any, statement: str) -> Any:
    """Open a COPY: something with ``write(text)`` and ``close()``."""
    return (_Psycopg if hasattr(cursor, "copy") else _Psycopg2)(cursor, statement)


class _Psycopg:
    before = 0

    def __init__(self, cursor: Any, statement: str) -> None:
        self._context = cursor.copy(statement)
        self._copy = self._context.__enter__()
        self._is_open = True

    def write(self, text: str) -> None:
        self._copy.write(text.encode())

    def close(self) -> None:
        self._is_open = False
        self._context.__exit__(None, None, None)

    def abort(self) -> None:
        if self._is_open:
            self._is_open = False
            stop = RuntimeError("the load was given up")
            with suppress(Exception):  # that it was given up is what the server says
                self._context.__exit__(RuntimeError, stop, None)


class _Psycopg2:
    """psycopg2 reads from a file, so each batch is a COPY of its own."""

    def __init__(self, cursor: Any, statement: str) -> None:
        self._cursor, self._statement = cursor, statement
        self.before = 0

    def write(self, text: str) -> None:
        self._cursor.copy_expert(self._statement, io.BytesIO(text.encode()))
        self.before += text.count("\n")

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass
