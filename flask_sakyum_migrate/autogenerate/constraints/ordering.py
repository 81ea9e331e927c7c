"""The order of operations in which every database accepts them, in both directions.

Alembic drops tables in no order, changes tables in that of their names, and puts the foreign keys
of tables that refer to each other into CREATE TABLE, where one of them is always missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from ..differences.changes import Changes, full_name

_LONGEST = 60  # characters of a name; PostgreSQL takes 63, MySQL 64


class DroppedWithTable(ops.DropIndexOp):
    """An index that goes with its table: there is nothing to do, except on the way back."""

    def reverse(self) -> Any:
        """Make it, among what is made with its table."""
        return ops.ModifyTableOps(str(self.table_name), [super().reverse()], schema=self.schema)


@renderers.dispatch_for(DroppedWithTable)
def _nothing(context: AutogenContext, op: DroppedWithTable) -> list[str]:
    return []


def order(changes: Changes) -> None:
    """Bring the operations into an order that runs.

    What is not Alembic's own stays between the operations it stood between.
    """
    result: list[ops.MigrateOperation] = []
    known: list[ops.MigrateOperation] = []
    for one in changes.upgrade.ops:
        if isinstance(one, ops.CreateTableOp | ops.ModifyTableOps | ops.DropTableOp):
            known.append(one)
        else:
            result += [*_Segment(known, changes.dialect).ordered(), one]
            known = []
    changes.upgrade.ops[:] = [*result, *_Segment(known, changes.dialect).ordered()]


def default_name(kind: str, table: str, columns: Iterable[str]) -> str:
    """Return a name for a constraint that has none: the same whenever it is asked for.

    :param kind: ``fk``, ``uq`` or ``ck``.
    """
    name = "_".join([kind, table, *columns])
    if len(name) <= _LONGEST:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - 9]}_{mark}"


@dataclass
class _Segment:
    """Operations that may be put into another order.

    :param early: foreign keys to be dropped before everything else.
    :param late: foreign keys to be made after everything else.
    """

    known: Sequence[Any]
    dialect: str
    early: list[Any] = field(default_factory=list)
    late: list[Any] = field(default_factory=list)

    def ordered(self) -> list[ops.MigrateOperation]:
        creates = [one for one in self.known if isinstance(one, ops.CreateTableOp)]
        drops = [one for one in self.known if isinstance(one, ops.DropTableOp)]
        drops.sort(key=_place)  # Alembic goes through a set
        mods = [one for one in self.known if isinstance(one, ops.ModifyTableOps)]
        gone = {_place(one) for one in drops}
        made = self._creates(creates, mods)
        with_table = self._indexes_of_dropped([one for one in mods if _place(one) in gone])
        places = {_place(one) for one in creates} | gone
        changed = self._changes([one for one in mods if _place(one) not in places])
        dropped = self._drops(drops)
        return [
            *_by_table(self.early),
            *made,
            *changed,
            *with_table,
            *dropped,
            *_by_table(self.late),
        ]

    def _creates(
        self, creates: Sequence[ops.CreateTableOp], mods: Sequence[ops.ModifyTableOps]
    ) -> list[Any]:
        """Order new tables so that what they refer to is there; the rest of it comes late."""
        waiting = {_place(one): _foreign_keys(one) for one in creates}
        for one in creates:
            extra = [(mod, key) for mod in mods if _place(mod) == _place(one) for key in _new(mod)]
            for mod, key in extra:
                mod.ops.remove(key)
                self.late.append(key)
            said = {_columns(key) for _, key in extra}
            for key in list(waiting[_place(one)]):
                if _columns(key) in said or key.kw.get("use_alter"):
                    self._postpone(one, key, waiting, made=_columns(key) not in said)

        def cut(one: ops.CreateTableOp, left: set[str]) -> None:
            for key in list(waiting[_place(one)]):
                if _target(key) in left and _target(key) != _place(one):
                    self._postpone(one, key, waiting)

        result: list[Any] = []
        for one in _sorted(creates, lambda it: {_target(key) for key in waiting[_place(it)]}, cut):
            result.append(one)
            result += [mod for mod in mods if _place(mod) == _place(one) and mod.ops]
        return result

    def _postpone(
        self,
        table: ops.CreateTableOp,
        key: ops.CreateForeignKeyOp,
        waiting: dict[str, list[ops.CreateForeignKeyOp]],
        *,
        made: bool = True,
    ) -> None:
        """Take a foreign key out of CREATE TABLE.

        :param made: it is to be made later; else something else makes it.
        """
        waiting[_place(table)].remove(key)
        table.columns = [
            one
            for one in table.columns
            if not isinstance(one, sa.ForeignKeyConstraint)
            or _columns(ops.CreateForeignKeyOp.from_constraint(one)) != _columns(key)
        ]
        if made:
            key.kw.pop("use_alter", None)
            self.late.append(key)

    def _drops(self, drops: Sequence[ops.DropTableOp]) -> list[Any]:
        """Order tables that go so that nothing refers to them any more."""
        keys = {_place(one): _foreign_keys(one) for one in drops}

        def cut(one: ops.DropTableOp, left: set[str]) -> None:
            for place in left - {_place(one)}:
                for key in list(keys[place]):
                    if _target(key) == _place(one):
                        keys[place].remove(key)
                        self._drop_early(key)

        def before(one: ops.DropTableOp) -> set[str]:
            return {
                place
                for place, theirs in keys.items()
                if any(_target(key) == _place(one) for key in theirs)
            }

        return _sorted(drops, before, cut)

    def _drop_early(self, key: ops.CreateForeignKeyOp) -> None:
        known = {(_place(one), one.constraint_name) for one in self.early}
        if key.constraint_name is None or (_place(key), key.constraint_name) in known:
            return  # SQLite, which gives them no names, does not look at them
        self.early.append(key.reverse())

    def _indexes_of_dropped(self, mods: Sequence[ops.ModifyTableOps]) -> list[Any]:
        """Leave the indexes of dropped tables to them, unless a new table takes the name."""
        new = {
            one.index_name
            for mod in self.known
            for one in getattr(mod, "ops", ())
            if isinstance(one, ops.CreateIndexOp)
        }
        skipped: list[Any] = []
        for mod in mods:
            for one in mod.ops:
                if not isinstance(one, ops.DropIndexOp):
                    self.early.append(one)
                elif one.index_name in new and self.dialect != "mysql":
                    self.early.append(one)  # elsewhere two tables cannot have the same name for it
                else:
                    index = one.to_index()
                    skipped.append(DroppedWithTable.from_index(index))
        return skipped

    def _changes(self, mods: Sequence[ops.ModifyTableOps]) -> list[Any]:
        """Order the changes of tables, and the operations of each."""
        by_place: dict[str, list[ops.ModifyTableOps]] = {}
        for mod in mods:
            mod.ops.sort(key=_rank_in(mod))
            by_place.setdefault(_place(mod), []).append(mod)

        def before(mod: ops.ModifyTableOps) -> set[str]:
            made = {_target(key) for key in _new(mod)}
            freed = {
                place
                for place, others in by_place.items()
                if any(_target(key) == _place(mod) for one in others for key in _old(one))
            }
            return made | freed

        def cut(mod: ops.ModifyTableOps, left: set[str]) -> None:
            if self.dialect == "sqlite":
                return  # which looks at no foreign key meanwhile
            for key in _new(mod):
                if _target(key) in left - {_place(mod)}:
                    mod.ops.remove(key)
                    self.late.append(key)
            for place in left - {_place(mod)}:
                for other in by_place[place]:
                    drops: list[Any] = [one for one in other.ops if _is_drop_of_key(one)]
                    for drop in drops:
                        if _target(drop.reverse()) == _place(mod):
                            other.ops.remove(drop)
                            self.early.append(drop)

        return [mod for mod in _sorted(mods, before, cut) if mod.ops]


def _sorted(
    things: Sequence[Any],
    before: Callable[[Any], set[str]],
    cut: Callable[[Any, set[str]], None],
) -> list[Any]:
    """Sort operations so that each comes after those of the places it waits for.

    Where they wait for each other, ``cut`` makes one of them wait no more.
    """
    left, result = list(things), []
    while left:
        places = {_place(one) for one in left}
        free = (one for one in left if not (before(one) - {_place(one)}) & places)
        one = next(free, None)
        if one is None:
            one = left[0]
            cut(one, places)
        left.remove(one)
        result.append(one)
    return result


def _rank_in(mod: ops.ModifyTableOps) -> Callable[[Any], int]:
    """Make the key that sorts the operations on one table."""
    new = [one for one in mod.ops if isinstance(one, ops.CreateIndexOp | _UNIQUE)]
    dropped = {_name(one) for one in mod.ops if isinstance(one, ops.DropIndexOp | _DROP)}
    first = {_indexed(one)[:1] for one in new if _name(one) not in dropped}
    added = {one.column.name for one in mod.ops if isinstance(one, ops.AddColumnOp)}
    # What is computed is there after what it is computed from, and goes before that.
    early = {
        one.column_name
        for one in mod.ops
        if isinstance(one, ops.DropColumnOp)
        and (one.to_column().computed is not None or one.column_name in added)
    }

    def rank(one: Any) -> int:
        if isinstance(one, ops.DropConstraintOp) and one.constraint_type in _RANK_OF_DROP:
            return _RANK_OF_DROP[one.constraint_type]
        if isinstance(one, ops.DropIndexOp | ops.DropConstraintOp):
            # MySQL keeps an index that a foreign key needs until there is another.
            columns = _indexed(one.reverse())
            return 8 if columns[:1] in first and early.isdisjoint(columns) else 2
        if isinstance(one, ops.CreateIndexOp | _UNIQUE):
            return 7 if _name(one) not in dropped else 9
        if isinstance(one, ops.AddColumnOp):
            return 4 if one.column.computed is None else 6
        if isinstance(one, ops.DropColumnOp):
            return 3 if one.column_name in early else 11
        return _RANKS.get(type(one), 9 if isinstance(one, ops.AddConstraintOp) else 5)

    return rank


_UNIQUE = ops.CreateUniqueConstraintOp
_DROP = ops.DropConstraintOp
_RANKS: dict[type, int] = {ops.CreateForeignKeyOp: 10}
_RANK_OF_DROP = {"foreignkey": 0, "check": 1}


def _by_table(operations: Sequence[Any]) -> list[ops.ModifyTableOps]:
    tables: dict[str, ops.ModifyTableOps] = {}
    for one in operations:
        schema = _schema(one)
        name = str(getattr(one, "source_table", None) or one.table_name)
        mod = tables.setdefault(_place(one), ops.ModifyTableOps(name, [], schema=schema))
        mod.ops.append(one)
    return list(tables.values())


def _foreign_keys(one: ops.CreateTableOp | ops.DropTableOp) -> list[ops.CreateForeignKeyOp]:
    """Return the foreign keys of a table as operations; those without a name get one if made."""
    keys = [
        ops.CreateForeignKeyOp.from_constraint(item)
        for item in sorted(one.to_table().constraints, key=lambda it: str(it.name))
        if isinstance(item, sa.ForeignKeyConstraint)
    ]
    if isinstance(one, ops.CreateTableOp):
        for key in keys:
            if key.constraint_name is None:
                key.constraint_name = default_name("fk", key.source_table, key.local_cols)
    return keys


def _new(mod: ops.ModifyTableOps) -> list[ops.CreateForeignKeyOp]:
    return [one for one in mod.ops if isinstance(one, ops.CreateForeignKeyOp)]


def _old(mod: ops.ModifyTableOps) -> list[ops.CreateForeignKeyOp]:
    dropped: list[Any] = [one for one in mod.ops if _is_drop_of_key(one)]
    return [one.reverse() for one in dropped]


def _is_drop_of_key(one: Any) -> bool:
    return isinstance(one, ops.DropConstraintOp) and one.constraint_type == "foreignkey"


def _columns(key: ops.CreateForeignKeyOp) -> tuple[tuple[str, ...], str]:
    return tuple(map(str, key.local_cols)), _target(key)


def _target(key: ops.CreateForeignKeyOp) -> str:
    return full_name(str(key.referent_table), key.kw.get("referent_schema"))


def _schema(one: Any) -> str | None:
    schema = one.kw.get("source_schema") if hasattr(one, "source_table") else one.schema
    return None if schema is None else str(schema)


def _place(one: Any) -> str:
    return full_name(str(getattr(one, "source_table", None) or one.table_name), _schema(one))


def _name(one: Any) -> Any:
    return one.index_name if hasattr(one, "index_name") else one.constraint_name


def _indexed(one: Any) -> tuple[str, ...]:
    """Return the columns of an index or a constraint, in their order."""
    columns: Any = one.columns if hasattr(one, "columns") else one.local_cols
    return tuple(str(getattr(column, "name", column)) for column in columns)
