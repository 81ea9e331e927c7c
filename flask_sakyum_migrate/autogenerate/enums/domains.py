"""Domains of PostgreSQL: made before the columns that need them, changed, and dropped.

Alembic sees nothing of them. What is written is SQL that runs without this package.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects import postgresql

from ...errors import RefusedError
from ..differences.bysql import RunSql
from ..differences.changes import Changes, full_name
from ..differences.names import place_of
from ..types.stored import Columns, undone
from ..types.underlying import adapted
from .types import Key, StoredType, Use, freed, key_of

_DOMAINS = """
SELECT n.nspname, t.typname, EXISTS (
  SELECT FROM pg_depend d
  WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'),
  format_type(t.typbasetype, t.typtypmod), t.typdefault, t.typnotnull, ARRAY(
    SELECT format('CONSTRAINT %I ', conname) || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE contypid = t.oid AND contype = 'c' ORDER BY conname)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'd' AND n.nspname <> 'information_schema'
"""
_USES = """
SELECT tn.nspname, t.typname, n.nspname, c.relname, a.attname
FROM pg_type t
JOIN pg_namespace tn ON tn.oid = t.typnamespace
JOIN pg_attribute a ON a.atttypid IN (t.oid, t.typarray)
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.typtype = 'd' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND NOT a.attisdropped AND tn.nspname <> 'information_schema'
"""


@dataclass
class Domain(StoredType):
    """A domain of the database, in its own words.

    :param of: the type below it.
    :param default: SQL.
    :param constraints: ``CONSTRAINT name CHECK (...)``.
    """

    of: str = ""
    default: str | None = None
    not_null: bool = False
    constraints: tuple[str, ...] = ()

    def create(self, name: str) -> str:
        """Return what makes it."""
        parts = [f"CREATE DOMAIN {name} AS {self.of}"]
        parts += [f"DEFAULT {self.default}"] if self.default is not None else []
        parts += ["NOT NULL"] if self.not_null else []
        return " ".join([*parts, *self.constraints])

    def change(self, after: Domain, name: str) -> list[str]:
        """Return what makes another one of it."""
        alter = f"ALTER DOMAIN {name}"
        gone = [one for one in self.constraints if one not in after.constraints]
        new = [one for one in after.constraints if one not in self.constraints]
        result = [f"{alter} DROP {one.partition(' CHECK ')[0]}" for one in gone]
        result += [f"{alter} ADD {one}" for one in new]
        if self.default != after.default:
            default = "DROP DEFAULT" if after.default is None else f"SET DEFAULT {after.default}"
            result.append(f"{alter} {default}")
        if self.not_null != after.not_null:
            result.append(f"{alter} {'SET' if after.not_null else 'DROP'} NOT NULL")
        return result


def change_domains(changes: Changes) -> None:
    """Write what makes, changes and drops domains.

    :raises RefusedError: one has another type below it in the models.
    """
    if changes.dialect != "postgresql":
        return
    stored, wanted = _stored(changes), _wanted(changes)
    _settle_columns(changes, stored)
    head, tail = [], []
    for key, type_ in wanted.items():
        name, said = _quoted(changes, key), full_name(key[1], key[0])
        if key not in stored:
            made = _sql(changes, type_)
            head.append(_run([made], [f"DROP DOMAIN {name}"], f"+ domain {said}"))
            continue
        before, after = stored[key], _asked(changes, type_)
        if before.foreign or after is None:
            continue
        if before.of != after.of:
            raise RefusedError(
                f"The domain {said} is one of {before.of} in the database and of {after.of} in the "
                "models. PostgreSQL cannot change that. Nothing was written.",
                "Give it another name in the models: then the columns get the new one.",
            )
        there, back = before.change(after, name), after.change(before, name)
        head += [_run(there, back, f"~ domain {said}")] if there else []
    for key in freed(changes, stored):
        if key not in wanted:
            name, said = _quoted(changes, key), full_name(key[1], key[0])
            made = stored[key].create(name)
            tail.append(_run([f"DROP DOMAIN {name}"], [made], f"- domain {said}"))
    changes.upgrade.ops[:] = [*head, *changes.upgrade.ops, *tail]


def _settle_columns(changes: Changes, stored: dict[Key, Domain]) -> None:
    """Take out what SQLAlchemy says of a column and only its domain does: NOT NULL, a default.

    An older one says the type below the domain.
    """
    named = {
        (use.schema, use.table, use.column): key for key, one in stored.items() for use in one.uses
    }
    columns = Columns(changes.connection)
    for _, one in changes.walk():
        if isinstance(one, ops.DropColumnOp):
            place = _place(changes, one, one.column_name)
            key, there = named.get(place), columns.of(place[:2]).get(one.column_name)
            if key is None or there is None:
                continue
            column = one.to_column()
            if not isinstance(column.type, postgresql.DOMAIN | sa.ARRAY):
                below = column.type
                column.type = postgresql.DOMAIN(key[1], below, schema=key[0], create_type=False)
            if there.default is None:
                column.server_default = None
        elif isinstance(one, ops.AlterColumnOp) and one.modify_nullable:
            name = changes.renamed.stored_column(one.table_name, one.schema, one.column_name)
            key = named.get(_place(changes, one, name))
            if key is not None and stored[key].not_null:
                one.modify_nullable = None
    changes.remove_unchanged()


def _place(changes: Changes, one: Any, column: str) -> tuple[str | None, str, str]:
    """Return where a column is in the database."""
    stored = changes.renamed.stored_table(one.table_name, one.schema)
    return (*place_of(one.schema, stored, changes.context.dialect), column)


def _run(there: list[str], back: list[str], told: str) -> RunSql:
    return RunSql(there, back, told, "postgresql")


def _stored(changes: Changes) -> dict[Key, Domain]:
    dialect, run = changes.context.dialect, changes.connection.exec_driver_sql
    found = {
        place_of(row[0], row[1], dialect): _domain(row)
        for row in run(_escaped(changes, _DOMAINS)).all()
    }
    for schema, name, table_schema, table, column in run(_USES).all():
        use = Use(*place_of(table_schema, table, dialect), column, False, None)
        found[place_of(schema, name, dialect)].uses.append(use)
    return found


def _domain(row: Any) -> Domain:
    """Return what a row of `_DOMAINS` says."""
    foreign, of, default, not_null, constraints = row[2:]
    return Domain(foreign, [], of, default, not_null, tuple(constraints))


def _wanted(changes: Changes) -> dict[Key, postgresql.DOMAIN]:
    dialect = changes.context.dialect
    types = (
        domain_of(column.type, dialect) for table in changes.tables.values() for column in table.c
    )
    return {key_of(one, dialect): one for one in types if one is not None}


def domain_of(type_: Any, dialect: sa.Dialect) -> postgresql.DOMAIN | None:
    """Return the domain that a type is on PostgreSQL, or an array of it."""
    if isinstance(type_, postgresql.DOMAIN):
        return type_  # an older SQLAlchemy adapts it without what it checks
    here = adapted(type_, dialect)
    if isinstance(here, sa.ARRAY):
        return domain_of(here.item_type, dialect)
    return here if isinstance(here, postgresql.DOMAIN) else None


def _asked(changes: Changes, type_: postgresql.DOMAIN) -> Domain | None:
    """Return how the database writes a domain of the models; None where it would not make it."""
    temporary = copy.copy(type_)
    temporary.schema = "pg_temp"
    try:
        with undone(changes.connection):
            changes.connection.exec_driver_sql(_escaped(changes, _sql(changes, temporary)))
            here = f"{_DOMAINS} AND t.typnamespace = pg_my_temp_schema()"
            row = changes.connection.exec_driver_sql(_escaped(changes, here)).one()
    except sa.exc.DBAPIError:
        return None
    return _domain(row)


def _sql(changes: Changes, type_: postgresql.DOMAIN) -> str:
    create = postgresql.CreateDomainType(type_)
    return changes.single_percents(str(create.compile(dialect=changes.context.dialect)))


def _escaped(changes: Changes, sql: str) -> str:
    """Return SQL for the driver, to which a percent sign may mean something."""
    doubled = changes.context.dialect.paramstyle in ("format", "pyformat")
    return sql.replace("%", "%%") if doubled else sql


def _quoted(changes: Changes, place: Key) -> str:
    quote = changes.context.dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in place if part)
