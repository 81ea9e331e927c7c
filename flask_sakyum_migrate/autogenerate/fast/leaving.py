"""Keep tables that are proved to be equal out of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext

from ...binds import metadata_tuple
from ..differences.names import Place, place_of
from ..scope.ignoring import leave_out_where
from . import mysql, postgresql, sqlite
from .comparators import is_usual
from .proof import Proof
from .records import StoredTable

Read = Callable[[sa.Connection, set["str | None"]], dict[Place, StoredTable]]

_READ: dict[str, Read] = {
    "sqlite": sqlite.read,
    "postgresql": postgresql.read,
    "mysql": mysql.read,
    "mariadb": mysql.read,
}


class Equal:
    """Keeps the tables of one database after the other out of their comparison.

    One table of each schema stays in: where none is named, SQLAlchemy reads all of them.
    """

    def __init__(self) -> None:
        self._places: set[Place] = set()
        self._dialect: sa.Dialect | None = None

    def configure(self, options: MutableMapping[str, Any]) -> None:
        """Have tables left out, beside those that others leave out: edits the options.

        :param options: keyword arguments of ``context.configure()``.
        """
        self._places = set()
        leave_out_where(options, self._is_left_out)

    def find(self, context: MigrationContext) -> None:
        """Find the tables of a database that are equal, before it is compared.

        :param context: Alembic's, configured as it is for the comparison.
        """
        self._places = set()
        self._dialect = context.dialect
        filters = AutogenContext(context)
        read = _READ.get(context.dialect.name)
        if context.connection is None or read is None or not is_usual(filters):
            return
        models = {
            place_of(table.schema, table.name, context.dialect): table
            for one in metadata_tuple(context.opts["target_metadata"] or ())
            for table in one.tables.values()
        }
        schemas = {one for one in {schema for schema, _ in models} if _is_compared(filters, one)}
        stored = read(context.connection, schemas)
        proof = Proof(context.connection, models.values())
        equal = {
            place
            for place, table in models.items()
            if place in stored
            and self._is_seen(filters, place, stored[place])
            and proof.holds(table, stored[place])
        }
        for schema in schemas:
            equal.discard(min((one for one in equal if one[0] == schema), default=(schema, "")))
        self._places = equal

    def _is_seen(self, filters: AutogenContext, place: Place, stored: StoredTable) -> bool:
        """Tell whether the names of a table and of everything in it are compared."""
        schema, name = place
        if not filters.run_name_filters(name, "table", {"schema_name": schema}):
            return False
        parents: Any = {"schema_name": schema, "table_name": name}
        kinds: dict[Any, Iterable[str | None]] = {
            "column": stored.columns,
            "index": stored.indexes,
            "unique_constraint": [one for one, _ in stored.uniques],
            "foreign_key_constraint": stored.key_names,
        }
        return all(
            filters.run_name_filters(one, kind, parents)
            for kind, names in kinds.items()
            for one in names
        )

    def _is_left_out(self, name: str, schema: str | None) -> bool:
        # Before anything is found, nothing is left out.
        return self._dialect is not None and place_of(schema, name, self._dialect) in self._places


def _is_compared(filters: AutogenContext, schema: str | None) -> bool:
    everywhere = schema is None or bool(filters.opts.get("include_schemas"))
    return everywhere and filters.run_name_filters(schema, "schema", {})
