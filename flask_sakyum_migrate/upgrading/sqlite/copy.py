"""Completes the table that Alembic copies another one to with what it did not know of.

Alembic makes the copy from what SQLAlchemy reflects. That leaves out AUTOINCREMENT, COLLATE,
ON CONFLICT, constraints that have no name, and what is written another way than SQLAlchemy writes
it, such as UNIQUE behind VARCHAR(50). What a revision says about any of it goes before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from ...runtime.sqlite_schema import tokens_of
from ...runtime.sqlite_table import Clause, read_table

if TYPE_CHECKING:
    from alembic.operations.batch import ApplyBatchImpl


class Copy:
    """A table that is about to be copied by ``batch_alter_table``.

    :param batch: Alembic's plan: ``table`` is the old one as it was reflected or given as
        ``copy_from``, ``new_table`` the new one.
    :param sql: the CREATE TABLE of the old one, as SQLite has it.
    :param may_lose: what the revision says that may be lost.
    """

    def __init__(self, batch: ApplyBatchImpl, sql: str, may_lose: Collection[str]) -> None:
        assert batch.new_table is not None
        self.old, self.new = batch.table, batch.new_table
        self._batch = batch
        self._may_lose = may_lose
        self._retyped: set[str] = set()
        self.renames = {
            name.lower(): column.name
            for name, column in batch.columns.items()
            if column.name != name
        }
        kept = {name.lower() for name, one in batch.column_transfers.items() if "expr" in one}
        self._known = {column.name.lower(): column for column in batch.table.columns}
        self._all = clauses = read_table(sql, self.renames)
        there = {name for one in clauses if one.kind == "column" for name in one.mentions}
        self.gone = there - kept
        stay = [one for one in clauses if self._is_meant_to_stay(one)]
        nameless = [one for one in stay if one.kind == "CHECK" and not one.name]
        # As in Alembic: who gives CHECKs says what becomes of those without a name.
        self._given = sum(isinstance(one, sa.CheckConstraint) for one in batch.table_args)
        restated = nameless if self._given >= len(nameless) and self._given else []
        self._clauses = [one for one in stay if one not in restated]

    def complete(self) -> list[Clause]:
        """Add to the new table what it lacks; return what will be lost all the same."""
        virtual = [one for one in self._clauses if one.kind == "VIRTUAL TABLE"]
        if virtual:
            return virtual
        self._retyped = self._find_retyped()  # before the types are completed
        self._mend()
        for clause in self._lost():
            restore = _WAYS.get(clause.kind)
            if restore is not None and self._is_clear(clause):
                restore(self.new, clause)
        lost = self._lost()
        for name, one in self._batch.column_transfers.items():
            if self._batch.columns[name].computed is not None:
                one.pop("expr", None)  # SQLite computes it; a value cannot be inserted
        return lost

    def create_sql(self) -> str:
        """Return the CREATE TABLE of the new one."""
        dialect = self._batch.impl.dialect
        return str(sa.schema.CreateTable(self.new).compile(dialect=dialect))

    def _lost(self) -> list[Clause]:
        have = {one.identity for one in read_table(self.create_sql())}
        return [one for one in self._clauses if one.identity not in have]

    def _is_meant_to_stay(self, clause: Clause) -> bool:
        """Tell whether the revision leaves it as it is."""
        if clause.label(self.old.name) in self._may_lose:
            return False
        if clause.kind == "column":  # what copy_from does not have was not dropped
            return not clause.mentions & self._known.keys()
        if clause.mentions & self.gone:
            return False
        decided = _DECIDED.get(clause.kind)
        return decided is None or not decided(self._batch, clause)

    def _is_clear(self, clause: Clause) -> bool:
        """Tell whether it certainly goes with what the revision makes of its columns."""
        if clause.kind in ("CHECK", "COLLATE") and clause.mentions & self._retyped:
            return False
        return clause.kind != "CHECK" or bool(clause.name) or not self._given

    def _mend(self) -> None:
        """Put in what an expression really is, where reflection read too much or renamed nothing.

        What the revision has written itself is another text than the reflected one, and stays.
        """
        checks = [one for one in self._all if one.kind == "CHECK"]
        by_name = {one.name.lower(): one for one in checks if one.name}
        reflected = {(str(one.name), str(one.sqltext)) for one in _checks(self.old) if one.name}
        for check in _checks(self.new):
            if (str(check.name), str(check.sqltext)) not in reflected:
                continue
            clause = by_name.get(str(check.name).lower())
            if clause is not None:
                check.sqltext = sa.literal_column(clause.value)
            elif self._batch.reflected and not any(_is_same(check, one) for one in checks):
                self.new.constraints.discard(check)  # half a definition, taken for one
        for clause in self._all:
            computed = getattr(_new(self.new, clause), "computed", None)
            before = getattr(_old(self._batch, clause), "computed", None)
            if clause.kind == "GENERATED" and computed is not None and before is not None:
                kept = bool(computed.persisted) == bool(before.persisted)
                if kept and str(computed.sqltext) == str(before.sqltext):
                    computed.sqltext = sa.literal_column(clause.value)
                    computed.persisted = clause.text.endswith("STORED")

    def _find_retyped(self) -> set[str]:
        """Return the columns that get another type, in lower case."""
        dialect = self._batch.impl.dialect
        return {
            name
            for name, column in self._known.items()
            if column.name in self._batch.columns
            and column.type.compile(dialect)
            != self._batch.columns[column.name].type.compile(dialect)
        }


# ---- what the revision, or Alembic with what was reflected, has decided -------------------------


def _names(columns: Iterable[Any]) -> list[str]:
    return sorted(column.name.lower() for column in columns)


def _find(table: sa.Table, kind: type[Any], columns: Iterable[str]) -> Any:
    """Return the constraint of a kind on columns, or None."""
    wanted = sorted(name.lower() for name in columns)
    found = (one for one in table.constraints if isinstance(one, kind))
    return next((one for one in found if _names(one.columns) == wanted), None)


def _old(batch: ApplyBatchImpl, clause: Clause) -> Any:
    """Return the column of the old table that a clause stands at, as reflected; or None."""
    return next((one for one in batch.table.columns if one.name.lower() in clause.mentions), None)


def _new(table: sa.Table, clause: Clause) -> Any:
    """Return the column of the new table that a clause stands at."""
    return next((one for one in table.columns if one.name.lower() == clause.column.lower()), None)


def _stays(batch: ApplyBatchImpl, constraint: Any) -> bool:
    """Tell whether a constraint of the old table was not dropped, by a name of any convention."""
    kept = [*batch.named_constraints.values(), *batch.unnamed_constraints]
    return any(constraint is one for one in kept)


def _checks(table: sa.Table) -> list[sa.CheckConstraint]:
    return [one for one in table.constraints if isinstance(one, sa.CheckConstraint)]


def _is_same(check: sa.CheckConstraint, clause: Clause) -> bool:
    return tuple(one.key for one in tokens_of(str(check.sqltext))) == clause.key


def _check(batch: ApplyBatchImpl, clause: Clause) -> bool:
    """Tell whether it has a name, its own or that of a convention, by which it can be dropped."""
    named = [one for one in _checks(batch.table) if one.name]
    if clause.name:
        return any(str(one.name).lower() == clause.name.lower() for one in named)
    return any(_is_same(one, clause) for one in named)


def _is_plain(clause: Clause) -> bool:
    """Tell whether a UNIQUE is on columns as they are: without COLLATE it is another one."""
    return len(clause.key) == 2 * len(clause.columns) - 1  # names and the commas between them


def _unique(batch: ApplyBatchImpl, clause: Clause) -> bool:
    known = _find(batch.table, sa.UniqueConstraint, clause.mentions)
    return known is not None and (_is_plain(clause) or not _stays(batch, known))


def _unique_on_conflict(batch: ApplyBatchImpl, clause: Clause) -> bool:
    known = _find(batch.table, sa.UniqueConstraint, clause.mentions)
    return known is not None and not _stays(batch, known)


def _foreign_key(batch: ApplyBatchImpl, clause: Clause) -> bool:
    known = _find(batch.table, sa.ForeignKeyConstraint, clause.mentions)
    return known is not None and not _stays(batch, known)


_DECIDED: dict[str, Callable[[Any, Clause], bool]] = {
    "CHECK": _check,
    "UNIQUE": _unique,
    "UNIQUE ON CONFLICT": _unique_on_conflict,
    "FOREIGN KEY": _foreign_key,
    "AUTOINCREMENT": lambda batch, clause: "sqlite_autoincrement" in batch.table_kwargs,
    "STRICT": lambda batch, clause: batch.table_kwargs.get("sqlite_strict") is False,
    "WITHOUT ROWID": lambda batch, clause: batch.table_kwargs.get("sqlite_with_rowid") is True,
    "COLLATE": lambda batch, clause: bool(
        getattr(_new(batch.new_table, clause).type, "collation", None)
    ),
    "NOT NULL ON CONFLICT": lambda batch, clause: _new(batch.new_table, clause).nullable,
    "DEFAULT": lambda batch, clause: (
        getattr(_old(batch, clause), "server_default", None) is not None
    ),
    "GENERATED": lambda batch, clause: (
        getattr(_old(batch, clause), "computed", None) is not None
        and _new(batch.new_table, clause).computed is None
    ),
}


# ---- the ways to keep it ------------------------------------------------------------------------


def _keep_check(table: sa.Table, clause: Clause) -> None:
    expression: Any = sa.literal_column(clause.value)
    table.append_constraint(sa.CheckConstraint(expression, name=clause.name or None))


def _keep_unique(table: sa.Table, clause: Clause) -> None:
    if len(clause.key) == 2 * len(clause.columns) - 1:
        columns = [table.c[_key(table, name)] for name in clause.columns]
        table.append_constraint(sa.UniqueConstraint(*columns, name=clause.name or None))


def _keep_unique_on_conflict(table: sa.Table, clause: Clause) -> None:
    found = _find(table, sa.UniqueConstraint, clause.columns)
    if found is not None:
        found.dialect_options["sqlite"]["on_conflict"] = clause.value


def _keep_primary_key_on_conflict(table: sa.Table, clause: Clause) -> None:
    key = table.primary_key
    if len(key.columns) == 1:  # which is written at the column where it is AUTOINCREMENT
        column = next(iter(key.columns))
        column.dialect_options["sqlite"]["on_conflict_primary_key"] = clause.value
    else:
        key.dialect_options["sqlite"]["on_conflict"] = clause.value


def _keep_not_null_on_conflict(table: sa.Table, clause: Clause) -> None:
    _new(table, clause).dialect_options["sqlite"]["on_conflict_not_null"] = clause.value


def _keep_foreign_key(table: sa.Table, clause: Clause) -> None:
    found = _find(table, sa.ForeignKeyConstraint, clause.columns)
    if found is not None:
        for name, value in clause.options.items():
            setattr(found, name, value)
        found.deferrable = found.deferrable or "initially" in clause.options or None


def _keep_collate(table: sa.Table, clause: Clause) -> None:
    column = _new(table, clause)
    if isinstance(column.type, sa.String):
        column.type = column.type.copy()
        column.type.collation = clause.value


def _keep_autoincrement(table: sa.Table, clause: Clause) -> None:
    types = [column.type.compile(sqlite.dialect()) for column in table.primary_key.columns]
    if types == ["INTEGER"]:  # SQLite has it for no other
        table.dialect_options["sqlite"]["autoincrement"] = True


def _keep_strict(table: sa.Table, clause: Clause) -> None:
    table.dialect_options["sqlite"]["strict"] = True


def _keep_without_rowid(table: sa.Table, clause: Clause) -> None:
    table.dialect_options["sqlite"]["with_rowid"] = False


def _key(table: sa.Table, name: str) -> str:
    return next(one.key for one in table.columns if one.name.lower() == name.lower())


_WAYS: dict[str, Callable[[sa.Table, Clause], None]] = {
    "CHECK": _keep_check,
    "UNIQUE": _keep_unique,
    "UNIQUE ON CONFLICT": _keep_unique_on_conflict,
    "PRIMARY KEY ON CONFLICT": _keep_primary_key_on_conflict,
    "NOT NULL ON CONFLICT": _keep_not_null_on_conflict,
    "FOREIGN KEY": _keep_foreign_key,
    "COLLATE": _keep_collate,
    "AUTOINCREMENT": _keep_autoincrement,
    "STRICT": _keep_strict,
    "WITHOUT ROWID": _keep_without_rowid,
}
