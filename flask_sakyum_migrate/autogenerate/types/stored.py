"""How the database itself writes the types and defaults of columns, there or as they would be.

What it would make of a type or a default of the models is asked of the database, with a temporary
table of one column (on SQLite in a database in memory). So what it writes in another way than
SQLAlchemy is told from what differs, whatever the type or the expression.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..differences.names import Place, place_of

_TABLE = "flask_sakyum_migrate_asks"

_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"")
_MYSQL_TYPE = re.compile(
    r"\w+(?:\([^)]*\))?(?: unsigned| zerofill)*(?: CHARACTER SET \w+)?(?: COLLATE \w+)?"
)

IS_NOT_SERIAL = """
NOT EXISTS (
    SELECT FROM pg_depend s JOIN pg_class q ON q.oid = s.objid AND q.relkind = 'S'
    WHERE s.classid = 'pg_class'::regclass AND s.refclassid = 'pg_class'::regclass
      AND s.refobjid = c.oid AND s.refobjsubid = a.attnum AND s.deptype = 'a')
"""
"""A column ``a`` of a table ``c`` has a default of its own: that of a serial column is part of its
type, as SQLAlchemy sees it."""
_POSTGRESQL = """
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
  CASE WHEN a.attidentity = '' {generated} AND {not_serial}
  THEN pg_get_expr(d.adbin, d.adrelid) END
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND {which}
"""
_HERE = (
    "n.nspname NOT LIKE 'pg\\_temp\\_%%' AND n.nspname NOT IN ('information_schema', 'pg_catalog')"
)
_ASKED = f"c.oid = to_regclass('pg_temp.{_TABLE}')"

_MYSQL = """
SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = %s AND COLUMN_DEFAULT IS NOT NULL AND COLUMN_DEFAULT <> 'NULL'
"""


class Stored(NamedTuple):
    """A column, in the words of the database.

    :param default: None when it has none, or one that belongs to its type: serial, identity.
    """

    type: str
    default: str | None


@dataclass
class Columns:
    """The columns of a database, and what would become of others.

    :param connection: to the database.
    """

    connection: sa.Connection
    _tables: dict[Place, dict[str, Stored]] = field(default_factory=dict)
    _asked: dict[tuple[str, ...], Stored | None] = field(default_factory=dict)

    @property
    def _dialect(self) -> sa.Dialect:
        return self.connection.dialect

    @property
    def _is_mysql(self) -> bool:
        return self._dialect.name in ("mysql", "mariadb")

    @property
    def can_tell(self) -> bool:
        """Whether this kind of database is known here."""
        return self._is_mysql or self._dialect.name in ("postgresql", "sqlite")

    def of(self, place: Place) -> dict[str, Stored]:
        """Return the columns of a table; none where there is no such table."""
        if self._is_mysql:
            if place not in self._tables:
                self._tables[place] = self._of_mysql(place)
        elif not self._tables:
            read = self._postgresql if self._dialect.name == "postgresql" else self._sqlite
            for where, name, stored in read():
                self._tables.setdefault(where, {})[name] = stored
        return self._tables.get(place, {})

    def with_defaults(self, schema: str | None) -> set[str] | None:
        """Return the tables that have a default; None where all are read at once anyway."""
        if not self._is_mysql:
            return None
        name = schema or self._dialect.default_schema_name
        rows = self.connection.exec_driver_sql(_MYSQL, (name,))
        return {row[1] for row in rows}

    def ask(
        self, column: str, type_: str, default: str | None, *, nullable: bool, table: Place
    ) -> Stored | None:
        """Return what the database would make of a column; None when it would not make it.

        :param type_: SQL.
        :param default: SQL, or None.
        :param table: where the column is, for the character set.
        """
        quoted = self._dialect.identifier_preparer.quote_identifier(column)
        parts = [quoted, type_, f"DEFAULT {default}" if default is not None else ""]
        if self._is_mysql:
            parts.append("NULL" if nullable else "NOT NULL")
        options = self._charset(table) if self._is_mysql else ""
        key = (" ".join(parts), options)
        if key not in self._asked:
            made = self._made(f"({key[0]}){options}")
            self._asked[key] = None if made is None else made[column]
        return self._asked[key]

    def words(self, types: Collection[str]) -> dict[str, str | None]:
        """Return what the database calls types; None for those that it does not make.

        :param types: SQL, as the driver wants it.
        """
        names = {f"c{number}": type_ for number, type_ in enumerate(types)}
        null = " NULL" if self._is_mysql else ""
        columns = ", ".join(f"{name} {type_}{null}" for name, type_ in names.items())
        made = self._made(f"({columns})")
        if made is not None:
            return {type_: made[name].type for name, type_ in names.items()}
        if len(names) < 2:
            return dict.fromkeys(types)
        some, middle = list(types), len(names) // 2  # one of them is not known, or all too long
        return self.words(some[:middle]) | self.words(some[middle:])

    def _made(self, columns: str) -> dict[str, Stored] | None:
        """Make a table and take it back; return its columns, None where it cannot be made."""
        make = {"sqlite": _in_memory, "postgresql": self._in_savepoint}
        ask: Callable[[str], dict[str, Stored] | None]
        ask = make.get(self._dialect.name, self._in_session)
        return ask(columns)

    def can_ask(self) -> bool:
        """Tell whether the database makes temporary tables for this user."""
        return self.ask("c", "INTEGER", None, nullable=True, table=(None, "")) is not None

    # ---- SQLite ---------------------------------------------------------------------------------

    def _sqlite(self) -> Iterator[tuple[Place, str, Stored]]:
        quote = self._dialect.identifier_preparer.quote_identifier
        for row in self.connection.exec_driver_sql("PRAGMA database_list").all():
            schema = None if row[1] == "main" else row[1]
            columns = self.connection.exec_driver_sql(
                "SELECT m.name, p.name, p.type, p.dflt_value "  # noqa: S608
                f"FROM {quote(row[1])}.sqlite_master m JOIN pragma_table_xinfo(m.name, ?) p "
                "WHERE m.type = 'table'",
                (row[1],),
            )
            for table, name, type_, default in columns:
                yield (schema, table), name, Stored(type_.upper(), default)

    # ---- PostgreSQL -----------------------------------------------------------------------------

    def _postgresql(self, which: str = _HERE) -> Iterator[tuple[Place, str, Stored]]:
        dialect: Any = self._dialect
        new = dialect.server_version_info >= (12,)
        generated = "AND a.attgenerated = ''" if new else ""
        text = _POSTGRESQL.format(generated=generated, not_serial=IS_NOT_SERIAL, which=which)
        if dialect.paramstyle not in ("format", "pyformat"):
            text = text.replace("%%", "%")
        for schema, table, name, type_, default in self.connection.exec_driver_sql(text).all():
            yield place_of(schema, table, dialect), name, Stored(type_, default)

    def _in_savepoint(self, columns: str) -> dict[str, Stored] | None:
        try:
            with undone(self.connection):
                self.connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_TABLE} {columns}")
                return {name: stored for _, name, stored in self._postgresql(_ASKED)}
        except sa.exc.DBAPIError:
            return None

    # ---- MySQL and MariaDB ----------------------------------------------------------------------

    def _of_mysql(self, place: Place) -> dict[str, Stored]:
        text = self._shown(place)
        lines = (line.strip() for line in text.splitlines()[1:-1])
        return dict(_mysql_column(line) for line in lines if line.startswith("`"))

    def _shown(self, place: Place) -> str:
        quote = self._dialect.identifier_preparer.quote_identifier
        name = ".".join(quote(part) for part in place if part)
        try:
            row = self.connection.exec_driver_sql(f"SHOW CREATE TABLE {name}".replace("%", "%%"))
            return str(row.one()[1])
        except sa.exc.DBAPIError:
            return ""

    def _charset(self, place: Place) -> str:
        if not place[1]:
            return ""
        last = self._shown(place).rpartition("\n")[2]
        found = re.search(r"DEFAULT CHARSET=\w+(?: COLLATE=\w+)?", last)
        return f" {found[0]}" if found else ""

    def _in_session(self, columns: str) -> dict[str, Stored] | None:
        try:
            self.connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_TABLE} {columns}")
        except sa.exc.DBAPIError:
            return None
        try:
            return self._of_mysql((None, _TABLE))
        finally:
            self.connection.exec_driver_sql(f"DROP TEMPORARY TABLE {_TABLE}")


@contextmanager
def undone(connection: sa.Connection) -> Iterator[None]:
    """Undo what is done meanwhile, and nothing else."""
    outer = None if connection.in_transaction() else connection.begin()
    try:
        savepoint = connection.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()
    finally:
        if outer is not None:
            outer.rollback()


def _in_memory(columns: str) -> dict[str, Stored] | None:
    with closing(sqlite3.connect(":memory:")) as driver:
        try:
            driver.execute(f"CREATE TABLE {_TABLE} {columns}")
        except sqlite3.Error:
            return None
        rows = driver.execute(f"PRAGMA table_info({_TABLE})").fetchall()
        return {row[1]: Stored(row[2].upper(), row[4]) for row in rows}


def _mysql_column(line: str) -> tuple[str, Stored]:
    """Read a line of ``SHOW CREATE TABLE``, from the name of a column to the comma."""
    masked = _QUOTED.sub(lambda match: "_" * len(match[0]), line)
    found = _QUOTED.match(line)
    assert found is not None
    start = found.end() + 1
    type_ = _MYSQL_TYPE.match(masked, start)
    end = type_.end() if type_ else start
    at = masked.find(" DEFAULT ", end)
    default = None
    if at >= 0:
        stops = [masked.find(word, at) for word in (" COMMENT _", " CHECK (", " /*")]
        stop = min([one for one in stops if one >= 0], default=len(line.rstrip(",")))
        default = line[at + len(" DEFAULT ") : stop]
    name = found[0][1:-1].replace("``", "`")
    return name, Stored(line[start:end], None if default == "NULL" else default)
