"""The fast way in of each database: COPY, INSERT of many rows, executemany."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, Protocol

import sqlalchemy as sa

from ..errors import ConfigError
from .tables import Column, Table

_COLUMN = re.compile(r"column (?:`[^`]+`\.)*['\"`]?([^'\"`:]+?)['\"`]?(?: at row| of|$|:)")
_COPY_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
_SQL_ESCAPES = (("\\", "\\\\"), ("'", "''"), ("\0", "\\0"))
_NONE = type(None)
_ROWS = 10
"""Of one INSERT on SQLite: more make it no faster."""
_MARKS = 900
"""Older releases of SQLite take 999."""


class Rejected(Exception):  # noqa: N818 - it never leaves this room
    """The database did not take a row.

    :param at: which one of those given, from 0; None when the database does not say.
    :param column: the column, and its ``value``, as far as the database names them.
    """

    def __init__(
        self, reason: str, at: int | None, column: str = "", value: str | None = None
    ) -> None:
        super().__init__(reason)
        named = _COLUMN.search(reason)
        self.reason, self.at = re.sub(r" at row \d+$", "", reason), at
        self.value = value
        self.column = column or (named[1] if named else "")


class Sink(Protocol):
    """Takes the rows of one table after another.

    Rows are counted from 0 for each table.
    """

    def begin(self, table: Table, columns: Sequence[Column]) -> None:
        """Get ready for rows of a table."""

    def write(self, columns: Sequence[Sequence[Any]]) -> None:
        """Write rows, given by column.

        :raises Rejected: the database does not take one.
        """

    def end(self) -> None:
        """Finish the table.

        :raises Rejected: the database does not take one of its rows.
        """

    def abort(self) -> None:
        """Leave the table as far as it is, so that the transaction can be rolled back."""


def make_sink(connection: sa.Connection, *, merge: bool) -> Sink:
    """Return the way into a database.

    :param merge: rows whose primary key is there already are changed.
    :raises ConfigError: the driver has no such way.
    """
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return _SQLite(connection, merge)
    if connection.dialect.name == "postgresql":
        if hasattr(raw.cursor(), "copy") or hasattr(raw.cursor(), "copy_expert"):
            return _PostgreSQL(connection, merge)
        raise ConfigError(
            f"The driver {connection.dialect.driver} has no COPY, which is how rows are loaded.",
            "Use postgresql+psycopg://... in the URL, and:  pip install 'psycopg[binary]'",
        )
    return _Ahead(_MySQL(connection, merge))


class _Ahead:
    """Another way in, that writes rows while the next ones are being read.

    A server works on its INSERT meanwhile. What is wrong with rows is raised a batch later.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._thread: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None

    def begin(self, table: Table, columns: Sequence[Column]) -> None:
        self._sink.begin(table, columns)
        self._thread = ThreadPoolExecutor(1, "migrate-load")

    def write(self, columns: Sequence[Sequence[Any]]) -> None:
        assert self._thread is not None
        self._wait()
        self._running = self._thread.submit(self._sink.write, columns)

    def end(self) -> None:
        self._wait()
        self._stop()
        self._sink.end()

    def abort(self) -> None:
        self._stop()
        self._running = None
        self._sink.abort()

    def _wait(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def _stop(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None


class _Inserting:
    """What SQLite and MySQL have in common: when a batch fails, its rows go in one by one."""

    def __init__(self, connection: sa.Connection, merge: bool) -> None:
        self._dialect = connection.dialect
        self._quote = connection.dialect.identifier_preparer.quote
        self._cursor: Any = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
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

    def _names(self, columns: Sequence[str] | None = None) -> str:
        names = columns or [one.name for one in self._columns]
        return ", ".join(map(self._quote, names))


class _SQLite(_Inserting):
    def begin(self, table: Table, columns: Sequence[Column]) -> None:
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
            self._cursor.execute("ROLLBACK TO SAVEPOINT migrate_batch")
            raise
        self._cursor.execute("RELEASE SAVEPOINT migrate_batch")


class _MySQL(_Inserting):
    """Rows as literals of one INSERT: ten times as fast as what drivers make of parameters.

    The session is in a mode in which a backslash escapes.
    """

    def begin(self, table: Table, columns: Sequence[Column]) -> None:
        super().begin(table, columns)
        self._into = table.quoted(self._dialect)
        if self._merge:
            self._cursor.execute(f"CREATE TEMPORARY TABLE migrate_load LIKE {self._into}")
            self._into = "migrate_load"

    def _insert(self, columns: Sequence[Sequence[Any]]) -> None:
        literals = [
            _literals(values, column.kind)
            for values, column in zip(columns, self._columns, strict=True)
        ]
        rows = "),(".join(map(",".join, zip(*literals, strict=True)))
        self._cursor.execute(f"INSERT INTO {self._into} ({self._names()}) VALUES ({rows})")  # noqa: S608

    def end(self) -> None:
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


def _literals(values: Sequence[Any], kind: str) -> Sequence[str]:
    """Write values for an INSERT of MySQL, which reads numbers and truth values as Python does."""
    types = set(map(type, values))
    if kind == "bytes":
        return _written(values, types, "x'{}'".format, "NULL")
    if types <= {str, _NONE}:
        return _written(_escaped(values, _SQL_ESCAPES), types, "'{}'".format, "NULL")
    return _written(values, types, repr, "NULL")


def _written(
    values: Sequence[Any], types: set[type], write: Callable[[Any], str], null: str
) -> Sequence[str]:
    if _NONE not in types:
        return list(map(write, values))
    return [null if one is None else write(one) for one in values]


def _escaped(values: Sequence[Any], escapes: Sequence[tuple[str, str]]) -> Sequence[Any]:
    """Replace the characters that mean something, of a whole column at once."""
    text = "".join(filter(None, values))
    for char, written in escapes:
        if char in text:
            values = [one and one.replace(char, written) for one in values]
    return values


class _PostgreSQL:
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
        texts = [
            _copied(values, column.kind)
            for values, column in zip(columns, self._columns, strict=True)
        ]
        with self._rejecting():
            self._pipe.write("\n".join(map("\t".join, zip(*texts, strict=True))) + "\n")

    def end(self) -> None:
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


def _copied(values: Sequence[Any], kind: str) -> Sequence[str]:
    """Write values for COPY."""
    types = set(map(type, values))
    if kind == "bytes":
        return _written(values, types, "\\\\x{}".format, "\\N")
    if types <= {str, _NONE}:
        escaped = _escaped(values, _COPY_ESCAPES)
        return escaped if _NONE not in types else ["\\N" if x is None else x for x in escaped]
    return _written(values, types, repr, "\\N")


def on_conflict(table: Table, columns: Sequence[Column], quote: Any) -> str:
    """Return the end of an INSERT that changes the rows that are there already."""
    key = ", ".join(map(quote, table.primary_key))
    rest = [quote(one.name) for one in columns if one.name not in table.primary_key]
    if not rest:
        return f" ON CONFLICT ({key}) DO NOTHING"
    return f" ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(
        f"{one} = excluded.{one}" for one in rest
    )


def words(error: BaseException) -> str:
    """Return what a driver said, on one line."""
    diag = getattr(error, "diag", None)
    if diag is not None and getattr(diag, "message_primary", None):
        parts = [diag.message_primary, diag.message_detail]
        return ". ".join(one.rstrip(".") for one in parts if one)
    args: Sequence[Any] = error.args
    text: Any = args[1] if len(args) > 1 and isinstance(args[0], int) else error
    if isinstance(error, OverflowError):
        text = "SQLite keeps whole numbers of 64 bits"
    if isinstance(error, UnicodeEncodeError):
        text = "it has half of a character (a lone surrogate)"
    return " ".join(str(text).split()).rstrip(".")
