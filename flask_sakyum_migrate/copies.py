"""Copies of the schema of a database, without its rows, on which a new revision can be tried.

SQLite is copied into memory, MySQL and MariaDB into a throw-away database on the same server. On
PostgreSQL, which does not tell a schema as SQL, it is a transaction on the database itself that
never commits: for small tables that nobody uses just now.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa

from .binds import Database, read_heads, sqlite_file
from .errors import DatabaseError
from .scratch import reaches_others, scratch_engines

MOST = 50
"""Tables that a revision may be about to be tried: a copy of more takes seconds on a server."""
LARGEST = 8 * 1024 * 1024
"""Bytes that a table of PostgreSQL may have to be changed in a trial."""

_LIMITS = {
    "lock_timeout": "100ms",  # whoever reads the table has to wait as long
    "statement_timeout": "2s",
    "idle_in_transaction_session_timeout": "15s",  # this process may be stopped in the middle
}
_COMMITS = re.compile(r"autocommit_block|concurrently|\bcommit\b", re.IGNORECASE)
_SQLITE_ORDER = ("table", "index", "view", "trigger")

_POSTGRESQL_TABLES = """
SELECT c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
# A partitioned table has the rows of its partitions.
_POSTGRESQL_SIZES = """
WITH RECURSIVE tree (root, oid) AS (
  SELECT oid, oid FROM pg_class WHERE oid IN ({oids})
  UNION SELECT tree.root, i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
SELECT root::regclass::text, sum(pg_total_relation_size(oid)) FROM tree GROUP BY root
"""
_MYSQL_CHARSET = """
SELECT default_character_set_name, default_collation_name
FROM information_schema.schemata WHERE schema_name = %s
"""
_MYSQL_REFERENCES = """
SELECT table_name, referenced_table_name
FROM information_schema.referential_constraints WHERE constraint_schema = %s
"""


@dataclass(frozen=True)
class Subject:
    """What is to be tried.

    :param database: the real one.
    :param text: of the revision, and what is said about it: has the names of its tables.
    :param version_table: of the database.
    """

    database: Database
    text: str
    version_table: str

    @property
    def engine(self) -> sa.Engine:
        """Of the real database."""
        return self.database.engine

    def names(self, table: str) -> bool:
        """Tell whether the text has the name of a table; one that Python may escape counts."""
        plain = re.fullmatch(r"\w+", table) is not None
        return not plain or table.casefold() in self._words

    def beside(self, tables: Iterable[str]) -> frozenset[str]:
        """Return the tables that the text has nothing to do with."""
        return frozenset(name for name in tables if not self.names(name))

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(re.findall(r"\w+", self.text.casefold()))


@dataclass(frozen=True)
class Copy:
    """A schema on which something can be tried.

    :param connection: to it.
    :param beside: names of tables that the real database has, and what is tried has nothing to do
        with: the copy may be without them.
    """

    connection: sa.Connection
    beside: frozenset[str]


def copy_of(subject: Subject) -> AbstractContextManager[Copy]:
    """Lend a copy of the schema of a database, with its version; nothing is left of it.

    :raises DatabaseError: there is none to be had; says why.
    """
    dialect = subject.engine.dialect
    ways: Mapping[str, Callable[[Subject], AbstractContextManager[Copy]]] = {
        "sqlite": _in_memory,
        "mysql": _on_the_server,
        "mariadb": _on_the_server,
        "postgresql": _never_committed,
    }
    if dialect.name not in ways or dialect.is_async:
        raise DatabaseError(f"Nothing can be tried on {dialect.name} through {dialect.driver}.")
    why = reaches_others(subject.engine, subject.text)
    if why is not None:
        raise DatabaseError(f"The revision {why}.")
    models = (one for bind in subject.database.binds for one in bind.metadata)
    _few_enough({one.name for each in models for one in each.tables.values()}, subject)
    return ways[dialect.name](subject)


def _few_enough(tables: Iterable[str], subject: Subject) -> None:
    if sum(map(subject.names, tables)) > MOST:
        raise DatabaseError(f"The revision is about more than {MOST} tables.")


def tables_of(connection: sa.Connection) -> list[str]:
    """Return the names of the tables of a database, in any schema of PostgreSQL."""
    if connection.dialect.name == "sqlite":
        return [name for type_, name, _ in _sqlite_items(connection) if type_ == "table"]
    if connection.dialect.name == "postgresql":
        return [row.relname for row in connection.exec_driver_sql(_POSTGRESQL_TABLES)]
    return sa.inspect(connection).get_table_names()


# ---- SQLite ------------------------------------------------------------------------------------


@contextmanager
def _in_memory(subject: Subject) -> Iterator[Copy]:
    path = sqlite_file(subject.engine)
    items: Sequence[tuple[str, str, str]] = []
    if path is None or path.exists():  # connecting would leave an empty file behind
        with subject.engine.connect() as connection:
            items = _sqlite_items(connection)
    with _scratch(subject.database) as engine, engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # as while the run changes a table
        for type_, name, text in items:
            # The tables that are a part of a virtual one are made with it.
            if type_ != "table" or not _is_there(connection, name):
                connection.exec_driver_sql(text)
        _copy_version(connection, subject)
        names = [name for type_, name, _ in items if type_ == "table"]
        yield Copy(connection, subject.beside(names))


