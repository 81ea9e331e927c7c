"""What in a database is none of the application's own: how everybody here tells."""

from __future__ import annotations

import re

import sqlalchemy as sa

# Members of extensions (PostGIS has spatial_ref_sys), and the partitions of a table, whose rows
# are those of the table.
_NOT_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND (c.relispartition OR EXISTS (
  SELECT FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
"""


def not_tables(connection: sa.Connection) -> frozenset[tuple[str | None, str]]:
    """Return the schemas and names of what looks like a table and is a part of something else.

    :returns: the schema is None for the default one.
    """
    if connection.dialect.name != "postgresql":
        return frozenset()
    default = connection.dialect.default_schema_name
    rows = connection.exec_driver_sql(_NOT_TABLES).all()
    return frozenset((None if schema == default else schema, name) for schema, name in rows)


def is_named(name: str, text: str) -> bool:
    """Tell whether a text has a name, and not only as a part of another one.

    That is how the revision files tell which tables are the application's.
    """
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
