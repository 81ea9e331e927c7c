"""Run an env.py, any env.py: the hooks that must work whoever wrote it.

They hang on the EnvironmentContext instance and on the function it is given, never on code inside
env.py: a step of one bind calls that bind's functions, a given connection stands in for the
environment's own, options are merged below the explicit arguments of env.py.
"""

from __future__ import annotations

import functools
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ..results.running import Step, Visit
from . import sqlite
from .guards import Guard, MakeGuards, Running, Target
from .loggers import untouched_logging
from .own_tables import leaving_out_own
from .steps import StepFunction, bind_keys, dispatching, rolls_back_ddl

# The connection, the version table and its schema.
Hold = Callable[[sa.Connection, str, "str | None"], AbstractContextManager[bool]]

# The kind of an item, the item, Alembic's AutogenContext; False leaves it to the next one.
RenderItem = Callable[[str, Any, Any], "str | bool"]

# Alembic's `op` and `context` are one pair for the whole process, so runs take turns.
_process_lock = threading.RLock()


@dataclass
class Run:
    """What one run of the environment is to do, and what it saw.

    :param fn: gives the steps; takes the revisions a database is at and its MigrationContext.
    :param bind: the one bind key to run; None for all.
    :param connection: run on this connection instead of the environment's own.
    :param on_start: called for each database before its first step.
    :param on_begin: called before each step.
    :param on_step: called after each step, when the version table has it.
    :param options: further keyword arguments of EnvironmentContext, such as ``as_sql``.
    :param verb: ``upgrade``, ``downgrade`` or ``stamp``; empty for what changes no database.
    :param visits: filled in: the databases that env.py ran, one after the other.
    :param hold: takes the lock of a database, before env.py begins a transaction on it.
    :param is_done: tells from the revisions of a database that there is nothing to lock it for.
    :param guards: makes what watches over the steps of a database.
    :param defaults: gives further arguments of ``context.configure()`` for a connection, which
        the explicit ones of env.py win over, and those that win over everything.
    :param render_item: writes the items of a revision that the ``render_item`` of env.py leaves
        to Alembic.
    :param comparing: edits the arguments of ``context.configure()`` for a comparison.
    :param runs_table: the name of the history of runs, when it is not that of the version table
        and ``_runs``.
    :param attempt: how many times it was tried, from 1.
    """

    fn: StepFunction
    bind: str | None = None
    connection: sa.Connection | None = None
    on_start: Callable[[Visit], None] | None = None
    on_begin: Callable[[Step], None] | None = None
    on_step: Callable[[Step], None] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    verb: str = ""
    visits: list[Visit] = field(default_factory=list)
    hold: Hold | None = None
    is_done: Callable[[tuple[str, ...]], bool] | None = None
    guards: MakeGuards | None = None
    defaults: Callable[[sa.Connection], tuple[dict[str, Any], dict[str, Any]]] | None = None
    render_item: RenderItem | None = None
    comparing: Callable[[dict[str, Any]], None] | None = None
    runs_table: str = ""
    attempt: int = 1
    _held: ExitStack = field(default_factory=ExitStack)
    _locked: list[sa.Connection] = field(default_factory=list)
    _external: bool = False
    _watching: ExitStack = field(default_factory=ExitStack)
    _guards: list[Guard] = field(default_factory=list)
    _kept: list[Step] = field(default_factory=list)
    _visit: Visit | None = None
    _running: Running | None = None
    _clock: float = 0.0

    def begin(self, context: MigrationContext, keys: Sequence[str], heads: Sequence[str]) -> Visit:
        """Note that a database is visited, for the first time or again."""
        name = "+".join(keys)
        if self.attempt > 1:
            for visit in self.visits:
                if visit.bind == name:
                    self._visit = visit
                    return visit
        url = ""
        if isinstance(context.connection, sa.Connection):
            url = context.connection.engine.url.render_as_string(hide_password=True)
        self._visit = Visit(name, url, tuple(heads), tuple(heads))
        self.visits.append(self._visit)
        return self._visit

    def start(
        self, visit: Visit, context: MigrationContext, total: int, planned: Sequence[Running]
    ) -> None:
        """Note which steps the visit has, before the first; set the guards up."""
        visit.total = total
        if self.on_start is not None and self.attempt == 1:
            self.on_start(visit)
        self._running = None
        if self.guards is not None and (planned or self.verb == "stamp"):
            connection = context.connection
            assert isinstance(connection, sa.Connection)
            target = Target(context, connection, self.verb, self._external, visit, self.attempt)
            self._guards = list(self.guards(target))
            for guard in self._guards:
                self._watching.enter_context(guard.session(planned))
        self._clock = time.perf_counter()

    def step(self, running: Running, context: MigrationContext, stack: ExitStack) -> None:
        """Note that a step begins; the guards watch until the stack is left."""
        self._running = running
        if context.opts["transaction_per_migration"]:
            context.opts["committed"] = False
        if self.on_begin is not None:
            self.on_begin(running.as_step())
        for guard in self._guards:
            stack.enter_context(guard.step(running))

    def applied(self, *, ctx: Any, step: Any, heads: Collection[str], run_args: Any) -> None:
        """Note that the version table has a step: Alembic's ``on_version_apply``."""
        visit = self._visit
        assert visit is not None
        visit.after = tuple(sorted(heads))
        seconds = time.perf_counter() - self._clock
        if self._running is None or step.is_stamp:
            name = step.up_revision_id or ""
            done = Step(name, "", "stamp", visit.bind, seconds, len(visit.steps) + 1, visit.total)
        else:
            self._running.seconds = seconds
            for guard in self._guards:
                guard.applied(self._running)
            done = self._running.as_step()
        visit.steps.append(done)
        if ctx.opts["transaction_per_migration"] or not ctx.impl.transactional_ddl:
            self._kept.append(done)
        if self.on_step is not None:
            self.on_step(done)
        self._running = None
        self._clock = time.perf_counter()

    def hint(self, running: Running, error: Exception) -> str:
        """Say what a failed step leaves, where a guard knows it."""
        guards = sorted(self._guards, key=lambda one: not one.knows_best)
        return next((text for one in guards if (text := one.hint(running, error))), "")

    def retry(self, error: Exception) -> float | None:
        """Return after how many seconds to try again what was rolled back; None: not at all."""
        pauses = [guard.retry(self._running, error) for guard in self._guards]
        return next((pause for pause in pauses if pause is not None), None)

    def failed(self, error: BaseException) -> None:
        """Tell the guards that the run is over and has failed."""
        for guard in self._guards:
            guard.failed(self._running, error)

    def again(self) -> None:
        """Get ready to be tried once more, after what was not committed was rolled back."""
        self.attempt += 1
        self._guards, self._running = [], None
        for visit in self.visits:
            visit.steps = [one for one in visit.steps if one in self._kept]


