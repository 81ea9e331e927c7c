"""CHECK constraints whose condition is not that of the model: Alembic does not compare them.

A database keeps no condition as it was written. So where the texts differ, the database writes the
condition of the model as well, on a temporary table. A name alone makes no difference: most have
none in the models, and one that the database invented.

What only the database has is told and left: before, nobody compared them, and a revision that takes
away what somebody wrote by hand takes away what protects the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from ...runtime.sqlite_schema import mentioned, tokens_of
from ..differences.bysql import colons, words
from ..differences.changes import Changes, full_name
from ..differences.checks import DropCheck, MakeCheck
from ..differences.names import Place
from ..types.defaults import both
from ..types.expressions import expression_sql
from ..types.stored import Columns, undone
from .ordering import default_name
from .stored_checks import Stored, alike, ask, at_columns, checks_of, is_looked_at, name_of, stored


@dataclass
class _Table:
    """A table in which the models and the database are held against each other.

    :param model: the table of the models.
    :param there: what the database has, with the names of the models; what is found is taken out.
    :param wanted: what the models have; what is found is taken out.
    :param same: filled in: what both have.
    """

    model: sa.Table
    there: list[Stored]
    wanted: list[sa.CheckConstraint]
    same: list[tuple[Stored, sa.CheckConstraint]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return full_name(self.model.name, self.model.schema)

    def take(self, texts: dict[sa.CheckConstraint, str]) -> None:
        """Take out what is on both sides."""
        for check in list(self.wanted):
            key = alike(texts[check])
            same = [one for one in self.there if alike(one.sql) == key]
            if same:
                # Of two with one condition, the one with the name.
                same.sort(key=lambda one: one.name != check.name)
                self.there.remove(same[0])
                self.wanted.remove(check)
                self.same.append((same[0], check))


def compare(changes: Changes) -> None:
    """Add what makes the CHECK constraints those of the models; tell what only the database has."""
    _make_with_tables(changes)
    found, filters = stored(changes.connection), AutogenContext(changes.context)
    extra: list[tuple[sa.Table, Stored]] = []
    for place, table in list(both(changes)):
        if not is_looked_at(changes.context.dialect, place):
            continue
        wanted = [one for one in checks_of(table) if _is_seen(filters, one)]
        there = found.get(place, [])
        if wanted or there:
            held = _Table(table, _there(changes, filters, table, there), wanted)
            _compare(changes, held, place)
            extra.extend((table, one) for one in held.there)
    _leave(changes, extra)


def _is_seen(filters: AutogenContext, check: sa.CheckConstraint) -> bool:
    return filters.run_object_filters(check, name_of(check), "check_constraint", False, None)


def _make_with_tables(changes: Changes) -> None:
    """Make those that stand at a column with a new table: Alembic does not write them."""
    for _, one in changes.walk():
        model = None
        if isinstance(one, ops.CreateTableOp):
            model = changes.model(one.table_name, one.schema)
        for check in at_columns(model) if model is not None else ():
            text = sa.text(colons(expression_sql(changes.context.dialect, check.sqltext)))
            one.columns = [*one.columns, sa.CheckConstraint(text, name=name_of(check))]


def _compare(changes: Changes, held: _Table, place: Place) -> None:
    """Take out what is the same, and add what makes the rest the same."""
    known = _names_in(changes, held.model)
    held.there = [one for one in held.there if one.name not in known]
    held.wanted = [one for one in held.wanted if name_of(one) not in known]
    texts = {one: expression_sql(changes.context.dialect, one.sqltext) for one in held.wanted}
    held.take(texts)
    if held.wanted and held.there:
        asked = _asked(changes, held, texts)
        if asked is None:
            held.there = []
            return
        held.take(texts | asked)
    _step_aside(changes, held, texts)
    _leave_types(held, texts)
    held.wanted.sort(key=lambda one: texts[one])
    for check in held.wanted:
        before = _other(held, check, texts[check])
        if before is not None and not before.can_go:
            changes.notes.append(
                f"A CHECK of {held.name} is ({before.sql}) in the database and ({texts[check]}) in "
                "the models. It cannot be dropped by a name there: make the table or the column "
                "anew in a revision of your own."
            )
            held.there.remove(before)
            continue
        if before is not None:
            held.there.remove(before)
            changes.add_to_table(DropCheck(_made(held.model, before.name, before.sql)))
        name = _name(changes, held, check, texts[check])
        changes.add_to_table(_made(held.model, name, texts[check]))
        _tell_rows(changes, held, place, name, texts[check])


def _made(table: sa.Table, name: str, sql: str) -> MakeCheck:
    return MakeCheck(name, table.name, sql, table.schema)


def _other(held: _Table, check: sa.CheckConstraint, text: str) -> Stored | None:
    """Return what a CHECK of the models was before: by its name, or by its columns."""
    name = name_of(check)
    if name is not None:
        return next((one for one in held.there if one.name.lower() == name.lower()), None)
    columns = mentioned(tokens_of(text))
    near = [one for one in held.there if mentioned(tokens_of(one.sql)) == columns]
    return near[0] if len(near) == 1 else None


def _name(changes: Changes, held: _Table, check: sa.CheckConstraint, text: str) -> str:
    """Return the name of a CHECK of the models; the one without a name gets one."""
    given = name_of(check)
    if given is not None:
        return given
    used = mentioned(tokens_of(text))
    columns = [one.name for one in held.model.c if one.name.lower() in used]
    taken = {one.name for one in held.there} | _names_in(changes, held.model)
    name = default_name("ck", held.model.name, columns)
    number = 1
    while name in taken:
        number += 1
        name = default_name("ck", held.model.name, [*columns, str(number)])
    return name


def _names_in(changes: Changes, table: sa.Table) -> set[str]:
    """Return the names of constraints that are made or dropped already."""
    return {
        str(one.constraint_name)
        for _, one in changes.walk()
        if isinstance(one, ops.DropConstraintOp | ops.CreateCheckConstraintOp)
        and one.constraint_name is not None
        and (one.table_name, one.schema) == (table.name, table.schema)
    }


def _leave_types(held: _Table, texts: dict[sa.CheckConstraint, str]) -> None:
    """Leave out what a type brings along, and what is not for every database.

    The labels of an enum have a unit of their own.
    """
    special = [one for one in held.wanted if _is_special(one)]
    columns = [mentioned(tokens_of(texts[one])) for one in special]
    held.wanted = [one for one in held.wanted if one not in special]
    held.there = [one for one in held.there if mentioned(tokens_of(one.sql)) not in columns]


def _is_special(check: sa.CheckConstraint) -> bool:
    # SQLAlchemy has no public name for either; the tests name them.
    return bool(getattr(check, "_type_bound", False)) or (
        getattr(check, "_ddl_if", None) is not None
    )


def _leave(changes: Changes, extra: Sequence[tuple[sa.Table, Stored]]) -> None:
    """Drop what a person says is to go, and tell the rest."""
    left = []
    for model, one in extra:
        table = full_name(model.name, model.schema)
        name = f"{table}.{one.name}"
        if one.can_go and name in changes.wishes.drops:
            changes.add_to_table(DropCheck(_made(model, one.name, one.sql)))
        else:
            left.append((name if one.can_go else "", f"{one.name or 'a CHECK'} of {table}"))
    if not left:
        return
    names = ", ".join(words for _, words in left[:5]) + (", ..." if len(left) > 5 else "")
    can_go = next((name for name, _ in left if name), None)
    more = f" To drop {'it' if len(left) == 1 else 'one'}:  flask db migrate --drop {can_go}"
    changes.notes.append(
        f"Left alone: CHECK {names}, which the models do not have.{more if can_go else ''}"
    )


def _tell_rows(changes: Changes, held: _Table, place: Place, name: str, sql: str) -> None:
    """Note how many rows a new CHECK would stop on."""
    stored = {new: old for old, new in _pairs(changes, held.model).items()}
    table = sa.table(place[1], schema=place[0])
    fails = sa.text(f"NOT ({colons(words(sql, stored))})")
    query = sa.select(sa.func.count()).select_from(table).where(fails)
    try:
        with undone(changes.connection):
            count = changes.connection.execute(query).scalar_one()
    except sa.exc.DBAPIError:  # a column that is new
        return
    if count:
        some, them = ("row does", "it") if count == 1 else ("rows do", "them")
        changes.notes.append(
            f"{count:,} {some} not fit {name} of {held.name} ({sql}): the upgrade stops on {them}. "
            "Mend them in a revision before it."
        )


def _pairs(changes: Changes, table: sa.Table) -> dict[str, str]:
    return dict(changes.renamed.columns.get((table.schema, table.name), {}))


def _there(
    changes: Changes, filters: AutogenContext, table: sa.Table, found: Sequence[Stored]
) -> list[Stored]:
    """Return what a table has, with the names of the models, without what goes with a column."""
    pairs = _pairs(changes, table)
    gone = {name.lower() for name in changes.dropped(table)}
    parents: Any = {"schema_name": table.schema, "table_name": table.name}
    renamed = [Stored(one.name, words(one.sql, pairs), one.can_go) for one in found]
    return [
        one
        for one in renamed
        if not mentioned(tokens_of(one.sql)) & gone
        and filters.run_name_filters(one.name or None, "check_constraint", parents)
    ]


def _asked(
    changes: Changes, held: _Table, texts: dict[sa.CheckConstraint, str]
) -> dict[sa.CheckConstraint, str] | None:
    """Return how the database writes what the models have, without what it would not make.

    :returns: None where this user may not ask.
    """
    if changes.dialect == "sqlite":  # it keeps the text
        return {}
    names = {f"c{number}": check for number, check in enumerate(held.wanted)}
    wanted = {name: texts[check] for name, check in names.items()}
    found = ask(changes, held.model, wanted)
    if found is None:
        if not Columns(changes.connection).can_ask():
            return None
        found = {}
        for name, text in wanted.items() if len(wanted) > 1 else ():
            found |= ask(changes, held.model, {name: text}) or {}
    return {names[name]: sql for name, sql in found.items()}


def _step_aside(changes: Changes, held: _Table, texts: dict[sa.CheckConstraint, str]) -> None:
    """Make anew what PostgreSQL could not read any more when a column has another type."""
    columns = {name.lower() for name in changes.retyped(held.model)}
    if changes.dialect != "postgresql" or not columns:
        return
    for before, check in held.same:
        if mentioned(tokens_of(before.sql)) & columns:
            if ask(changes, held.model, {"c": before.sql}, after=True) is None:
                drop = DropCheck(_made(held.model, before.name, before.sql))
                make = _made(held.model, before.name, texts[check])
                drop.told = make.told = ""  # type: ignore[attr-defined]
                changes.add_to_table(drop)
                changes.add_to_table(make)
