"""Indexes and constraints whose name follows that of a table or a column: renamed, not rebuilt.

PostgreSQL renames both, MySQL indexes; SQLite neither: there Alembic drops and creates an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from ..differences.changes import Changes, full_name
from ..differences.names import Names, Place
from ..differences.only import MYSQL, POSTGRESQL, Only
from .operations import rename_by_sql

Named = Iterator[tuple["str | None", tuple[Any, ...]]]
"""Names, each with what it is the name of; those without a name have None."""


@dataclass(frozen=True)
class Dependent:
    """An index or a constraint that gets another name.

    :param place: of its table, in the models.
    :param kind: ``index`` or ``constraint``.
    :param index: that of the model, where it is one.
    :param implicit: the database made it by itself, and another database did not.
    """

    place: Place
    kind: str
    old: str
    new: str
    index: sa.Index | None = None
    implicit: bool = False


def find_dependents(
    changes: Changes, names: Names, tables: Mapping[Place, sa.Table]
) -> list[Dependent]:
    """Find those that are called after what is renamed, by the model or by the database.

    :param names: the renames of tables and columns.
    :param tables: of the models.
    """
    readers = _readers(changes)
    if not readers:
        return []
    touched = {(schema, new) for (schema, _), new in names.tables.items()} | set(names.columns)
    here = {place: table for place, table in tables.items() if place in touched}
    keys = {table.key for table in here.values()}
    # A foreign key may be called after the table it points to.
    near = {
        place: table
        for place, table in tables.items()
        if place not in here and any(_target(key)[0] in keys for key in table.foreign_keys)
    }
    return [
        *_compare(changes, names, here, readers),
        *_compare(changes, names, near, [one for one in readers if one is _KEYS]),
    ]


def _compare(
    changes: Changes,
    names: Names,
    tables: Mapping[Place, sa.Table],
    readers: Sequence[_Reader],
) -> Iterator[Dependent]:
    catalogue = _Catalogue(changes, names, tables)
    for place, table in tables.items():
        database, model = _Stored(catalogue, names, place), _Modelled(table, changes)
        pairs: dict[str, str] = {}
        for kind, stored, wanted in readers:
            more = _pairs(dict(stored(database)), dict(wanted(model)))
            for old, new in more.items():
                implicit = changes.dialect == "mysql" and database.is_implicit(old)
                yield Dependent(place, kind, old, new, model.index(new), implicit)
            pairs.update(more)
        if readers and changes.dialect == "mysql":
            for old, new in database.implicit():
                if old not in pairs:
                    yield Dependent(place, "index", old, new)


def rename(changes: Changes, one: Dependent) -> Only:
    """Return the operation for it, to be run when the tables and columns have their new names.

    Other databases drop and create an index, so that the file is for all of them.
    """
    schema, name = one.place
    quote = changes.quote
    prefix = f"{quote(schema)}." if schema else ""
    on_table = f"ALTER TABLE {prefix}{quote(name)} RENAME {one.kind.upper()}"

    def sql(old: str, new: str) -> str:
        if one.kind == "index" and changes.dialect == "postgresql":
            return f"ALTER INDEX {prefix}{quote(old)} RENAME TO {quote(new)}"
        return f"{on_table} {quote(old)} TO {quote(new)}"

    return rename_by_sql(
        MYSQL if changes.dialect == "mysql" else POSTGRESQL,
        sql(one.old, one.new),
        sql(one.new, one.old),
        f"~ {one.kind} {one.old} of {full_name(name, schema)} renamed to {one.new}",
        _rebuilt(one) if one.index is not None else ((), ()),
    )


def _rebuilt(
    one: Dependent,
) -> tuple[Sequence[ops.MigrateOperation], Sequence[ops.MigrateOperation]]:
    """Return what drops and creates an index, and the way back."""
    assert one.index is not None
    new = ops.CreateIndexOp.from_index(one.index)
    if one.implicit:
        return [new], [new.reverse()]
    old = ops.CreateIndexOp.from_index(one.index)
    old.index_name = one.old
    return [old.reverse(), new], [new.reverse(), old]


class _Catalogue:
    """What the database has for some tables: each kind is asked for once, and for all of them."""

    def __init__(self, changes: Changes, names: Names, places: Iterable[Place]) -> None:
        self._inspector = sa.inspect(changes.connection)
        self._stored = {(schema, one): names.stored_table(one, schema) for schema, one in places}
        self._found: dict[tuple[str, str | None], Mapping[Any, Any]] = {}

    def read(self, kind: str, place: Place) -> Any:
        """Return what an inspector tells about a table of the models."""
        schema = place[0]
        if (kind, schema) not in self._found:
            tables = [stored for (where, _), stored in self._stored.items() if where == schema]
            get = getattr(self._inspector, f"get_multi_{kind}")
            self._found[kind, schema] = get(schema=schema, filter_names=tables)
        return self._found[kind, schema].get((schema, self._stored[place])) or ()


class _Stored:
    """The indexes and constraints of a table in the database, as they are after the renames."""

    def __init__(self, catalogue: _Catalogue, names: Names, place: Place) -> None:
        self._catalogue = catalogue
        self._names = names
        self._place = place
        self._columns = names.columns.get(place, {})

    def indexes(self) -> Named:
        """Those that stand for themselves, without an expression."""
        for one in self._read("indexes"):
            if None not in one["column_names"] and not one.get("duplicates_constraint"):
                yield one["name"], (self._new(one["column_names"]), bool(one["unique"]))

    def uniques(self) -> Named:
        """The unique constraints."""
        for one in self._read("unique_constraints"):
            yield one["name"], self._new(one["column_names"])

    def keys(self) -> Named:
        """The primary key and the foreign keys."""
        key: Any = self._read("pk_constraint")
        yield (key["name"] if key else None), ("primary",)
        for one in self._read("foreign_keys"):
            schema = one["referred_schema"]
            table = self._names.new_table(one["referred_table"], schema)
            pairs = self._names.columns.get((schema, table), {})
            columns = tuple(pairs.get(name, name) for name in one["referred_columns"])
            yield one["name"], (self._new(one["constrained_columns"]), table, columns)

    def implicit(self) -> Iterator[tuple[str, str]]:
        """The indexes that MySQL itself named after a column which has another name now."""
        every = {one["name"]: one["column_names"] for one in self._read("indexes")}
        for name, columns in every.items():
            new = self._columns.get(name)
            if new is not None and columns[0] == name and new not in every:
                yield name, new

    def is_implicit(self, index: str) -> bool:
        """Tell whether MySQL named an index: after a foreign key, or the column it is on."""
        keys = {one["name"]: one["constrained_columns"] for one in self._read("foreign_keys")}
        return index in keys or [index] in [columns[:1] for columns in keys.values()]

    def _read(self, kind: str) -> Sequence[Any]:
        found: Sequence[Any] = self._catalogue.read(kind, self._place)
        return found

    def _new(self, columns: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._columns.get(name, name) for name in columns)


class _Modelled:
    """The indexes and constraints of a model."""

    def __init__(self, table: sa.Table, changes: Changes) -> None:
        self._table = table
        self._changes = changes

    def indexes(self) -> Named:
        """The indexes; what they are on has no name where it is an expression."""
        for one in self._table.indexes:
            columns = tuple(getattr(part, "name", None) for part in one.expressions)
            yield self._name(one), (columns, bool(one.unique))

    def index(self, name: str) -> sa.Index | None:
        """Return the index of a name."""
        return next((one for one in self._table.indexes if self._name(one) == name), None)

    def uniques(self) -> Named:
        """The unique constraints."""
        for one in self._table.constraints:
            if isinstance(one, sa.UniqueConstraint):
                yield self._name(one), tuple(column.name for column in one.columns)

    def keys(self) -> Named:
        """The primary key and the foreign keys."""
        yield self._name(self._table.primary_key), ("primary",)
        for one in self._table.foreign_key_constraints:
            targets = [_target(element) for element in one.elements]
            columns = tuple(column.name for column in one.columns)
            table = targets[0][0].rpartition(".")[2]
            yield self._name(one), (columns, table, tuple(column for _, column in targets))

    def _name(self, one: Any) -> str | None:
        """Return the name as the database has it: those of a convention may be shortened."""
        prepare = self._changes.context.dialect.identifier_preparer
        quoted = prepare.format_constraint(one) if isinstance(one.name, str) else None
        if not quoted:
            return None
        return self._changes.single_percents(prepare.unformat_identifiers(quoted)[0])


_Reader = tuple[str, Callable[[_Stored], Named], Callable[[_Modelled], Named]]

_INDEXES: _Reader = ("index", _Stored.indexes, _Modelled.indexes)
_KEYS: _Reader = ("constraint", _Stored.keys, _Modelled.keys)


def _readers(changes: Changes) -> list[_Reader]:
    """Return what the database can rename, and how to read it there and in the models."""
    if changes.dialect == "postgresql":
        uniques = ("constraint", _Stored.uniques, _Modelled.uniques)
        return [_INDEXES, uniques, _KEYS]
    if changes.dialect == "mysql":
        dialect: Any = changes.context.dialect
        least = (10, 5, 2) if dialect.is_mariadb else (5, 7)
        if dialect.server_version_info >= least:
            return [_INDEXES, ("index", _Stored.uniques, _Modelled.uniques)]
    return []


def _pairs(stored: Mapping[str | None, Any], wanted: Mapping[str | None, Any]) -> dict[str, str]:
    """Pair the names of the database and of the models that stand for the same."""
    new = {what: name for name, what in wanted.items() if name and name not in stored}
    return {
        name: new.pop(what)
        for name, what in stored.items()
        if name and name not in wanted and what in new
    }


def _target(key: sa.ForeignKey) -> tuple[str, str]:
    """Return the table and the column a foreign key points to, which need not be there."""
    table, _, column = key.target_fullname.rpartition(".")
    return table, column