def _sqlite_items(connection: sa.Connection) -> list[tuple[str, str, str]]:
    """Return the type, the name and the SQL of what is in a database, in an order to make it."""
    rows = connection.exec_driver_sql(
        "SELECT type, name, sql FROM sqlite_master "
        "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    )
    items = [(type_, name, text) for type_, name, text in rows]
    return sorted(items, key=lambda one: (_SQLITE_ORDER.index(one[0]), not _is_virtual(one[2])))


def _is_virtual(text: str) -> bool:
    return text[:20].upper().startswith("CREATE VIRTUAL TABLE")


def _is_there(connection: sa.Connection, name: str) -> bool:
    rows = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = ?", (name,))
    return rows.first() is not None


# ---- MySQL and MariaDB -------------------------------------------------------------------------


@contextmanager
def _on_the_server(subject: Subject) -> Iterator[Copy]:
    with subject.engine.connect() as connection:
        real = connection.exec_driver_sql("SELECT database()").scalar_one()
        tables = tables_of(connection)
        charset, collation = connection.exec_driver_sql(_MYSQL_CHARSET, (real,)).one()
        pairs = connection.exec_driver_sql(_MYSQL_REFERENCES, (real,)).all()
    named = {name for name in tables if subject.names(name)}
    wanted = _with_related(named, [(child, parent) for child, parent in pairs])
    if len(wanted) > MOST:
        raise DatabaseError(f"Foreign keys tie the revision to more than {MOST} tables.")
    with _scratch(subject.database) as engine:
        with engine.connect() as connection:
            for statement in (
                f"ALTER DATABASE CHARACTER SET {charset} COLLATE {collation}",
                "SET foreign_key_checks = 0, sql_mode = ''",
            ):
                connection.exec_driver_sql(statement)
            quote = connection.dialect.identifier_preparer.quote
            for name in tables:
                if name in wanted or name == subject.version_table:
                    shown = f"SHOW CREATE TABLE {quote(real)}.{quote(name)}"
                    text = connection.exec_driver_sql(shown).one()[1]
                    connection.exec_driver_sql(text.replace("%", "%%"))
            _copy_version(connection, subject)
            connection.commit()
        with engine.connect() as connection:  # without those settings
            yield Copy(connection, subject.beside(tables))


def _with_related(tables: Collection[str], pairs: Collection[tuple[str, str]]) -> set[str]:
    """Add the tables that foreign keys tie to these.

    :param pairs: the table of each foreign key, and the one it points to.
    """
    found = {*tables, *(child for child, parent in pairs if parent in tables)}
    open_ = set(found)
    while open_:
        open_ = {parent for child, parent in pairs if child in open_} - found
        found |= open_
    return found


# ---- PostgreSQL --------------------------------------------------------------------------------


@contextmanager
def _never_committed(subject: Subject) -> Iterator[Copy]:
    if _COMMITS.search(subject.text):
        raise DatabaseError("A part of the revision cannot be taken back.")
    with subject.engine.connect() as connection:
        # The engine of an application may be one that commits each statement.
        connection.execution_options(isolation_level="READ COMMITTED")
        sa.event.listen(connection, "commit", _refuse_commit)
        transaction = connection.begin()
        try:
            for name, value in _LIMITS.items():
                connection.exec_driver_sql(f"SET LOCAL {name} = '{value}'")
            yield Copy(connection, _small_enough(connection, subject))
        finally:
            transaction.rollback()


def _refuse_commit(connection: sa.Connection) -> None:
    raise DatabaseError("The revision commits, and is not to be tried on the real database.")


def _small_enough(connection: sa.Connection, subject: Subject) -> frozenset[str]:
    """Return the tables that the text does not name.

    :raises DatabaseError: one that it does name is large.
    """
    tables = connection.exec_driver_sql(_POSTGRESQL_TABLES).all()
    oids = ", ".join(str(row.oid) for row in tables if subject.names(row.relname))
    if oids:
        for name, size in connection.exec_driver_sql(_POSTGRESQL_SIZES.format(oids=oids)):
            if size > LARGEST:
                raise DatabaseError(f"{name} is large, and the trial would lock it.")
    return subject.beside([row.relname for row in tables])


# ---- for all -----------------------------------------------------------------------------------


@contextmanager
def _scratch(database: Database) -> Iterator[sa.Engine]:
    with scratch_engines([database]) as engines:
        yield engines[database.keys[0]]


def _copy_version(connection: sa.Connection, subject: Subject) -> None:
    rows = read_heads(subject.engine, subject.version_table)
    if rows:
        table = sa.table(subject.version_table, sa.column("version_num"))
        connection.execute(sa.insert(table), [{"version_num": row} for row in rows])
