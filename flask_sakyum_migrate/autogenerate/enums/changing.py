"""Enum types of PostgreSQL: made before the columns that need them, changed, and dropped.

Alembic sees nothing of them. What is written is SQL that runs without this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects import postgresql

from ...errors import RefusedError
from ...wishes import Wishes
from ..differences.bysql import RunSql, literal, tell_rows
from ..differences.changes import Changes, full_name
from ..differences.names import place_of
from ..renaming.answers import LABEL, Answers, Candidate, Scope, decide, stop
from ..renaming.likeness import Likeness
from .types import (
    EnumType,
    Key,
    Use,
    freed,
    leave_types,
    others_do_it,
    stored_types,
    wanted_types,
)


class Enums:
    """The unit for enum types.

    :param wishes: what a person said; None: nobody is asked and nothing refused.
    """

    def __init__(self, wishes: Wishes | None = None) -> None:
        self._wishes = wishes
        self._used: set[str] = set()
        self._unanswered: list[Candidate] = []
        self._refused: dict[str, RefusedError] = {}

    def __call__(self, changes: Changes) -> None:
        """Write what makes, changes and drops enum types.

        :raises RefusedError: what was said about a label cannot be done.
        """
        if changes.dialect != "postgresql" or others_do_it():
            return
        leave_types(changes)
        stored, wanted = stored_types(changes), wanted_types(changes)
        head: list[RunSql] = []
        for key, columns in wanted.items():
            labels = tuple(columns[0][1].enums)
            if key not in stored:
                head.append(_made(changes, key, labels))
            elif labels != stored[key].labels and not stored[key].foreign:
                change = _Change(changes, key, stored[key], labels, [one for one, _ in columns])
                head += change.write(self._renamed(changes, change))
        tail = [
            _dropped(changes, key, stored[key].labels)
            for key in freed(changes, stored)
            if key not in wanted
        ]
        changes.remove_unchanged()
        changes.upgrade.ops[:] = [*head, *changes.upgrade.ops, *tail]

    def finish(self) -> None:
        """Stop when something is not answered, or was said about nothing.

        :raises RefusedError: it was.
        """
        renames = {} if self._wishes is None else self._wishes.renames
        vain = [one for one in renames if one.startswith(LABEL) and one not in self._used]
        if vain:
            raise self._refused.get(vain[0]) or RefusedError(
                f"--rename {vain[0]}:{renames[vain[0]]}: no enum type has lost that label. "
                "Nothing was written.",
                f"It is {LABEL}TYPE.LABEL:NEW for a label.",
            )
        if self._unanswered:
            raise stop(self._unanswered)

    def _renamed(self, changes: Changes, change: _Change) -> dict[str, str]:
        if self._wishes is None:
            return {}
        answers: Answers = decide(change.scope(), self._wishes, changes.ask)
        self._used |= answers.used
        self._unanswered += answers.unanswered
        self._refused |= answers.refused
        return answers.pairs


@dataclass
class _Change:
    """A type whose labels differ.

    :param columns: of the models.
    """

    changes: Changes
    key: Key
    stored: EnumType
    labels: tuple[str, ...]
    columns: Sequence[sa.Column[Any]]

    def scope(self) -> Scope:
        """Return what may have been renamed."""
        before, after = set(self.stored.labels), set(self.labels)
        name = full_name(self.key[1], self.key[0])
        return Scope(
            "label",
            [f"{LABEL}{name}."],
            {one: one for one in self.stored.labels if one not in after},
            {one: one for one in self.labels if one not in before},
            before & after,
            {},
            lambda old, new: Likeness(SequenceMatcher(None, old, new).ratio(), f"in {name}"),
        )

    def write(self, renamed: dict[str, str]) -> list[RunSql]:
        """Return what changes the labels.

        :param renamed: new labels by old ones.
        """
        type_ = _quoted(self.changes, self.key)
        name = full_name(self.key[1], self.key[0])
        result = [
            RunSql(
                [f"ALTER TYPE {type_} RENAME VALUE {literal(old)} TO {literal(new)}"],
                [f"ALTER TYPE {type_} RENAME VALUE {literal(new)} TO {literal(old)}"],
                f"~ label {name}.{old} renamed to {new}",
                "postgresql",
            )
            for old, new in renamed.items()
        ]
        before = tuple(renamed.get(one, one) for one in self.stored.labels)
        self._settle_defaults(renamed)
        if before == self.labels:
            return result
        uses = [self._use(use, renamed) for use in self.stored.uses]
        added = [one for one in self.labels if one not in before]
        removed = [one for one in before if one not in self.labels]
        kept = [one for one in self.labels if one in before]
        words = [f"gets {one}" for one in added] + [f"loses {one}" for one in removed]
        told = f"~ enum {name} {', '.join(words) or 'has its labels in another order'}"
        back = self._remade(self.labels, before, [(use, now, then) for use, then, now in uses])
        stops = _stops(added)
        if kept == list(before):
            there = _additions(type_, before, self.labels)
            used = self._is_used(added)
            one = RunSql(there, back, told, "postgresql", comment_back=stops, autocommit=used)
            return [*result, one]
        self._tell_rows(removed, renamed)
        for use, _, now in uses:
            self._settle(use, now)
        there = self._remade(before, self.labels, uses)
        one = RunSql(there, back, told, "postgresql", comment=_stops(removed), comment_back=stops)
        return [*result, one]

    def _use(self, use: Use, renamed: dict[str, str]) -> tuple[Use, str | None, str | None]:
        """Return a column with its default before and after; renamed labels are so in both."""
        before = use.default
        for old, new in renamed.items():
            if before is not None:
                before = before.replace(literal(old), literal(new))
        if before is not None:
            before = before.partition("::")[0] if before.startswith("'") else before
        column = self._model(use)
        if column is None:
            return use, before, before
        default: Any = column.server_default
        if default is None:
            return use, before, None
        if not isinstance(default, sa.DefaultClause):
            return use, before, before
        dialect = self.changes.context.dialect
        compiler = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]
        after = compiler.get_column_default_string(column)
        return use, before, after.replace("%%", "%") if after is not None else None

    def _model(self, use: Use) -> sa.Column[Any] | None:
        names = self.changes.renamed
        for one in self.columns:
            schema = one.table.schema
            stored = names.stored_table(one.table.name, schema)
            column = names.stored_column(one.table.name, schema, one.name)
            place = place_of(schema, stored, self.changes.context.dialect)
            if (*place, column) == (use.schema, use.table, use.column):
                return one
        return None

    def _remade(
        self,
        before: Sequence[str],
        after: Sequence[str],
        uses: Sequence[tuple[Use, str | None, str | None]],
    ) -> list[str]:
        """Return what makes the type anew, which is the only way to take a label out or move it."""
        schema, name = self.key
        type_, old = _quoted(self.changes, self.key), f"{name[:58]}__old"
        quote = self.changes.context.dialect.identifier_preparer.quote
        result = [f"ALTER TYPE {type_} RENAME TO {quote(old)}", _create(type_, after)]
        for use, then, now in uses:
            column, array = quote(use.column), "[]" if use.is_array else ""
            parts = [
                f"ALTER COLUMN {column} DROP DEFAULT" if then or now else "",
                f"ALTER COLUMN {column} TYPE {type_}{array} "
                f"USING {column}::text{array}::{type_}{array}",
                f"ALTER COLUMN {column} SET DEFAULT {now}" if now is not None else "",
            ]
            table = _quoted(self.changes, (use.schema, use.table))
            result.append(f"ALTER TABLE {table} " + ", ".join(part for part in parts if part))
        return [*result, f"DROP TYPE {_quoted(self.changes, (schema, old))}"]

    def _settle_defaults(self, renamed: dict[str, str]) -> None:
        """Leave the defaults that follow a label to it."""
        for use in self.stored.uses:
            _, before, after = self._use(use, renamed)
            if before == after:
                self._settle(use, after)

    def _settle(self, use: Use, default: str | None) -> None:
        """Take out the change of a default that is made with the type."""
        column = self._model(use)
        if column is None:
            return
        for _, one in self.changes.walk():
            if (
                isinstance(one, ops.AlterColumnOp)
                and (one.table_name, one.schema) == (column.table.name, column.table.schema)
                and one.column_name == column.name
            ):
                one.modify_server_default = False

    def _is_used(self, added: Sequence[str]) -> bool:
        """Tell whether the revision itself uses a new label, which has to be committed first."""
        touched = set()
        for _, one in self.changes.walk():
            if isinstance(one, ops.CreateTableOp):
                touched |= {
                    (one.schema, one.table_name, column.name) for column in one.to_table().c
                }
            elif isinstance(one, ops.AddColumnOp):
                touched.add((one.schema, one.table_name, one.column.name))
            elif isinstance(one, ops.AlterColumnOp):
                touched.add((one.schema, one.table_name, one.column_name))
        for column in self.columns:
            if (column.table.schema, column.table.name, column.name) in touched:
                said: Any = getattr(column.server_default, "arg", "")
                scalar: Any = getattr(column.default, "arg", "")
                words = (str(said).strip("'").partition("'")[0], getattr(scalar, "name", scalar))
                if any(word in added for word in words):
                    return True
        return False

    def _tell_rows(self, removed: Sequence[str], renamed: dict[str, str]) -> None:
        old = {new: one for one, new in renamed.items()}
        labels = [old.get(one, one) for one in removed]
        for use in self.stored.uses:
            table = sa.table(use.table, schema=use.schema)
            column: Any = sa.literal_column(
                self.changes.context.dialect.identifier_preparer.quote(use.column)
            )
            text = sa.cast(column, postgresql.ARRAY(sa.Text) if use.is_array else sa.Text)
            where = text.overlap(labels) if use.is_array else text.in_(labels)
            query = sa.select(sa.func.count()).select_from(table).where(where)
            count = self.changes.connection.execute(query).scalar_one() if labels else 0
            name = f"{full_name(use.table, use.schema)}.{use.column}"
            tell_rows(self.changes.notes, count, name, labels)


def _stops(labels: Sequence[str]) -> str:
    """Return the comment that says on which rows a statement stops."""
    if not labels:
        return ""
    return (
        f"Rows that have {' or '.join(map(repr, labels))} stop it: give them another label first."
    )


def _additions(type_: str, before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return what adds labels, each at its place."""
    result = []
    there = list(before)
    for at, one in enumerate(after):
        if one in there:
            continue
        where = ""
        if at == 0:
            where = f" BEFORE {literal(there[0])}" if there else ""
        elif after[at - 1] != there[-1]:
            where = f" AFTER {literal(after[at - 1])}"
        result.append(f"ALTER TYPE {type_} ADD VALUE IF NOT EXISTS {literal(one)}{where}")
        there.insert(at, one)
    return result


def _made(changes: Changes, key: Key, labels: Sequence[str]) -> RunSql:
    type_ = _quoted(changes, key)
    told = f"+ enum {full_name(key[1], key[0])}"
    return RunSql([_create(type_, labels)], [f"DROP TYPE {type_}"], told, "postgresql")


def _dropped(changes: Changes, key: Key, labels: Sequence[str]) -> RunSql:
    type_ = _quoted(changes, key)
    told = f"- enum {full_name(key[1], key[0])}"
    return RunSql([f"DROP TYPE {type_}"], [_create(type_, labels)], told, "postgresql")


def _create(type_: str, labels: Sequence[str]) -> str:
    return f"CREATE TYPE {type_} AS ENUM ({', '.join(map(literal, labels))})"


def _quoted(changes: Changes, place: Key) -> str:
    quote = changes.context.dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in place if part)
