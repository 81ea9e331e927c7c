"""One snapshot of a database, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, BinaryIO

import sqlalchemy as sa

from ..binds import Database, sqlite_file
from ..errors import DataError
from .expressions import select, sqlite_functions
from .manifest import DumpedColumn, DumpedDatabase, DumpedTable
from .tables import Table, Wanted, check_dialect, pick, read_heads, read_tables

OnRows = Callable[[str, int], None]
"""Called with a table and how many more of its rows are done."""

_AT_ONCE = 1000
# Texts in one shape whatever the server is set to.
_POSTGRESQL = (
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'iso_8601'",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL client_encoding = 'UTF8'",
)
_MYSQL = ("SET NAMES utf8mb4", "SET time_zone = '+00:00'")
# JSON has none of these characters, so that a row goes out as it is.
_COPY = "COPY ({}) TO STDOUT (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')"


@dataclass
class Source:
    """A database that is being dumped: its snapshot is open.

    :param tables: those whose rows are dumped.
    :param every: the names of all tables.
    :param rows: how many rows of each table were written.
    """

    database: Database
    connection: sa.Connection
    heads: tuple[str, ...] | None
    tables: Sequence[Table]
    every: frozenset[str]
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def described(self) -> DumpedDatabase:
        """The database as the manifest has it."""
        dialect = self.connection.dialect
        tables = tuple(
            DumpedTable(
                table.full_name,
                tuple(
                    DumpedColumn(one.name, one.kind, _type_text(one.type, dialect))
                    for one in table.columns
                ),
            )
            for table in self.tables
        )
        return DumpedDatabase(self.database.name, dialect.name, self.heads, tables)

    def write(
        self, file: BinaryIO, where: Mapping[str, str], on_rows: OnRows | None = None
    ) -> None:
        """Write the rows.

        :param where: SQL for the tables of which only some rows are wanted.
        :raises DataError: the database refused, or a row cannot be written.
        """
        described = self.described
        for table in self.tables:
            label = described.label(table.full_name)
            statement = select(
                table, label, self.connection.dialect, where.get(table.full_name, "")
            )
            self.rows[label] = 0

            def count(rows: int, label: str = label) -> None:
                self.rows[label] += rows
                if on_rows is not None:
                    on_rows(label, rows)

            with _in_words(self.connection, table.full_name):
                _stream(self.connection, statement, table.full_name, file, count)


@contextmanager
def snapshot(
    database: Database, wanted: Wanted, version_table: str, schema: str | None
) -> Iterator[Source]:
    """Open a database so that it stands still for whoever reads it here.

    :param wanted: the tables to dump.
    """
    engine = database.engine
    check_dialect(engine.dialect)
    path = sqlite_file(engine)
    if path is not None and not path.exists():
        raise DataError(f"There is no database {path} yet.", "Make it:  flask db upgrade")
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect() as plain:
        connection = plain.execution_options(**options) if options else plain
        try:
            _begin(connection)
            every = read_tables(connection, wanted)
            heads = read_heads(connection, version_table, schema)
            names = frozenset(one.full_name for one in every)
            yield Source(database, connection, heads, pick(every, wanted), names)
        finally:
            connection.rollback()
            _end(connection)


def _begin(connection: sa.Connection) -> None:
    name = connection.dialect.name
    if name == "postgresql":
        for statement in _POSTGRESQL:
            connection.exec_driver_sql(statement)
    elif name == "sqlite":
        raw: Any = connection.connection.driver_connection
        connection.exec_driver_sql("SELECT 1")
        if not raw.in_transaction:
            connection.exec_driver_sql("BEGIN")
        for function, (count, body) in sqlite_functions().items():
            raw.create_function(function, count, body, deterministic=True)
    else:
        for statement in _MYSQL:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _end(connection: sa.Connection) -> None:
    """Give the session back as it was, or give it up where that is not known."""
    if connection.dialect.name in ("mysql", "mariadb"):
        connection.invalidate()


# ---- the rows ----------------------------------------------------------------------------------


def _stream(
    connection: sa.Connection,
    statement: str,
    table: str,
    file: BinaryIO,
    count: Callable[[int], None],
) -> None:
    raw: Any = connection.connection.driver_connection
    cursor: Any
    if connection.dialect.name == "postgresql" and hasattr(raw.cursor(), "copy"):
        with raw.cursor() as cursor, cursor.copy(_COPY.format(statement)) as copy:
            _write_copied(copy, file, count)
    elif connection.dialect.name == "postgresql" and hasattr(raw.cursor(), "copy_expert"):
        with raw.cursor() as cursor:
            cursor.copy_expert(_COPY.format(statement), _Counting(file, count))
    elif connection.dialect.name == "sqlite":
        before, raw.text_factory = raw.text_factory, bytes
        cursor = raw.cursor()
        try:
            cursor.execute(statement)
            _write_fetched(cursor, table, file, count)
        finally:
            cursor.close()
            raw.text_factory = before
    else:
        cursor = _unbuffered(connection, raw)
        try:
            cursor.execute(statement)
            _write_fetched(cursor, table, file, count)
        finally:
            cursor.close()


def _unbuffered(connection: sa.Connection, raw: Any) -> Any:
    """Open a cursor that reads row by row from the server; SQLAlchemy's would keep the first."""
    dbapi: Any = connection.dialect.dbapi
    if dbapi.__name__ in ("pymysql", "MySQLdb"):
        return raw.cursor(import_module(f"{dbapi.__name__}.cursors").SSCursor)
    return raw.cursor()


