"""The proof that a table of the models is what the database has, without Alembic's comparison.

It goes one way only. What is proved is equal to Alembic and to every unit of the pipeline, too;
what is not may be equal as well, and is compared in the usual way. So whatever is rare or has
words of its own (expressions, identities, generated columns, options of a dialect) is no part of
it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from ..constraints.stored_checks import checks_of, is_looked_at
from ..constraints.stored_checks import stored as stored_checks
from ..differences.names import place_of
from ..enums.label_lists import has_check
from ..scope.schemas import foreign_action
from ..types.defaults import default_sql, percent, written_alike
from ..types.expressions import compared, expression_sql
from ..types.stored import Columns
from .records import StoredColumn, StoredIndex, StoredKey, StoredTable


class Proof:
    """Proves tables of one database.

    :param connection: to the database, which is asked for its words for types.
    :param tables: those that are to be proved.
    """

    def __init__(self, connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
        self._dialect = connection.dialect
        types = {
            column: sql
            for table in tables
            for column in table.columns
            if (sql := self._type(column)) is not None
        }
        words = Columns(connection).words(set(types.values())) if types else {}
        self._words = {column: words[sql] for column, sql in types.items()}
        self._checks = stored_checks(connection)

    def holds(self, table: sa.Table, stored: StoredTable) -> bool:
        """Tell whether it is proved that a table is the one that is stored."""
        columns = [one for one in table.columns if not one.system]
        return (
            not stored.special
            and self._has_comment(table, stored)
            and len(columns) == len(stored.columns)
            and {one.name for one in table.primary_key} == stored.primary
            and all(self._is_column(one, stored.columns.get(one.name)) for one in columns)
            and _has_indexes(table, stored)
            and self._has_keys(table, stored)
            and self._has_checks(table)
        )

    def _has_comment(
        self, item: sa.Table | sa.Column[Any], stored: StoredTable | StoredColumn
    ) -> bool:
        return not self._dialect.supports_comments or item.comment == stored.comment

    def _is_column(self, column: sa.Column[Any], stored: StoredColumn | None) -> bool:
        if stored is None or bool(column.nullable) != stored.nullable:
            return False
        default = column.server_default
        if not (default is None or isinstance(default, sa.DefaultClause)):
            return False  # generated, an identity, or made by a trigger
        wanted = None if default is None else default_sql(self._dialect, column)
        return (
            self._has_comment(column, stored)
            and written_alike(wanted, stored.default)
            and self._words.get(column) == stored.type
        )

    def _type(self, column: sa.Column[Any]) -> str | None:
        """Return the type of a column in SQL, for the driver; None where it is no part of this."""
        if has_check(column.type, self._dialect):
            return None
        try:
            sql = self._dialect.type_compiler_instance.process(column.type, type_expression=column)
        except sa.exc.CompileError:  # a type of another database
            return None
        return percent(self._dialect, sql)

    def _has_keys(self, table: sa.Table, stored: StoredTable) -> bool:
        try:
            wanted = Counter(map(self._key, table.foreign_key_constraints))
        except sa.exc.NoReferenceError:  # the usual comparison has words for it
            return False
        return wanted == Counter(stored.keys)

    def _has_checks(self, table: sa.Table) -> bool:
        place = place_of(table.schema, table.name, self._dialect)
        if not is_looked_at(self._dialect, place):
            return True
        there = [compared(one.sql) for one in self._checks.get(place, ())]
        try:
            wanted = [expression_sql(self._dialect, one.sqltext) for one in checks_of(table)]
        except sa.exc.CompileError:
            return False
        return sorted(there) == sorted(map(compared, wanted))

    def _key(self, key: sa.ForeignKeyConstraint) -> StoredKey:
        target = key.referred_table
        return StoredKey(
            tuple(one.parent.name for one in key.elements),
            *place_of(target.schema, target.name, self._dialect),
            tuple(one.column.name for one in key.elements),
            foreign_action(key.onupdate, self._dialect),
            foreign_action(key.ondelete, self._dialect),
            bool(key.deferrable),
            (key.initially or "IMMEDIATE").upper(),
        )


def _has_indexes(table: sa.Table, stored: StoredTable) -> bool:
    """Tell whether all indexes and unique constraints are there, and no others."""
    indexes, uniques = dict(stored.indexes), list(stored.uniques)
    for index in table.indexes:
        columns = [one for one in index.expressions if isinstance(one, sa.Column)]
        plain = len(columns) == len(index.expressions) and not index.dialect_kwargs
        made = StoredIndex(tuple(one.name for one in columns), bool(index.unique))
        if not plain or indexes.pop(str(index.name), None) != made:
            return False
    if stored.one_namespace:
        uniques += [(name, one.columns) for name, one in indexes.items() if one.unique]
        indexes = {name: one for name, one in indexes.items() if not one.unique}
    for one in table.constraints:
        if isinstance(one, sa.UniqueConstraint) and not _take(one, uniques):
            return False
    return not indexes and not uniques


def _take(one: sa.UniqueConstraint, stored: list[tuple[str | None, tuple[str, ...]]]) -> bool:
    """Take a unique constraint from those that are stored; tell whether it was there."""
    if one.dialect_kwargs or one.deferrable is not None or one.initially is not None:
        return False
    columns = tuple(column.name for column in one.columns)
    name = one.name if isinstance(one.name, str) else None
    for at, (stored_name, stored_columns) in enumerate(stored):
        if columns == stored_columns and name in (None, stored_name):
            del stored[at]
            return True
    return False
