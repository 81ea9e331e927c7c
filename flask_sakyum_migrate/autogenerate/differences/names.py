"""What is renamed in one database: from its names to those of the models, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

Place = tuple["str | None", str]
"""The schema and the name of a table; no schema is the default one."""


def place_of(schema: str | None, name: str, dialect: sa.Dialect) -> Place:
    """Return the place of a table or a type, whether or not the default schema is named."""
    return (None if schema == dialect.default_schema_name else schema, name)


@dataclass(frozen=True)
class Names:
    """What is renamed in one database.

    :param tables: the new names of tables, by their places in the database.
    :param columns: for tables, by their places in the models: new names of columns by old ones.
    :param dependents: the same for the indexes and constraints of tables.
    """

    tables: Mapping[Place, str] = field(default_factory=dict)
    columns: Mapping[Place, Mapping[str, str]] = field(default_factory=dict)
    dependents: Mapping[Place, Mapping[str, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tables or self.columns)

    def new_table(self, table: str, schema: str | None) -> str:
        """Return what the models call a table of the database."""
        return self.tables.get((schema, table), table)

    def stored_table(self, table: str, schema: str | None) -> str:
        """Return what the database calls a table of the models."""
        for (where, old), new in self.tables.items():
            if (where, new) == (schema, table):
                return old
        return table

    def stored_column(self, table: str, schema: str | None, column: str) -> str:
        """Return what the database calls a column of a table of the models."""
        pairs = self.columns.get((schema, table), {})
        return next((old for old, new in pairs.items() if new == column), column)
