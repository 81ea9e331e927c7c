"""What a run would do, in words: ``sql``, and the ``--plan`` and ``--check`` of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .base import command, exit_code_option, json_option, option, print_json, revision_argument
from .talk import name_of, say, write_sql

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results.foretelling import DatabasePlan, Plan, PlannedOperation

_COLOURS = {"loss": "red", "look": "yellow", "unknown": "yellow"}


def plan_options(verb: str) -> list[click.Option]:
    """Return the options with which an upgrade or a downgrade only tells what it would do."""
    return [
        option(
            "--plan",
            is_flag=True,
            help=f"Only tell what the {verb} would do, and what it would lose.",
        ),
        json_option("With --plan: print it as JSON."),
    ]


def check_options() -> list[click.Option]:
    """Return the options with which an upgrade only tells whether there is one to do."""
    return [
        option(
            "--check",
            is_flag=True,
            help="Only tell whether something is pending; exit with 1 when it is.",
        ),
        exit_code_option("something is pending (with --check)"),
    ]


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """Print a plan."""
    if as_json:
        print_json(plan)
        return
    for database in plan.databases:
        _database(database)
    say("Nothing was run.")


def _database(database: DatabasePlan) -> None:
    place = f"{name_of(database.bind, database.url)} is at {', '.join(database.before) or 'base'}"
    count = len(database.steps)
    if not count:
        click.echo(f"{place}: nothing to do.")
        return
    click.echo(f"{place}: {count} revision{'s' if count > 1 else ''} to run.")
    for number, step in enumerate(database.steps, 1):
        mark = "" if step.direction == "upgrade" else f"{step.direction} "
        place = f"[{number:>{len(str(count))}}/{count}]"
        click.echo(f"{place} {mark}{step.revision} {step.message}")
        show_operations(step.operations, database.bind)


def show_operations(operations: Sequence[PlannedOperation], bind: str) -> None:
    """Print operations, one on each line.

    :param bind: the database they are on; where binds share it, each line names its own.
    """
    if not operations:
        click.echo("  nothing")
    for one in operations:
        risk = f" ({one.risk})" if one.risk else ""
        of = f"{one.bind}: " if "+" in bind else ""
        colour = _COLOURS.get(one.level)
        click.echo("  " + click.style(f"{of}{one.text}{risk}", fg=colour))


def check_pending(
    repository: Repository, target: str, bind: str | None, *, exit_code: bool
) -> None:
    """Print what an upgrade would run; exit with 1, or with 3, when that is something."""
    found = repository.pending_on(target, bind)
    behind = [one for one in found if one.steps]
    for database in behind:
        ids = ", ".join(step.revision for step in database.steps[:5])
        count = len(database.steps)
        click.echo(
            f"{name_of(database.bind, database.url)} is at {', '.join(database.before) or 'base'}, "
            f"{count} revision{'s' if count > 1 else ''} pending: {ids}{', ...' * (count > 5)}"
        )
    if not behind:
        click.echo("Nothing is pending.")
        return
    say(f"Run:  flask db upgrade{'' if target == 'head' else f' {target}'}")
    click.get_current_context().exit(3 if exit_code else 1)


@command(
    "sql",
    option("--down", is_flag=True, help="The SQL of its downgrade."),
    option("-o", "--output", type=click.Path(), help="Write a file instead of printing."),
    revision_argument(default="head"),
    bind=True,
)
def sql(
    repository: Repository, revision: str, down: bool, output: str | None, bind: str | None
) -> None:
    """Write the SQL of one revision (default: head), for the databases of this application."""
    write_sql(repository.revision_sql(revision, down=down, bind=bind), output)


COMMANDS = (sql,)
