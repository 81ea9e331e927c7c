"""What ``run()`` does inside the generated env.py: every database, in one go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TextIO

import sqlalchemy as sa
from alembic import context
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext

from ..binds import DEFAULT, Bind, Database, unreachable
from . import sqlite
from .own_tables import leaving_out_own
from .steps import dispatching, rolls_back_ddl


@dataclass(frozen=True)
class Settings:
    """What to run on, and how.

    :param databases: in the order they are run.
    :param options: keyword arguments of ``context.configure()``, as given to ``Migrate``.
    :param multidb: the folder's script.py.mako is that of ``--multidb``, with other tokens.
    :param target_metadata: what env.py names for the default bind; None: the application's.
    :param connection: run on this connection instead of a new one.
    :param start_at: for ``--sql``: the revisions each database is at, by its name.
    :param output: for ``--sql``: opens where the SQL of a database goes.
    :param runs_table: the name of the history of runs, when it is not that of the version table
        and ``_runs``.
    :param fixed: what env.py names as ``target_metadata`` does not count.
    """

    databases: Sequence[Database]
    options: Mapping[str, Any] = field(default_factory=dict)
    multidb: bool = False
    target_metadata: Any = None
    connection: sa.Connection | None = None
    start_at: Mapping[str, tuple[str, ...]] | None = None
    output: Callable[[Database], TextIO] | None = None
    runs_table: str = ""
    fixed: bool = False


def run(settings: Settings) -> None:
    """Run the current Alembic command on every database.

    All transactions are open until the last database is done, so that a failure on a later one
    rolls the earlier ones back, where the database can roll back what was done.
    """
    if context.is_offline_mode():
        for database in settings.databases:
            _offline(database, settings)
        return
    with ExitStack() as stack:
        checks = [
            check
            for database in settings.databases
            if (check := _online(database, settings, stack))
        ]
        for check in checks:
            check()


def _online(database: Database, settings: Settings, stack: ExitStack) -> Callable[[], None] | None:
    """Run on one database; return what to check before the commit."""
    if settings.connection is not None:
        connection = settings.connection
    else:
        try:
            connection = stack.enter_context(database.engine.connect())
        except sa.exc.DBAPIError as error:
            raise unreachable(database.engine, error) from error
    check = None
    for number, bind in enumerate(database.binds):
        _configure(database, bind, settings, connection=connection)
        opts = _context().opts
        if number == 0 and _mutates(opts):
            check = _begin(connection, settings, stack)
        elif number and not _compares(opts):
            break  # binds that share a database take the steps together
        context.run_migrations(engine_name="" if bind.key == DEFAULT else bind.key)
    return check


def _begin(
    connection: sa.Connection, settings: Settings, stack: ExitStack
) -> Callable[[], None] | None:
    check = None
    if settings.connection is None and sqlite.is_sqlite(connection):
        check = stack.enter_context(sqlite.real_transactions(connection))
    stack.enter_context(context.begin_transaction())
    return check


def _offline(database: Database, settings: Settings) -> None:
    bind = database.binds[0]
    more: dict[str, Any] = {}
    if settings.output is not None:
        more["output_buffer"] = settings.output(database)
    if settings.start_at is not None:
        more["starting_rev"] = settings.start_at.get(database.name)
    _configure(
        database,
        bind,
        settings,
        url=database.engine.url,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        **more,
    )
    with context.begin_transaction():
        context.run_migrations(engine_name="" if bind.key == DEFAULT else bind.key)


def _configure(database: Database, bind: Bind, settings: Settings, **more: Any) -> None:
    options = dict(settings.options)
    others = [other for other in database.binds if other.key != bind.key]
    if others:
        options["include_name"] = _leaving_out(others, options.get("include_name"))
    options["process_revision_directives"] = _dropping_empty(
        options.get("process_revision_directives"), last=bind is settings.databases[-1].binds[-1]
    )
    real = database.engine.dialect.name == "sqlite" and settings.connection is None
    options.setdefault("transactional_ddl", real or rolls_back_ddl(database.engine.dialect))
    tokens = _tokens(bind, settings)
    arguments: dict[str, Any] = {
        "target_metadata": _target_metadata(bind, settings),
        "upgrade_token": f"{tokens}upgrades",
        "downgrade_token": f"{tokens}downgrades",
        "bind_keys": database.keys,
    }
    arguments |= options | more
    arguments["include_name"] = leaving_out_own(arguments, settings.runs_table)
    context.configure(**arguments)
    environment = _context().environment_context
    assert environment is not None
    fn = environment.context_opts.get("fn")
    if fn is not None and not hasattr(fn, "dispatches"):  # under the plain alembic command
        environment.context_opts["fn"] = dispatching(fn)
        context.configure(**arguments)


def _tokens(bind: Bind, settings: Settings) -> str:
    if settings.multidb:
        return "_" if bind.key == DEFAULT else f"{bind.key}_"
    return f"{bind.suffix[1:]}_" if bind.suffix else ""


def _target_metadata(bind: Bind, settings: Settings) -> Any:
    named = settings.target_metadata is not None and not settings.fixed
    if bind.key == DEFAULT and named:
        return settings.target_metadata
    return bind.metadata[0] if len(bind.metadata) == 1 else list(bind.metadata)


def _context() -> MigrationContext:
    return context.get_context()


def _compares(opts: Mapping[str, Any]) -> bool:
    return "revision_context" in opts


def _mutates(opts: Mapping[str, Any]) -> bool:
    return not _compares(opts) and not opts.get("dont_mutate")


def _leaving_out(others: Sequence[Bind], inner: Any) -> Callable[..., bool]:
    """Leave out the tables of the other binds that live in the same database."""
    theirs = frozenset[str]().union(*(bind.table_names for bind in others))

    def include_name(name: str | None, type_: str, parents: Any) -> bool:
        if type_ == "table" and parents.get("schema_qualified_table_name", name) in theirs:
            return False
        return inner is None or bool(inner(name, type_, parents))

    return include_name


def _dropping_empty(inner: Any, *, last: bool) -> Callable[..., None]:
    """Chain the application's own hook; after the last bind, drop a revision without changes."""

    def process_revision_directives(
        migration_context: MigrationContext, revision: Any, directives: list[MigrationScript]
    ) -> None:
        if inner is not None:
            inner(migration_context, revision, directives)
        asked = getattr(context.config.cmd_opts, "autogenerate", False)
        if last and asked:
            directives[:] = [one for one in directives if not is_empty(one)]

    return process_revision_directives


def is_empty(script: MigrationScript) -> bool:
    """Tell whether a revision would have nothing to do on any bind."""
    return all(ops.is_empty() for ops in script.upgrade_ops_list)