@contextmanager
def environment(config: Config, script: ScriptDirectory, run: Run) -> Iterator[EnvironmentContext]:
    """Open Alembic's environment for one run; inside, execute env.py or what stands in for it."""
    with _process_lock, untouched_logging(), _quiet(), ExitStack() as run._held:
        run._locked = []
        context = EnvironmentContext(config, script, fn=dispatching(run.fn, run), **run.options)
        # Alembic finds these through the instance; a subclass could not stand behind its proxies.
        context.configure = _configure(context, run)  # type: ignore[method-assign]
        context.run_migrations = _run_migrations(context, run)  # type: ignore[method-assign]
        with context:
            yield context


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a warning to itself that comes with every revision which changes a primary key.

    The argument is written for MySQL, and does nothing on other databases.
    """
    with warnings.catch_warnings():
        text = "autoincrement and existing_autoincrement only make sense for MySQL"
        warnings.filterwarnings("ignore", text)
        yield


def _configure(context: EnvironmentContext, run: Run) -> Callable[..., None]:
    inner = context.configure

    @functools.wraps(inner)
    def configure(connection: sa.Connection | None = None, *args: Any, **kwargs: Any) -> None:
        if run.connection is not None:
            connection = run.connection
        theirs = kwargs.get("on_version_apply") or ()
        kwargs["on_version_apply"] = (*([theirs] if callable(theirs) else theirs), run.applied)
        if run.defaults is not None and isinstance(connection, sa.Connection):
            below, above = run.defaults(connection)
            kwargs = {**below, **kwargs, **above}
        if run.render_item is not None:
            kwargs["render_item"] = _first_of(kwargs.get("render_item"), run.render_item)
        if run.comparing is not None:
            run.comparing(kwargs)
        kwargs["include_name"] = leaving_out_own(kwargs, run.runs_table)
        real = _wants_real_transactions(run, connection)
        if isinstance(connection, sa.Connection):
            kwargs.setdefault("transactional_ddl", real or rolls_back_ddl(connection.dialect))
        inner(connection, *args, **kwargs)
        migration = context.get_context()
        _notice_commits(migration, run)
        if isinstance(connection, sa.Connection):
            run._external = run.connection is not None or connection.in_transaction()
            if run.hold is not None:
                _hold(migration, connection, run)
            if real and (run.hold is None or connection in run._locked):
                run._held.enter_context(sqlite.real_transactions(connection))

    return configure


def _first_of(theirs: RenderItem | None, ours: RenderItem) -> RenderItem:
    """Chain two ``render_item``: what the first one leaves is for the second."""
    if theirs is None:
        return ours

    def render_item(kind: str, item: Any, context: Any) -> str | bool:
        rendered = theirs(kind, item, context)
        return ours(kind, item, context) if rendered is False else rendered

    return render_item


def _wants_real_transactions(run: Run, connection: sa.Connection | None) -> bool:
    """Tell whether the run changes a SQLite database on a connection that nobody else cares for."""
    mine = bool(run.verb) and run.connection is None and isinstance(connection, sa.Connection)
    return mine and connection is not None and sqlite.is_sqlite(connection)


def _notice_commits(context: MigrationContext, run: Run) -> None:
    """Tell the guards when a revision commits what ran before it."""
    inner = context.autocommit_block

    @functools.wraps(inner)
    @contextmanager
    def autocommit_block() -> Iterator[None]:
        with ExitStack() as stack:
            running = run._running
            if running is not None:
                for guard in run._guards:
                    stack.enter_context(guard.autocommit(running))
            context.opts["committed"] = True
            if run._visit is not None:
                run._kept.extend(run._visit.steps)
            with inner():
                yield

    context.autocommit_block = autocommit_block  # type: ignore[method-assign]


def _hold(context: MigrationContext, connection: sa.Connection, run: Run) -> None:
    """Take the lock of a database, once, and not when there is nothing to do on it."""
    assert run.hold is not None
    if connection in run._locked:
        return
    if run.is_done is not None and not connection.in_transaction():
        heads = context.get_current_heads()
        connection.rollback()  # what was read before the lock is not to be read again after it
        if run.is_done(heads):
            return
    run._locked.append(connection)
    lock = run.hold(connection, context.version_table, context.version_table_schema)
    run._held.enter_context(lock)


def _run_migrations(context: EnvironmentContext, run: Run) -> Callable[..., None]:
    inner = context.run_migrations

    @functools.wraps(inner)
    def run_migrations(**kwargs: Any) -> None:
        if run.bind is None or run.bind in bind_keys(context.get_context(), kwargs):
            context.get_context().opts["run_args"] = kwargs
            with ExitStack() as run._watching:
                inner(**kwargs)

    return run_migrations
