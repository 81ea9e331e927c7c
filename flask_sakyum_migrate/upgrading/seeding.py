"""Filling a new database, once: the functions of the application, and who is to call them.

That a database was new is a row in the history of runs, written before anything is in it. So a
process that is killed between the upgrade and the last function leaves the rest to the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from ..hooks import Hook, hook_error
from ..policy import Policy
from ..results.operation import Seeded
from ..results.running import UpgradeResult
from ..runtime.own_tables import own_tables
from .lock import Lock
from .runs import History, now, runs_table

OnSeed = Callable[[Seeded], None]


class Seeding:
    """The seed functions of an application, and what its first database knows about them.

    :param functions: in the order they are called.
    :param session: committed after each of them; None: they do that themselves.
    :param engine: of the first database, whose history of runs says what was done.
    :param bind: its bind keys, as the history has them.
    :param version_table: its version table, and its ``schema``.
    """

    def __init__(
        self,
        functions: Sequence[Hook],
        session: Any,
        engine: sa.Engine,
        bind: str,
        version_table: str,
        schema: str | None,
        policy: Policy,
        on_seed: OnSeed | None = None,
    ) -> None:
        self._functions = functions
        self._session = session
        self._engine = engine
        self._bind = bind
        self._version_table = version_table
        self._schema = schema
        self._policy = policy
        self._on_seed = on_seed
        self._table = runs_table(policy, version_table, schema)
        self._history = History(self._table, policy)
        self._history.is_off = policy.runs_table is None
        self._was_new = False

    # ---- when the database is new ------------------------------------------------------------

    def look(self) -> None:
        """Note in the database that it is new, before the upgrade puts something into it."""
        if not self._is_new():
            return
        with self._alone():
            self._was_new = self._is_new()
            if not self._was_new or self._history.is_off:
                return
            with self._engine.begin() as connection:
                self._history.prepare(connection)
                if not self._history.is_off and self._pending(connection) is None:
                    self._write(connection, message="a new database", outcome="pending")

    def finish(self, upgrade: UpgradeResult) -> list[Seeded]:
        """Call the functions that a new database still needs, unless another process does.

        :param upgrade: what this process has just done; without a history of runs, the one that
            brought the database from nothing calls them.
        """
        if self._history.is_off:
            visits = [visit for visit in upgrade.visits if visit.bind == self._bind]
            mine = self._was_new and any(visit.steps and not visit.before for visit in visits)
            return self.call(self._functions) if mine else []
        if self._read_pending() is None:
            return []
        with self._alone():
            pending = self._read_pending()
            if pending is None:
                return []
            started = time.perf_counter()
            done = self._done_since(pending)
            found = self.call([one for one in self._functions if full_name(one) not in done])
            values = {
                "outcome": "done",
                "finished": now(),
                "seconds": time.perf_counter() - started,
            }
            with self._engine.begin() as connection:
                row = sa.update(self._table).where(self._table.c.id == pending)
                connection.execute(row.values(values))
            return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from doing the same; their upgrades go on."""
        if self._policy.lock_wait is None:
            yield
            return
        lock = Lock(self._policy.lock_wait, self._policy.say, "prepared")
        with ExitStack() as stack:
            connection = stack.enter_context(self._engine.connect())
            stack.enter_context(lock.hold(connection, f"{self._version_table}:seed", self._schema))
            # First, so that the lock can give it back to its pool as it came.
            stack.callback(connection.close)
            yield

    def _is_new(self) -> bool:
        with self._engine.connect() as connection:
            inspector = sa.inspect(connection)
            tables = set(inspector.get_table_names())
            if self._schema is not None and inspector.has_schema(self._schema):
                tables.update(inspector.get_table_names(schema=self._schema))
        return tables <= own_tables(self._version_table, self._table.name)

    def _read_pending(self) -> int | None:
        with self._engine.connect() as connection:
            if not sa.inspect(connection).has_table(self._table.name, schema=self._schema):
                return None
            return self._pending(connection)

    def _pending(self, connection: sa.Connection) -> int | None:
        columns = self._table.c
        found: int | None = connection.execute(
            sa.select(columns.id).where(columns.direction == "seed", columns.outcome == "pending")
        ).scalar()
        return found

    def _done_since(self, pending: int) -> set[str]:
        columns = self._table.c
        wanted = sa.select(columns.message).where(
            columns.direction == "seed", columns.outcome == "done", columns.id > pending
        )
        with self._engine.connect() as connection:
            return set(connection.execute(wanted).scalars())

    # ---- calling them ------------------------------------------------------------------------

    def call(self, functions: Sequence[Hook]) -> list[Seeded]:
        """Call functions, one after the other; each is committed before the next.

        :raises HookError: one failed; it is rolled back, and the earlier ones stay.
        """
        found: list[Seeded] = []
        for function in functions:
            started, clock = now(), time.perf_counter()
            try:
                function()
                if self._session is not None:
                    self._session.commit()
            except BaseException as error:
                if self._session is not None:
                    self._session.rollback()
                words = str(error).splitlines() or [type(error).__name__]
                with suppress(sa.exc.SQLAlchemyError):  # the person has to see the other error
                    self._note(function, started, outcome="failed", error=words[0])
                if not isinstance(error, Exception):
                    raise
                raise hook_error("seed", function, error, _left(found)) from error
            self._note(function, started, outcome="done")
            found.append(Seeded(full_name(function), time.perf_counter() - clock))
            if self._on_seed is not None:
                self._on_seed(found[-1])
        return found

    def _note(self, function: Hook, started: Any, **more: Any) -> None:
        if self._history.is_off:
            return
        seconds = (now() - started).total_seconds()
        with self._engine.begin() as connection:
            self._history.prepare(connection)
            self._write(
                connection,
                message=full_name(function),
                started=started,
                finished=now(),
                seconds=seconds,
                **more,
            )

    def _write(self, connection: sa.Connection, **row: Any) -> None:
        first = {"revision": "", "direction": "seed", "bind": self._bind, "started": now()}
        self._history.write(connection, **{**first, **row})


def full_name(function: Hook) -> str:
    """Return the name of a function with that of its module."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '')}.{name}"


def _left(done: Sequence[Seeded]) -> str:
    names = ", ".join(one.name for one in done)
    return "It was rolled back." + (f" What ran before it stays: {names}." if names else "")
