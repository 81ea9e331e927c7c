"""Renames as operations that know their way back, and are written as plain Alembic.

Alembic's own do not: its ``RenameTableOp`` has no reverse and cannot be written to a file, and its
``AlterColumnOp`` forgets the new name when it is reversed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from ..differences.bysql import colons
from ..differences.changes import full_name
from ..differences.only import Only


class RenameTable(ops.RenameTableOp):
    """``op.rename_table()``."""

    @property
    def told(self) -> str:
        """The line of the report."""
        return f"~ table {full_name(self.table_name, self.schema)} renamed to {self.new_table_name}"

    def reverse(self) -> RenameTable:
        """Rename it back."""
        return RenameTable(self.new_table_name, self.table_name, schema=self.schema)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the schema, the old name and the new one."""
        return ("rename_table", self.schema, self.table_name, self.new_table_name)


class RenameColumn(ops.AlterColumnOp):
    """``op.alter_column(..., new_column_name=...)`` that changes nothing but the name."""

    @classmethod
    def of(cls, table: str, schema: str | None, column: sa.Column[Any], name: str) -> RenameColumn:
        """Rename a column as it is in the database; MySQL states all of it anew."""
        default = column.server_default
        return cls(
            table,
            column.name,
            schema=schema,
            existing_type=column.type,
            existing_nullable=column.nullable,
            # What the database makes by itself is not a default that could be given again.
            existing_server_default=default if isinstance(default, sa.DefaultClause) else False,
            existing_comment=column.comment,
            modify_name=name,
        )

    def reverse(self) -> RenameColumn:
        """Rename it back."""
        assert self.modify_name is not None
        return RenameColumn(
            self.table_name,
            self.modify_name,
            schema=self.schema,
            existing_type=self.existing_type,
            existing_nullable=self.existing_nullable,
            existing_server_default=self.existing_server_default,
            existing_comment=self.existing_comment,
            modify_name=self.column_name,
        )

    def has_changes(self) -> bool:
        """The name is one."""
        return True

    def to_diff_tuple(self) -> Any:
        """Return the schema, the table, the old name and the new one."""
        return [("rename_column", self.schema, self.table_name, self.column_name, self.modify_name)]


def rename_by_sql(
    dialects: tuple[str, ...],
    sql: str,
    back: str,
    told: str,
    otherwise: tuple[Sequence[ops.MigrateOperation], Sequence[ops.MigrateOperation]] = ((), ()),
) -> Only:
    """Return the operation for what Alembic has none to rename with.

    :param dialects: those the statement is for.
    :param back: the statement that takes it back.
    :param told: the line of the report.
    :param otherwise: what other dialects do instead, and what takes that back.
    """
    there, again = (ops.ExecuteSQLOp(colons(one)) for one in (sql, back))
    return Only(dialects, there, back=again, told=told, otherwise=otherwise)


@renderers.dispatch_for(RenameTable)
def _rename_table(context: AutogenContext, op: RenameTable) -> str:
    prefix = context.opts["alembic_module_prefix"] or ""
    schema = f", schema={str(op.schema)!r}" if op.schema else ""
    return f"{prefix}rename_table({str(op.table_name)!r}, {str(op.new_table_name)!r}{schema})"
