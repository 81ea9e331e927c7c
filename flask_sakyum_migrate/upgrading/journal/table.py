"""The table of the journal: a row for each statement of a revision that is half applied.

It is written on the driver's connection: no event sees it, and it has no generated numbers, so
what LAST_INSERT_ID() gives stays what it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects.mysql import LONGTEXT

from ..driver import Driver

DONE = "done"
STARTED = "started"
_CHUNK = 100  # rows in one statement


@dataclass(slots=True)
class Entry:
    """A statement in the journal.

    :param revision: whose it is.
    :param direction: ``upgrade`` or ``downgrade``.
    :param number: its place among the statements that change something, from 1.
    :param bind: the bind key of the function it is in.
    :param kind: ``ddl`` or ``dml``.
    :param hash: of its text and its parameters.
    :param statement: its text, for a person.
    :param fingerprint: how that looked before it what it is to change.
    :param state: ``started`` or ``done``.
    :param affected: how many rows it changed.
    :param last_id: the id the database gave to its row.
    """

    revision: str
    direction: str
    number: int
    bind: str
    kind: str
    hash: str
    statement: str
    fingerprint: str | None = None
    state: str = STARTED
    affected: int | None = None
    last_id: int | None = None

    @property
    def is_done(self) -> bool:
        """It ran; else it is in doubt."""
        return self.state == DONE


_COLUMNS = tuple(one.name for one in fields(Entry))
_UPSERT = {
    "postgresql": (
        "INSERT",
        " ON CONFLICT (revision, direction, number) DO UPDATE SET "
        + ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS[3:]),
    ),
    "sqlite": ("REPLACE", ""),
    "mysql": ("REPLACE", ""),
    "mariadb": ("REPLACE", ""),
}


class JournalTable:
    """The journal of one version table.

    :param connection: it is read and written on the driver's connection below this one.
    """

    def __init__(self, context: MigrationContext, connection: sa.Connection) -> None:
        self.driver = Driver(connection)
        self._dialect = connection.dialect
        schema = context.version_table_schema
        translated: Mapping[str | None, str | None] = connection.get_execution_options().get(
            "schema_translate_map", {}
        )
        self._table = _table(f"{context.version_table}_journal", translated.get(schema, schema))
        self.bare_name = self._table.name
        self.name = self._dialect.identifier_preparer.format_table(self._table)

    def exists(self) -> bool:
        """Tell whether there is one; a statement that fails would end a transaction."""
        name, schema = self._table.name, self._table.schema
        if self._dialect.name == "postgresql":
            return self.driver.value("SELECT to_regclass(?::text)", self.name) is not None
        if self._dialect.name == "sqlite":
            where = f"{self._dialect.identifier_preparer.quote(schema)}." if schema else ""
            return bool(
                self.driver.value(
                    f"SELECT 1 FROM {where}sqlite_master WHERE name = ?",  # noqa: S608
                    name,
                )
            )
        return bool(
            self.driver.value(
                "SELECT 1 FROM information_schema.tables "
                "WHERE table_schema = coalesce(?, database()) AND table_name = ?",
                schema,
                name,
            )
        )

    def create(self) -> None:
        """Make it unless it is there; MySQL commits."""
        made = sa.schema.CreateTable(self._table, if_not_exists=True)
        self.driver.rows(str(made.compile(dialect=self._dialect)))

    def drop(self) -> bool:
        """Drop it when it is empty, and tell whether it was; MySQL commits."""
        if self.driver.rows(f"SELECT 1 FROM {self.name} LIMIT 1"):  # noqa: S608
            return False
        self.driver.rows(f"DROP TABLE {self.name}")
        return True

    def load(self) -> list[Entry]:
        """Read all rows; of a revision, all but the last one are done whatever they say."""
        names = ", ".join(_COLUMNS)
        order = "ORDER BY revision, direction, number"
        rows = self.driver.rows(f"SELECT {names} FROM {self.name} {order}")  # noqa: S608
        entries = [Entry(*row) for row in rows]
        for one, following in itertools.pairwise(entries):
            if (one.revision, one.direction) == (following.revision, following.direction):
                one.state = DONE
        return entries

    def write(self, entries: Sequence[Entry]) -> None:
        """Write rows, in place of those with their numbers."""
        begin, end = _UPSERT[self._dialect.name]
        one = f"({', '.join('?' * len(_COLUMNS))})"
        for chunk in _chunks(entries):
            values = [getattr(entry, name) for entry in chunk for name in _COLUMNS]
            self.driver.rows(
                f"{begin} INTO {self.name} ({', '.join(_COLUMNS)}) "
                f"VALUES {', '.join([one] * len(chunk))}{end}",
                *values,
            )

    def clear(self, revision: str, direction: str, number: int | None = None) -> None:
        """Remove the rows of a revision, or one of them."""
        where, values = "revision = ? AND direction = ?", [revision, direction]
        self.driver.rows(
            f"DELETE FROM {self.name} WHERE {where}"  # noqa: S608
            + ("" if number is None else " AND number = ?"),
            *values,
            *([] if number is None else [number]),
        )


def _table(name: str, schema: str | None) -> sa.Table:
    text = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
    options = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    both: Any = {f"{one}_{key}": options[key] for one in ("mysql", "mariadb") for key in options}
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("revision", sa.String(150), primary_key=True),
        sa.Column("direction", sa.String(10), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bind", sa.String(255)),
        sa.Column("kind", sa.String(3)),
        sa.Column("hash", sa.String(64)),
        sa.Column("statement", text),
        sa.Column("fingerprint", text),
        sa.Column("state", sa.String(10)),
        sa.Column("affected", sa.BigInteger),
        sa.Column("last_id", sa.BigInteger),
        schema=schema,
        **both,
    )


def _chunks(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for start in range(0, len(entries), _CHUNK):
        yield entries[start : start + _CHUNK]
