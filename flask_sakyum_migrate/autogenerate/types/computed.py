"""Columns that the database computes: what they are computed from, and what cannot change under it.

Alembic compares the text of an expression, which no database keeps as it was written, and can only
warn. Here the database writes the expression of the model as well. SQLite keeps the text;
SQLAlchemy reads too much or too little of it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic.operations import ops

from ...errors import RefusedError
from ...runtime.sqlite_schema import mentioned, quote, tokens_of
from ...runtime.sqlite_table import read_table
from ..differences.bysql import colons, words
from ..differences.changes import Changes, full_name
from ..differences.names import Place, place_of
from .defaults import both
from .expressions import compared, expression_sql, made

_TABLE = "flask_sakyum_migrate_computes"


class Expression(NamedTuple):
    """What a column is computed from.

    :param sql: as the database writes it, with the names of the models.
    :param stored: whether the value is kept; else it is computed whenever it is read.
    """

    sql: str
    stored: bool


class Tables:
    """The columns that a database computes.

    :param changes: with what is renamed.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._inspector = sa.inspect(changes.connection)

    def of(self, place: Place, table: str) -> dict[str, dict[str, Any]]:
        """Return what is known of the columns of a table, by their names in the models.

        :param place: the table in the database.
        :param table: its name in the models.
        :returns: as an inspector does, with an `Expression` in ``computed``, or None.
        """
        pairs = self._changes.renamed.columns.get((place[0], table), {})
        texts = self._texts(place) if self._changes.dialect == "sqlite" else {}
        found = {}
        for one in self._inspector.get_columns(place[1], place[0]):
            there: Any = one.get("computed")
            if there is not None:
                sql = texts.get(one["name"].lower(), there["sqltext"])
                there = Expression(words(sql, pairs), bool(there.get("persisted")))
            name = pairs.get(one["name"], one["name"])
            found[name] = {**one, "name": name, "computed": there}
        return found

    def _texts(self, place: Place) -> dict[str, str]:
        where = quote(place[0] or "main")
        sql = self._changes.connection.exec_driver_sql(
            f"SELECT sql FROM {where}.sqlite_master WHERE type = 'table' AND name = ?",  # noqa: S608
            (place[1],),
        ).scalar()
        clauses = read_table(sql) if sql else []
        return {one.column.lower(): one.value for one in clauses if one.kind == "GENERATED"}


def read_again(changes: Changes) -> None:
    """Put into what goes on SQLite how it is really computed, for the way back."""
    if changes.dialect != "sqlite":
        return
    tables = Tables(changes)
    for held, one in list(changes.walk()):
        if isinstance(one, ops.DropColumnOp) and one.to_column().computed is not None:
            stored = changes.renamed.stored_table(one.table_name, one.schema)
            there = tables.of((one.schema, stored), one.table_name)
            _mend(one.to_column(), there[one.column_name]["computed"])
        elif isinstance(one, ops.DropTableOp):
            table = one.to_table()
            computed = [column for column in table.c if column.computed is not None]
            there = tables.of((one.schema, one.table_name), one.table_name) if computed else {}
            for column in computed:
                _mend(column, there[column.name]["computed"])
            if computed:
                held[held.index(one)] = ops.DropTableOp.from_table(table)


def compare(changes: Changes) -> None:
    """Add what makes a computed column anew where it differs from the model."""
    for place, table, there in _tables(changes):
        for column in table.c:
            one = there.get(column.name)
            if one is None or (one["computed"] is None and column.computed is None):
                continue
            altered = _altered(changes, table, column.name)
            if _is_same(changes, table, column, one["computed"]):
                # MODIFY of MySQL would take away that it is computed.
                if changes.dialect != "mysql" or altered is None:
                    continue
            name = f"{full_name(table.name, table.schema)}.{column.name}"
            if altered is not None:
                changes.remove(lambda it, altered=altered: it is altered)  # type: ignore[misc]
            _remake(changes, table, column, place, one, f"~ column {name} computed anew")


