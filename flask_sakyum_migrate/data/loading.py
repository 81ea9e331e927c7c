"""Rows into a database, in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from ..errors import DataError
from .cleaning import empty, has_rows, sequences
from .files import as_typed
from .lines import Batch
from .manifest import DumpedDatabase, DumpedTable
from .refused import Rejected, words
from .sessions import Place, changing, deferred
from .sinks import make_sink
from .tables import Column, Table, check_dialect, read_heads, read_tables
from .values import way
from .ways import Target, Way, apply


@dataclass(frozen=True)
class Mode:
    """How rows meet those that are there.

    :param replace: those that are there go first.
    :param merge: those with the same primary key are changed.
    :param lossy: cut what a column cannot hold.
    """

    replace: bool = False
    merge: bool = False
    lossy: bool = False


@dataclass(frozen=True)
class _Taken:
    """A table that takes rows.

    :param ways: how each column of the dump gets into the one of the table.
    """

    table: Table
    columns: Sequence[Column]
    ways: Sequence[Way]


class Receiver:
    """A database that takes the rows of a dump: a context manager, one transaction.

    :param place: where they go.
    :param dumped: where they were.
    :param name: of the file, for messages.
    """

    def __init__(self, place: Place, dumped: DumpedDatabase, mode: Mode, name: str) -> None:
        check_dialect(place.database.engine.dialect)
        self._place, self._url = place, place.database.url
        self._dumped, self._mode, self._name = dumped, mode, name
        self._stack = ExitStack()
        self._deferred = ExitStack()
        self._tables: dict[str, _Taken] = {}
        self._current = ""
        self._first_line = 0
        self._batches: deque[Batch] = deque(maxlen=2)  # one that was not taken may be told later

    def __enter__(self) -> Receiver:
        with self._stack:
            self.connection, self._check = self._stack.enter_context(changing(self._place))
            self._prepare()
            self._sink = make_sink(self.connection, merge=self._mode.merge)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._current:
            self._sink.abort()
        self._stack.__exit__(kind, error, trace)

    @property
    def labels(self) -> frozenset[str]:
        """What the rows begin with that this database takes."""
        return frozenset(self._tables)

    # ---- before the rows ---------------------------------------------------------------------

    def _prepare(self) -> None:
        self._see_to_version()
        wanted = self._place.wanted
        every = read_tables(self.connection, wanted)
        by_name = {one.full_name: one for one in every}
        dialect = self.connection.dialect.name
        dialect = "mysql" if dialect == "mariadb" else dialect
        for one in self._dumped.tables:
            if not wanted.has(one.name):
                continue
            table = by_name.get(one.name)
            if table is None:
                raise DataError(
                    f"{self._name} has rows of {one.name}, and {self._url} has no such "
                    "table. Nothing was loaded.",
                    f"Leave them out:  flask db load {as_typed(self._name)} --exclude {one.name}",
                    table=one.name,
                )
            label = self._dumped.label(one.name)
            self._tables[label] = self._taken(one, table, dialect)
        tables = [one.table for one in self._tables.values()]
        self._see_to_rows(tables, every)
        order = [one.full_name for one in tables]
        early = [
            key
            for table in tables
            for key in table.foreign_keys
            if key.parent in order and order.index(key.parent) >= order.index(table.full_name)
        ]
        self._deferred.enter_context(deferred(self.connection, early))

    def _see_to_version(self) -> None:
        """See to it that nobody moved the database on before it was kept for this load."""
        expected = self._dumped.heads
        heads = read_heads(self.connection, *self._place.version)
        if expected and set(expected) != set(heads or ()):
            raise DataError(
                f"Another run brought {self._url} to {', '.join(heads or ()) or 'base'} meanwhile, "
                f"and {self._name} is of revision {', '.join(expected)}. Nothing was loaded.",
                f"Try again:  flask db load {as_typed(self._name)}",
            )

    def _see_to_rows(self, tables: Sequence[Table], every: Sequence[Table]) -> None:
        self._refuse_without_transactions(tables)
        if self._mode.merge:
            for table in tables:
                if not table.primary_key:
                    raise DataError(
                        f"{table.full_name} has no primary key, so its rows cannot be merged.",
                        f"Leave it out:  --exclude {table.full_name}",
                        table=table.full_name,
                    )
            return
        full = [one.full_name for one in tables if has_rows(self.connection, one)]
        if full and not self._mode.replace:
            file = as_typed(self._name)
            listed = ", ".join(full[:5]) + (", ..." if len(full) > 5 else "")
            raise DataError(
                f"{self._url} has rows already, in {listed}. Nothing was loaded.",
                f"Instead of them:  flask db load {file} --replace\n"
                f"Together with them, by primary key:  flask db load {file} --merge",
                tables=tuple(full),
            )
        if full:
            empty(self.connection, tables, every)

    def _refuse_without_transactions(self, tables: Sequence[Table]) -> None:
        if self.connection.dialect.name not in ("mysql", "mariadb"):
            return
        rows = self.connection.exec_driver_sql(
            "SELECT table_name, engine FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND engine NOT IN ('InnoDB', 'ROCKSDB')"
        )
        names = {one.full_name for one in tables}
        for name, engine in rows:
            if name in names:
                raise DataError(
                    f"{name} is a table of {engine}, where a load that fails cannot be taken "
                    "back. Nothing was loaded.",
                    f"Change it:  ALTER TABLE {name} ENGINE=InnoDB",
                    table=name,
                )

    def _taken(self, dumped: DumpedTable, table: Table, dialect: str) -> _Taken:
        columns = {one.name: one for one in table.columns}
        found, ways = [], []
        for one in dumped.columns:
            column = columns.get(one.name)
            if column is None:
                raise self._differs(table, f"has no column {one.name}", one.name)
            try:
                ways.append(way(one.kind, Target(column, dialect, self._mode.lossy)))
            except (ValueError, KeyError) as error:
                reason = f"has {one.name} as {column.type}: {error}"
                raise self._differs(table, reason, one.name) from error
            found.append(column)
        for name in columns.keys() - {one.name for one in dumped.columns}:
            if columns[name].needed:
                raise self._differs(
                    table, f"needs a value for {name}, which the dump does not have", name
                )
        return _Taken(table, found, ways)

    def _differs(self, table: Table, how: str, column: str) -> DataError:
        return DataError(
            f"{self._name} does not fit: {table.full_name} in {self._url} {how}. "
            "Nothing was loaded.",
            "Are both at the same revision? The dump says where it was made:  "
            f"head -1 {as_typed(self._name)}",
            table=table.full_name,
            column=column,
        )

    # ---- the rows ----------------------------------------------------------------------------

    def write(self, batch: Batch) -> None:
        """Write rows.

        :raises DataError: one of them is not taken; names it.
        """
        taken = self._tables[batch.label]
        if batch.label != self._current:
            self.end_table()
            self._current, self._first_line = batch.label, batch.line
            self._guarded(lambda: self._sink.begin(taken.table, taken.columns))
        self._batches.append(batch)
        values = []
        for column, found, given in zip(taken.columns, taken.ways, batch.columns, strict=True):
            try:
                values.append(apply(found, given))
            except ValueError:
                raise self._bad_value(batch, column, found, given) from None
        self._guarded(lambda: self._sink.write(values))

    def end_table(self) -> None:
        """Finish the table whose rows were written last."""
        if self._current:
            self._guarded(self._sink.end)
            self._current = ""

    def finish(self) -> None:
        """Check what can be checked only now, and let new rows be numbered behind these.

        :raises DataError: a foreign key points nowhere.
        """
        self.end_table()
        self._deferred.close()
        tables = [one.table for one in self._tables.values()]
        self._check(tables)

    def commit(self) -> None:
        """Keep the rows."""
        quote = self.connection.dialect.identifier_preparer.quote
        for taken in self._tables.values():
            for sequence, column in sequences(self.connection, taken.table):
                # setval() is not undone by a roll-back, so it is the last thing before the commit.
                self.connection.exec_driver_sql(
                    f"SELECT setval('{sequence.replace(chr(39), chr(39) * 2)}', "  # noqa: S608
                    f"GREATEST(max({quote(column)}), (SELECT last_value FROM {sequence}))) "
                    f"FROM {taken.table.quoted(self.connection.dialect)} "
                    f"HAVING max({quote(column)}) IS NOT NULL"
                )
        self.connection.commit()

    # ---- what went wrong ---------------------------------------------------------------------

    def _guarded(self, act: Callable[[], None]) -> None:
        dbapi: Any = self.connection.dialect.dbapi
        try:
            act()
        except Rejected as error:
            raise self._rejected(error) from error
        except (sa.exc.DBAPIError, dbapi.Error) as error:
            inner = getattr(error, "orig", None) or error
            table = self._tables[self._current].table.full_name
            raise DataError(
                f"The rows of {table} were not taken: {words(inner)}. Nothing was loaded.",
                table=table,
            ) from error

    def _rejected(self, error: Rejected) -> DataError:
        table = self._tables[self._current].table.full_name
        if error.at is None:
            return DataError(
                f"{self._name}: the rows of {table} were not taken: {error.reason}. "
                "Nothing was loaded.",
                table=table,
            )
        line = self._first_line + error.at
        value, column = _short(error.value) if error.value else "", error.column
        names = [one.name for one in self._tables[self._current].columns]
        for batch in self._batches:
            if column in names and 0 <= line - batch.line < len(batch):
                value = _short(batch.columns[names.index(column)][line - batch.line])
        where = f", column {column}" if column in names else ""
        return DataError(
            f"{self._name}, line {line}, table {table}{where}"
            f"{f', value {value}' if value else ''}: {error.reason}. Nothing was loaded.",
            line=line,
            table=table,
            column=column,
        )

    def _bad_value(
        self, batch: Batch, column: Column, found: Way, given: Sequence[Any]
    ) -> DataError:
        table = self._tables[batch.label].table.full_name
        for line, value in enumerate(given, batch.line):
            try:
                apply(found, [value])
            except ValueError as error:
                hint = ""
                if "keeps" in str(error) or "hold" in str(error):
                    hint = f"Cut what does not fit:  flask db load {as_typed(self._name)} --lossy"
                return DataError(
                    f"{self._name}, line {line}, table {table}, column {column.name}, value "
                    f"{_short(value)}: {error}. Nothing was loaded.",
                    hint,
                    line=line,
                    table=table,
                    column=column.name,
                    value=value,
                )
        raise AssertionError  # one of them did not convert


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
