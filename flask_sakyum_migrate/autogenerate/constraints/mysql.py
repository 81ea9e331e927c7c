"""What MySQL and MariaDB want of foreign keys: an index for each, and columns that stay.

They make an index for a foreign key that has none, leave it behind when the foreign key goes,
refuse to drop the last index that a foreign key can use, and refuse to change the type of a
column that is in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects.mysql import LONGTEXT

from ..differences.changes import Changes, full_name
from ..differences.only import MYSQL, Only

Columns = tuple[str, ...]

_REFERRING = """
SELECT DISTINCT table_name FROM information_schema.key_column_usage
WHERE table_schema = DATABASE() AND referenced_table_schema = DATABASE()
AND referenced_table_name = :name
"""


# MariaDB keeps JSON as a text with a CHECK that bears the name of the column.
_JSON = """
SELECT table_name, constraint_name FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE()
AND check_clause = concat('json_valid(`', replace(constraint_name, '`', '``'), '`)')
"""


def know_json(changes: Changes) -> None:
    """Call a column that goes or changes JSON where MariaDB tells a long text of it."""
    dialect: Any = changes.context.dialect
    if changes.dialect != "mysql" or not dialect.is_mariadb:
        return
    known: set[tuple[str, str]] | None = None
    for held, one in list(changes.walk()):
        table = one.to_table() if isinstance(one, ops.DropTableOp) else None
        texts = [] if table is None else [it for it in table.c if isinstance(it.type, LONGTEXT)]
        if isinstance(one, ops.DropColumnOp):
            texts = [it for it in [one.to_column()] if isinstance(it.type, LONGTEXT)]
        altered = isinstance(one, ops.AlterColumnOp) and isinstance(one.existing_type, LONGTEXT)
        if not (texts or altered) or one.schema is not None:
            continue
        if known is None:
            rows = changes.connection.execute(sa.text(_JSON)).all()
            known = {(row[0], row[1]) for row in rows}
        stored = changes.renamed.stored_table(one.table_name, None)
        for column in texts:
            if (stored, column.name) in known:
                column.type = sa.JSON()
        if altered:
            name = changes.renamed.stored_column(one.table_name, None, one.column_name)
            if (stored, name) in known:
                one.existing_type = sa.JSON()
        if table is not None:
            held[held.index(one)] = ops.DropTableOp.from_table(table)


def step_aside(changes: Changes) -> None:
    """Take away foreign keys on columns that get another type, and make them again after it."""
    if changes.dialect == "mysql" and not changes.back:  # the way back has it from the way there
        _step_aside(changes, _Database(changes))


def leave_made_indexes(changes: Changes) -> None:
    """Take out the drop of an index that was made for a foreign key which stays.

    It keeps the name of the constraint or column that it was made with, whatever is renamed
    later. Where a model names an index of its own, this one is none of the database's making.
    """
    if changes.dialect != "mysql":
        return
    database = _Database(changes)
    conventional = {str(one.name) for table in changes.tables.values() for one in table.indexes}
    tables: dict[str, list[_Key]] = {}

    def made(one: Any) -> bool:
        if not isinstance(one, ops.DropIndexOp) or one.schema is not None or one.kw.get("unique"):
            return False
        table, name = str(one.table_name), str(one.index_name)
        model = changes.tables.get(table)
        if model is None or name in conventional or name.startswith("ix_"):
            return False
        columns = database.indexes(table).get(name)
        keys = tables.setdefault(table, database.keys(table))
        kept = {
            tuple(element.parent.name for element in key.elements)
            for key in model.foreign_key_constraints
        }
        return (
            columns in {key.columns for key in keys}
            and columns in kept
            and not any(_serves(index, columns) for index in _indexes(model).values())
        )

    changes.remove(made)


def keep_indexes(changes: Changes) -> None:
    """Make the indexes that foreign keys need, drop those that they leave behind.

    To run when the operations are in their order.
    """
    if changes.dialect != "mysql":
        return
    held = changes.upgrade.ops
    tables: dict[str, list[ops.ModifyTableOps]] = {}
    for mod in held:
        if isinstance(mod, ops.ModifyTableOps):
            tables.setdefault(_place(mod), []).append(mod)
    whole = {_place(one) for one in held if isinstance(one, ops.DropTableOp | ops.CreateTableOp)}
    database = _Database(changes)
    for place, mods in tables.items():
        if place in whole:
            continue
        table = _Table(mods, database, changes)
        first, last = held.index(mods[0]), held.index(mods[-1])
        freed = [key.create() for key in table.freed()]
        left = list(table.left_behind())
        after = [one for columns, one in left if not table.replaces(columns)]
        held[last + 1 : last + 1] = [*(Only(MYSQL, key) for key in freed), *after]
        held[first:first] = [Only(MYSQL, key.reverse()) for key in freed]
        _after_keys(held, mods, [one for columns, one in left if table.replaces(columns)])


def _after_keys(held: list[Any], mods: Sequence[ops.ModifyTableOps], then: Sequence[Any]) -> None:
    """Do something when the foreign keys of a table are dropped, and before all else."""
    if not then:
        return
    mod = next(mod for mod in reversed(mods) if any(_is_old_key(one) for one in mod.ops))
    keys = [one for one in mod.ops if _is_old_key(one)]
    others = [one for one in mod.ops if not _is_old_key(one)]
    place = held.index(mod)
    parts = [type(mod)(mod.table_name, part, schema=mod.schema) for part in (keys, others) if part]
    held[place : place + 1] = [parts[0], *then, *parts[1:]]


@dataclass(frozen=True)
class _Key:
    """A foreign key as it is in the database, with the names that the operations use."""

    name: str
    table: str
    columns: Columns
    target: str
    target_columns: Columns
    options: dict[str, Any]

    def create(self) -> ops.CreateForeignKeyOp:
        options = {f"on{name}": self.options[f"on{name}"] for name in ("update", "delete")}
        return ops.CreateForeignKeyOp(
            self.name,
            self.table,
            self.target,
            list(self.columns),
            list(self.target_columns),
            **{name: value for name, value in options.items() if value},
        )


class _Database:
    """Indexes and foreign keys in the database; tables of other schemas are left alone."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._inspector = sa.inspect(changes.connection)
        self._there = set(self._inspector.get_table_names())

    def keys(self, table: str) -> list[_Key]:
        stored = self._stored(table)
        if stored is None:
            return []
        return [
            _Key(
                str(one["name"]),
                table,
                self._names(table, one["constrained_columns"]),
                self._changes.renamed.new_table(one["referred_table"], None),
                self._names(one["referred_table"], one["referred_columns"]),
                {
                    "onupdate": one.get("options", {}).get("onupdate"),
                    "ondelete": one.get("options", {}).get("ondelete"),
                },
            )
            for one in self._inspector.get_foreign_keys(stored)
            if one["referred_schema"] is None
        ]

    def referring(self, table: str) -> list[str]:
        """Return the tables that refer to one."""
        stored = self._stored(table)
        if stored is None:
            return []
        rows = self._changes.connection.execute(sa.text(_REFERRING), {"name": stored})
        return [self._changes.renamed.new_table(name, None) for name in rows.scalars()]

    def indexes(self, table: str) -> dict[str, Columns]:
        """Return the columns of all indexes, those of constraints too, by their names."""
        stored = self._stored(table)
        if stored is None:
            return {}
        found = {
            str(one["name"]): self._names(table, [str(name) for name in one["column_names"]])
            for one in self._inspector.get_indexes(stored)
        }
        primary = self._inspector.get_pk_constraint(stored)["constrained_columns"]
        return {"PRIMARY": self._names(table, primary), **found}

    def _stored(self, table: str) -> str | None:
        name = self._changes.renamed.stored_table(table, None)
        return name if name in self._there else None

    def _names(self, table: str, columns: Iterable[str]) -> Columns:
        pairs = self._changes.renamed.columns.get((None, table), {})
        return tuple(pairs.get(name, name) for name in columns)


