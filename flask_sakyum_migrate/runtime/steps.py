"""Run the functions of a revision: those of the bind, watched by the guards of the database."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep

from ..binds import DEFAULT, Bind
from ..errors import MigrateError, StepError
from .guards import Running

if TYPE_CHECKING:
    from .environment import Run

StepFunction = Callable[[tuple[str, ...], MigrationContext], Iterable[MigrationStep]]


def bind_keys(context: MigrationContext, kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the bind keys a call of run_migrations is for."""
    keys = context.opts.get("bind_keys")
    if keys:
        return tuple(keys)
    return (kwargs.get("engine_name") or DEFAULT,)


def rolls_back_ddl(dialect: sa.Dialect) -> bool:
    """Tell what Alembic takes for ``transactional_ddl`` where nobody says anything.

    It is said for each database: Alembic keeps what it was told for the one before.
    """
    return DefaultImpl.get_by_dialect(dialect).transactional_ddl


def dispatching(fn: StepFunction, run: Run | None = None) -> StepFunction:
    """Make the steps of ``fn`` call the functions of the bind they run on.

    A revision's ``upgrade()`` is for the default bind and ``upgrade_<bind>()`` for another; one
    that takes ``engine_name``, as Flask-Migrate's and Alembic's multi-database templates write
    it, is called with the name those templates use.
    """

    @functools.wraps(fn)
    def steps(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        keys = bind_keys(context, context.opts.get("run_args", {}))
        visit = run.begin(context, keys, heads) if run is not None else None
        planned = list(fn(heads, context))
        stamped = not planned and "destination_rev" in context.opts and not context.as_sql
        if visit is not None and stamped:
            visit.after = context.get_current_heads()  # a stamp is done without steps
        done = len(visit.steps) if visit is not None else 0
        found = []
        for number, step in enumerate(planned, done + 1):
            if isinstance(step, RevisionStep):
                script: Any = step.revision
                verb = "upgrade" if step.is_upgrade else "downgrade"
                total = done + len(planned)
                found.append(Running(script, verb, number, total, "+".join(keys), keys[0]))
                step.migration_fn = _migration(step, found[-1], context, run)
        if run is not None and visit is not None:
            run.start(visit, context, done + len(planned), found)
        return planned

    steps.dispatches = True  # type: ignore[attr-defined]
    return steps


def _migration(
    step: RevisionStep, running: Running, context: MigrationContext, run: Run | None
) -> Callable[..., None]:
    @functools.wraps(step.migration_fn)
    def migration(**kwargs: Any) -> None:
        with ExitStack() as stack:
            if run is not None:
                run.step(running, context, stack)
            for key in bind_keys(context, kwargs):
                running.key = key
                try:
                    call_functions(running.script.module, running.verb, key, kwargs)
                except Exception as error:
                    hint = run.hint(running, error) if run is not None else ""
                    raise step_error(running, context, error, hint) from error

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
    running: Running, context: MigrationContext, error: Exception, hint: str = ""
) -> MigrateError:
    """Say which revision failed, where, on what statement, and what became of the database.

    :param hint: what a guard knows about what it leaves.
    """
    if isinstance(error, StepError):
        return error
    script, key = running.script, running.key
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == script.path), None)
    where = f"{script.path}, line {line}" if line else script.path
    statement = " ".join(str(getattr(error, "statement", None) or "").split())
    reason = getattr(error, "orig", None) or error
    text = f"{type(reason).__name__}: {' '.join(str(reason).split())}"
    bind = "" if key == DEFAULT else f" on bind {key}"
    lines = [f"{running.verb} of {script.revision} ({script.doc}){bind} failed: {text}"]
    lines.append(f"  {where}")
    if statement:
        lines.append(f"  {statement}")
    return StepError(
        "\n".join(lines),
        hint or what_remains(running, context),
        revision=script.revision,
        path=script.path,
        line=line,
        bind=key,
    )


def what_remains(running: Running, context: MigrationContext) -> str:
    """Say what a failed step leaves."""
    if context.as_sql:
        return "It reads from the database, so its SQL cannot be written without one (--sql)."
    if not context.impl.transactional_ddl:
        return (
            f"{context.dialect.name} cannot roll back changes of tables: what ran before this "
            "statement stays. Compare the tables with the revision before you run it again."
        )
    if context.opts.get("in_no_transaction"):
        return "Nothing is rolled back without transactions: what ran before this statement stays."
    committed = context.opts.get("committed")
    if committed:
        end = committed if isinstance(committed, str) else "autocommit_block()"
        return f"What ran before {end} is committed; what came after was rolled back."
    if context.opts.get("transaction_per_migration"):
        if running.number == 1:
            return "It was rolled back; the database is as it was."
        return "This revision was rolled back; the ones before it are applied."
    return "The whole run was rolled back."
