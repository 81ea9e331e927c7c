"""The history of runs: a table beside the version table with a row for each step.

A row is written in the transaction that writes the version table, so it is there when the step is.
The table is made before the first step does anything: MySQL commits when a table is made.
"""

from __future__ import annotations

import getpass
import hashlib
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ..binds import sqlite_file, unreachable
from ..policy import Policy
from ..results.operation import RunRecord
from ..runtime.guards import Guard, Running, Target

_WIDTH = 255  # characters


def runs_table(policy: Policy, version_table: str, schema: str | None) -> sa.Table:
    """Return the table with the history of runs; it stands beside the version table."""
    return _table(policy.runs_table or f"{version_table}_runs", schema)


@cache
def _table(name: str, schema: str | None) -> sa.Table:
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("revision", sa.String(_WIDTH), nullable=False),
        sa.Column("direction", sa.String(20), nullable=False),
        sa.Column("bind", sa.String(_WIDTH)),
        sa.Column("parents", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("started", sa.DateTime),
        sa.Column("finished", sa.DateTime),
        sa.Column("seconds", sa.Float),
        # Not "user": PostgreSQL answers SELECT user with the role that asks.
        sa.Column("os_user", sa.String(_WIDTH)),
        sa.Column("host", sa.String(_WIDTH)),
        sa.Column("app_version", sa.String(_WIDTH)),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("checksum", sa.String(64)),
        sa.Column("error", sa.Text),
        schema=schema,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


class Runs(Guard):
    """Writes the history of runs."""

    def __init__(self, target: Target, policy: Policy) -> None:
        super().__init__(target)
        self._policy = policy
        context = target.context
        self._history = History(
            runs_table(policy, context.version_table, context.version_table_schema), policy
        )
        self._started = now()

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Note a stamp, which is done by now and has no steps."""
        visit = self.target.visit
        if self.target.verb == "stamp" and visit.after != visit.before:
            with self.target.context.begin_transaction(_per_migration=True):
                self._history.prepare(self.target.connection)
                self._history.write(
                    self.target.connection,
                    revision=", ".join(visit.after) or "base",
                    direction="stamp",
                    bind=visit.bind,
                    parents=", ".join(visit.before),
                    started=self._started,
                    finished=now(),
                    outcome="done",
                )
        yield

    @contextmanager
    def step(self, running: Running) -> Iterator[None]:
        """Make the table before the first step does anything."""
        self._history.prepare(self.target.connection)
        self._started = now()
        yield

    def applied(self, running: Running) -> None:
        """Note that the step is done, in its transaction."""
        self._history.write(
            self.target.connection, **self._row(running, "done", seconds=running.seconds)
        )

    def failed(self, running: Running | None, error: BaseException) -> None:
        """Note that the step failed, in a transaction of its own."""
        connection = self.target.connection
        callers = self.target.external and not connection.closed  # and may hold the table
        if running is None or callers or self._history.is_off:
            return
        words = str(error).splitlines() or [type(error).__name__]
        row = self._row(running, "failed", error=words[0])
        history = History(self._history.table, replace(self._policy, say=None))
        # Whatever goes wrong here, what the person has to see is the error of the step.
        with suppress(Exception), connection.engine.begin() as own:
            if self.target.dialect == "postgresql":  # the next run may be making the table
                own.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            history.prepare(own)
            history.write(own, **row)

    def _row(self, running: Running, outcome: str, **more: Any) -> dict[str, Any]:
        script, finished = running.script, now()
        down = script.down_revision or ()
        return {
            "revision": running.revision,
            "direction": running.verb,
            "bind": running.bind,
            "parents": ", ".join((down,) if isinstance(down, str) else down),
            "message": script.doc,
            "started": self._started,
            "finished": finished,
            "seconds": (finished - self._started).total_seconds(),
            "outcome": outcome,
            "checksum": _checksum(script.path),
            **more,
        }


class History:
    """The table of runs as one run writes it.

    :param table: what it is when this version of the package makes it.
    """

    def __init__(self, table: sa.Table, policy: Policy) -> None:
        self.table = table
        self.is_off = False
        self._policy = policy
        self._insert = sa.insert(table).inline()
        self._columns: frozenset[str] = frozenset()
        self._proved = False
        self._same = {
            "os_user": _user(),
            "host": socket.gethostname(),
            "app_version": policy.app_version or None,
        }

    def prepare(self, connection: sa.Connection) -> None:
        """Make the table unless it is there; look which columns it has."""
        if not self._columns:
            self._carefully(connection, lambda: self._look(connection))

    def write(self, connection: sa.Connection, **row: Any) -> None:
        """Write a row, in the transaction of the connection."""
        if self.is_off:
            return
        row = {**self._same, **row}
        row = {name: _cut(value) for name, value in row.items() if name in self._columns}
        # A role may be allowed to upgrade and not to write here; a database may not know a letter.
        texts = (value for value in row.values() if isinstance(value, str))
        if self._proved and all(map(str.isascii, texts)):
            connection.execute(self._insert, row)
        else:
            self._carefully(connection, lambda: connection.execute(self._insert, row))
            self._proved = True

    def _look(self, connection: sa.Connection) -> None:
        self.table.create(connection, checkfirst=True)
        self._columns = columns(connection, self.table)
        if not {"revision", "direction", "outcome"} <= self._columns:
            self._turn_off("it has other columns than those of a history of runs")

    def _carefully(self, connection: sa.Connection, write: Callable[[], Any]) -> None:
        """Write, or go on without the history where the database refuses."""
        if self.is_off:
            return
        try:
            # A statement that fails ends the transaction on PostgreSQL.
            with connection.begin_nested() if _has_savepoints(connection) else nullcontext():
                write()
        except (sa.exc.DBAPIError, UnicodeError) as error:
            if getattr(error, "connection_invalidated", False):
                raise
            self._turn_off(" ".join(str(getattr(error, "orig", error)).split()))

    def _turn_off(self, reason: str) -> None:
        self.is_off = True
        self._policy.tell(
            f"No history of this run: the table {self.table.fullname} cannot be written "
            f"({reason}). MIGRATE_RUNS_TABLE = False goes without."
        )


def columns(connection: sa.Connection, table: sa.Table) -> frozenset[str]:
    """Return the names of the columns that a table has, which an older version may have made."""
    star: sa.ColumnClause[Any] = sa.literal_column("*")
    names = connection.execute(sa.select(star).select_from(table).where(sa.false())).keys()
    return frozenset(name.lower() for name in names)


def runs_of(engine: sa.Engine, table: sa.Table, limit: int | None = None) -> list[RunRecord]:
    """Read the history of runs of a database, newest first.

    :raises DatabaseError: the database does not answer.
    """
    path = sqlite_file(engine)
    if path is not None and not path.exists():
        return []  # connecting would leave an empty file behind
    try:
        with engine.connect() as connection:
            return read_runs(connection, table, limit)
    except sa.exc.DBAPIError as error:
        raise unreachable(engine, error) from error


def read_runs(
    connection: sa.Connection, table: sa.Table, limit: int | None = None
) -> list[RunRecord]:
    """Read the history of runs, newest first; nothing where there is no such table."""
    if not sa.inspect(connection).has_table(table.name, schema=table.schema):
        return []
    there = columns(connection, table)
    found = [column for column in table.columns if column.name in there and column.name != "id"]
    rows = connection.execute(sa.select(*found).order_by(table.c.id.desc()).limit(limit))
    return [_record(dict(row)) for row in rows.mappings()]


def _record(row: dict[str, Any]) -> RunRecord:
    row = {name: value for name, value in row.items() if value is not None}
    for name in ("started", "finished"):
        if name in row:
            row[name] = row[name].replace(tzinfo=timezone.utc)
    row["parents"] = tuple(row.get("parents", "").split(", ")) if row.get("parents") else ()
    row["user"] = row.pop("os_user", "")
    return RunRecord(**row)


def now() -> datetime:
    """Return the time in UTC, as the table has it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def _cut(value: Any) -> Any:
    """Shorten a text to what the narrower columns take, and a few more words would not tell."""
    return value[:_WIDTH] if isinstance(value, str) else value


def _has_savepoints(connection: sa.Connection) -> bool:
    """Tell whether a statement that fails would end a transaction."""
    survives = connection.dialect.name in ("mysql", "mariadb", "sqlite")
    driver = connection.connection.dbapi_connection
    return not survives and getattr(driver, "autocommit", False) is not True


def _checksum(path: str) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:  # it was there when the run began; the step does not need it any more
        return None


@cache
def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container whose user has no name
        return ""
