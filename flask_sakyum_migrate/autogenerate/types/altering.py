"""Columns that get another type: what may be lost is marked, and PostgreSQL is told how."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import render_op_text, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from ..differences.changes import Changes
from ..differences.only import POSTGRESQL, Only
from .losing import may_lose

# What is done by itself when a column gets another type, what is done when it is asked for, and
# what is done in two steps (https://www.postgresql.org/docs/current/sql-createcast.html).
_CASTS = """
WITH given AS (
  SELECT to_regtype(CAST(:before AS text))::oid AS s, to_regtype(CAST(:after AS text))::oid AS t
), pair AS (
  SELECT
    CASE WHEN a.typcategory = 'A' AND b.typcategory = 'A' THEN a.typelem
      ELSE coalesce(nullif(a.typbasetype, 0), a.oid) END AS s,
    CASE WHEN a.typcategory = 'A' AND b.typcategory = 'A' THEN b.typelem
      ELSE coalesce(nullif(b.typbasetype, 0), b.oid) END AS t
  FROM given JOIN pg_type a ON a.oid = given.s JOIN pg_type b ON b.oid = given.t
)
SELECT
  s = t OR b.typcategory = 'S' OR EXISTS (
    SELECT FROM pg_cast WHERE castsource = s AND casttarget = t AND castcontext IN ('a', 'i')
  ) AS by_itself,
  a.typcategory = 'S' OR EXISTS (
    SELECT FROM pg_cast WHERE castsource = s AND casttarget = t
  ) AS directly,
  EXISTS (SELECT FROM pg_cast WHERE castsource = s AND casttarget = 'integer'::regtype)
  AND EXISTS (SELECT FROM pg_cast WHERE castsource = 'integer'::regtype AND casttarget = t)
  AS over_integer
