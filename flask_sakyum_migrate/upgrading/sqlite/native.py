"""Decides whether SQLite can change a table in place, without a copy.

Its own ALTER TABLE renames a column in every index, trigger, view, CHECK and foreign key that
mentions it, and copies nothing. It is tried out in a savepoint, which is taken back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ...runtime.sqlite_schema import Database, mentioned, quote, read_index, tokens_of

if TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl
    from alembic.operations.batch import BatchOperationsImpl

# The first releases with either had defects (https://sqlite.org/changes.html).
_RENAMES = (3, 26, 0)
_DROPS = (3, 35, 5)

# What may stand behind DEFAULT of a column that is added to a table with rows.
_CONSTANT = re.compile(r"\(*\s*([-+]?[0-9]+(\.[0-9]+)?|'([^']|'')*')\s*\)*")
_PROBE = "_migrate_probe"


class Native:
    """Decides for the batches of one database.

    :param impl: Alembic's.
    :param needs_copy: what Alembic itself would answer.
    """

    def __init__(self, impl: DefaultImpl, needs_copy: Any, database: Database) -> None:
        self._impl = impl
        self._needs_copy = needs_copy
        self._database = database
        self._version: Any = impl.dialect.server_version_info or (0,)

    def can(self, batch_op: BatchOperationsImpl) -> bool:
        """Tell whether each operation of a batch can be done in place, in their order."""
        change = _Change(batch_op, self)
        if not change.is_simple():
            return False
        with self._database.trial():
            return change.goes()

    def adds(self, column: sa.Column[Any], operation: Any) -> bool:
        """Tell whether a column can be added without a copy."""
        from types import SimpleNamespace

        if not self._needs_copy(SimpleNamespace(batch=[operation])):
            return True
        default = column.server_default
        if not isinstance(default, sa.DefaultClause) or isinstance(default.arg, str):
            return False
        text = self._impl.render_ddl_sql_expr(default.arg, is_server_default=True)
        return _CONSTANT.fullmatch(text.strip()) is not None

    def has(self, version: tuple[int, ...]) -> bool:
        """Tell whether SQLite is new enough."""
        return bool(self._version >= version)

    def ask(self, sql: str, *parameters: Any) -> list[Any]:
        """Execute a statement inside the trial."""
        return self._database.ask(sql, *parameters)

    def refused(self, sql: str) -> bool:
        """Tell whether SQLite refuses a statement."""
        return bool(self._database.refusal(sql))

    def master(self, schema: str) -> dict[tuple[str, str], str]:
        """Return the SQL of everything, by its kind and name."""
        rows = self.ask(
            f"SELECT type, name, sql FROM {quote(schema)}.sqlite_master "  # noqa: S608
            "WHERE sql IS NOT NULL"
        )
        return {(kind, name): sql for kind, name, sql in rows}

    def trial(self) -> Any:
        """Take back whatever is done inside, within the trial of the batch."""
        return self._database.trial("migrate_probe")


class _Change:
    """The operations of one batch, gone through in their order."""

    def __init__(self, batch_op: BatchOperationsImpl, native: Native) -> None:
        self._batch: Sequence[Any] = batch_op.batch
        self._native = native
        self._schema = batch_op.schema or "main"
        self._name = str(batch_op.table_name)
        self._table = f"{quote(self._schema)}.{quote(self._name)}"
        self._dropped: set[str] = set()

    def is_simple(self) -> bool:
        """Tell whether it consists of what SQLite has a statement for; nothing is asked yet."""
        renamed = {_name(arguments[1]) for kind, arguments, more in self._batch if more.get("name")}
        for operation in self._batch:
            kind, arguments, more = operation
            if kind == "add_column":
                if not self._native.adds(arguments[1], operation):
                    return False
            elif kind == "alter_column":
                if not self._native.has(_RENAMES) or not _only_renames(more):
                    return False
            elif kind == "drop_column":
                if not self._native.has(_DROPS) or more.get("if_exists"):
                    return False
            elif kind == "create_index":
                # In a copy it is told the old name of a column, in place the new one.
                if renamed & {_name(column) for column in arguments[0].columns}:
                    return False
            elif kind != "drop_index":
                return False
        return True

    def goes(self) -> bool:
        """Tell whether SQLite does it; to be called in a trial."""
        for kind, arguments, more in self._batch:
            if kind == "drop_index":
                self._dropped.add(str(arguments[0].name).lower())
            elif kind == "alter_column":
                old, new = _name(arguments[1]), str(more["name"])
                if self._native.refused(self._rename(old, new)):
                    return False
            elif kind == "drop_column" and not self._stands_alone(_name(arguments[1])):
                return False
        return True

    def _rename(self, old: str, new: str) -> str:
        return f"ALTER TABLE {self._table} RENAME COLUMN {quote(old)} TO {quote(new)}"

    def _stands_alone(self, column: str) -> bool:
        """Tell whether nothing but its own definition mentions a column.

        SQLite itself finds what does: renaming the column changes it.
        """
        if self._is_in_key(column):
            return False
        before = self._native.master(self._schema)
        with self._native.trial():
            if self._native.refused(self._rename(column, _PROBE)):
                return False
            after = self._native.master(self._schema)
        for (kind, name), sql in after.items():
            if kind == "table" and name.lower() == self._name.lower():
                times = sum(token.name == _PROBE for token in tokens_of(sql))
                if times != 1:
                    return False
            elif sql != before.get((kind, name)) and name.lower() not in self._dropped:
                return False
        return True

    def _is_in_key(self, column: str) -> bool:
        """Tell whether a column is of the primary key, a UNIQUE or a foreign key."""
        rows = self._native.ask(
            "SELECT 1 FROM pragma_table_xinfo(?, ?) WHERE lower(name) = lower(?) AND pk > 0 "
            "UNION ALL SELECT 1 FROM pragma_foreign_key_list(?, ?) "
            'WHERE lower("from") = lower(?) '
            "UNION ALL SELECT 1 FROM pragma_index_list(?, ?) AS one "
            "JOIN pragma_index_info(one.name, ?) AS part "
            "WHERE one.origin <> 'c' AND lower(part.name) = lower(?)",
            *(self._name, self._schema, column) * 2,
            *(self._name, self._schema, self._schema, column),
        )
        return bool(rows)


def _only_renames(more: dict[str, Any]) -> bool:
    """Tell whether ALTER COLUMN has nothing to change but the name."""
    changes = {
        name: value
        for name, value in more.items()
        # What a column is now does not matter to SQLite; of autoincrement Alembic warns.
        if name not in ("name", "schema")
        and (not name.startswith("existing_") or name == "existing_autoincrement")
    }
    nothing = {"server_default": False, "comment": False}
    return more.get("name") is not None and all(
        value is nothing.get(name) for name, value in changes.items()
    )


def _name(column: Any) -> str:
    return str(getattr(column, "name", column))


def covers(sql: str, columns: set[str]) -> bool:
    """Tell whether an index is on one of some columns, or has it in its condition."""
    return bool(mentioned(read_index(sql)[1]) & columns)
