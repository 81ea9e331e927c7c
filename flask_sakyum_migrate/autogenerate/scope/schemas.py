"""Schemas of PostgreSQL and databases of MySQL: those of the models are compared, no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from ...binds import metadata_tuple
from ..differences.bysql import RunSql, literal
from ..differences.changes import Changes
from ..differences.names import place_of

_SCHEMA = re.compile(r"""\bschema\s*=\s*(['"])([^'"]+)\1""")
_MARK = "made by a migration"


def compare_schemas(options: MutableMapping[str, Any], history: Callable[[], str]) -> None:
    """Have the schemas of the models compared, unless somebody said which: edits the options.

    :param options: keyword arguments of ``context.configure()``.
    :param history: returns the text of all revision files: a schema whose last model is gone is
        compared once more.
    """
    target = options.get("target_metadata")
    if target is None or options.get("include_schemas") is not None:
        return
    ours = {
        table.schema
        for one in metadata_tuple(target)
        for table in one.tables.values()
        if table.schema
    }
    ours |= {match[2] for match in _SCHEMA.finditer(history())}
    if not ours:
        return
    inner = options.get("include_name")

    def include_name(name: str | None, type_: str, parents: Any) -> bool:
        if type_ == "schema" and name is not None and name not in ours:
            return False
        return inner is None or bool(inner(name, type_, parents))

    options["include_schemas"] = True
    options["include_name"] = include_name


def make_schemas(changes: Changes) -> None:
    """Make the schemas that the models have and PostgreSQL has not, before everything else."""
    if changes.dialect != "postgresql":
        return
    inspector = sa.inspect(changes.connection)
    there = set(inspector.get_schema_names())
    wanted = {one for table in changes.tables.values() for one in _schemas(table) if one}
    quote = changes.context.dialect.identifier_preparer.quote
    head = []
    for schema in sorted(wanted - there):
        name, place = quote(schema), f"to_regnamespace({literal(quote(schema))})"
        make = (
            f"DO $$ BEGIN IF {place} IS NULL THEN CREATE SCHEMA {name}; "
            f"COMMENT ON SCHEMA {name} IS {literal(_MARK)}; END IF; END $$"
        )
        # Only what this made is dropped: the mark tells.
        drop = (
            f"DO $$ BEGIN IF obj_description({place}, 'pg_namespace') = {literal(_MARK)} "
            f"THEN DROP SCHEMA {name}; END IF; END $$"
        )
        head.append(RunSql([make], [drop], f"+ schema {schema}", "postgresql"))
    changes.upgrade.ops[:0] = head


def _schemas(table: sa.Table) -> Iterator[str | None]:
    """Give the schemas of a table and of the types of its columns: enums and domains."""
    yield table.schema
    for column in table.c:
        type_ = column.type.item_type if isinstance(column.type, sa.ARRAY) else column.type
        if isinstance(type_, sa.types.SchemaType):
            yield getattr(type_, "schema", None)  # Boolean is one of them, and has none


def settle_foreign_keys(changes: Changes) -> None:
    """Take out foreign keys that are dropped and made as they were.

    Alembic takes the default schema for another one where a model names it, and SQLAlchemy does
    not read ON DELETE of a foreign key of SQLite that stands behind its column.
    """
    for held in list(changes.upgrade.ops):
        if not isinstance(held, ops.ModifyTableOps):
            continue
        for new in [one for one in held.ops if isinstance(one, ops.CreateForeignKeyOp)]:
            wanted = _signature(changes, new)
            for old in [one for one in held.ops if isinstance(one, ops.DropConstraintOp)]:
                if old.constraint_type == "foreignkey" and new in held.ops:
                    key: Any = old.reverse()
                    if _signature(changes, key, stored=True) == wanted:
                        held.ops.remove(new)
                        held.ops.remove(old)
    changes.remove(lambda one: False)


def foreign_action(sql: str | None, dialect: sa.Dialect) -> str | None:
    """Return what a foreign key does on a change, ``CASCADE`` and the like; None for nothing.

    :param sql: as a model or the database has it.
    """
    action = (sql or "").upper()
    nothing = ["", "NO ACTION", *(["RESTRICT"] if dialect.name in ("mysql", "mariadb") else [])]
    return None if action in nothing else action


def _signature(
    changes: Changes, key: ops.CreateForeignKeyOp, *, stored: bool = False
) -> tuple[Any, ...]:
    dialect = changes.context.dialect
    schema = key.kw.get("referent_schema")
    if schema is None and changes.dialect == "mysql" and not stored:
        schema = key.kw.get("source_schema")  # where MySQL looks for a table without a database
    options = {name: key.kw.get(name) for name in ("ondelete", "onupdate")}
    if stored and changes.dialect == "sqlite":
        options = _sqlite_options(changes, key)
    return (
        tuple(map(str, key.local_cols)),
        place_of(schema, str(key.referent_table), dialect),
        tuple(map(str, key.remote_cols)),
        *(foreign_action(one, dialect) for one in options.values()),
        bool(key.kw.get("deferrable")),
        str(key.kw.get("initially") or "IMMEDIATE").upper(),
    )


def _sqlite_options(changes: Changes, key: ops.CreateForeignKeyOp) -> dict[str, Any]:
    quote = changes.context.dialect.identifier_preparer.quote_identifier
    schema = key.kw.get("source_schema") or "main"
    stored = changes.renamed.stored_table(str(key.source_table), key.kw.get("source_schema"))
    rows = changes.connection.exec_driver_sql(
        f"PRAGMA {quote(schema)}.foreign_key_list({quote(stored)})"
    ).all()
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    for parts in found.values():
        if [row[3] for row in sorted(parts, key=lambda row: row[1])] == list(key.local_cols):
            return {"ondelete": parts[0][6], "onupdate": parts[0][5]}
    return {}
