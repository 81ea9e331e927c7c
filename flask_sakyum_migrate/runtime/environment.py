"""Run an env.py, any env.py: the hooks that must work whoever wrote it.

They hang on the EnvironmentContext instance and on the function it is given, never on code inside
env.py: a step of one bind calls that bind's functions, a given connection stands in for the
environment's own, options are merged below the explicit arguments of env.py.
"""

from __future__ import annotations

import functools
import inspect
import logging
import logging.config
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory

from ..binds import DEFAULT, Bind
from ..errors import MigrateError, StepError
from ..results import Step, Visit

StepFunction = Callable[[tuple[str, ...], MigrationContext], Iterable[MigrationStep]]

# The connection, the version table and its schema.
Hold = Callable[[sa.Connection, str, "str | None"], AbstractContextManager[bool]]

# Alembic's `op` and `context` are one pair for the whole process, so runs take turns.
_process_lock = threading.RLock()


@dataclass
class Run:
    """What one run of the environment is to do, and what it saw.

    :param fn: gives the steps; takes the revisions a database is at and its MigrationContext.
    :param bind: the one bind key to run; None for all.
    :param connection: run on this connection instead of the environment's own.
    :param on_start: called for each database before its first step.
    :param on_step: called after each step, when the version table has it.
    :param options: further keyword arguments of EnvironmentContext, such as ``as_sql``.
    :param visits: filled in: the databases that env.py ran, one after the other.
    :param hold: takes the lock of a database, before env.py begins a transaction on it.
    :param is_done: tells from the revisions of a database that there is nothing to lock it for.
    :param held: filled in: the locks, freed when env.py has committed.
    """

    fn: StepFunction
    bind: str | None = None
    connection: sa.Connection | None = None
    on_start: Callable[[Visit], None] | None = None
    on_step: Callable[[Step], None] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    visits: list[Visit] = field(default_factory=list)
    hold: Hold | None = None
    is_done: Callable[[tuple[str, ...]], bool] | None = None
    held: ExitStack = field(default_factory=ExitStack)
    locked: list[sa.Connection] = field(default_factory=list)
    clock: float = 0.0

    def begin(self, context: MigrationContext, keys: Sequence[str], heads: Sequence[str]) -> Visit:
        """Note that a database is visited."""
        url = ""
        if isinstance(context.connection, sa.Connection):
            url = context.connection.engine.url.render_as_string(hide_password=True)
        visit = Visit("+".join(keys), url, tuple(heads), tuple(heads))
        self.visits.append(visit)
        return visit

    def start(self, visit: Visit, total: int) -> None:
        """Note how many steps the visit has, before the first."""
        visit.total = total
        if self.on_start is not None:
            self.on_start(visit)
        self.clock = time.perf_counter()

    def applied(self, *, ctx: Any, step: Any, heads: Collection[str], run_args: Any) -> None:
        """Note that the version table has a step: Alembic's ``on_version_apply``."""
        visit = self.visits[-1]
        visit.after = tuple(sorted(heads))
        now = time.perf_counter()
        direction = "upgrade" if step.is_upgrade else "downgrade"
        done = Step(
            step.up_revision_id or "",
            "" if step.is_stamp or step.up_revision is None else step.up_revision.doc,
            "stamp" if step.is_stamp else direction,
            visit.bind,
            now - self.clock,
            len(visit.steps) + 1,
            visit.total,
        )
        visit.steps.append(done)
        if self.on_step is not None:
            self.on_step(done)
        self.clock = time.perf_counter()


@contextmanager
def environment(config: Config, script: ScriptDirectory, run: Run) -> Iterator[EnvironmentContext]:
    """Open Alembic's environment for one run; inside, execute env.py or what stands in for it."""
    with _process_lock, untouched_logging(), run.held:
        context = EnvironmentContext(config, script, fn=dispatching(run.fn, run), **run.options)
        # Alembic finds these through the instance; a subclass could not stand behind its proxies.
        context.configure = _configure(context, run)  # type: ignore[method-assign]
        context.run_migrations = _run_migrations(context, run)  # type: ignore[method-assign]
        with context:
            yield context


