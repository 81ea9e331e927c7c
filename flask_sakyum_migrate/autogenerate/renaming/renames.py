"""Tables and columns that were renamed: what would be a drop and an add keeps its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from ...errors import RefusedError
from ...wishes import Wishes
from ..differences.changes import Changes, full_name
from ..differences.names import Names, Place, place_of
from ..differences.only import MYSQL, Only
from ..refusing.drops import not_ours
from .answers import LABEL, Answers, Candidate, Scope, decide, from_models, stop
from .dependents import find_dependents, rename
from .inspecting import compare_as_if
from .likeness import columns_alike, tables_alike
from .operations import RenameColumn, RenameTable, rename_by_sql

HINT = "renamed_from"
"""The key of ``info`` in which a table or a column of the models says its old name."""

# What MySQL's CHANGE COLUMN takes away unless it is stated again, and cannot be read or stated.
_MORE = re.compile(
    r"\b(AS|GENERATED|CHECK|INVISIBLE|AUTO_INCREMENT|ON UPDATE|COMPRESSED|WITHOUT SYSTEM "
    r"VERSIONING|COLUMN_FORMAT|STORAGE|REF_SYSTEM_ID|SRID)\b|/\*!"
)


class Renames:
    """The unit that finds renames, in one bind after the other.

    :param wishes: what a person said.
    """

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._used: set[str] = set()
        self._unanswered: list[Candidate] = []
        self._refused: dict[str, RefusedError] = {}

    def __call__(self, changes: Changes) -> None:
        """Rename what was renamed, and compare once more what is left to do.

        :raises RefusedError: what was said cannot be done.
        """
        answered: list[Answers] = []

        def answer(scope: Scope) -> Mapping[str, str]:
            answered.append(decide(scope, self._wishes, changes.ask))
            return answered[-1].pairs

        found = _Found(changes, self._wishes)
        names = found.names(answer)
        unanswered = [one for answers in answered for one in answers.unanswered]
        self._unanswered += unanswered
        for answers in answered:
            self._used |= answers.used
            self._refused |= answers.refused
            changes.notes += answers.notes
        if unanswered:  # the run goes on, to find what there is to ask about in other binds
            asked = {one.old for one in unanswered}
            changes.remove(
                lambda one: (
                    isinstance(one, ops.DropTableOp)
                    and full_name(one.table_name, one.schema) in asked
                )
            )
        elif names:
            _apply(changes, names, found)

    def finish(self) -> None:
        """Stop when something is not answered, or was said about nothing.

        :raises RefusedError: it was.
        """
        vain = [
            one
            for one in self._wishes.renames
            if one not in self._used and not one.startswith(LABEL)  # of an enum type
        ]
        if vain:
            raise self._refused.get(vain[0]) or RefusedError(
                f"--rename {vain[0]}:{self._wishes.renames[vain[0]]}: neither the database nor the "
                f"models have {vain[0]}. Nothing was written.",
                "It is TABLE.COLUMN:NEW for a column, and TABLE:NEW for a table.",
            )
        if self._unanswered:
            raise stop(self._unanswered)


def follow_models(changes: Changes) -> None:
    """Rename what the models say was renamed, without asking or refusing."""
    found = _Found(changes, Wishes())
    names = found.names(lambda scope: from_models(scope).pairs)
    if names:
        _apply(changes, names, found)


class _Found:
    """What is gone and what is new, in one bind.

    :param wishes: which tables a person speaks of.
    """

    def __init__(self, changes: Changes, wishes: Wishes) -> None:
        self._changes = changes
        self._wishes = wishes
        self._default = changes.context.dialect.default_schema_name
        self.models: dict[Place, sa.Table] = {
            place_of(table.schema, table.name, changes.context.dialect): table
            for table in changes.tables.values()
        }
        self._new: set[Place] = set()
        self._gone: dict[Place, sa.Table] = {}
        self._new_columns: dict[Place, set[str]] = {}
        self._gone_columns: dict[Place, dict[str, sa.Column[Any]]] = {}
        for _, one in changes.walk():
            self._note(one)
        self.columns: dict[Place, Mapping[str, sa.Column[Any]]] = {}

    def _note(self, one: Any) -> None:
        name, dialect = str(getattr(one, "table_name", "")), self._changes.context.dialect
        place = place_of(getattr(one, "schema", None), name, dialect)
        if isinstance(one, ops.CreateTableOp):
            self._new.add(place)
        elif isinstance(one, ops.DropTableOp):
            self._gone[place] = one.to_table()
        elif isinstance(one, ops.AddColumnOp):
            self._new_columns.setdefault(place, set()).add(one.column.name)
        elif isinstance(one, ops.DropColumnOp):
            self._gone_columns.setdefault(place, {})[one.column_name] = one.to_column()

    def names(self, answer: Any) -> Names:
        """Return what is renamed, as it is answered: first tables, then their columns."""
        tables: dict[Place, str] = {}
        for schema in {schema for schema, _ in {**self.models, **self._gone}}:
            scope = self._tables(schema)
            if scope.gone or scope.hints or self._wishes.renames:
                tables.update({(schema, old): new for old, new in answer(scope).items()})
        names = Names(tables)
        columns: dict[Place, Mapping[str, str]] = {}
        for place, table in self.models.items():
            columns_of = self._columns(place, table, names)
            if columns_of is not None:
                pairs = answer(columns_of)
                self.columns[place] = columns_of.gone
                if pairs:
                    columns[place] = pairs
        return Names(tables, columns)

    def _tables(self, schema: str | None) -> Scope:
        here = {name: table for (where, name), table in self.models.items() if where == schema}
        new = {name: table for name, table in here.items() if (schema, name) in self._new}
        gone = {name: table for (where, name), table in self._gone.items() if where == schema}
        prefixes = [f"{schema}."] if schema else ["", f"{self._default}."]
        return Scope(
            "table",
            prefixes,
            gone,
            new,
            here.keys() - new.keys(),
            _hints(here.values(), prefixes),
            partial(tables_alike, impl=self._changes.context.impl),
            self._others(schema, gone) if gone and new else (),
        )

    def _others(self, schema: str | None, gone: Iterable[str]) -> set[str]:
        """Return the tables of others among those that are gone."""
        theirs = not_ours(self._changes, {full_name(name, schema) for name in gone})
        return {name for name in gone if full_name(name, schema) in theirs}

    def _columns(self, place: Place, table: sa.Table, names: Names) -> Scope | None:
        """Return the columns of a table; None where nothing can be renamed."""
        schema, name = place
        stored = names.stored_table(name, schema)
        models = {one.name: one for one in table.c}
        if stored != name:
            before = {one.name: one for one in self._gone[schema, stored].c}
            new = {one: column for one, column in models.items() if one not in before}
            gone = {one: column for one, column in before.items() if one not in models}
        elif place in self._new:
            return None
        else:
            new = {one: models[one] for one in self._new_columns.get(place, ())}
            gone = dict(self._gone_columns.get(place, {}))
        prefixes = [f"{full_name(one, schema)}." for one in dict.fromkeys((stored, name))]
        if schema is None:
            prefixes += [f"{self._default}.{prefix}" for prefix in prefixes]
        hints = _hints(table.c, prefixes)
        wished = any(one.startswith(tuple(prefixes)) for one in self._wishes.renames)
        if not (hints or wished or (gone and new)):
            return None
        return Scope(
            "column",
            prefixes,
            gone,
            new,
            models.keys() - new.keys(),
            hints,
            partial(columns_alike, impl=self._changes.context.impl),
        )


def _hints(things: Iterable[Any], prefixes: Iterable[str]) -> dict[str, str]:
    """Return what models say in ``info``: old names, without their place, by new ones."""
    found = {}
    for one in things:
        old = one.info.get(HINT)
        if old is not None:
            prefix = next((p for p in prefixes if p and str(old).startswith(p)), "")
            found[one.name] = str(old).removeprefix(prefix)
    return found


def _apply(changes: Changes, names: Names, found: _Found) -> None:
    """Put the renames at the head, and behind them what differs when they are done."""
    dependents = find_dependents(changes, names, found.models)
    pairs: dict[Place, dict[str, str]] = {}
    for one in dependents:
        pairs.setdefault(one.place, {})[one.old] = one.new
    names = Names(names.tables, names.columns, pairs)
    head: list[ops.MigrateOperation] = [
        RenameTable(old, new, schema=schema) for (schema, old), new in names.tables.items()
    ]
    for place, columns in names.columns.items():
        head += [
            _rename_column(changes, names, place, found.columns[place][old], new)
            for old, new in columns.items()
        ]
    head += [rename(changes, one) for one in dependents]
    changes.upgrade.ops[:] = [*head, *compare_as_if(changes.context, names)]
    changes.renamed = names


def _rename_column(
    changes: Changes, names: Names, place: Place, column: sa.Column[Any], new: str
) -> RenameColumn | Only:
    schema, table = place
    stored = names.stored_table(table, schema)
    usual = RenameColumn.of(table, schema, column, new)
    if changes.dialect != "mysql" or not _states_more(changes, (schema, stored), column.name):
        return usual
    on_table = "ALTER TABLE " + ".".join(changes.quote(part) for part in place if part)
    one, other = changes.quote(column.name), changes.quote(new)
    return rename_by_sql(
        MYSQL,
        f"{on_table} RENAME COLUMN {one} TO {other}",
        f"{on_table} RENAME COLUMN {other} TO {one}",
        f"~ column {full_name(table, schema)}.{column.name} renamed to {new}",
        ([usual], [usual.reverse()]),
    )


def _states_more(changes: Changes, stored: Place, column: str) -> bool:
    """Tell whether MySQL knows more about a column than Alembic states when it renames it."""
    quote = changes.context.dialect.identifier_preparer.quote_identifier
    table = ".".join(quote(part) for part in stored if part)
    text = changes.connection.exec_driver_sql(f"SHOW CREATE TABLE {table}").one()[1]
    start = f"  {changes.single_percents(quote(column))} "
    line = next(one for one in text.splitlines() if one.startswith(start))
    return _MORE.search(line) is not None  # a word of its comment does no harm
