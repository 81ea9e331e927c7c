"""Tables dropped with what was made for them: views, types, sequences; nothing of others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from ..errors import DataError
from ..runtime.others import is_named
from .cleaning import references, sequences, text
from .refused import words
from .tables import Table

Named = Callable[[str], bool]
"""Tells whether the application made what has a name: a revision names it."""

# The views of some tables, the views of those views, and so on; the last ones first.
_VIEWS = """
WITH RECURSIVE found(oid, depth) AS (
  SELECT unnest(ARRAY[{names}]::regclass[])::oid, 0
  UNION SELECT v.oid, f.depth + 1 FROM found f
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = f.oid
  JOIN pg_rewrite r ON r.oid = d.objid
  JOIN pg_class v ON v.oid = r.ev_class AND v.oid <> f.oid AND v.relkind IN ('v', 'm')
  WHERE f.depth < 100)
SELECT c.oid::regclass::text, c.relname, c.relkind FROM found JOIN pg_class c USING (oid)
WHERE c.relkind IN ('v', 'm') GROUP BY 1, 2, 3 ORDER BY max(depth) DESC
"""
# What no table has and nothing uses, of no extension; a composite type is that of no table. A
# range comes with functions of its own.
_UNUSED = """
SELECT o.what, o.text, o.name FROM (
  SELECT 'FUNCTION' AS what, oid::regprocedure::text AS text, proname AS name,
    pronamespace AS space, oid, 'pg_proc'::regclass AS class
  FROM pg_proc WHERE prokind IN ('f', 'w')
  UNION ALL SELECT 'PROCEDURE', oid::regprocedure::text, proname, pronamespace, oid,
    'pg_proc'::regclass FROM pg_proc WHERE prokind = 'p'
  UNION ALL SELECT 'SEQUENCE', oid::regclass::text, relname, relnamespace, oid, 'pg_class'::regclass
    FROM pg_class WHERE relkind = 'S'
  UNION ALL SELECT CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, oid::regtype::text, typname,
    typnamespace, oid, 'pg_type'::regclass FROM pg_type t WHERE typtype IN ('e', 'd', 'r')
    OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = t.typrelid AND relkind = 'c')) o
JOIN pg_namespace n ON n.oid = o.space
WHERE n.nspname = ANY (ARRAY[{schemas}]) AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid
    AND d.deptype IN ('e', 'a', 'i'))
AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.refclassid = o.class AND d.deptype = 'n' AND (d.refobjid = o.oid
    OR o.class = 'pg_type'::regclass
    AND d.refobjid = (SELECT typarray FROM pg_type WHERE oid = o.oid))
  AND NOT (d.classid = 'pg_proc'::regclass AND EXISTS (
    SELECT FROM pg_depend i
    WHERE i.classid = d.classid AND i.objid = d.objid AND i.deptype = 'i')))
ORDER BY 1, 2
"""
# Enums and domains of the columns of some tables, the elements of their arrays too.
_TYPES = """
SELECT DISTINCT t.typname FROM pg_attribute a
JOIN pg_type c ON c.oid = a.atttypid
JOIN pg_type t ON t.oid = CASE WHEN c.typelem <> 0 AND c.typlen = -1 THEN c.typelem ELSE c.oid END
WHERE a.attrelid = ANY (ARRAY[{names}]::regclass[]) AND a.attnum > 0 AND NOT a.attisdropped
  AND t.typtype IN ('e', 'd')