def _step_aside(changes: Changes, database: _Database) -> None:
    mods = {
        str(one.table_name): one
        for one in changes.upgrade.ops
        if isinstance(one, ops.ModifyTableOps) and one.schema is None
    }
    retyped = {
        (table, one.column_name)
        for table, mod in mods.items()
        for one in mod.ops
        if isinstance(one, ops.AlterColumnOp) and one.modify_type is not None
    }
    gone = {_place(one) for one in changes.upgrade.ops if isinstance(one, ops.DropTableOp)}
    tables = {table for table, _ in retyped}
    holders = {one for table in tables for one in [table, *database.referring(table)]}
    for holder in sorted(holders - gone):
        for key in database.keys(holder):
            ends = {(key.table, name) for name in key.columns} | {
                (key.target, name) for name in key.target_columns
            }
            mod = mods.get(holder)
            if not ends & retyped or (mod and key.name in _dropped(mod.ops)):
                continue
            if mod is None:
                mod = mods[holder] = ops.ModifyTableOps(holder, [])
                changes.upgrade.ops.append(mod)
            mod.ops.append(key.create())
            mod.ops.insert(0, key.create().reverse())


class _Table:
    """The changes of one table, and what its foreign keys need.

    :param mods: the changes.
    """

    def __init__(
        self, mods: Sequence[ops.ModifyTableOps], database: _Database, changes: Changes
    ) -> None:
        self._name = str(mods[0].table_name)
        operations: list[Any] = [one for mod in mods for one in mod.ops]
        self._new_indexes = [
            (_name(one), _columns(one))
            for one in operations
            if isinstance(one, ops.CreateIndexOp | ops.CreateUniqueConstraintOp)
        ]
        self._new_keys = [one for one in operations if isinstance(one, ops.CreateForeignKeyOp)]
        self._old_keys = [one for one in operations if _is_old_key(one)]
        self._dropped_indexes = {
            str(one.index_name) for one in operations if isinstance(one, ops.DropIndexOp)
        }
        self._dropped = _dropped(operations) | self._dropped_indexes
        self._lost = {one.column_name for one in operations if isinstance(one, ops.DropColumnOp)}
        here = mods[0].schema is None
        model = changes.tables.get(self._name) if here else None
        self._keys = database.keys(self._name) if here else []
        self._stored = database.indexes(self._name) if here else {}
        self._model = _indexes(model) if model is not None else {}
        self._before = self._model if changes.back else self._stored

    def freed(self) -> list[_Key]:
        """Return the foreign keys that are without an index while another is made, or after it.

        When they are made again they get one as MySQL makes it: it goes by itself when it is not
        needed any more, which one that was made by name does not.
        """
        kept = [columns for name, columns in self._before.items() if name not in self._dropped]
        kept += [columns for name, columns in self._new_indexes if name not in self._dropped]
        touched = {str(one.constraint_name) for one in self._new_keys} | self._dropped
        return [
            key
            for key in self._keys
            if any(_serves(self._before.get(name, ()), key.columns) for name in self._dropped)
            and not any(_serves(one, key.columns) for one in kept)
            and key.name not in touched
        ]

    def left_behind(self) -> Iterator[tuple[Columns, Only]]:
        """Give the columns and the drops of indexes made for foreign keys which are dropped."""
        remade = {_of_key(one) for one in self._new_keys}
        for one in self._old_keys:
            key: Any = one.reverse()
            columns = _of_key(key)
            if columns in remade or self._lost.issuperset(columns) or not one.constraint_name:
                continue
            name: str | None = str(one.constraint_name)
            if self._before is self._stored:
                name = self._made_for(str(name), columns)
            elif any(_serves(index, columns) for index in self._model.values()):
                continue  # the models have one that it used
            if name is not None and name not in {*self._model, *self._dropped_indexes}:
                # Made anew it would be called after the constraint, and this could not run twice.
                made = ops.CreateIndexOp(name, self._name, list(columns))
                back = made if name != one.constraint_name else None
                yield columns, Only(MYSQL, ops.DropIndexOp(name, self._name), back=back)

    def replaces(self, columns: Columns) -> bool:
        """Tell whether a new index takes the place of one that the database has made.

        That goes by itself then, but one that was made by name does not.
        """
        return any(_serves(new, columns) for _, new in self._new_indexes)

    def _made_for(self, key: str, columns: Columns) -> str | None:
        """Return the name of the index that the database has made for a foreign key."""
        return next((name for name in (key, columns[0]) if self._stored.get(name) == columns), None)


