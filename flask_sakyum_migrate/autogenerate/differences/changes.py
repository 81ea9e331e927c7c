"""The differences of one bind, as the units of the pipeline see and edit them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext

from ...binds import metadata_tuple
from ...wishes import Wishes
from ...wording import full_name as full_name  # the units' word for it too
from .bysql import single_percents
from .names import Names


@dataclass
class Changes:
    """The differences of one bind, on their way into a revision.

    :param upgrade: what turns the database into the models; units edit it.
    :param context: Alembic's, with the connection and the options.
    :param wishes: what a person said.
    :param history: returns the text of all revision files.
    :param notes: filled in: what a person should read.
    :param ask: answers a question of a unit; None: nobody is asked.
    :param renamed: filled in: what has other names in the database than in the operations.
    :param postponed: filled in: columns that stay NULL for now, as ``user.age``.
    :param back: it is the way back, from the models to the database.
    """

    upgrade: ops.UpgradeOps | ops.DowngradeOps
    context: MigrationContext
    wishes: Wishes
    history: Callable[[], str]
    notes: list[str] = field(default_factory=list)
    ask: Callable[[Any], Any] | None = None
    renamed: Names = field(default_factory=Names)
    postponed: list[str] = field(default_factory=list)
    back: bool = False

    @property
    def connection(self) -> sa.Connection:
        """The connection to the database."""
        assert self.context.connection is not None
        return self.context.connection

    @property
    def dialect(self) -> str:
        """``postgresql``, ``mysql`` (MariaDB too), ``sqlite`` or another."""
        name = self.context.dialect.name
        return "mysql" if name == "mariadb" else name

    @property
    def metadata(self) -> Sequence[sa.MetaData]:
        """The MetaData collections of the models."""
        target = self.context.opts["target_metadata"]
        if target is None:
            return ()
        return metadata_tuple(target)

    @property
    def tables(self) -> dict[str, sa.Table]:
        """The tables of the models by name, with the schema where they have one."""
        return {name: table for one in self.metadata for name, table in one.tables.items()}

    def model(self, table: str, schema: str | None) -> sa.Table | None:
        """Return a table of the models, by its name in the operations."""
        tables = self.tables
        default = self.context.dialect.default_schema_name
        found = tables.get(full_name(table, schema))
        return tables.get(full_name(table, default)) if found is None and not schema else found

    def column(self, table: str, schema: str | None, name: str) -> sa.Column[Any] | None:
        """Return a column of the models, by its name in the operations."""
        model = self.model(table, schema)
        columns = model.columns if model is not None else ()
        return next((one for one in columns if one.name == name), None)

    def quote(self, name: str) -> str:
        """Return a name as it stands in a statement of a revision file."""
        quoted = self.context.dialect.identifier_preparer.quote(name)
        return self.single_percents(quoted)

    def single_percents(self, text: str) -> str:
        """Take back what SQLAlchemy does for drivers to which a percent sign means something."""
        return single_percents(self.context.dialect, text)

    def qualified(self, table: sa.Table) -> str:
        """Return the name of a table, with its schema, as it stands in a statement."""
        return self.single_percents(self.context.dialect.identifier_preparer.format_table(table))

    def retyped(self, table: sa.Table) -> dict[str, ops.AlterColumnOp]:
        """Return what gives the columns of a table another type, by their names."""
        return {
            one.column_name: one
            for _, one in self.walk()
            if isinstance(one, ops.AlterColumnOp)
            and one.modify_type is not None
            and (one.table_name, one.schema) == (table.name, table.schema)
        }

    def type_before(self, column: sa.Column[Any]) -> Any:
        """Return the type that a column of the models has in the database."""
        one = self.retyped(column.table).get(column.name)
        return column.type if one is None else one.existing_type

    def dropped(self, table: sa.Table) -> set[str]:
        """Return the names of the columns that a table of the models loses."""
        return {
            one.column_name
            for _, one in self.walk()
            if isinstance(one, ops.DropColumnOp)
            and (one.table_name, one.schema) == (table.name, table.schema)
        }

    def walk(self) -> Iterator[tuple[list[Any], Any]]:
        """Give each operation with the list that holds it, those inside a table's as well.

        The lists may be changed meanwhile.
        """
        yield from _walk(self.upgrade.ops)

    def remove(self, unwanted: Callable[[Any], bool]) -> list[Any]:
        """Take operations out; return them."""
        taken = [(held, one) for held, one in self.walk() if unwanted(one)]
        for held, one in taken:
            held.remove(one)
        self.upgrade.ops[:] = [
            one
            for one in self.upgrade.ops
            if not isinstance(one, ops.ModifyTableOps) or not one.is_empty()
        ]
        return [one for _, one in taken]

    def remove_unchanged(self) -> None:
        """Take out what alters a column and says nothing any more."""
        self.remove(lambda one: isinstance(one, ops.AlterColumnOp) and not one.has_changes())

    def add_to_table(self, one: Any) -> None:
        """Add an operation to what changes its table."""
        schema = one.schema
        for held in self.upgrade.ops:
            if isinstance(held, ops.ModifyTableOps):
                if (held.table_name, held.schema) == (one.table_name, schema):
                    held.ops.append(one)
                    return
        self.upgrade.ops.append(ops.ModifyTableOps(one.table_name, [one], schema=schema))


def walk(held: ops.OpContainer) -> Iterator[Any]:
    """Give each operation, those inside a table's as well."""
    return (one for _, one in _walk(list(held.ops)))


class Nothing(ops.MigrateOperation):
    """What an operation is on the way back that has none."""

    def reverse(self) -> Nothing:
        """Still nothing."""
        return self

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return no difference."""
        return ("nothing",)


def _walk(held: list[Any]) -> Iterator[tuple[list[Any], Any]]:
    for one in list(held):
        if isinstance(one, ops.OpContainer):
            yield from _walk(one.ops)
        else:
            yield held, one
