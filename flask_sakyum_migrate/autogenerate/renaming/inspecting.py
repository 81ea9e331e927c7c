"""The database as if the renames were done: Alembic compares it with the models once more.

So a column that was renamed and got another type, index or foreign key at once differs in just
that, whatever the database and whoever wrote env.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import _produce_net_changes
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine.reflection import Inspector

from ..differences.bysql import words
from ..differences.changes import full_name
from ..differences.names import Names, Place

_KINDS = (
    "columns",
    "pk_constraint",
    "foreign_keys",
    "indexes",
    "unique_constraints",
    "check_constraints",
    "table_comment",
    "table_options",
)
"""What an inspector tells: ``get_columns()`` of one table, ``get_multi_columns()`` of many."""


def compare_as_if(context: MigrationContext, names: Names) -> list[Any]:
    """Compare the database with the models as if the renames were done.

    :returns: the operations that are left to do after them.
    """
    autogen = AutogenContext(context)
    autogen.inspector = renamed_inspector(context, names)
    found = ops.UpgradeOps([])
    _produce_net_changes(autogen, found)
    return found.ops


def renamed_inspector(context: MigrationContext, names: Names) -> Inspector:
    """Return an inspector that shows the database under the names of the models.

    The methods of the instance are replaced, as the class is the dialect's own, and the inspector
    itself calls them when it reflects a table.
    """
    assert context.connection is not None
    inspector = sa.inspect(context.connection)
    view = _View(context, names, sa.inspect(context.connection))
    for kind in _KINDS:
        shown = functools.partial(view.show, kind)
        one, many = f"get_{kind}", f"get_multi_{kind}"
        setattr(inspector, one, _single(getattr(inspector, one), names, shown))
        setattr(inspector, many, _multi(getattr(inspector, many), names, shown))
    every = _table_names(inspector.get_table_names, names)
    inspector.get_table_names = every  # type: ignore[method-assign]
    inspector.reflect_table = _reflect_table(inspector)  # type: ignore[method-assign]
    return inspector


def _single(
    inner: Callable[..., Any], names: Names, shown: Callable[[Place, Any], Any]
) -> Callable[..., Any]:
    @functools.wraps(inner)
    def get(table_name: str, schema: str | None = None, **kw: Any) -> Any:
        found = inner(names.stored_table(table_name, schema), schema, **kw)
        return shown((schema, table_name), found)

    return get


def _multi(
    inner: Callable[..., Any], names: Names, shown: Callable[[Place, Any], Any]
) -> Callable[..., Any]:
    @functools.wraps(inner)
    def get(
        schema: str | None = None, filter_names: Collection[str] | None = None, **kw: Any
    ) -> Any:
        if filter_names is not None:
            filter_names = [names.stored_table(name, schema) for name in filter_names]
        found = inner(schema, filter_names, **kw)
        places = {
            (where, names.new_table(name, where)): one for (where, name), one in found.items()
        }
        return {place: shown(place, one) for place, one in places.items()}

    return get


def _table_names(inner: Callable[..., list[str]], names: Names) -> Callable[..., list[str]]:
    @functools.wraps(inner)
    def get_table_names(schema: str | None = None, **kw: Any) -> list[str]:
        return [names.new_table(name, schema) for name in inner(schema, **kw)]

    return get_table_names


def _reflect_table(inspector: Inspector) -> Callable[..., None]:
    """Reflect what foreign keys point to with the same inspector; SQLAlchemy makes a new one."""
    inner = inspector.reflect_table

    @functools.wraps(inner)
    def reflect_table(table: sa.Table, *, resolve_fks: bool = True, **kw: Any) -> None:
        inner(table, resolve_fks=False, **kw)
        for key in inspector.get_foreign_keys(table.name, table.schema) if resolve_fks else ():
            schema, name = key["referred_schema"], key["referred_table"]
            if full_name(name, schema) not in table.metadata.tables:
                reflect_table(sa.Table(name, table.metadata, schema=schema), include_columns=None)

    return reflect_table


class _View:
    """What the inspector has read, under the new names.

    :param real: an inspector that shows the database as it is.
    """

    def __init__(self, context: MigrationContext, names: Names, real: Inspector) -> None:
        self._context = context
        self._names = names
        self._real = real

    def show(self, kind: str, place: Place, found: Any) -> Any:
        """Return what was read about a table, which is shared and stays as it is."""
        if not found:
            return found
        function = getattr(self, f"_{kind}", None)
        if function is None:
            return found
        if isinstance(found, list):
            return [function(place, dict(one)) for one in found]
        return function(place, dict(found))

    def _columns(self, place: Place, column: dict[str, Any]) -> Any:
        pairs = self._names.columns.get(place, {})
        if column["name"] in pairs:
            # It recognises the default of a PostgreSQL serial by the name of the column.
            schema, table = place
            stored = self._names.stored_table(table, schema)
            self._context.impl.autogen_column_reflect(  # type: ignore[no-untyped-call]
                self._real, sa.Table(stored, sa.MetaData(), schema=schema), column
            )
            column["name"] = pairs[column["name"]]
        if column.get("computed"):
            computed = dict(column["computed"])
            column["computed"] = {**computed, "sqltext": words(computed["sqltext"], pairs)}
        return column

    def _pk_constraint(self, place: Place, one: dict[str, Any]) -> Any:
        return self._renamed(place, one, "constrained_columns")

    def _unique_constraints(self, place: Place, one: dict[str, Any]) -> Any:
        return self._renamed(place, one, "column_names")

    def _check_constraints(self, place: Place, one: dict[str, Any]) -> Any:
        one = self._renamed(place, one)
        one["sqltext"] = words(one["sqltext"], self._names.columns.get(place, {}))
        return one

    def _foreign_keys(self, place: Place, one: dict[str, Any]) -> Any:
        one = self._renamed(place, one, "constrained_columns")
        schema = one["referred_schema"]
        one["referred_table"] = self._names.new_table(one["referred_table"], schema)
        pairs = self._names.columns.get((schema, one["referred_table"]), {})
        one["referred_columns"] = [pairs.get(name, name) for name in one["referred_columns"]]
        return one

    def _indexes(self, place: Place, one: dict[str, Any]) -> Any:
        one = self._renamed(place, one, "column_names", "include_columns")
        pairs = self._names.columns.get(place, {})
        if one.get("expressions"):
            one["expressions"] = [words(text, pairs) for text in one["expressions"]]
        if one.get("column_sorting"):
            one["column_sorting"] = {
                pairs.get(name, words(name, pairs)): order
                for name, order in one["column_sorting"].items()
            }
        if one.get("dialect_options"):
            one["dialect_options"] = {
                option: _option(value, pairs) for option, value in one["dialect_options"].items()
            }
        return one

    def _renamed(self, place: Place, one: dict[str, Any], *lists: str) -> dict[str, Any]:
        """Rename an index or constraint, those it is made for or of, and its lists of columns."""
        pairs = self._names.columns.get(place, {})
        dependents = self._names.dependents.get(place, {})
        for key in ("name", "duplicates_constraint", "duplicates_index"):
            if one.get(key) in dependents:
                one[key] = dependents[one[key]]
        for key in lists:
            if one.get(key):
                one[key] = [pairs.get(name, name) for name in one[key]]
        return one


def _option(value: Any, pairs: Mapping[str, str]) -> Any:
    """Rename columns in an option of an index: its INCLUDE, its WHERE, the lengths of MySQL."""
    if isinstance(value, str):
        return words(value, pairs)
    if isinstance(value, dict):
        return {pairs.get(key, key): one for key, one in value.items()}
    if isinstance(value, list):
        return [pairs.get(one, one) for one in value]
    return value