"""


class Dropping:
    """Tables of a database that are to be dropped.

    :param tables: those, parents first.
    :param every: all tables of the database.
    :param named: whether the application made a view, a type or a sequence; for only some of its
        tables, nothing but they go.
    """

    def __init__(
        self,
        connection: sa.Connection,
        tables: Sequence[Table],
        every: Sequence[Table],
        named: Named,
    ) -> None:
        self._connection, self._tables, self._every = connection, tables, every
        self._named = named
        self._dialect = connection.dialect
        self._schemas = sorted({one.schema for one in tables if one.schema})

    def run(self, also: Sequence[str]) -> None:
        """Drop them.

        :param also: the quoted names of tables of this package that may be there.
        :raises DataError: tables or views of others need them.
        """
        self._refuse_references()
        views = self._views()
        own = self._belonging()
        for kind, quoted, _ in views:
            self._execute(f"DROP {kind} {quoted}")
        names = [one.quoted(self._dialect) for one in reversed(self._tables)]
        if self._dialect.name == "postgresql" and names:  # they may reference each other
            self._execute(f"DROP TABLE {', '.join(names)}")
        else:
            for name in names:
                self._execute(f"DROP TABLE {name}")
        for name in also:
            self._execute(f"DROP TABLE IF EXISTS {name}")
        self._drop_unused(own)

    def _execute(self, statement: str) -> None:
        try:
            self._connection.exec_driver_sql(statement)
        except sa.exc.DBAPIError as error:
            inner: Any = error.orig
            raise DataError(
                f"{words(inner)}. Nothing was dropped.",
                "Drop that first. The rows alone go with:  flask db clean",
            ) from error

    def _refuse_references(self) -> None:
        outside = references(self._tables, self._every)
        if outside:
            key, _ = outside[0]
            raise DataError(
                f"{key.table} references {key.parent}, and is no table of this application. "
                "Nothing was dropped.",
                f"Drop that foreign key first, or the table {key.table}.",
                table=key.table,
            )

    # ---- views -------------------------------------------------------------------------------

    def _views(self) -> list[tuple[str, str, str]]:
        """Return the views that go: what they are, their quoted and their plain names.

        :raises DataError: views of others show the rows of these tables.
        """
        every = self._every_view()
        mine = [one for one in every if self._named(one[2])]
        names = [one.quoted(self._dialect) for one in self._tables] + [one[1] for one in mine]
        look = self._views_of if self._dialect.name == "postgresql" else self._views_by_words
        found = look(names, every)
        others = [one for one in found if not self._named(one[2])]
        if others:
            kind, quoted, name = others[0]
            listed = ", ".join(sorted(one[2] for one in others))
            raise DataError(
                f"The view{'s' * (len(others) > 1)} {listed} would have nothing to show, and no "
                "revision of this application names "
                f"{'them' if len(others) > 1 else 'it'}. Nothing was dropped.",
                f"If nobody needs it:  DROP {kind} {quoted}\n"
                "The rows alone go with:  flask db clean",
                view=name,
            )
        return found

    def _every_view(self) -> list[tuple[str, str, str]]:
        inspector: Any = sa.inspect(self._connection)
        quote = self._dialect.identifier_preparer.quote
        kinds = [("VIEW", inspector.get_view_names)]
        if self._dialect.name == "postgresql":
            kinds.append(("MATERIALIZED VIEW", inspector.get_materialized_view_names))
        return [
            (kind, f"{quote(schema)}.{quote(name)}" if schema else quote(name), name)
            for schema in (None, *self._schemas)
            for kind, names in kinds
            for name in names(schema=schema)
        ]

    def _views_of(self, names: Sequence[str], every: object) -> list[tuple[str, str, str]]:
        listed = _listed(names)
        rows = self._connection.exec_driver_sql(_VIEWS.format(names=listed)).all()
        kinds = {"v": "VIEW", "m": "MATERIALIZED VIEW"}
        return [(kinds[kind], quoted.replace("%", "%%"), name) for quoted, name, kind in rows]

    def _views_by_words(
        self, names: object, every: Sequence[tuple[str, str, str]]
    ) -> list[tuple[str, str, str]]:
        """Find views by the names in their text: these databases do not note what they show."""
        inspector = sa.inspect(self._connection)
        texts = {one: inspector.get_view_definition(one[2]) or "" for one in every}
        wanted = {one.name for one in self._tables} | {
            one[2] for one in every if self._named(one[2])
        }
        found: list[tuple[str, str, str]] = []
        while True:
            more = [
                one
                for one in every
                if one not in found and any(is_named(name, _body(texts[one])) for name in wanted)
            ]
            if not more:
                return found
            found[:0] = more
            wanted = {one[2] for one in more}

    # ---- what is left ------------------------------------------------------------------------

    def _belonging(self) -> set[tuple[str, str]]:
        """Return the types and sequences of the columns of the tables, before they are gone."""
        if self._dialect.name != "postgresql" or not self._tables:
            return set()
        names = _listed(one.quoted(self._dialect) for one in self._tables)
        types = self._connection.exec_driver_sql(_TYPES.format(names=names)).scalars()
        found = {(kind, str(name)) for name in types for kind in ("TYPE", "DOMAIN")}
        for table in self._tables:
            for name, _ in sequences(self._connection, table):
                found.add(("SEQUENCE", name.rpartition(".")[2].strip('"')))
        return found

    def _drop_unused(self, own: Iterable[tuple[str, str]]) -> None:
        """Drop what was made for the tables, as long as nothing else uses it."""
        if self._dialect.name == "mysql" or self._dialect.name == "mariadb":
            self._drop_sequences()
        if self._dialect.name != "postgresql":
            return
        schemas = [self._dialect.default_schema_name or "public", *self._schemas]
        statement = _UNUSED.format(schemas=_listed(schemas))
        while True:  # a function may have been all that used a type
            rows = self._connection.exec_driver_sql(statement).all()
            mine = [
                (what, quoted)
                for what, quoted, name in rows
                if (what, name) in own or self._named(f"{what} {name}" if "(" in quoted else name)
            ]
            for what, quoted in mine:
                self._execute(f"DROP {what} {quoted}".replace("%", "%%"))
            if not mine:
                return

    def _drop_sequences(self) -> None:
        """Drop the sequences of MariaDB; MySQL has none."""
        inspector = sa.inspect(self._connection)
        gone = {one.full_name for one in self._tables}
        used, others = (
            " ".join(
                column.default
                for table in self._every
                if (table.full_name in gone) is is_gone
                for column in table.columns
            )
            for is_gone in (True, False)
        )
        for name in inspector.get_sequence_names():
            if (self._named(name) or is_named(name, used)) and not is_named(name, others):
                self._execute(f"DROP SEQUENCE {self._dialect.identifier_preparer.quote(name)}")


def _body(definition: str) -> str:
    """Return what a view shows: on SQLite its text begins with its own name."""
    return re.sub(r"^\s*CREATE\s.*?\sAS\s", "", definition, count=1, flags=re.I | re.S)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{text(one)}'" for one in names)
