"""``resolve``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .base import command, option, revision_argument
from .talk import name_of, say

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results.operation import HalfApplied


@command(
    "resolve",
    option(
        "--done",
        type=click.IntRange(min=1),
        metavar="NUMBER",
        help="The statement in doubt, by its number: it ran.",
    ),
    option(
        "--undone",
        type=click.IntRange(min=1),
        metavar="NUMBER",
        help="The statement in doubt, by its number: it did not run.",
    ),
    option(
        "--applied",
        is_flag=True,
        help="The rest was done by hand: the version of the database moves on.",
    ),
    option(
        "--rolled-back",
        is_flag=True,
        help="What ran was undone by hand: the version of the database stays.",
    ),
    revision_argument(required=False),
    bind=True,
)
def resolve(
    repository: Repository,
    revision: str | None,
    done: int | None,
    undone: int | None,
    applied: bool,
    rolled_back: bool,
    bind: str | None,
) -> None:
    """Show a revision that was cut short, or say what became of it."""
    said = sum((done is not None, undone is not None, applied, rolled_back))
    if said > 1:
        raise click.UsageError("--done, --undone, --applied and --rolled-back go one at a time.")
    if said and revision is None:
        raise click.UsageError("Name the revision that this is said of.")
    half = repository.resolve(
        revision, bind=bind, done=done, undone=undone, applied=applied, rolled_back=rolled_back
    )
    place = name_of(half.bind, half.url)
    if done is not None or undone is not None:
        ran = f"{done} counts as done" if done is not None else f"{undone} counts as not run"
        say(f"{place}: statement {ran}. Go on with:  flask db {half.direction}")
    elif applied:
        say(f"{place}: the {half.direction} of {half.revision} counts as done.")
    elif rolled_back:
        say(f"{place}: the {half.direction} of {half.revision} counts as never begun.")
    else:
        _show(half, place)


def _show(half: HalfApplied, place: str) -> None:
    """Print what ran as comments and what did not as SQL; say on stderr what can be done."""
    from ..upgrading.journal.half_applied import advice

    message = f" ({half.message})" if half.message else ""
    say(f"{place}: the {half.direction} of {half.revision}{message} was cut short.")
    for one in half.statements:
        lines = one.sql.splitlines()
        click.echo(f"-- {one.number} {one.state}: {lines[0] if lines else ''}")
        for line in lines[1:]:
            click.echo(f"--   {line}")
    if half.rest:
        click.echo("-- not run:")
    for sql in half.rest:
        click.echo(f"{sql};")
    if half.note:
        say(f"The rest cannot be shown from here: {half.note}")
    if half.reason:
        say(f"It does not go on by itself: {half.reason}.")
    say(advice(half))


COMMANDS = (resolve,)
