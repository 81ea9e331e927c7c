"""Constraints without a name: each gets one where it is made or dropped, so that it can be again.

Without a naming convention a database invents the name of a unique constraint or a foreign key, or
SQLite has none; then neither ``op.drop_constraint()`` nor the way back of a new one can run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from ..differences.changes import Changes
from ..types.defaults import both
from .ordering import default_name

CONVENTION = {
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}
"""The names that Alembic's batch gives to constraints of SQLite that have none."""

_SNIPPET = """db = SQLAlchemy(metadata=MetaData(naming_convention={
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}))"""
_SAID = "has no naming convention"


class NamedTable(ops.ModifyTableOps):
    """The changes of a table whose constraints without a name are to have one meanwhile."""

    def reverse(self) -> NamedTable:
        """Take the changes back in the same way."""
        back = super().reverse()
        return NamedTable(back.table_name, list(back.ops), schema=back.schema)


@renderers.dispatch_for(NamedTable)
def _render(context: AutogenContext, op: NamedTable) -> list[str]:
    plain = ops.ModifyTableOps(op.table_name, op.ops, schema=op.schema)
    lines: list[str] = renderers.dispatch(plain)(context, plain)
    pattern = re.compile(r"(batch_alter_table\(.*)\) as ")
    return [pattern.sub(rf"\g<1>, naming_convention={CONVENTION!r}) as ", one) for one in lines]


def drop_unseen(changes: Changes) -> None:
    """Drop the unique constraints of SQLite without a name that the models no longer have."""
    if changes.dialect != "sqlite":
        return
    inspector = sa.inspect(changes.connection)
    for (schema, stored), table in both(changes):
        columns = changes.renamed.columns.get((schema, table.name), {})
        wanted = {frozenset(one.columns.keys()) for one in _uniques(table)} | {
            frozenset(column.key for column in index.columns)
            for index in table.indexes
            if index.unique
        }
        lost = changes.dropped(table)
        for one in inspector.get_unique_constraints(stored, schema):
            names = [columns.get(name, name) for name in one["column_names"]]
            keys = frozenset(c.key for c in table.c if c.name in names)
            # What goes with a column is named as well, so that it comes back with it.
            known = len(keys) == len([name for name in names if name not in lost])
            gone = keys not in wanted or not lost.isdisjoint(names)
            if one["name"] is None and known and gone:
                made = ops.CreateUniqueConstraintOp(None, table.name, names, schema=table.schema)
                changes.add_to_table(
                    ops.DropConstraintOp(
                        None, table.name, type_="unique", schema=table.schema, _reverse=made
                    )
                )


def name_constraints(changes: Changes) -> None:
    """Give a name to constraints that are made or dropped without one."""
    given: list[str] = []
    held: list[Any] = []
    for one in changes.upgrade.ops:
        if not isinstance(one, ops.ModifyTableOps):
            held.append(one)
            continue
        unnamed = [_name(changes, inside, given) for inside in one.ops]
        if any(unnamed):
            one = NamedTable(one.table_name, list(one.ops), schema=one.schema)
        held.append(one)
    changes.upgrade.ops[:] = held
    if given and not any(_SAID in note for note in changes.notes):
        few = ", ".join(given[:3]) + (", ..." if len(given) > 3 else "")
        changes.notes.append(
            f"The metadata of the models {_SAID}, so {few} got "
            f"{'its name' if len(given) == 1 else 'their names'} here. For names that all "
            f"databases agree on:\n{_SNIPPET}"
        )


def _name(changes: Changes, one: Any, given: list[str]) -> bool:
    """Name one constraint; tell whether SQLite has it without a name."""
    if isinstance(one, ops.CreateUniqueConstraintOp) and one.constraint_name is None:
        one.constraint_name = default_name("uq", one.table_name, _names(one.columns))
    elif isinstance(one, ops.CreateForeignKeyOp) and one.constraint_name is None:
        one.constraint_name = default_name("fk", one.source_table, _names(one.local_cols))
    elif isinstance(one, ops.DropConstraintOp) and one.constraint_name is None:
        return _name_dropped(changes, one, given)
    else:
        return False
    given.append(str(one.constraint_name))
    return False


def _name_dropped(changes: Changes, one: ops.DropConstraintOp, given: list[str]) -> bool:
    kinds = {"foreignkey": "fk", "unique": "uq"}
    kind = kinds.get(one.constraint_type or "")
    if kind is None:
        return False
    made: Any = one.reverse()
    columns = made.local_cols if kind == "fk" else made.columns
    # As the convention makes it, and as long as it comes: SQLite knows no limit.
    stored = changes.renamed.stored_table(one.table_name, one.schema)
    name = "_".join([kind, stored, *_names(columns)])
    one.constraint_name = name
    given.append(name)
    return changes.dialect == "sqlite"


def _names(columns: Sequence[Any]) -> list[str]:
    return [str(getattr(one, "name", one)) for one in columns]


def _uniques(table: sa.Table) -> list[sa.UniqueConstraint]:
    return [one for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
