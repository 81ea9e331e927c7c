"""The operations that give a value to rows that have none, written in plain Alembic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy.types import TypeEngine

from ..differences.changes import Nothing
from ..writing.rendering import render_type
from .values import Value

PIECE = 10_000  # rows that are changed before they are committed, where a table is big


class Fill(ops.MigrateOperation):
    """``UPDATE ... SET column = value WHERE column IS NULL``.

    :param table: its name.
    :param column: its name.
    :param type_: the type of the column in the database.
    :param value: a value, or code in which ``rows`` is the table and ``{sa}`` SQLAlchemy's prefix.
    :param key: the name and the type of the primary key, where it is one column.
    :param in_pieces: some rows after the other, each piece committed; else all at once, in the
        transaction of the revision.
    :param comment: a line of the file.
    :param told: the line of the report.
    """

    def __init__(
        self,
        table: str,
        schema: str | None,
        column: str,
        type_: TypeEngine[Any],
        value: Value | str,
        *,
        key: tuple[str, TypeEngine[Any]] | None = None,
        in_pieces: bool = False,
        comment: str = "",
        told: str = "",
    ) -> None:
        self.table_name, self.schema, self.column_name = table, schema, column
        self.type_, self.value = type_, value
        self.key, self.in_pieces = key, in_pieces
        self.comment, self.told = comment, told

    def reverse(self) -> Nothing:
        """The column goes, or may be NULL again."""
        return Nothing()

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the table and the column."""
        return ("fill", self.schema, self.table_name, self.column_name)


class Settle(ops.AlterColumnOp):
    """What is left to do with a new column when the rows have a value.

    :param told: the line of the report; empty for none.
    """

    told = ""

    def reverse(self) -> Any:
        """There is nothing to do: the column goes."""
        return Nothing()


class Remark(ops.MigrateOperation):
    """A comment in the file."""

    told = ""

    def __init__(self, text: str) -> None:
        self.text = text

    def reverse(self) -> Nothing:
        """Nothing is said on the way back."""
        return Nothing()

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the text."""
        return ("remark", self.text)


@renderers.dispatch_for(Remark)
def _remark(context: AutogenContext, op: Remark) -> str:
    return f"# {op.text}"


@renderers.dispatch_for(Fill)
def _fill(context: AutogenContext, op: Fill) -> list[str]:
    alembic, prefix = (
        context.opts[f"{name}_module_prefix"] or "" for name in ("alembic", "sqlalchemy")
    )
    columns = [(op.column_name, op.type_)]
    if op.key is not None and (op.in_pieces or isinstance(op.value, str)):
        columns.insert(0, op.key)
    value = op.value.format(sa=prefix) if isinstance(op.value, str) else op.value.code(context)
    update = (
        f"rows.update().where(rows.c[{op.column_name!r}].is_(None))"
        f".values({{{op.column_name!r}: {value}}})"
    )
    return [
        *([f"# {op.comment}"] if op.comment else []),
        f"rows = {_table(op, columns, context)}",
        *(
            [f"{alembic}execute({update})"]
            if op.key is None or not op.in_pieces
            else _in_pieces(op.key[0], update, alembic, prefix)
        ),
    ]


def _in_pieces(key: str, update: str, alembic: str, prefix: str) -> list[str]:
    """Return code that changes some rows after the other; as SQL, it is one statement."""
    execute = f"{alembic}get_bind().execute"
    return [
        f"fill = {update}",
        f"keys = {prefix}select(rows.c[{key!r}]).order_by(rows.c[{key!r}]).limit(1)",
        f"if {alembic}get_context().as_sql:",
        f"{alembic}execute(fill)",
        "else:",
        "# In pieces, each of them committed, so that nobody waits for long.",
        f"with {alembic}get_context().autocommit_block():",
        f"start = {execute}(keys).scalar()",
        "while start is not None:",
        f"rest = keys.where(rows.c[{key!r}] >= start)",
        f"end = {execute}(rest.offset({PIECE})).scalar()",
        f"piece = fill.where(rows.c[{key!r}] >= start)",
        f"{execute}(piece if end is None else piece.where(rows.c[{key!r}] < end))",
        "start = end",
        "",
        "",
        "",
    ]


def _table(op: Fill, columns: Sequence[tuple[str, Any]], context: AutogenContext) -> str:
    prefix = context.opts["sqlalchemy_module_prefix"] or ""
    inside = ", ".join(
        f"{prefix}column({str(name)!r}, {render_type(type_, context)})" for name, type_ in columns
    )
    schema = f", schema={str(op.schema)!r}" if op.schema else ""
    return f"{prefix}table({str(op.table_name)!r}, {inside}{schema})"