def _configure(context: EnvironmentContext, run: Run) -> Callable[..., None]:
    inner = context.configure

    @functools.wraps(inner)
    def configure(connection: sa.Connection | None = None, *args: Any, **kwargs: Any) -> None:
        if run.connection is not None:
            connection = run.connection
        theirs = kwargs.get("on_version_apply") or ()
        kwargs["on_version_apply"] = (*([theirs] if callable(theirs) else theirs), run.applied)
        inner(connection, *args, **kwargs)
        _notice_commits(context.get_context())
        if run.hold is not None and isinstance(connection, sa.Connection):
            _hold(context.get_context(), connection, run)

    return configure


def _notice_commits(context: MigrationContext) -> None:
    """Note when a revision commits what ran before it, to tell it if the run fails later."""
    inner = context.autocommit_block

    @functools.wraps(inner)
    def autocommit_block() -> Any:
        context.opts["committed"] = True
        return inner()

    context.autocommit_block = autocommit_block  # type: ignore[method-assign]


def _hold(context: MigrationContext, connection: sa.Connection, run: Run) -> None:
    """Take the lock of a database, once, and not when there is nothing to do on it."""
    assert run.hold is not None
    if connection in run.locked:
        return
    if run.is_done is not None and not connection.in_transaction():
        heads = context.get_current_heads()
        connection.rollback()  # what was read before the lock is not to be read again after it
        if run.is_done(heads):
            return
    run.locked.append(connection)
    lock = run.hold(connection, context.version_table, context.version_table_schema)
    run.held.enter_context(lock)


def _run_migrations(context: EnvironmentContext, run: Run) -> Callable[..., None]:
    inner = context.run_migrations

    @functools.wraps(inner)
    def run_migrations(**kwargs: Any) -> None:
        if run.bind is None or run.bind in _keys(context.get_context(), kwargs):
            context.get_context().opts["run_args"] = kwargs
            inner(**kwargs)

    return run_migrations


def _keys(context: MigrationContext, kwargs: dict[str, Any]) -> tuple[str, ...]:
    """Return the bind keys a call of run_migrations is for."""
    keys = context.opts.get("bind_keys")
    if keys:
        return tuple(keys)
    return (kwargs.get("engine_name") or DEFAULT,)


# ---- steps -----------------------------------------------------------------------------------


