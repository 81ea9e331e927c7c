"""Revisions that go their own way: they commit by hand, or open a connection of their own.

Alembic ends a transaction that a revision has ended already, without a word: what ran after that,
with the version row, is lost when the connection is closed. And a second connection does not see
what the run has not committed, or waits for it, while the run waits for the revision.
"""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa

from ..errors import StepError
from ..runtime.guards import Guard, Running, Target
from ..runtime.steps import what_remains
from .session import ask, at_checkin

_PATIENCE = 10  # seconds that a connection of a revision may wait for a lock
_COMMIT = re.compile(
    r"(.*;)?\s*COMMIT(\s+(WORK|TRANSACTION))?\s*;?\s*|\s*END(\s+(WORK|TRANSACTION))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_ROLLBACK = re.compile(
    r"\s*(ROLLBACK|ABORT)(\s+(WORK|TRANSACTION))?\s*;?\s*", re.IGNORECASE | re.DOTALL
)


class OwnCommits(Guard):
    """Goes on in a new transaction after a revision has committed; fails one that rolls back."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._before: sa.RootTransaction | None = None
        self._in_block = False
        self._rolled_back = False

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Notice what ends a transaction."""
        connection = self.target.connection
        listeners: list[tuple[str, Callable[..., Any]]] = [
            ("commit", self._commits),
            ("rollback", self._rolls_back),
            ("after_cursor_execute", self._executed),
        ]
        for name, listener in listeners:
            sa.event.listen(connection, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners:
                sa.event.remove(connection, name, listener)

    @contextmanager
    def step(self, running: Running) -> Iterator[None]:
        """Hand the transaction that is open after the revision to Alembic, to commit it."""
        context, connection = self.target.context, self.target.connection
        self._rolled_back = False
        self._before = connection.get_transaction()
        try:
            yield
            if self._rolled_back and not context.opts.get("in_no_transaction"):
                raise StepError(
                    f"{running.verb} of {running.revision} ({running.script.doc}) rolls back the "
                    "transaction of the run, and with it what ran before.\n"
                    f"  {running.script.path}",
                    f"Take the rollback out of it. {what_remains(running, context)}",
                    revision=running.revision,
                    path=running.script.path,
                    bind=running.key,
                )
            before, now = self._before, connection.get_transaction()
            if before is not None and now is not before and context._transaction is before:
                context._transaction = now or connection.begin()
        finally:
            self._before = None

    @contextmanager
    def autocommit(self, running: Running) -> Iterator[None]:
        """Leave aside the commits that belong to the block."""
        self._in_block = True
        try:
            yield
        finally:
            self._in_block = False
            self._before = self.target.connection.get_transaction()

    def _commits(self, connection: sa.Connection) -> None:
        if self._before is not None and not self._in_block:
            self.target.context.opts["committed"] = "its own commit"

    def _rolls_back(self, connection: sa.Connection) -> None:
        if self._before is not None and not self._in_block:
            self._rolled_back = True

    def _executed(self, connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        if _COMMIT.fullmatch(statement):
            self._commits(connection)
        elif _ROLLBACK.fullmatch(statement):
            self._rolls_back(connection)
        else:
            return
        driver: Any = connection.connection.dbapi_connection
        # There each transaction is begun by this package; the other drivers do it themselves.
        if self.target.dialect == "sqlite" and driver.isolation_level is None:
            if not driver.in_transaction and not self._in_block:
                driver.execute("BEGIN IMMEDIATE")


class OwnConnections(Guard):
    """Says what is the matter when a revision waits for the run, and ends the wait."""

    knows_best = True

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._running: Running | None = None
        self._thread = threading.get_ident()
        self._opened: list[tuple[sa.Connection, int | None]] = []
        self._failed: int | None = None
        self._limits = ExitStack()

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Notice other connections to the same database."""
        # On the class: env.py may have an engine of its own.
        sa.event.listen(sa.Engine, "begin", self._begins)
        sa.event.listen(sa.Engine, "handle_error", self._fails)
        try:
            yield
        finally:
            sa.event.remove(sa.Engine, "begin", self._begins)
            sa.event.remove(sa.Engine, "handle_error", self._fails)

    @contextmanager
    def step(self, running: Running) -> Iterator[None]:
        """Limit how long such a connection waits, while the revision runs."""
        self._running, self._opened, self._failed = running, [], None
        self.target.context.opts["once"] = False
        try:
            with self._limits:
                yield
        finally:
            self._running = None

    def hint(self, running: Running, error: Exception) -> str:
        """Say what the revision has to use instead."""
        if self._failed is None:
            return ""
        remains = what_remains(running, self.target.context)
        where = f" in line {self._failed}" if self._failed else ""
        return (
            f"It opened a connection of its own{where}, which does not see what the run has not "
            "committed yet, and waits for what the run holds. Use the one of the run:  "
            f"op.get_bind()\n{remains}"
        )

    def _begins(self, connection: sa.Connection) -> None:
        running, own = self._running, self.target.connection
        if running is None or threading.get_ident() != self._thread:
            return
        if connection.connection.dbapi_connection is own.connection.dbapi_connection:
            return
        if _place(connection) != _place(own):
            return
        frames = traceback.extract_stack()
        path = running.script.path
        line = next((one.lineno for one in reversed(frames) if one.filename == path), 0)
        self._opened.append((connection, line))
        self.target.context.opts["once"] = True  # what it commits stays, so it is not tried again
        if self.target.dialect == "postgresql":
            ask(connection, f"SELECT set_config('lock_timeout', '{_PATIENCE}s', true)")
        elif self.target.dialect == "mysql":
            self._limits.enter_context(_short_waits(connection))

    def _fails(self, context: sa.ExceptionContext) -> None:
        for connection, line in self._opened:
            if connection is context.connection:
                self._failed = line


@contextmanager
def _short_waits(connection: sa.Connection) -> Iterator[None]:
    names = ("lock_wait_timeout", "innodb_lock_wait_timeout")
    before = {name: ask(connection, f"SELECT @@SESSION.{name}") for name in names}
    back = [f"SET SESSION {name} = {value}" for name, value in before.items()]
    with at_checkin(connection, *back):
        for name in names:
            ask(connection, f"SET SESSION {name} = {_PATIENCE}")
        yield
        if not connection.closed:
            for statement in back:
                ask(connection, statement)


def _place(connection: sa.Connection) -> tuple[Any, ...]:
    url = connection.engine.url
    return connection.dialect.name, url.host, url.port, url.database
