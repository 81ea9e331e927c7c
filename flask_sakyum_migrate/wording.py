"""Alembic's operations in words: one line each, for the report of a revision, a plan and a check.

A line begins with what is done: ``+`` is new, ``-`` goes, ``~`` is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

_VERBS = {"+": "add", "-": "drop", "~": "change"}
_KINDS = {
    ops.CreateForeignKeyOp: "foreign key",
    ops.CreateUniqueConstraintOp: "unique",
    ops.CreateCheckConstraintOp: "check",
    ops.CreatePrimaryKeyOp: "primary key",
}


def lines(one: Any, dialect: sa.Dialect) -> Iterator[str]:
    """Say what an operation does; nothing where its ``told`` is empty.

    :param one: an operation of Alembic; one with an attribute ``told`` says it itself.
    """
    told = getattr(one, "told", None)
    if isinstance(told, str):
        if told:
            yield told
    elif isinstance(one, ops.CreateTableOp):
        yield f"+ table {full_name(one.table_name, one.schema)}"
    elif isinstance(one, ops.DropTableOp):
        yield f"- table {full_name(one.table_name, one.schema)}"
    elif isinstance(one, ops.RenameTableOp):
        yield f"~ table {of(one)} renamed to {one.new_table_name}"
    elif isinstance(one, ops.AddColumnOp):
        yield f"+ column {of(one)}.{one.column.name} {type_name(one.column.type, dialect)}"
    elif isinstance(one, ops.DropColumnOp):
        yield f"- column {of(one)}.{one.column_name}"
    elif isinstance(one, ops.AlterColumnOp):
        yield f"~ column {of(one)}.{one.column_name} {', '.join(_altered(one, dialect))}"
    else:
        yield _beside_columns(one)


def sentence(line: str) -> str:
    """Return a line as a plan says it: ``drop column user.nick``, ``create table exam``."""
    mark, _, rest = line.partition(" ")
    verb = _VERBS.get(mark)
    if verb is None:
        return line
    if " renamed to " in rest:
        return "rename " + rest.replace(" renamed to ", " to ", 1)
    if mark == "+" and rest.startswith(("table ", "index ")):
        verb = "create"
    return f"{verb} {rest}"


def of(one: Any) -> str:
    """Return the name of the table that an operation changes."""
    return full_name(str(one.table_name), one.schema)


def table_of(one: Any) -> str:
    """Return the name of the table that an operation is about; nothing where it does not say."""
    if isinstance(one, ops.AddConstraintOp):
        table = one.to_constraint().table
        return full_name(table.name, table.schema)
    return of(one) if getattr(one, "table_name", None) else ""


def full_name(table: str, schema: str | None) -> str:
    """Return a table's name as people and metadata write it: with its schema, if it has one."""
    return f"{schema}.{table}" if schema else table


def type_name(type_: Any, dialect: sa.Dialect) -> str:
    """Return a type as the database spells it."""
    if isinstance(type_, type):
        type_ = type_()
    try:
        return str(type_.compile(dialect=dialect))
    except sa.exc.CompileError:  # a type of another database
        return type(type_).__name__


def _beside_columns(one: Any) -> str:
    """Say what an operation does to what a table has beside its columns."""
    if isinstance(one, ops.CreateIndexOp):
        return f"+ index {one.index_name} of {of(one)}"
    if isinstance(one, ops.DropIndexOp):
        return f"- index {one.index_name}{f' of {of(one)}' if one.table_name else ''}"
    if isinstance(one, ops.AddConstraintOp):
        constraint = one.to_constraint()
        table = full_name(constraint.table.name, constraint.table.schema)
        return f"+ {_kind(one)} {constraint.name or 'without a name'} of {table}"
    if isinstance(one, ops.DropConstraintOp):
        kind = (one.constraint_type or "constraint").replace("foreignkey", "foreign key")
        return f"- {kind} {one.constraint_name or 'without a name'} of {of(one)}"
    if isinstance(one, ops.CreateTableCommentOp | ops.DropTableCommentOp):
        return f"~ table {of(one)} comment"
    return f"~ {type(one).__name__.removesuffix('Op')}"


def _altered(one: ops.AlterColumnOp, dialect: sa.Dialect) -> Iterator[str]:
    if one.modify_name is not None:
        yield f"renamed to {one.modify_name}"
    if one.modify_type is not None:
        before = "?" if one.existing_type is None else type_name(one.existing_type, dialect)
        yield f"{before} -> {type_name(one.modify_type, dialect)}"
    if one.modify_nullable is not None:
        yield "may be NULL" if one.modify_nullable else "NOT NULL"
    if one.modify_server_default is not False:
        yield "server default"
    if one.modify_comment is not False:
        yield "comment"


def _kind(one: Any) -> str:
    return next((name for kind, name in _KINDS.items() if isinstance(one, kind)), "constraint")