FROM pair JOIN pg_type a ON a.oid = s JOIN pg_type b ON b.oid = t
"""

# An identity column takes its sequence along by itself.
_SEQUENCE = """
SELECT pg_get_serial_sequence(:table, :column) FROM pg_attribute
WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND attidentity = ''
"""


class ChangeType(ops.AlterColumnOp):
    """``op.alter_column(type_=...)``, with what a person and PostgreSQL have to know.

    :param lossy: whether values may be lost.
    :param using: how PostgreSQL makes the new values of the old ones, where it has to be told.
    """

    def __init__(self, one: ops.AlterColumnOp, *, lossy: bool, using: str | None) -> None:
        self.__dict__.update(vars(one))
        self.plain = one
        self.lossy, self.using = lossy, using

    def reverse(self) -> ops.AlterColumnOp:
        """Return the way back, of which the unit finds out anew what has to be known."""
        return self.plain.reverse()


@renderers.dispatch_for(ChangeType)
def _change_type(context: AutogenContext, op: ChangeType) -> list[str]:
    text = render_op_text(context, op.plain)
    if op.using is not None:
        text = f"{text.removesuffix(')')},\n{' ' * 11}postgresql_using={op.using!r})"
    if not op.lossy:
        return [text]
    before, after = _ddl(op, context.migration_context.dialect)
    return [f"# {op.column_name} may lose something: {before} -> {after}.", text]


def mark(changes: Changes) -> None:
    """Mark changes of types that may lose something, and add what PostgreSQL wants for them."""
    for held, one in changes.walk():
        if type(one) is not ops.AlterColumnOp or one.modify_type is None:
            continue
        if one.existing_type is None:
            continue
        lossy = may_lose(one.existing_type, one.modify_type, changes.context.dialect)
        using = None
        if changes.dialect == "postgresql":
            using = _using(changes, one)
            held[held.index(one) + 1 : held.index(one) + 1] = _sequence(changes, one)
        if using is not None:
            _replace(held, one, _without_default(one, changes, using, lossy=lossy))
        elif lossy:
            _replace(held, one, [ChangeType(one, lossy=True, using=None)])


def _using(changes: Changes, one: ops.AlterColumnOp) -> str | None:
    """Return the expression for USING; None where PostgreSQL does it by itself."""
    dialect = changes.context.dialect
    quoted = changes.quote(one.column_name)
    before, after = _ddl(one, dialect)
    found = changes.connection.execute(sa.text(_CASTS), {"before": before, "after": after}).first()
    if found is None:  # one of them is yet to be made
        return f"{quoted}::text::{after}"
    if found.by_itself:
        return None
    if found.directly:
        return f"{quoted}::{after}"
    if found.over_integer:
        return f"{quoted}::integer::{after}"
    if after in ("JSON", "JSONB"):
        return f"to_{after.lower()}({quoted})"
    return f"{quoted}::text::{after}"


def _without_default(
    one: ops.AlterColumnOp, changes: Changes, using: str, *, lossy: bool
) -> list[ops.AlterColumnOp]:
    """Take the default away before the type changes: PostgreSQL does not convert it that way."""
    before, after = one.existing_server_default, one.modify_server_default
    if after is False:
        after = _default_of_model(one, changes)
    if before in (None, False):
        return [ChangeType(one, lossy=lossy, using=using)]
    drop = _DropDefault(
        one.table_name,
        one.column_name,
        schema=one.schema,
        existing_type=one.existing_type,
        existing_nullable=one.existing_nullable,
        existing_server_default=before,
        modify_server_default=None,
    )
    one.existing_server_default = None
    one.modify_server_default = False if after in (None, False) else after
    return [drop, ChangeType(one, lossy=lossy, using=using)]


class _DropDefault(ops.AlterColumnOp):
    """Takes a default away that comes back with the type."""

    told = ""  # the change of the type says it


def _sequence(changes: Changes, one: ops.AlterColumnOp) -> list[Only]:
    """Let the sequence of a SERIAL column count as far as the new type goes."""
    before, after = _ddl(one, changes.context.dialect)
    if changes.back or not {before, after} <= {"SMALLINT", "INTEGER", "BIGINT"}:
        return []
    stored = changes.renamed.stored_table(str(one.table_name), one.schema)
    column = changes.renamed.stored_column(str(one.table_name), one.schema, one.column_name)
    name = sequence_of(changes, one.schema, stored, column)
    if name is None:
        return []
    there, back = (ops.ExecuteSQLOp(f"ALTER SEQUENCE {name} AS {it}") for it in (after, before))
    return [Only(POSTGRESQL, there, back=back)]


def sequence_of(changes: Changes, schema: str | None, table: str, column: str) -> str | None:
    """Return the sequence of a SERIAL column of the database, as SQL has its name; or None."""
    preparer = changes.context.dialect.identifier_preparer
    place = [part for part in (schema, table) if part]
    name: str | None = changes.connection.execute(
        sa.text(_SEQUENCE),
        {
            "table": ".".join(preparer.quote_identifier(part) for part in place),
            "column": column,
        },
    ).scalar()
    if name is not None and schema is None:
        name = name.removeprefix(f"{changes.context.dialect.default_schema_name}.")
    return name


def _default_of_model(one: ops.AlterColumnOp, changes: Changes) -> Any:
    """Return the default that a column has when the operations are done."""
    model = changes.column(str(one.table_name), one.schema, one.column_name)
    if changes.back or model is None:
        return one.existing_server_default
    return model.server_default


def _ddl(one: ops.AlterColumnOp, dialect: sa.Dialect) -> tuple[str, str]:
    """Return both types as the database writes them."""
    assert one.existing_type is not None
    assert one.modify_type is not None
    before, after = (str(type_.compile(dialect)) for type_ in (one.existing_type, one.modify_type))
    return before, after


def _replace(held: list[Any], one: Any, by: list[Any]) -> None:
    place = held.index(one)
    held[place : place + 1] = by
