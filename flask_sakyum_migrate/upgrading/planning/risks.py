"""What an operation puts at risk, from a look at the rows that are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.types import TypeEngine

from ..losses import loss_of
from ..sqltext import parts, without_literals
from .recording import Noted

MOST = 100_000
"""Rows that are counted; a table may have more than anybody wants to wait for."""

MayLose = Callable[[TypeEngine[Any], TypeEngine[Any], sa.Dialect], bool]
_Name = tuple["str | None", str]
Risk = tuple[str, str]
"""What is at risk, in words, and ``loss`` or ``look``; both empty where nothing is."""

_NONE: Risk = ("", "")


class Risks:
    """Knows the rows of a database while a plan goes through its operations.

    :param connection: to the database; None: no row is counted.
    :param dialect: of the database.
    :param may_lose: tells whether a column may lose something when it gets another type.
    """

    def __init__(
        self, connection: sa.Connection | None, dialect: sa.Dialect, may_lose: MayLose
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._may_lose = may_lose
        # What operations of the plan have made (None) or renamed: its name in the database now.
        self._tables: dict[_Name, str | None] = {}
        self._columns: dict[tuple[_Name, str], str | None] = {}
        self._rules: dict[type[Any], Callable[[Any], Risk]] = {
            ops.DropTableOp: self._drop_table,
            ops.DropColumnOp: self._drop_column,
            ops.AlterColumnOp: self._alter_column,
            ops.AddColumnOp: self._add_column,
            ops.CreateIndexOp: self._create_index,
            ops.AddConstraintOp: self._add_constraint,
        }

    def of(self, noted: Noted) -> Risk:
        """Return what an operation puts at risk; the operations come in their order."""
        one = noted.operation
        if noted.sql:
            return self._sql(noted.sql)
        rule = next((self._rules[kind] for kind in type(one).__mro__ if kind in self._rules), None)
        found = rule(one) if rule is not None else _NONE
        self._follow(one)
        return found

    # ---- one kind of operation each ------------------------------------------------------------

    def _drop_table(self, one: ops.DropTableOp) -> Risk:
        rows, _ = self._count(one)
        return (_rows(rows), "loss") if rows else _NONE

    def _drop_column(self, one: ops.DropColumnOp) -> Risk:
        rows, values = self._count(one, one.column_name)
        if not values:
            return _NONE
        return f"{_rows(rows)}, {_values(rows, values)}", "loss"

    def _alter_column(self, one: ops.AlterColumnOp) -> Risk:
        rows, values = self._count(one, one.column_name)
        if one.modify_nullable is False and values is not None and rows is not None:
            missing = rows - values
            if missing:
                return f"{_rows(missing)} without a value", "look"
        if one.modify_type is None or not rows:
            return _NONE
        if one.existing_type is None:
            return f"{_rows(rows)}, the type before is not in the revision", "look"
        pair = [it() if isinstance(it, type) else it for it in (one.existing_type, one.modify_type)]
        if self._may_lose(pair[0], pair[1], self._dialect):
            return f"{_rows(rows)}, values may be lost", "loss"
        return _NONE

    def _add_column(self, one: ops.AddColumnOp) -> Risk:
        column = one.column
        has_value = column.nullable or column.server_default is not None or column.identity
        rows, _ = (None, None) if has_value or column.computed else self._count(one)
        return (f"{_rows(rows)} without a value", "look") if rows else _NONE

    def _create_index(self, one: ops.CreateIndexOp) -> Risk:
        rows, _ = self._count(one) if one.unique else (None, None)
        return (f"no two of {_rows(rows)} may be the same", "look") if rows else _NONE

    def _add_constraint(self, one: ops.AddConstraintOp) -> Risk:
        table = one.to_constraint().table
        rows, _ = self._count(table)
        if not rows:
            return _NONE
        if isinstance(one, ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp):
            return f"no two of {_rows(rows)} may be the same", "look"
        return f"{_rows(rows)} must keep it", "look"

    def _sql(self, text: str) -> Risk:
        name = self._dialect.name
        syntax = {"mariadb": "mysql"}.get(name, name)
        syntax = syntax if syntax in ("mysql", "postgresql") else "sqlite"
        found = [loss for one in parts(without_literals(text, syntax)) if (loss := loss_of(one))]
        return (found[0], "loss") if found else _NONE

    # ---- rows ----------------------------------------------------------------------------------

    def _count(self, one: Any, column: str | None = None) -> tuple[int | None, int | None]:
        """Count the rows of a table, and those that have a value in a column.

        None where there is nothing to count: the plan makes it, or it is not there.
        """
        name = (one.schema, str(getattr(one, "table_name", None) or getattr(one, "name", "")))
        stored = self._tables.get(name, name[1])
        held = self._columns.get((name, column), column) if column else None
        if self._connection is None or stored is None or (column and held is None):
            return None, None
        columns: list[sa.ColumnClause[Any]] = [sa.column(held)] if held else []
        table = sa.table(stored, *columns, schema=name[0])
        wanted = [table.c[held].label("value") if held else sa.literal(1).label("value")]
        some = sa.select(*wanted).select_from(table).limit(MOST + 1).subquery()
        statement = sa.select(sa.func.count(), sa.func.count(some.c.value))
        try:
            with self._connection.begin_nested():
                rows, values = self._connection.execute(statement.select_from(some)).one()
        except sa.exc.DBAPIError:  # not there, or not to be read: the run will say it
            return None, None
        return int(rows), int(values)

    def _follow(self, one: Any) -> None:
        """Remember what is called otherwise, or is new, when the operation is done."""
        if isinstance(one, ops.CreateTableOp):
            self._tables[one.schema, one.table_name] = None
        elif isinstance(one, ops.RenameTableOp):
            before = (one.schema, str(one.table_name))
            after = (one.schema, one.new_table_name)
            self._tables[after] = self._tables.get(before, before[1])
            for (table, column), stored in list(self._columns.items()):
                if table == before:
                    self._columns[after, column] = stored
        elif isinstance(one, ops.AddColumnOp):
            self._columns[(one.schema, str(one.table_name)), one.column.name] = None
        elif isinstance(one, ops.AlterColumnOp) and one.modify_name is not None:
            name = (one.schema, str(one.table_name))
            held = self._columns.get((name, one.column_name), one.column_name)
            self._columns[name, one.modify_name] = held


def _rows(count: int | None) -> str:
    if count is not None and count > MOST:
        return f"more than {MOST:,} rows"
    return f"{count or 0:,} row{'s' if count != 1 else ''}"


def _values(rows: int | None, values: int) -> str:
    if rows is not None and rows > MOST:
        return f"{values:,} of {rows:,} with a value"
    return f"{values:,} with a value"