def refuse_loss(changes: Changes) -> None:
    """Stop where a column is computed only here or there, and nobody said that its values go.

    :raises RefusedError: it is.
    """
    columns = {
        (one.schema, one.table_name, one.column.name): one.column
        for _, one in changes.walk()
        if isinstance(one, ops.AddColumnOp)
    }
    for _, one in changes.walk():
        after = columns.get((getattr(one, "schema", None), *_dropped(one)))
        if after is None:
            continue
        before, name = one.to_column(), f"{full_name(one.table_name, one.schema)}.{after.name}"
        if (before.computed is None) == (after.computed is None) or name in changes.wishes.drops:
            continue
        kinds = ("a plain column", "computed")
        here, there = kinds if before.computed is None else kinds[::-1]
        raise RefusedError(
            f"{name} is {here} in the database and {there} in the models. No database turns one "
            "into the other, and its values would be lost. Nothing was written.",
            f"To make it anew, without its values:  flask db migrate --drop {name}",
        )


def _dropped(one: Any) -> tuple[str, str]:
    return (one.table_name, one.column_name) if isinstance(one, ops.DropColumnOp) else ("", "")


def step_aside(changes: Changes) -> None:
    """Make a column anew that is computed from one which gets another type, on PostgreSQL."""
    if changes.dialect != "postgresql":
        return
    for place, table, there in _tables(changes):
        retyped = {name.lower() for name in changes.retyped(table)}
        touched = {
            one.column_name if isinstance(one, ops.DropColumnOp) else one.column.name
            for _, one in changes.walk()
            if isinstance(one, ops.DropColumnOp | ops.AddColumnOp)
            and (one.table_name, one.schema) == (table.name, table.schema)
        }
        for column in table.c:
            computed = there.get(column.name, {}).get("computed")
            if computed is None or column.name in touched:
                continue
            if mentioned(tokens_of(computed.sql)) & retyped:
                _remake(changes, table, column, place, there[column.name], "")


def _tables(
    changes: Changes,
) -> Iterator[tuple[Place, sa.Table, dict[str, dict[str, Any]]]]:
    """Give the tables that compute a column here or there, and the columns of the database."""
    tables, known = Tables(changes), _computing(changes)
    for place, table in list(both(changes)):
        if place in known or any(column.computed is not None for column in table.c):
            yield place, table, tables.of(place, table.name)


_COMPUTING = {
    "postgresql": """
SELECT DISTINCT n.nspname, c.relname FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attgenerated <> '' AND NOT a.attisdropped
""",
    "mysql": """
SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.COLUMNS
WHERE GENERATION_EXPRESSION <> '' AND TABLE_SCHEMA = DATABASE()
""",
    "sqlite": """
SELECT DISTINCT NULL, m.name FROM sqlite_master m JOIN pragma_table_xinfo(m.name) x
WHERE m.type = 'table' AND x.hidden IN (2, 3)
""",
}


def _computing(changes: Changes) -> set[Place]:
    """Return the tables of the database that compute a column."""
    query = _COMPUTING.get(changes.dialect)
    dialect: Any = changes.context.dialect
    if query is None or (changes.dialect == "postgresql" and dialect.server_version_info < (12,)):
        return set()
    rows = changes.connection.exec_driver_sql(query).all()
    return {place_of(schema, table, dialect) for schema, table in rows}


def _altered(changes: Changes, table: sa.Table, name: str) -> ops.AlterColumnOp | None:
    found = (
        one
        for _, one in changes.walk()
        if isinstance(one, ops.AlterColumnOp)
        and (one.table_name, one.schema, one.column_name) == (table.name, table.schema, name)
        and one.modify_name is None
    )
    return next(found, None)


# ---- whether they are the same ------------------------------------------------------------------