def _write_copied(copy: Any, file: BinaryIO, count: Callable[[int], None]) -> None:
    lines: list[Any] = []
    for line in copy:
        lines.append(line)
        if len(lines) == _AT_ONCE:
            file.write(b"".join(lines))
            count(len(lines))
            lines.clear()
    file.write(b"".join(lines))
    count(len(lines))


class _Counting:
    """A file for psycopg2, which writes a row at a time."""

    def __init__(self, file: BinaryIO, count: Callable[[int], None]) -> None:
        self._write, self._count = file.write, count

    def write(self, data: bytes) -> int:
        self._count(data.count(b"\n"))
        return self._write(data)


def _write_fetched(cursor: Any, table: str, file: BinaryIO, count: Callable[[int], None]) -> None:
    done = 0
    while rows := cursor.fetchmany(_AT_ONCE):
        lines = [line for (line,) in rows]
        if None in lines:
            raise DataError(
                f"A row of {table} is too long for the server to send "
                f"(row {done + lines.index(None) + 1}).",
                "Raise max_allowed_packet on the server.",
                table=table,
            )
        if isinstance(lines[0], str):
            lines = [line.encode() for line in lines]
        block = b"\n".join(lines)
        _check_text(block, lines, table, done)
        file.write(block + b"\n")
        done += len(rows)
        count(len(rows))


def _check_text(block: bytes, lines: Sequence[bytes], table: str, done: int) -> None:
    """Refuse text that is not UTF-8: SQLite keeps what it is given."""
    try:
        block.decode()
    except UnicodeDecodeError:
        for number, line in enumerate(lines, done + 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                around = line[max(error.start - 20, 0) : error.end + 20]
                raise DataError(
                    f"Row {number} of {table} has text that is not UTF-8: {around!r}.",
                    "Bytes belong into a column of type LargeBinary. Mend the row, or leave it "
                    f'out:  flask db dump FILE --where "{table}: ..."',
                    table=table,
                ) from error


@contextmanager
def _in_words(connection: sa.Connection, table: str) -> Iterator[None]:
    """Say what the driver raised below SQLAlchemy, and about which table."""
    dbapi: Any = connection.dialect.dbapi
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _refused(table, error.orig) from error
    except dbapi.Error as error:
        raise _refused(table, error) from error


def _refused(table: str, error: Any) -> DataError:
    reason = " ".join(str(error).split())
    hint = ""
    if "cannot hold BLOB" in reason:
        reason = "a column of text has bytes in it"
        hint = f"Which rows:  SELECT * FROM {table} WHERE typeof(COLUMN) = 'blob'"  # noqa: S608
    return DataError(f"The rows of {table} cannot be read: {reason}.", hint, table=table)


def _type_text(type_: Any, dialect: sa.Dialect) -> str:
    try:
        return str(type_.compile(dialect))
    except sa.exc.CompileError:
        return str(type(type_).__name__).upper()
