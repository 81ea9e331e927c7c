"""What every command has: the shared options, the repository, and the one error boundary."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem
from flask.cli import ScriptInfo, with_appcontext

from ..errors import MigrateError
from ..policy import seconds
from ..state import current_state
from . import shared_options
from .talk import say

if TYPE_CHECKING:
    from ..repository import Repository

_RIGHTS = re.compile(r"(permission|command|access) denied|must be owner|readonly database", re.I)
_RIGHTS_HINT = (
    "The user of this URL may not do that: give it the right, or run the command with the URL of "
    "one that has it."
)
_NEGATIVE = re.compile(r"-\d+")


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read a time such as ``5`` or ``400ms`` for an option: its ``callback``."""
    try:
        return None if value is None else seconds(value)
    except ValueError:
        raise click.BadParameter(f"{value} is not a time such as 5, 400ms or 2min.") from None


class DbCommand(click.Command):
    """A command that takes ``-1`` for a revision and reports errors in words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put bare negative numbers behind ``--``: ``downgrade -1`` is what tutorials write."""
        with_value = {
            name
            for param in self.params
            if isinstance(param, click.Option) and not param.is_flag
            for name in param.opts
        }
        numbers = [
            index
            for index, arg in enumerate(args)
            if _NEGATIVE.fullmatch(arg) and (index == 0 or args[index - 1] not in with_value)
        ]
        if numbers and "--" not in args:
            options = [arg for index, arg in enumerate(args) if index not in numbers]
            args = [*options, "--", *(args[index] for index in numbers)]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the one place where an error becomes a message and exit code 1."""
        groups = (one.params for one in (ctx, ctx.parent) if one is not None)
        wants_traceback = any(params.get("traceback") for params in groups)
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            words = in_words(error)
            if words is None:
                raise
            if wants_traceback:
                click.echo(traceback.format_exc(), err=True)
            say(f"Error: {words}")
            ctx.exit(1)


def in_words(error: Exception) -> str | None:
    """Return the message of an error that is the user's to mend; None for a fault of the code."""
    if isinstance(error, MigrateError):
        return str(error)
    util = sys.modules.get("alembic.util")
    if util is not None and isinstance(error, util.CommandError):
        return str(error)
    exc = sys.modules.get("sqlalchemy.exc")
    if exc is not None and isinstance(error, exc.DBAPIError):
        statement = " ".join(str(error.statement or "").split())
        reason = " ".join(str(error.orig).split())
        words = f"The database refused: {reason}" + (f"\n  {statement}" if statement else "")
        return f"{words}\n{_RIGHTS_HINT}" if _RIGHTS.search(reason) else words
    return None


def command(
    name: str, *params: click.Parameter, bind: bool = False
) -> Callable[[Callable[..., Any]], DbCommand]:
    """Make a command of a function that takes a Repository and the parameters.

    :param params: its own options and arguments; the shared ones are added.
    :param bind: whether it touches databases, and so has ``--bind``.
    """

    def decorate(function: Callable[..., Any]) -> DbCommand:
        def callback(**kwargs: Any) -> Any:
            kwargs.pop("traceback", None)
            repository = open_repository(kwargs.pop("directory", None), kwargs.pop("x_arg", ()))
            return function(repository, **kwargs)

        callback.__name__, callback.__doc__ = function.__name__, function.__doc__
        shared = (["bind"] if bind else []) + ["directory", "x_arg", "traceback"]
        return DbCommand(
            name,
            callback=with_appcontext(callback),
            params=[*params, *shared_options(shared)],
            help=function.__doc__,
        )

    return decorate


def alias(original: click.Command, name: str) -> click.Command:
    """Return the same command under another name, which the help does not list."""
    other = copy.copy(original)
    other.name, other.hidden = name, True
    return other


def open_repository(directory: str | None = None, x_arg: Sequence[str] = ()) -> Repository:
    """Return the repository of the current application, with what the command line says."""
    repository: Repository = current_state().repository
    repository = replace(repository, policy=replace(repository.policy, say=say))
    if directory is not None:
        repository = replace(repository, directory=directory)
    if x_arg:
        repository = replace(repository, x_arg=(*repository.x_arg, *x_arg))
    return repository


def option(*names: str, **attributes: Any) -> click.Option:
    """Declare an option."""
    return click.Option(names, **attributes)


def json_option(help: str = "Print the report as JSON.") -> click.Option:
    """Return the option for reports that programs read."""
    return option("--json", "as_json", is_flag=True, help=help)


def exit_code_option(what: str) -> click.Option:
    """Return the option that tells a finding from a crash.

    :param what: the finding.
    """
    return option("--exit-code", is_flag=True, help=f"Exit with 3 when {what}.")


def print_json(report: Any) -> None:
    """Print results as JSON."""
    click.echo(json.dumps(report, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)


def revision_argument(name: str = "revision", **attributes: Any) -> click.Argument:
    """Declare an argument that is a revision; shells complete it."""
    return click.Argument([name], shell_complete=complete_revision, **attributes)


def complete_revision(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the revisions that begin with what was typed, with their messages."""
    try:
        # Shells complete after click has closed the contexts, and Flask's application with them.
        with ctx.ensure_object(ScriptInfo).load_app().app_context():
            graph = open_repository(ctx.params.get("directory")).graph()
    except (MigrateError, click.ClickException):
        return []  # a shell that completes is no place for a message
    names = [CompletionItem(name) for name in ("head", "heads", "base")]
    revisions = [CompletionItem(node.id, help=node.message) for node in graph.sort(graph.nodes)]
    return [item for item in names + revisions if item.value.startswith(incomplete)]
