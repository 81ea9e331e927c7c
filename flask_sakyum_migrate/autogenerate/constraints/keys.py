"""Primary keys that differ: Alembic does not compare them, and a change of one is nothing to guess.

Foreign keys refer to it, rows may not fit, and MySQL has a number drawn for it.
"""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from ..differences.changes import Changes, full_name
from ..differences.names import Place, place_of
from ..types.defaults import both

_KEYS = {
    "postgresql": """
SELECT n.nspname, c.relname, a.attname FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE i.indisprimary
""",
    "mysql": """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS
WHERE INDEX_NAME = 'PRIMARY' AND TABLE_SCHEMA = DATABASE()
""",
    "sqlite": """
SELECT NULL, m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p
WHERE m.type = 'table' AND p.pk > 0
""",
}


class OtherKey(ops.MigrateOperation):
    """A primary key that differs. There is nothing to run; a revision with one is not written.

    :param table: its name, with the schema.
    :param before: the columns in the database.
    :param after: those in the models.
    """

    def __init__(self, table: str, before: set[str], after: set[str]) -> None:
        here, there = (", ".join(sorted(one)) or "nothing" for one in (before, after))
        self.words = f"primary key of {table}: {here} -> {there}"
        self.told = f"~ {self.words}"

    def reverse(self) -> OtherKey:
        """It differs in both directions."""
        return self

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the words."""
        return ("other_primary_key", self.words)


@renderers.dispatch_for(OtherKey)
def _render(context: AutogenContext, op: OtherKey) -> str:
    return f"# {op.words}"


def compare(changes: Changes) -> None:
    """Find the primary keys that differ.

    Of SQLite and MySQL only the database itself is looked at, and none beside it.
    """
    if changes.dialect not in _KEYS:
        return
    dialect = changes.context.dialect
    keys: dict[Place, set[str]] = {}
    for schema, table, column in changes.connection.exec_driver_sql(_KEYS[changes.dialect]).all():
        keys.setdefault(place_of(schema, table, dialect), set()).add(column)
    for place, table in both(changes):
        if changes.dialect != "postgresql" and place[0] is not None:
            continue
        pairs = changes.renamed.columns.get((place[0], table.name), {})
        before = {pairs.get(name, name) for name in keys.get(place, ())}
        after = {column.name for column in table.primary_key}
        if before != after:
            name = full_name(table.name, table.schema)
            changes.upgrade.ops.append(OtherKey(name, before, after))
            _leave_not_null(changes, name, before)


def _leave_not_null(changes: Changes, table: str, key: set[str]) -> None:
    """Take out what would let the columns of a primary key be NULL, as long as it is one."""
    for _, one in changes.walk():
        if isinstance(one, ops.AlterColumnOp) and one.modify_nullable and one.column_name in key:
            if full_name(one.table_name, one.schema) == table:
                one.modify_nullable = None
    changes.remove_unchanged()


def leave(changes: Changes) -> None:
    """Say which primary keys differ, and leave them as they are."""
    found = [one for _, one in changes.walk() if isinstance(one, OtherKey)]
    changes.remove(lambda one: isinstance(one, OtherKey))
    if found:
        changes.notes.append(
            f"Not written: {'; '.join(one.words for one in found)}. Foreign keys and rows depend "
            "on it. Write that change by hand, with op.drop_constraint() and "
            'op.create_primary_key():  flask db revision -m "another key"'
        )
