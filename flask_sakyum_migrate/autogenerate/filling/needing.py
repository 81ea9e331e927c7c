"""The columns of a table whose rows need a value, and the operations that give it to them.

A new column is added with the value as its default, which goes again in the next operation: the
databases note such a default once for all rows, so it takes no longer for a big table. Where that
cannot be said, and where the column is there already, the rows are updated in between.
"""

from __future__ import annotations

import copy
import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.types import TypeEngine

from ..differences.changes import Changes, full_name
from ..types.underlying import underlying
from . import values
from .operations import Fill, Remark, Settle
from .remembered import readable
from .values import Value

_BIG = 100_000  # rows; from there on they are updated in pieces


class Left(enum.Enum):
    """What becomes of a column whose rows get no value."""

    AS_IT_IS = enum.auto()
    NULLABLE = enum.auto()


Answer = Value | str | Left
"""Rows get a value, or what code says (see `Fill`), or none."""


@dataclass(frozen=True)
class Needed:
    """A column that may not be NULL, and rows that may have no value for it.

    :param operation: what adds it, or makes it NOT NULL.
    :param column: as it is in the models or, on the way back, in the database.
    :param type: the one it has when the operation is done.
    """

    operation: ops.AddColumnOp | ops.AlterColumnOp
    column: sa.Column[Any]
    type: TypeEngine[Any]

    @property
    def table(self) -> str:
        """The name of its table."""
        return str(self.operation.table_name)

    @property
    def schema(self) -> str | None:
        """The schema of its table."""
        return self.operation.schema

    @property
    def name(self) -> str:
        """How a person writes it: ``user.age``."""
        return f"{full_name(self.table, self.schema)}.{self.column.name}"

    @property
    def is_new(self) -> bool:
        """The column is added."""
        return isinstance(self.operation, ops.AddColumnOp)

    @property
    def is_unique(self) -> bool:
        """No two rows may have the same value."""
        table = self.column.table
        alone = [[self.column.name]]
        return any(
            [column.name for column in one.columns] in alone
            for one in (*table.constraints, *table.indexes)
            if isinstance(one, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
            or (isinstance(one, sa.Index) and one.unique)
        )

    def examples(self) -> list[str]:
        """Return values that a person may type."""
        if self.is_unique or self.column.foreign_keys:
            return []
        return values.examples(self.type)

    def neutral(self, changes: Changes, made: Collection[str]) -> Answer:
        """Return a value that says nothing.

        :param made: the tables that are made in the same revision: they have no rows.
        """
        default, dialect = self.column.server_default, changes.context.dialect
        if isinstance(default, sa.DefaultClause):
            return values.of_server_default(default, self.type, dialect)
        for key in self.column.foreign_keys:
            return self._referring(key, made)
        if self.is_unique:
            return self._different()
        said = None
        if isinstance(self.type, sa.String | sa.LargeBinary):
            said = readable(self.table, self.column.name, self.type, changes.history())
        return said or values.neutral(self.type, dialect) or Left.NULLABLE

    def _referring(self, key: sa.ForeignKey, made: Collection[str]) -> Answer:
        """Return code for a row that is there to refer to."""
        *schema, table, column = key.target_fullname.split(".")
        if table == self.table:
            return f"{{sa}}column({column!r})"
        if table in made:
            return Left.NULLABLE
        place = f", schema={schema[0]!r}" if schema else ""
        there = f".select_from({{sa}}table({table!r}{place}))"
        parts = _parts(key)
        if len(parts) == 1:
            return (
                f"{{sa}}select({{sa}}func.min({{sa}}column({column!r}))){there}.scalar_subquery()"
            )
        # All columns of the key have to be of one row.
        row = ", ".join(f"{{sa}}column({one!r})" for one in parts)
        first = f".order_by({row}).limit(1)"
        return f"{{sa}}select({{sa}}column({column!r})){there}{first}.scalar_subquery()"

    def _different(self) -> Answer:
        """Return code that gives another value to each row."""
        key = self.key
        if key is None or not isinstance(key.type, sa.Integer):
            return Left.NULLABLE
        if isinstance(self.type, sa.Integer):
            return f"rows.c[{key.name!r}]"
        if isinstance(self.type, sa.String) and (self.type.length or 20) >= 20:
            return f"{{sa}}cast(rows.c[{key.name!r}], {{sa}}String(20))"
        return Left.NULLABLE

    @property
    def key(self) -> sa.Column[Any] | None:
        """The primary key, where it is one column."""
        columns = list(self.column.table.primary_key.columns)
        return columns[0] if len(columns) == 1 else None


def find(mod: ops.ModifyTableOps, changes: Changes) -> list[Needed]:
    """Return the columns of a table whose rows need a value."""
    found = []
    for one in mod.ops:
        if isinstance(one, ops.AddColumnOp):
            column = one.column
            if not column.nullable and column.server_default is None and not column.primary_key:
                found.append(Needed(one, column, column.type))
        elif isinstance(one, ops.AlterColumnOp) and one.modify_nullable is False:
            model = changes.column(str(one.table_name), one.schema, one.column_name)
            if model is not None and not model.primary_key:
                found.append(_altered(one, model, changes))
    return found


def _altered(one: ops.AlterColumnOp, model: sa.Column[Any], changes: Changes) -> Needed:
    if not changes.back:
        return Needed(one, model, model.type)
    column = copy.copy(model)  # what it was for the database, as far as it was another one
    default = one.modify_server_default
    default = one.existing_server_default if default is False else default
    column.server_default = default if isinstance(default, sa.DefaultClause) else None
    return Needed(one, column, one.modify_type or one.existing_type or model.type)


def write(
    mod: ops.ModifyTableOps, answers: Sequence[tuple[Needed, Answer]], changes: Changes
) -> list[ops.MigrateOperation]:
    """Return the operations on a table, with what gives values to its rows."""
    by_operation = {id(needed.operation): (needed, answer) for needed, answer in answers}
    early = (ops.AddColumnOp, ops.AlterColumnOp)
    last = max(number for number, one in enumerate(mod.ops) if isinstance(one, early))
    plan = _Plan(changes)
    for one in mod.ops[: last + 1]:
        if id(one) in by_operation:
            plan.add(*by_operation[id(one)])
        else:
            plan.first.append(one)
    plan.then += mod.ops[last + 1 :]
    return [
        *_table(mod, plan.first),
        *plan.between,
        *_table(mod, plan.then),
    ]


class _Plan:
    """The operations before rows get their values, those that give them, and those after it."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._dialect = changes.context.dialect
        self.first: list[Any] = []
        self.between: list[Any] = []
        self.then: list[Any] = []

    def add(self, needed: Needed, answer: Answer) -> None:
        """Take in a column."""
        if isinstance(needed.operation, ops.AddColumnOp):
            self._new(needed, needed.operation, answer)
        else:
            self._old(needed, needed.operation, answer)

    def _new(self, needed: Needed, one: ops.AddColumnOp, answer: Answer) -> None:
        self.first.append(one)
        if answer is Left.AS_IT_IS:  # it is not going to be written
            return
        default = None
        if isinstance(answer, Value):
            default = values.as_server_default(answer, needed.type, self._dialect)
        one.column = copy.copy(one.column)  # the models keep theirs
        if default is not None:
            one.column.server_default = sa.DefaultClause(default)
            settle = self._settle(needed, existing_nullable=False, modify_server_default=None)
            settle.existing_server_default = one.column.server_default
            settle.told = _told(needed, answer)
            self.then.append(settle)
            return
        one.column.nullable = True
        if isinstance(answer, Left):
            self._remark(needed)
            return
        self._fill(needed, answer)
        self.then.append(self._settle(needed, existing_nullable=True, modify_nullable=False))

    def _old(self, needed: Needed, one: ops.AlterColumnOp, answer: Answer) -> None:
        if answer is Left.AS_IT_IS:
            self.then.append(one)
            return
        others = copy.copy(one)
        others.modify_nullable, others.existing_nullable = None, True
        if others.has_changes():
            self.first.append(others)
        if isinstance(answer, Left):
            self._remark(needed)
            return
        self._fill(needed, answer)
        default = one.modify_server_default
        self.then.append(
            ops.AlterColumnOp(
                one.table_name,
                one.column_name,
                schema=one.schema,
                existing_type=one.modify_type or one.existing_type,
                existing_nullable=True,
                existing_server_default=(
                    one.existing_server_default if default is False else default
                ),
                existing_comment=(
                    one.existing_comment if one.modify_comment is False else one.modify_comment
                ),
                modify_nullable=False,
            )
        )

    def _settle(self, needed: Needed, **arguments: Any) -> Settle:
        return Settle(
            needed.table,
            needed.column.name,
            schema=needed.schema,
            existing_type=needed.type,
            existing_comment=needed.column.comment,
            **arguments,
        )

    def _fill(self, needed: Needed, answer: Value | str) -> None:
        back = self._changes.back
        comment = f"The values of {needed.name} are gone: rows get this one."
        self.between.append(
            Fill(
                needed.table,
                needed.schema,
                needed.column.name,
                underlying(needed.type, self._dialect),
                answer,
                key=self._key(needed),
                in_pieces=not back and self._is_big(needed),
                comment=comment if back and needed.is_new else "",
                told=_told(needed, answer),
            )
        )

    def _key(self, needed: Needed) -> tuple[str, TypeEngine[Any]] | None:
        key = needed.key
        return None if key is None else (key.name, underlying(key.type, self._dialect))

    def _remark(self, needed: Needed) -> None:
        if self._changes.back:
            self.between.append(
                Remark(f"{needed.name} was NOT NULL. Its values are gone, so it may be NULL here.")
            )

    def _is_big(self, needed: Needed) -> bool:
        """Tell whether so many rows have no value that others would wait for long."""
        changes = self._changes
        if needed.key is None or changes.dialect == "sqlite":  # where only one can write at a time
            return False
        place = needed.table, needed.schema
        name = changes.renamed.stored_column(*place, needed.column.name)
        table = sa.table(
            changes.renamed.stored_table(*place), sa.column(name), schema=needed.schema
        )
        some = sa.select(sa.literal(1)).select_from(table).limit(_BIG + 1)
        if not needed.is_new:
            some = some.where(table.c[name].is_(None))
        count = sa.select(sa.func.count()).select_from(some.subquery())
        return bool(changes.connection.execute(count).scalar_one() > _BIG)


def _parts(key: sa.ForeignKey) -> list[str]:
    """Return the columns that the whole key of a column refers to."""
    whole = key.constraint
    keys = whole.elements if whole is not None else [key]
    return [one.target_fullname.rpartition(".")[2] for one in keys]


def _told(needed: Needed, answer: Answer) -> str:
    return f"~ rows of {full_name(needed.table, needed.schema)}: {needed.column.name} is {answer}"


def _table(mod: ops.ModifyTableOps, operations: list[Any]) -> list[ops.MigrateOperation]:
    if not operations:
        return []
    return [type(mod)(mod.table_name, operations, schema=mod.schema)]
