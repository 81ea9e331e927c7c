"""The fast way in of each database, and one that writes while the next rows are being read."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import sqlalchemy as sa

from ..errors import ConfigError
from .copying import PostgreSQL
from .inserting import MySQL, SQLite
from .tables import Column, Table


class Sink(Protocol):
    """Takes the rows of one table after another.

    Rows are counted from 0 for each table.
    """

    def begin(self, table: Table, columns: Sequence[Column]) -> None:
        """Get ready for rows of a table."""

    def write(self, columns: Sequence[Sequence[Any]]) -> None:
        """Write rows, given by column.

        :raises Rejected: the database does not take one.
        """

    def end(self) -> None:
        """Finish the table.

        :raises Rejected: the database does not take one of its rows.
        """

    def abort(self) -> None:
        """Leave the table as far as it is, so that the transaction can be rolled back."""


def make_sink(connection: sa.Connection, *, merge: bool) -> Sink:
    """Return the way into a database.

    :param merge: rows whose primary key is there already are changed.
    :raises ConfigError: the driver has no such way.
    """
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return SQLite(connection, merge)
    if connection.dialect.name == "postgresql":
        if hasattr(raw.cursor(), "copy") or hasattr(raw.cursor(), "copy_expert"):
            return PostgreSQL(connection, merge)
        raise ConfigError(
            f"The driver {connection.dialect.driver} has no COPY, which is how rows are loaded.",
            "Use postgresql+psycopg://... in the URL, and:  pip install 'psycopg[binary]'",
        )
    return _Ahead(MySQL(connection, merge))


class _Ahead:
    """Another way in, that writes rows while the next ones are being read.

    A server works on its INSERT meanwhile. What is wrong with rows is raised a batch later.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._thread: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None

    def begin(self, table: Table, columns: Sequence[Column]) -> None:
        self._sink.begin(table, columns)
        self._thread = ThreadPoolExecutor(1, "migrate-load")

    def write(self, columns: Sequence[Sequence[Any]]) -> None:
        assert self._thread is not None
        self._wait()
        self._running = self._thread.submit(self._sink.write, columns)

    def end(self) -> None:
        self._wait()
        self._stop()
        self._sink.end()

    def abort(self) -> None:
        self._stop()
        self._running = None
        self._sink.abort()

    def _wait(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def _stop(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
