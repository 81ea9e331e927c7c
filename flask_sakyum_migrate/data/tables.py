"""The tables of a database as they are, not as the models say."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from ..errors import ConfigError, DataError
from ..runtime.others import not_tables
from .kinds import kind_of
from .order import parents_first

_NUMERIC = re.compile(r"\s*(NUMERIC|DECIMAL|NUMBER|DEC|MONEY)\b|\s*$", re.I)


class Undeclared(sa.types.UserDefinedType[Any]):
    """A type of SQLite that SQLAlchemy takes for a number, because SQLite does for some purposes.

    :param text: what the column was declared as: any word is a type.
    """

    cache_ok = True

    def __init__(self, text: str) -> None:
        self.text = text

    def get_col_spec(self, **_: Any) -> str:
        """Return the type as a statement has it."""
        return self.text


@dataclass(frozen=True)
class Column:
    """A column of a table.

    :param type: as SQLAlchemy read it.
    :param needed: a row cannot do without: NOT NULL, and nothing fills it.
    :param default: the SQL of its default, if there is one.
    """

    name: str
    type: Any
    needed: bool = False
    default: str = ""

    @cached_property
    def kind(self) -> str:
        """The kind of its values."""
        return kind_of(self.type)


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a table that reference another, by the full names of both."""

    name: str
    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    deferrable: bool = False


@dataclass(frozen=True)
class Table:
    """A table of a database.

    :param schema: None for the default one.
    :param columns: those that hold values; computed ones do not.
    """

    name: str
    schema: str | None
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def full_name(self) -> str:
        """Its name as people write it: with the schema, if it has one."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    def quoted(self, dialect: sa.Dialect) -> str:
        """Return its name as a statement has it."""
        quote = dialect.identifier_preparer.quote
        return f"{quote(self.schema)}.{quote(self.name)}" if self.schema else quote(self.name)


@dataclass(frozen=True)
class Wanted:
    """Which tables are meant.

    :param own: tables that are nobody's data, and so never meant: the version table and what is
        beside it.
    :param schemas: where to look beside the default schema.
    :param only: only these, by full name; None for all.
    :param exclude: not these.
    """

    own: frozenset[str] = frozenset()
    schemas: tuple[str, ...] = ()
    only: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Tell whether a table is meant."""
        return (self.only is None or name in self.only) and name not in self.exclude


def read_tables(connection: sa.Connection, wanted: Wanted) -> list[Table]:
    """Read the tables of a database, parents first; one statement per schema and question.

    :raises DataError: this kind of database is not one of those that are known.
    """
    check_dialect(connection.dialect)
    inspector = sa.inspect(connection)
    left_out = not_tables(connection)
    found: list[Table] = []
    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is read and written as the database's own text.
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        there = set(inspector.get_schema_names()) - {inspector.default_schema_name}
        for schema in (None, *sorted(there & set(wanted.schemas))):
            names = [
                name
                for name in inspector.get_table_names(schema=schema)
                if (schema, name) not in left_out and _full(name, schema) not in wanted.own
            ]
            found.extend(_tables(inspector, schema, names))
    if connection.dialect.name == "sqlite":
        found = _declared(connection, found)
    parents = {one.full_name: {key.parent for key in one.foreign_keys} for one in found}
    tables = {one.full_name: one for one in found}
    return [tables[name] for name in parents_first(list(tables), parents)]


def read_heads(
    connection: sa.Connection, version_table: str, schema: str | None
) -> tuple[str, ...] | None:
    """Read which revisions a database is at; None when it has no version table."""
    if not sa.inspect(connection).has_table(version_table, schema=schema):
        return None
    version = sa.table(version_table, sa.column("version_num"), schema=schema)
    rows = connection.execute(sa.select(version.c.version_num)).scalars()
    return tuple(sorted(rows))


def pick(tables: Sequence[Table], wanted: Wanted) -> list[Table]:
    """Return the tables that are meant."""
    return [one for one in tables if wanted.has(one.full_name)]


def check_names(wanted: Wanted, known: Iterable[str], also: Iterable[str] = ()) -> None:
    """See to it that every table that a person named exists.

    :param known: the tables of all databases.
    :param also: names that were given in another way.
    :raises ConfigError: one does not.
    """
    names = {*known}
    given = {*(wanted.only or ()), *wanted.exclude, *also}
    missing = sorted(given - names)
    if missing:
        raise ConfigError(
            f"There is no table {missing[0]}. The tables are: {', '.join(sorted(names)) or 'none'}."
        )


def check_dialect(dialect: sa.Dialect) -> None:
    """Refuse a kind of database whose rows nobody here knows how to read.

    :raises DataError: it is one.
    """
    if dialect.name not in ("sqlite", "postgresql", "mysql", "mariadb"):
        raise DataError(
            f"Rows are dumped, loaded and cleaned on SQLite, PostgreSQL, MySQL and MariaDB; this "
            f"database is {dialect.name}.",
            "Use the tool that comes with it.",
        )


def _tables(inspector: Any, schema: str | None, names: list[str]) -> list[Table]:
    if not names:
        return []
    asked = {"schema": schema, "filter_names": names}
    columns = inspector.get_multi_columns(**asked)
    keys = inspector.get_multi_pk_constraint(**asked)
    foreign = inspector.get_multi_foreign_keys(**asked)
    found = []
    for name in names:
        here = (schema, name)
        key = tuple(keys.get(here, {}).get("constrained_columns") or ())
        found.append(
            Table(
                name,
                schema,
                tuple(_column(one, key) for one in columns[here] if not one.get("computed")),
                key,
                tuple(_foreign_key(_full(name, schema), one) for one in foreign.get(here, ())),
            )
        )
    return found


def _declared(connection: sa.Connection, tables: list[Table]) -> list[Table]:
    """Return the tables with the types of SQLite that are no numbers as what they are."""
    rows = connection.exec_driver_sql(
        "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c "
        "WHERE m.type = 'table'"
    )
    other = {
        (table, column): Undeclared(text)
        for table, column, text in rows
        if not _NUMERIC.match(text)
    }
    return [
        replace(
            table,
            columns=tuple(
                replace(one, type=other.get((table.name, one.name), one.type))
                if type(one.type) is sa.NUMERIC
                else one
                for one in table.columns
            ),
        )
        for table in tables
    ]


def _column(found: Any, key: tuple[str, ...]) -> Column:
    filled = (
        found.get("default") is not None
        or found.get("identity")
        or found.get("autoincrement") is True
        or key == (found["name"],)
    )
    default = str(found.get("default") or "")
    return Column(found["name"], found["type"], not found["nullable"] and not filled, default)


def _foreign_key(table: str, found: Any) -> ForeignKey:
    options = found.get("options") or {}
    return ForeignKey(
        found.get("name") or "",
        table,
        tuple(found["constrained_columns"]),
        _full(found["referred_table"], found.get("referred_schema")),
        tuple(found["referred_columns"]),
        bool(options.get("deferrable")),
    )


def _full(name: str, schema: str | None) -> str:
    return f"{schema}.{name}" if schema else name