def _indexes(table: sa.Table) -> dict[str, Columns]:
    """Return the columns of all indexes that a table of the models has."""
    found = {str(one.name): tuple(column.name for column in one.columns) for one in table.indexes}
    for number, one in enumerate(table.constraints):
        if isinstance(one, sa.UniqueConstraint | sa.PrimaryKeyConstraint):
            columns = tuple(column.name for column in one.columns)
            found[str(one.name) if one.name else f" {number}"] = columns
    return found


def _serves(index: Columns, key: Columns) -> bool:
    """Tell whether a foreign key can use an index: it begins with the columns."""
    return set(index[: len(key)]) == set(key)


def _is_old_key(one: Any) -> bool:
    return isinstance(one, ops.DropConstraintOp) and one.constraint_type == "foreignkey"


def _name(one: Any) -> str:
    return str(one.index_name if hasattr(one, "index_name") else one.constraint_name)


def _columns(one: Any) -> Columns:
    return tuple(str(getattr(column, "name", column)) for column in one.columns)


def _of_key(one: ops.CreateForeignKeyOp) -> Columns:
    return tuple(str(name) for name in one.local_cols)


def _dropped(operations: Sequence[Any]) -> set[str]:
    """Return the names of the constraints that are dropped."""
    return {str(one.constraint_name) for one in operations if isinstance(one, ops.DropConstraintOp)}


def _place(one: Any) -> str:
    return full_name(str(one.table_name), one.schema)
