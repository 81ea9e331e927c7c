"""What is in a PostgreSQL database, in four queries."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from ..differences.names import Place, place_of
from ..types.stored import IS_NOT_SERIAL
from .records import StoredColumn, StoredIndex, StoredKey, StoredTable

_TABLES = """
SELECT c.oid, n.nspname, c.relname, obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname IN :schemas
"""
_COLUMNS = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
  CASE WHEN d.adbin IS NOT NULL AND {not_serial}
  THEN pg_get_expr(d.adbin, d.adrelid) END,
  m.description, a.attidentity <> '' {generated} OR a.attcollation <> t.typcollation
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_description m ON m.objoid = a.attrelid AND m.objsubid = a.attnum
  AND m.classoid = 'pg_class'::regclass
WHERE c.relkind IN ('r', 'p') AND n.nspname IN :schemas AND a.attnum > 0 AND NOT a.attisdropped
"""
# The text tells whatever an index may have; one that ends with the names of its columns has
# nothing of it.
_INDEXES = """
SELECT i.indrelid, x.relname, i.indisprimary, i.indisunique, c.columns, i.indisvalid AND
  right(pg_get_indexdef(i.indexrelid), length(c.text)) = c.text
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_class r ON r.oid = i.indrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
CROSS JOIN LATERAL (
  SELECT array_agg(a.attname::text ORDER BY k.ord) AS columns,
    ' USING btree (' || string_agg(quote_ident(a.attname), ', ' ORDER BY k.ord) || ')' AS text
  FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, ord)
  LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
) c
WHERE r.relkind IN ('r', 'p') AND n.nspname IN :schemas AND NOT EXISTS (
  SELECT FROM pg_constraint u WHERE u.conindid = i.indexrelid AND u.contype = 'u')
"""
_CONSTRAINTS = """
SELECT o.conrelid, o.conname, o.contype,
  ARRAY(SELECT a.attname::text FROM unnest(o.conkey) WITH ORDINALITY AS k (attnum, ord)
    JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.attnum ORDER BY k.ord)
    AS columns,
  tn.nspname AS schema, t.relname AS target,
  ARRAY(SELECT a.attname::text FROM unnest(o.confkey) WITH ORDINALITY AS k (attnum, ord)
    JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.attnum ORDER BY k.ord)
    AS targets,
  o.confupdtype, o.confdeltype, o.condeferrable, o.condeferred,
  CASE WHEN o.contype = 'u' THEN pg_get_constraintdef(o.oid) END AS text,
  {part} AS part
FROM pg_constraint o
JOIN pg_class c ON c.oid = o.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class t ON t.oid = o.confrelid
LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname IN :schemas AND o.contype IN ('u', 'f', 'x')
"""
_PLAIN_UNIQUE = re.compile(r"UNIQUE \((?!.*\bINCLUDE \()[^()]*\)")
_ACTIONS = {"a": None, "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def read(connection: sa.Connection, schemas: set[str | None]) -> dict[Place, StoredTable]:
    """Read the tables of some schemas; None is the default one."""
    dialect: Any = connection.dialect
    default = dialect.default_schema_name
    names = [default if one is None else one for one in schemas]

    def run(query: str) -> Any:
        text = sa.text(query).bindparams(sa.bindparam("schemas", names, expanding=True))
        return connection.execute(text)

    found: dict[int, StoredTable] = {}
    places: dict[Place, StoredTable] = {}
    for oid, schema, name, comment in run(_TABLES):
        found[oid] = places[place_of(schema, name, dialect)] = StoredTable(comment=comment)
    version = dialect.server_version_info
    generated = "OR a.attgenerated <> ''" if version >= (12,) else ""
    columns = run(_COLUMNS.format(generated=generated, not_serial=IS_NOT_SERIAL))
    for oid, name, type_, nullable, sql, comment, special in columns:
        found[oid].columns[name] = StoredColumn(type_, nullable, sql, comment)
        if special:
            found[oid].special = f"column {name}"
    for oid, name, primary, unique, parts, plain in run(_INDEXES):
        if primary:
            found[oid].primary = set(parts)
        elif plain:
            found[oid].indexes[name] = StoredIndex(tuple(parts), unique)
        else:
            found[oid].special = f"index {name}"
    part = "o.conparentid <> 0" if version >= (11,) else "false"
    for row in run(_CONSTRAINTS.format(part=part)):
        _add(found[row.conrelid], row, dialect)
    return places


def _add(table: StoredTable, row: Any, dialect: sa.Dialect) -> None:
    """Add a constraint to a table."""
    kind, update, delete = map(_text, (row.contype, row.confupdtype, row.confdeltype))
    columns = tuple(row.columns)
    if row.part:  # of the constraint of a partitioned table
        table.special = f"constraint {row.conname}"
    elif kind == "u" and _PLAIN_UNIQUE.fullmatch(row.text):
        table.uniques.append((row.conname, columns))
    elif kind == "f":
        key = StoredKey(
            columns,
            *place_of(row.schema, row.target, dialect),
            tuple(row.targets),
            _ACTIONS[update],
            _ACTIONS[delete],
            row.condeferrable,
            "DEFERRED" if row.condeferred else "IMMEDIATE",
        )
        table.keys.append(key)
        table.key_names.append(row.conname)
    else:
        table.special = f"constraint {row.conname}"


def _text(char: str | bytes) -> str:
    """Return a ``"char"``, which some drivers give as bytes."""
    return char.decode() if isinstance(char, bytes) else char
