"""The commands that change databases: ``upgrade downgrade stamp ensure-version``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from .base import command, option, revision_argument
from .talk import alembic_lines, finished, name_of, say, started, step

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results import Sql


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
        option(
            "--lock-wait",
            type=click.FloatRange(min=0),
            metavar="SECONDS",
            help="How long to wait while another process migrates the database (default: 300; "
            "0 fails at once).",
        ),
        option("--no-lock", is_flag=True, help="Do not look whether another process migrates it."),
    ]


def _with_lock(repository: Repository, lock_wait: float | None, no_lock: bool) -> Repository:
    wait = repository.lock_wait if lock_wait is None else lock_wait
    return replace(repository, lock_wait=None if no_lock else wait, on_wait=say)


def _move(
    repository: Repository,
    verb: str,
    revision: str,
    sql: bool,
    output: str | None,
    lock_wait: float | None,
    no_lock: bool,
    **more: Any,
) -> None:
    if sql or output:
        write_sql(repository.sql(verb, revision, **more), output)
        return
    repository = _with_lock(repository, lock_wait, no_lock)
    verbose = os.environ.get("FLASK_DB_VERBOSE") == "1"
    with alembic_lines(sys.stderr, all_of_them=verbose):
        run = repository.upgrade if verb == "upgrade" else repository.downgrade
        result = run(revision, on_start=started, on_step=step, **more)
    finished(result, verb)


@command("upgrade", *_run_options(), revision_argument(default="head"), bind=True)
def upgrade(repository: Repository, **arguments: Any) -> None:
    """Bring the databases up to a revision (default: head)."""
    _move(repository, "upgrade", **arguments)


@command("downgrade", *_run_options(), revision_argument(default="-1"), bind=True)
def downgrade(repository: Repository, **arguments: Any) -> None:
    """Take the databases back to a revision (default: one step back, -1)."""
    _move(repository, "downgrade", **arguments)


@command(
    "stamp",
    *_run_options(),
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
    repository = _with_lock(repository, lock_wait, no_lock)
    for visit in repository.stamp(targets, purge=purge, **more).visits:
        before, after = (", ".join(heads) or "base" for heads in (visit.before, visit.after))
        say(f"{name_of(visit.bind, visit.url)} was at {before}, is stamped {after}.")


@command("ensure-version", bind=True)
def ensure_version(repository: Repository, bind: str | None) -> None:
    """Make the version table where it is missing."""
    for position in repository.ensure_version(bind):
        place = ", ".join(position.heads) or "base"
        say(f"{name_of(position.bind, position.url)} has a version table, at {place}.")


def write_sql(scripts: Sequence[Sql], output: str | None) -> None:
    """Print SQL, or write one file for each database."""
    for script in scripts:
        start = ", ".join(script.start) or "base"
        if not script.text:
            say(f"{script.bind}: env.py of this project wrote the SQL itself.")
            continue
        where = ", where the database is" if script.from_database else ""
        say(f"SQL for {script.bind} from {start}{where}.")
        if output is None:
            if len(scripts) > 1:
                click.echo(f"-- bind {script.bind}\n")
            click.echo(script.text, nl=not script.text.endswith("\n"))
            continue
        path = _sql_path(Path(output), script.bind, several=len(scripts) > 1)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(script.text, "utf-8")
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
        click.echo(str(path))


def _sql_path(output: Path, bind: str, *, several: bool) -> Path:
    if output.is_dir() or not output.suffix:
        return output / f"{bind}.sql"
    return output.with_name(f"{output.stem}.{bind}{output.suffix}") if several else output


COMMANDS = (upgrade, downgrade, stamp, ensure_version)