def dispatching(fn: StepFunction, run: Run | None = None) -> StepFunction:
    """Make the steps of ``fn`` call the functions of the bind they run on.

    A revision's ``upgrade()`` is for the default bind and ``upgrade_<bind>()`` for another; one
    that takes ``engine_name``, as Flask-Migrate's and Alembic's multi-database templates write
    it, is called with the name those templates use.
    """

    @functools.wraps(fn)
    def steps(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        keys = _keys(context, context.opts.get("run_args", {}))
        visit = run.begin(context, keys, heads) if run is not None else None
        planned = list(fn(heads, context))
        stamped = not planned and "destination_rev" in context.opts and not context.as_sql
        if visit is not None and stamped:
            visit.after = context.get_current_heads()  # a stamp is done without steps
        for step in planned:
            if isinstance(step, RevisionStep):
                step.migration_fn = _migration(step, context)
        if run is not None and visit is not None:
            run.start(visit, len(planned))
        return planned

    steps.dispatches = True  # type: ignore[attr-defined]
    return steps


def _migration(step: RevisionStep, context: MigrationContext) -> Callable[..., None]:
    verb = "upgrade" if step.is_upgrade else "downgrade"
    script: Any = step.revision

    @functools.wraps(step.migration_fn)
    def migration(**kwargs: Any) -> None:
        for key in _keys(context, kwargs):
            try:
                call_functions(script.module, verb, key, kwargs)
            except Exception as error:
                raise step_error(script, verb, key, context, error) from error

    return migration


def call_functions(module: Any, verb: str, key: str, kwargs: dict[str, Any]) -> None:
    """Call what a revision module has for a bind: ``verb()``, ``verb_<bind>()`` or nothing.

    :param verb: ``upgrade`` or ``downgrade``.
    :param key: the bind key.
    :param kwargs: what env.py gave to ``context.run_migrations()``.
    """
    main = getattr(module, verb)
    own = kwargs | {"engine_name": "" if key == DEFAULT else key}
    if _takes_engine_name(main):
        named = f"{verb}_{own['engine_name']}"
        split = any(name.startswith(f"{verb}_") for name in vars(module))
        if not split or hasattr(module, named):
            main(**own)
        return  # written before this bind was added: nothing to do on it
    own.pop("engine_name")
    if key == DEFAULT:
        main(**own)
    else:
        suffix = Bind(key, None).suffix  # type: ignore[arg-type]
        function = getattr(module, verb + suffix, None)
        if function is not None:
            function(**own)


def _takes_engine_name(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters
    return "engine_name" in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def step_error(
    script: Script, verb: str, key: str, context: MigrationContext, error: Exception
) -> MigrateError:
    """Say which revision failed, where, on what statement, and what became of the database."""
    if isinstance(error, StepError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == script.path), None)
    where = f"{script.path}, line {line}" if line else script.path
    statement = " ".join(str(getattr(error, "statement", None) or "").split())
    reason = getattr(error, "orig", None) or error
    text = f"{type(reason).__name__}: {' '.join(str(reason).split())}"
    bind = "" if key == DEFAULT else f" on bind {key}"
    lines = [f"{verb} of {script.revision} ({script.doc}){bind} failed: {text}", f"  {where}"]
    if statement:
        lines.append(f"  {statement}")
    if context.as_sql:
        hint = "It reads from the database, so its SQL cannot be written without one (--sql)."
    elif not context.impl.transactional_ddl:
        hint = (
            f"{context.dialect.name} cannot roll back changes of tables: what ran before this "
            "statement stays. Compare the tables with the revision before you run it again."
        )
    elif context.opts.get("committed"):
        hint = "What ran before autocommit_block() is committed; what came after was rolled back."
    elif context.opts.get("transaction_per_migration"):
        hint = "This revision was rolled back; the ones before it are applied."
    else:
        hint = "The whole run was rolled back."
    return StepError(
        "\n".join(lines), hint, revision=script.revision, path=script.path, line=line, bind=key
    )


# ---- logging ---------------------------------------------------------------------------------


@contextmanager
def untouched_logging() -> Iterator[None]:
    """Keep the application's logging as it is, whatever env.py does to it.

    ``fileConfig()``, which the env.py files of every tutorial call, disables the loggers that
    exist, and closes and replaces the handlers of the root logger. In this thread it does
    nothing meanwhile; levels, handlers and flags that change another way are put back.
    """
    before = {name: _state(logger) for name, logger in _loggers()}
    original = logging.config.fileConfig
    thread = threading.get_ident()

    @functools.wraps(original)
    def file_config(*args: Any, **kwargs: Any) -> Any:
        return None if threading.get_ident() == thread else original(*args, **kwargs)

    logging.config.fileConfig = file_config
    try:
        yield
    finally:
        logging.config.fileConfig = original
        for name, logger in _loggers():
            if name in before and _state(logger) != before[name]:
                logger.disabled, level, logger.propagate, handlers = before[name]
                logger.setLevel(level)
                logger.handlers[:] = handlers


def _loggers() -> list[tuple[str, logging.Logger]]:
    named = logging.root.manager.loggerDict.copy()
    known = [(name, one) for name, one in named.items() if isinstance(one, logging.Logger)]
    return [("", logging.root), *known]


def _state(logger: logging.Logger) -> tuple[bool, int, bool, Sequence[logging.Handler]]:
    return logger.disabled, logger.level, logger.propagate, tuple(logger.handlers)
