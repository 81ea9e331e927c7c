"""The commands that change databases: ``upgrade downgrade stamp ensure-version``."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from ..policy import TRANSACTIONS
from .asking import ask_on_terminal
from .base import command, duration, option, revision_argument
from .foretell import check_options, check_pending, plan_options, show_plan
from .talk import alembic_lines, begun, finished, is_verbose, name_of, say, started, step, write_sql

if TYPE_CHECKING:
    from ..repository import Repository


def _run_options() -> list[click.Option]:
    return [
        option("--sql", is_flag=True, help="Write the SQL instead of running it."),
        option(
            "-o",
            "--output",
            type=click.Path(),
            help="With --sql: the file; a folder, or one file per bind, with several databases.",
        ),
        option("--tag", help="An argument for a custom env.py."),
    ]


def _lock_options() -> list[click.Option]:
    return [
        option(
            "--lock-wait",
            type=click.FloatRange(min=0),
            metavar="SECONDS",
            help="How long to wait while another process migrates the database (default: 300; "
            "0 fails at once).",
        ),
        option("--no-lock", is_flag=True, help="Do not look whether another process migrates it."),
    ]


def _step_options() -> list[click.Option]:
    return [
        option(
            "--transaction",
            type=click.Choice(TRANSACTIONS),
            help="Commit after each revision, after all of them, or each statement by itself.",
        ),
        option(
            "--lock-timeout",
            callback=duration,
            metavar="TIME",
            help="How long a statement waits for a lock of the application before the revision "
            "is tried again: 5, 400ms.",
        ),
        option(
            "--backup/--no-backup",
            default=None,
            callback=lambda ctx, param, value: {True: math.inf, False: 0.0}.get(value),
            help="Copy a SQLite file before something in it is lost, whatever its size; or never "
            "(default: up to 200 MB).",
        ),
    ]


_MOVE_OPTIONS = (*_run_options(), *_lock_options(), *_step_options())
_POLICY = {"lock_wait", "no_lock", "transaction", "lock_timeout", "backup"}


def _split(arguments: dict[str, Any]) -> dict[str, Any]:
    """Keep what says how to run apart from what says what to run."""
    policy = {name: arguments.pop(name) for name in _POLICY & arguments.keys()}
    return {"policy": policy, **arguments}


def _with_policy(
    repository: Repository, lock_wait: float | None, no_lock: bool, **given: Any
) -> Repository:
    """Return the repository with what was typed in place of what is configured."""
    typed = {name: value for name, value in given.items() if value is not None}
    wait = repository.policy.lock_wait if lock_wait is None else lock_wait
    policy = replace(repository.policy, lock_wait=None if no_lock else wait, **typed)
    return replace(repository, policy=policy)


def _move(
    repository: Repository,
    verb: str,
    revision: str,
    sql: bool,
    output: str | None,
    policy: dict[str, Any],
    plan: bool,
    as_json: bool,
    **more: Any,
) -> None:
    if as_json and not plan:
        raise click.UsageError("--json goes with --plan.")
    if plan:
        show_plan(repository.plan(verb, revision, bind=more["bind"]), as_json=as_json)
        return
    if sql or output:
        write_sql(repository.sql(verb, revision, **more), output)
        return
    repository = _with_policy(repository, **policy)
    with alembic_lines(sys.stderr, all_of_them=is_verbose()):
        run = repository.upgrade if verb == "upgrade" else repository.downgrade
        result = run(revision, on_start=started, on_begin=begun, on_step=step, **more)
    finished(result, verb)


@command(
    "upgrade",
    *_MOVE_OPTIONS,
    *plan_options("upgrade"),
    *check_options(),
    revision_argument(default="head"),
    bind=True,
)
def upgrade(repository: Repository, check: bool, exit_code: bool, **arguments: Any) -> None:
    """Bring the databases up to a revision (default: head)."""
    if check:
        check_pending(repository, arguments["revision"], arguments["bind"], exit_code=exit_code)
        return
    _move(repository, "upgrade", **_split(arguments))


@command(
    "downgrade",
    *_MOVE_OPTIONS,
    *plan_options("downgrade"),
    option("--yes", is_flag=True, help="Do not ask for the name of a protected database."),
    revision_argument(default="-1"),
    bind=True,
)
def downgrade(repository: Repository, yes: bool, **arguments: Any) -> None:
    """Take the databases back to a revision (default: one step back, -1)."""
    repository = replace(repository, confirm=(lambda _: True) if yes else ask_on_terminal)
    _move(repository, "downgrade", **_split(arguments))


@command(
    "stamp",
    *_run_options(),
    *_lock_options(),
    option("--purge", is_flag=True, help="Empty the version table first, whatever it has."),
    revision_argument("revisions", nargs=-1),
    bind=True,
)
def stamp(
    repository: Repository,
    revisions: Sequence[str],
    sql: bool,
    output: str | None,
    purge: bool,
    lock_wait: float | None,
    no_lock: bool,
    **more: Any,
) -> None:
    """Set the version of the databases, without running anything (default: head)."""
    targets = tuple(revisions) or ("head",)
    if sql or output:
        if purge:
            raise ConfigError("--purge reads the database, so it does not go with --sql.")
        write_sql(repository.sql("stamp", targets, **more), output)
        return
    repository = _with_policy(repository, lock_wait, no_lock)
    for visit in repository.stamp(targets, purge=purge, **more).visits:
        before, after = (", ".join(heads) or "base" for heads in (visit.before, visit.after))
        say(f"{name_of(visit.bind, visit.url)} was at {before}, is stamped {after}.")


@command("ensure-version", bind=True)
def ensure_version(repository: Repository, bind: str | None) -> None:
    """Make the version table where it is missing."""
    for position in repository.ensure_version(bind):
        place = ", ".join(position.heads) or "base"
        say(f"{name_of(position.bind, position.url)} has a version table, at {place}.")


COMMANDS = (upgrade, downgrade, stamp, ensure_version)
