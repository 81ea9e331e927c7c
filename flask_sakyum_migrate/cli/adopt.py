"""The commands that bring models and databases together at once: ``update baseline``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from .base import alias, command, option
from .talk import alembic_lines, begun, finished, is_verbose, say, started, step, wrote
from .write import answers_of, tell_left, wish_options

if TYPE_CHECKING:
    from ..repository import Repository


@command(
    "update",
    option("-m", "--message", help="What the new revision does, if there is one."),
    *wish_options(),
)
def update(repository: Repository, message: str | None, **arguments: Any) -> None:
    """Apply what is pending, then write a revision from the models and apply it."""
    with alembic_lines(sys.stderr, all_of_them=is_verbose()):
        done = repository.update(
            message,
            **answers_of(arguments),
            on_start=started,
            on_begin=begun,
            on_step=step,
            on_upgrade=lambda result: finished(result, "upgrade"),
            on_written=wrote,
            **arguments,
        )
    if done.revision is None:
        say("The models and the databases are the same.")
    elif done.left:
        tell_left("Compared after the upgrade:", done.left)


@command(
    "baseline",
    option("-m", "--message", help="What the first revision does (default: baseline)."),
    option("--accept", is_flag=True, help="Adopt the databases whatever differs."),
)
def baseline(repository: Repository, message: str | None, accept: bool) -> None:
    """Adopt databases that have the tables of the models and no version."""
    done = repository.baseline(message, accept=accept)
    if done.revision is not None:
        wrote(done.revision)
    for line in done.check.operations:
        click.echo(line)
    if not done.stamped:
        count = len(done.check.operations)
        say(
            f"Nothing was stamped: the databases differ from the models, {count} "
            f"operation{'s' if count != 1 else ''} as above. Mend the models or the tables and run "
            "it again, or adopt them as they are, and the next revision mends them:\n"
            "flask db baseline --accept"
        )
        raise click.exceptions.Exit(1)
    heads = ", ".join(node.id for node in repository.heads())
    same = "They are as the models are." if done.check.ok else "Next:  flask db migrate"
    say(f"The databases are stamped {heads}. {same}")


COMMANDS = (update, alias(update, "update_db"), baseline)
