"""Server defaults that differ, and types that only seem to.

Alembic compares defaults by their text, which no database keeps as it was written, and asks
PostgreSQL whether two of them are equal, which it cannot tell of JSON. Here the database writes
the default of the model as well, and what it writes is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from ..differences.bysql import colons
from ..differences.changes import Changes, full_name
from ..differences.names import Place, place_of
from .stored import Columns, Stored

OWN = "flask_sakyum_migrate_server_defaults"
"""The option of ``context.configure()`` that leaves the server defaults to `compare_defaults`."""

_NOW = ("now()", "current_timestamp", "current_timestamp()")
_CAST = re.compile(r"('(?:[^']|'')*')::[\w .\"\[\](),]+")


def own_server_defaults(options: dict[str, Any]) -> None:
    """Have server defaults compared here, unless somebody said how: edits the options.

    :param options: keyword arguments of ``context.configure()``.
    """
    if options.get("compare_server_default", True) is True:
        options["compare_server_default"] = False
        options[OWN] = True


def compare_defaults(changes: Changes) -> None:
    """Add what changes server defaults, where nobody said that they are not to be compared."""
    columns = Columns(changes.connection)
    if not changes.context.opts.get(OWN) or not columns.can_tell:
        return
    unsure = []
    with_defaults: dict[str | None, set[str] | None] = {}
    for place, table in both(changes):
        schema = place[0]
        if schema not in with_defaults:
            with_defaults[schema] = columns.with_defaults(schema)
        known = with_defaults[schema]
        if known is not None and place[1] not in known and not _has_default(table):
            continue
        for column in table.c:
            name = changes.renamed.stored_column(table.name, table.schema, column.name)
            stored = columns.of(place).get(name)
            if stored is None or not _is_comparable(column):
                continue
            same = _same(changes, columns, column, stored, place)
            if same is None:
                unsure.append(f"{full_name(table.name, table.schema)}.{column.name}")
            elif not same:
                _alter(changes, table, column, stored, place, name)
    if unsure:
        changes.notes.append(
            f"Not compared: the server default of {', '.join(unsure[:5])}"
            f"{', ...' if len(unsure) > 5 else ''}. The database tells what it makes of one when "
            "this user may create temporary tables."
        )


def settle_types(changes: Changes) -> None:
    """Take out changes of a type that the database has already, in its own words.

    It has no FLOAT(53) but DOUBLE, and SQLAlchemy reads a VARBINARY of SQLite as a NUMERIC.
    """
    columns, dialect = Columns(changes.connection), changes.context.dialect
    if not columns.can_tell or callable(changes.context.opts.get("compare_type")):
        return
    for _, one in changes.walk():
        if not isinstance(one, ops.AlterColumnOp) or one.modify_type is None:
            continue
        place = _stored_place(changes, one.table_name, one.schema)
        name = changes.renamed.stored_column(one.table_name, one.schema, one.column_name)
        stored = columns.of(place).get(name)
        try:
            sql = str(one.modify_type.compile(dialect=dialect))
        except sa.exc.CompileError:
            continue
        asked = columns.ask(
            name, percent(changes.context.dialect, sql), None, nullable=True, table=place
        )
        if stored is not None and asked is not None and asked.type == stored.type:
            one.modify_type = None
    changes.remove_unchanged()


def both(changes: Changes) -> Iterator[tuple[Place, sa.Table]]:
    """Give the tables that the database and the models have, with their place in the database."""
    new = {
        full_name(one.table_name, one.schema)
        for _, one in changes.walk()
        if isinstance(one, ops.CreateTableOp)
    }
    filters = AutogenContext(changes.context)
    for key, table in changes.tables.items():
        if key in new or full_name(table.name, table.schema) in new:
            continue
        parents: Any = {"schema_name": table.schema}
        if filters.run_name_filters(table.name, "table", parents) and filters.run_object_filters(
            table, table.name, "table", False, table
        ):
            yield _stored_place(changes, table.name, table.schema), table


def _stored_place(changes: Changes, name: str, schema: str | None) -> Place:
    stored = changes.renamed.stored_table(name, schema)
    return place_of(schema, stored, changes.context.dialect)


def _has_default(table: sa.Table) -> bool:
    return any(column.server_default is not None for column in table.c)


def _is_comparable(column: sa.Column[Any]) -> bool:
    """Tell whether the model says what the default is: not of a trigger, nor of an identity."""
    return column.server_default is None or isinstance(column.server_default, sa.DefaultClause)


def _same(
    changes: Changes, columns: Columns, column: sa.Column[Any], stored: Stored, place: Place
) -> bool | None:
    """Tell whether the database has the default of a model; None when that cannot be told."""
    wanted = default_sql(changes.context.dialect, column)
    if written_alike(wanted, stored.default):
        return True
    if wanted is None and changes.dialect != "mysql":
        return False
    type_ = percent(changes.context.dialect, stored.type)
    nullable = bool(column.nullable)
    asked = columns.ask(column.name, type_, wanted, nullable=nullable, table=place)
    if asked is None:
        return False if columns.can_ask() else None
    if asked.default is None or stored.default is None:
        return asked.default == stored.default
    return _plain(asked.default) == _plain(stored.default)


def written_alike(wanted: str | None, stored: str | None) -> bool:
    """Tell whether two defaults are the same as they are written.

    :param wanted: of a model, for the driver.
    :param stored: of the database.
    """
    if wanted is None or stored is None:
        return wanted is stored
    return _plain(wanted.replace("%%", "%")) == _plain(stored)


def default_sql(dialect: sa.Dialect, column: sa.Column[Any]) -> str | None:
    """Return the default of a model as CREATE TABLE has it, for the driver."""
    if column.server_default is None:
        return None
    return dialect.ddl_compiler(dialect, None).get_column_default_string(column)  # type: ignore[arg-type]


def percent(dialect: sa.Dialect, sql: str) -> str:
    """Return SQL of the database as the driver wants it."""
    doubled = dialect.paramstyle in ("format", "pyformat")
    return sql.replace("%", "%%") if doubled and "%%" not in sql else sql


def _plain(sql: str) -> str:
    """Return a default without what makes no difference: parentheses, the type of a string."""
    sql = sql.strip()
    while sql.startswith("(") and _closes(sql) == len(sql) - 1:
        sql = sql[1:-1].strip()
    cast = _CAST.fullmatch(sql)
    if cast:
        sql = cast[1]
    if re.fullmatch(r"'-?\d+(\.\d+)?'", sql):
        return sql[1:-1]
    return "now()" if sql.lower() in _NOW else sql


def _closes(sql: str) -> int:
    """Return where the parenthesis at the beginning is closed."""
    depth, quoted = 0, False
    for at, char in enumerate(sql):
        if char == "'":
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0:
                return at
    return -1


def _alter(
    changes: Changes,
    table: sa.Table,
    column: sa.Column[Any],
    stored: Stored,
    place: Place,
    name: str,
) -> None:
    """Add the change of a default to what changes the column, or by itself."""
    new: Any = column.server_default
    old = None if stored.default is None else sa.DefaultClause(sa.text(colons(stored.default)))
    for _, one in changes.walk():
        if (
            isinstance(one, ops.AlterColumnOp)
            and (one.table_name, one.schema) == (table.name, table.schema)
            and one.column_name == column.name
            and one.modify_name is None
        ):
            one.modify_server_default, one.existing_server_default = new, old
            return
    one = alter_anew(changes, table, column, place, name)
    one.modify_server_default, one.existing_server_default = new, old


def alter_anew(
    changes: Changes, table: sa.Table, column: sa.Column[Any], place: Place, name: str
) -> ops.AlterColumnOp:
    """Add an operation for a column that has none: what the database has, and no change yet.

    :param place: the table in the database.
    :param name: the column in the database.
    """
    inspector = sa.inspect(changes.connection)
    there = next(one for one in inspector.get_columns(place[1], place[0]) if one["name"] == name)
    default = there["default"]
    one = ops.AlterColumnOp(
        table.name,
        column.name,
        schema=table.schema,
        existing_type=there["type"],
        existing_nullable=there["nullable"],
        existing_comment=there.get("comment"),
        existing_server_default=False if default is None else sa.DefaultClause(sa.text(default)),
    )
    changes.add_to_table(one)
    return one