def _is_same(
    changes: Changes, table: sa.Table, column: sa.Column[Any], there: Expression | None
) -> bool:
    if there is None or column.computed is None:
        return there is None and column.computed is None
    persisted = column.computed.persisted  # None: nobody says whether the value is kept
    wanted = expression_sql(changes.context.dialect, column.computed.sqltext)
    if persisted in (None, there.stored) and compared(wanted) == compared(there.sql):
        return True
    if changes.dialect == "sqlite":
        return False
    # Both as the inspector tells them: with some packages it takes STORED for VIRTUAL.
    asked = _ask(changes, table, column, wanted)
    same = asked is None or compared(asked.sql) == compared(there.sql)
    return same and (asked is None or persisted is None or asked.stored == there.stored)


def _ask(
    changes: Changes, table: sa.Table, column: sa.Column[Any], wanted: str
) -> Expression | None:
    """Return how the database writes an expression; None where it cannot be asked."""
    used = mentioned(tokens_of(wanted.replace("`", '"')))
    asked = sa.Table(_TABLE, sa.MetaData(), prefixes=["TEMPORARY"])
    for one in table.c:
        if one is not column and one.name.lower() in used and one.computed is None:
            asked.append_column(sa.Column(one.name, one.type))
    computed = copy.copy(column.computed)
    assert computed is not None
    asked.append_column(
        sa.Column(column.name, column.type, sa.Computed(computed.sqltext, computed.persisted))
    )
    connection = changes.connection
    try:
        with made(connection, asked):
            found = sa.inspect(connection).get_columns(_TABLE)
            there: Any = next(one["computed"] for one in found if one["name"] == column.name)
            return Expression(there["sqltext"], bool(there.get("persisted")))
    except sa.exc.DBAPIError:
        return None


# ---- making one anew ----------------------------------------------------------------------------


def _remake(
    changes: Changes,
    table: sa.Table,
    column: sa.Column[Any],
    place: Place,
    there: dict[str, Any],
    told: str,
) -> None:
    """Drop a column and add it again, with its indexes."""
    computed = there["computed"]
    expression = sa.Computed(colons(computed.sql), computed.stored) if computed else None
    default = there.get("default")
    before: Any = sa.Column(
        column.name,
        there["type"],
        *([expression] if expression is not None else []),
        nullable=there["nullable"],
        server_default=sa.text(default) if default and not computed else None,
        comment=there.get("comment"),
    )
    drop = ops.DropColumnOp.from_column_and_tablename(table.schema, table.name, before)
    add = ops.AddColumnOp.from_column_and_tablename(table.schema, table.name, column)
    drop.told, add.told = "", told  # type: ignore[attr-defined]
    dependents = list(_dependents(changes, table, column, place))
    for one in [*dependents, drop, add]:
        changes.add_to_table(one)


def _dependents(
    changes: Changes, table: sa.Table, column: sa.Column[Any], place: Place
) -> Iterator[Any]:
    """Give what drops the indexes and unique constraints on a column, and makes them again."""
    known = {(type(one), _name(one)) for _, one in changes.walk()}
    pairs = changes.renamed.columns.get((place[0], table.name), {})
    uniques = {
        frozenset(pairs.get(name, name) for name in one["column_names"]): one["name"]
        for one in sa.inspect(changes.connection).get_unique_constraints(place[1], place[0])
    }
    for one in (*table.indexes, *table.constraints):
        if not isinstance(one, sa.Index | sa.UniqueConstraint):
            continue
        names = [it.name for it in one.columns]
        if column.name not in names:
            continue
        make: Any
        if isinstance(one, sa.Index):
            make = ops.CreateIndexOp.from_index(one)
        else:
            make = ops.CreateUniqueConstraintOp.from_constraint(one)
            make.constraint_name = make.constraint_name or uniques.get(frozenset(names))
        drop = make.reverse()
        if not {(type(it), _name(it)) for it in (make, drop)} & known:
            drop.told = make.told = ""
            yield drop
            yield make


def _name(one: Any) -> str:
    return str(
        one.index_name if hasattr(one, "index_name") else getattr(one, "constraint_name", "")
    )


def _mend(column: sa.Column[Any], expression: Expression | None) -> None:
    if column.computed is not None and expression is not None:
        column.computed.sqltext = sa.text(colons(expression.sql))
        column.computed.persisted = expression.stored
