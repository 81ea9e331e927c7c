"""Flask-Migrate's module functions, for programs that call them.

They print what Flask-Migrate's print, and end the program on an error, as those do. New code calls
``migrate.repository``, which returns data and raises.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click
from alembic import __version__, command
from alembic.util import CommandError

from .cli import report
from .cli.base import open_repository
from .cli.talk import alembic_lines, write_sql
from .errors import HistoryError, MigrateError
from .runtime.config import Config

if TYPE_CHECKING:
    from .repository import Repository
    from .results.comparing import NewRevision

__all__ = [
    "Config",
    "alembic_version",
    "branches",
    "check",
    "command",
    "current",
    "downgrade",
    "edit",
    "heads",
    "history",
    "init",
    "list_templates",
    "merge",
    "migrate",
    "revision",
    "show",
    "stamp",
    "upgrade",
]

alembic_version = tuple(int(part) for part in __version__.split(".")[:3])
"""The version of Alembic, as Flask-Migrate's module has it."""

F = TypeVar("F", bound=Callable[..., Any])
_log = logging.getLogger("flask_migrate")


def _ends_the_program(function: F) -> F:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (CommandError, RuntimeError, MigrateError) as error:
            _log.error("Error: %s", error)
            sys.exit(1)

    return wrapped  # type: ignore[return-value]


def _repository(directory: Any = None, x_arg: str | Sequence[str] | None = None) -> Repository:
    found = open_repository(None if directory is None else str(directory))
    more = (x_arg,) if isinstance(x_arg, str) else tuple(x_arg or ())
    # Flask-Migrate's commands pass on what `g.x_arg` has already.
    return found if more == found.x_arg else replace(found, x_arg=(*found.x_arg, *more))


def _wrote(made: NewRevision | None) -> None:
    if made is None:
        logging.getLogger("alembic.env").info("No changes in schema detected.")
    else:
        click.echo(f"  Generating {made.path} ...  done")


@_ends_the_program
def list_templates() -> None:
    """List the templates."""
    from .creating import list_templates as templates

    click.echo("Available templates:\n")
    for name, synopsis in templates():
        click.echo(f"{name} - {synopsis}")


@_ends_the_program
def init(
    directory: Any = None, multidb: bool = False, template: str | None = None, package: bool = False
) -> None:
    """Make a migrations folder."""
    if multidb and template is None:
        template = "flask-multidb"
    _repository(directory).init(template, package=package)


@_ends_the_program
def revision(
    directory: Any = None,
    message: str | None = None,
    autogenerate: bool = False,
    sql: bool = False,
    head: str = "head",
    splice: bool = False,
    branch_label: str | None = None,
    version_path: str | None = None,
    rev_id: str | None = None,
    x_arg: str | Sequence[str] | None = None,
) -> None:
    """Write a revision file."""
    with alembic_lines(sys.stderr):
        _wrote(
            _repository(directory, x_arg).revision(
                message,
                autogenerate=autogenerate,
                sql=sql,
                head=head,
                splice=splice,
                branch_label=branch_label,
                version_path=version_path,
                rev_id=rev_id,
            )
        )


def migrate(
    directory: Any = None,
    message: str | None = None,
    sql: bool = False,
    head: str = "head",
    splice: bool = False,
    branch_label: str | None = None,
    version_path: str | None = None,
    rev_id: str | None = None,
    x_arg: str | Sequence[str] | None = None,
) -> None:
    """Write a revision file from what changed in the models."""
    revision(directory, message, True, sql, head, splice, branch_label, version_path, rev_id, x_arg)


@_ends_the_program
def edit(directory: Any = None, revision: str = "current") -> None:
    """Open a revision file in the editor."""
    for node in _repository(directory).find(revision):
        click.edit(filename=node.path)


@_ends_the_program
def merge(
    directory: Any = None,
    revisions: str | Sequence[str] = "",
    message: str | None = None,
    branch_label: str | None = None,
    rev_id: str | None = None,
) -> None:
    """Join revisions in a new revision file; without any, all heads."""
    wanted = [revisions] if isinstance(revisions, str) and revisions else list(revisions)
    _wrote(
        _repository(directory).merge(
            wanted, message=message, branch_label=branch_label, rev_id=rev_id
        )
    )


@_ends_the_program
def upgrade(
    directory: Any = None,
    revision: str = "head",
    sql: bool = False,
    tag: str | None = None,
    x_arg: str | Sequence[str] | None = None,
) -> None:
    """Upgrade the databases."""
    _move("upgrade", directory, revision, sql, tag, x_arg)


@_ends_the_program
def downgrade(
    directory: Any = None,
    revision: str = "-1",
    sql: bool = False,
    tag: str | None = None,
    x_arg: str | Sequence[str] | None = None,
) -> None:
    """Take the databases back."""
    _move("downgrade", directory, revision, sql, tag, x_arg)


def _move(
    verb: str,
    directory: Any,
    revision: str,
    sql: bool,
    tag: str | None,
    x_arg: str | Sequence[str] | None,
) -> None:
    repository = _repository(directory, x_arg)
    with alembic_lines(sys.stderr):
        if sql:
            write_sql(repository.sql(verb, revision, tag=tag), None)
        elif verb == "upgrade":
            repository.upgrade(revision, tag=tag)
        else:
            repository.downgrade(revision, tag=tag)


@_ends_the_program
def show(directory: Any = None, revision: str = "head") -> None:
    """Print what a revision file says."""
    for node in _repository(directory).find(revision):
        click.echo(report.entry(node))


@_ends_the_program
def history(
    directory: Any = None,
    rev_range: str | None = None,
    verbose: bool = False,
    indicate_current: bool = False,
) -> None:
    """Print the revisions, newest first."""
    for text in report.history(_repository(directory), rev_range, verbose, indicate_current):
        click.echo(text)


@_ends_the_program
def heads(directory: Any = None, verbose: bool = False, resolve_dependencies: bool = False) -> None:
    """Print the revisions the history ends in."""
    for node in _repository(directory).heads(resolve_dependencies=resolve_dependencies):
        click.echo(report.entry(node) if verbose else report.line(node, labels=True, tree=False))


@_ends_the_program
def branches(directory: Any = None, verbose: bool = False) -> None:
    """Print where the history branches."""
    for node, children in _repository(directory).branches():
        click.echo(report.branch(node, children, verbose=verbose))


@_ends_the_program
def current(directory: Any = None, verbose: bool = False) -> None:
    """Print the revision each database is at."""
    for position in _repository(directory).current():
        if verbose:
            click.echo(f"Current revision(s) for {position.url}:")
        for node in position.revisions:
            click.echo(report.entry(node) if verbose else report.line(node))


@_ends_the_program
def stamp(
    directory: Any = None,
    revision: str | Sequence[str] = "head",
    sql: bool = False,
    tag: str | None = None,
    purge: bool = False,
) -> None:
    """Set the version of the databases, without running anything."""
    repository = _repository(directory)
    with alembic_lines(sys.stderr):
        if sql:
            write_sql(repository.sql("stamp", revision, tag=tag), None)
        else:
            repository.stamp(revision, tag=tag, purge=purge)


@_ends_the_program
def check(directory: Any = None) -> None:
    """End the program with exit code 1 when the models ask for a new revision."""
    with alembic_lines(sys.stderr):
        result = _repository(directory).check()
    if not result.ok:
        raise HistoryError(f"New upgrade operations detected: {list(result.differences)}")
    click.echo("No new upgrade operations detected.")
