"""CHECK constraints on columns that go: they go before them, and come back after them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import ops

from ...runtime.sqlite_schema import mentioned, tokens_of
from ..differences.bysql import words
from ..differences.changes import Changes
from ..differences.checks import DropCheck, MakeCheck


def drop_with_columns(changes: Changes) -> None:
    """Drop the CHECK constraints that speak of a column which is dropped.

    PostgreSQL drops them with it and would not have them back; the others refuse.
    """
    gone: dict[tuple[str | None, str], set[str]] = {}
    dropped = set()
    for _, one in changes.walk():
        if isinstance(one, ops.DropColumnOp):
            gone.setdefault((one.schema, one.table_name), set()).add(one.column_name.lower())
        elif isinstance(one, ops.DropConstraintOp):
            dropped.add((one.schema, one.table_name, one.constraint_name))
    inspector = sa.inspect(changes.connection)
    for (schema, table), columns in gone.items():
        pairs = changes.renamed.columns.get((schema, table), {})
        stored = changes.renamed.stored_table(table, schema)
        for one in inspector.get_check_constraints(stored, schema):
            sql, name = words(one["sqltext"], pairs), one["name"]
            if name is None or (schema, table, name) in dropped:
                continue
            if mentioned(tokens_of(sql)) & columns:
                changes.add_to_table(DropCheck(MakeCheck(name, table, sql, schema)))


def drop_with_new_columns(changes: Changes) -> None:
    """Drop the CHECK constraints that came with a column which goes again, on the way back.

    The other databases drop them with it.
    """
    if changes.dialect != "sqlite":
        return
    for one in [one for _, one in changes.walk() if isinstance(one, ops.DropColumnOp)]:
        model = changes.model(one.table_name, one.schema)
        for check in model.constraints if model is not None else ():
            if not isinstance(check, sa.CheckConstraint) or not isinstance(check.name, str):
                continue
            if one.column_name in [column.name for column in check.columns]:
                changes.add_to_table(
                    ops.DropConstraintOp(check.name, one.table_name, "check", schema=one.schema)
                )
