"""The commands that write revision files: ``revision migrate edit merge``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from ..errors import HistoryError
from ..wishes import Wishes
from .asking import ask_about_change, is_terminal
from .base import command, option, revision_argument
from .talk import alembic_lines, begun, finished, is_verbose, say, started, step, would_write, wrote

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results import NewRevision


def _file_options() -> list[click.Option]:
    return [
        option("-m", "--message", help="What the revision does."),
        option("--sql", is_flag=True, help="With revision_environment: without a database."),
        option(
            "--head",
            default="head",
            help="The revision, or label@head, to put the new one on (default: head).",
        ),
        option("--splice", is_flag=True, help="Allow a --head that is not a head."),
        option("--branch-label", help="A label for the branch that begins here."),
        option("--version-path", help="Which of the version_locations the file goes to."),
        option("--rev-id", help="The id of the revision, instead of a random one."),
        option(
            "--depends-on",
            multiple=True,
            help="A revision this one needs to have run before; may be given more than once.",
        ),
        option("--dry-run", is_flag=True, help="Print the file instead of writing it."),
    ]


def wish_options() -> list[click.Option]:
    """Return the options that answer what a comparison cannot decide."""
    return [
        option(
            "--rename",
            "renames",
            multiple=True,
            metavar="OLD:NEW",
            callback=pairs(":"),
            help="A table or column that has another name now: user.name:full_name, exam:test.",
        ),
        option(
            "--drop",
            "drops",
            multiple=True,
            metavar="NAME",
            help="A table or column that is meant to go, with its rows: exam, user.nick.",
        ),
        option(
            "--default",
            "defaults",
            multiple=True,
            metavar="COLUMN=VALUE",
            callback=pairs("=", empty=True),
            help="What the rows that exist get in a column that cannot be empty: user.age=0.",
        ),
        option("--allow-drop", is_flag=True, help="Allow a revision to drop most of the tables."),
        option(
            "--no-input",
            is_flag=True,
            help="Ask nothing, also on a terminal: stop with the options to choose from.",
        ),
    ]


def pairs(
    mark: str, *, empty: bool = False
) -> Callable[[click.Context, click.Parameter, Sequence[str]], dict[str, str]]:
    """Make a callback that splits ``OLD:NEW``.

    :param empty: what is behind the mark may be nothing.
    """

    def read(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
        split = [value.partition(mark) for value in values]
        wrong = [
            value
            for value, (old, found, new) in zip(values, split, strict=True)
            if not (old and found and (new or empty))
        ]
        if wrong:
            raise click.BadParameter(f"{wrong[0]} has no {mark}")
        return {old: new for old, _, new in split}

    return read


def answers_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """Take those options out of the arguments of a command: what was said, and who is asked."""
    names = ("renames", "drops", "defaults", "allow_drop")
    given = {name: arguments.pop(name) for name in names if name in arguments}
    wishes = Wishes(**{**given, "drops": frozenset(given.get("drops", ()))})
    silent = arguments.pop("no_input", False) or not is_terminal()
    return {"wishes": wishes, "ask": None if silent else ask_about_change}


def _write(
    repository: Repository, verb: Callable[..., NewRevision | None], **arguments: Any
) -> None:
    arguments.update(answers_of(arguments))
    with alembic_lines(sys.stderr, all_of_them=is_verbose()), _hooks_talk():
        made = verb(**arguments)
    if made is None:
        say("No changes in schema detected.")
        return
    if made.text:
        would_write(made)
        return
    wrote(made)
    say("Read the file, then:  flask db upgrade")


@contextmanager
def _hooks_talk() -> Iterator[None]:
    """Send what programs in ``[post_write_hooks]`` print to stderr: stdout is for the path."""
    try:
        kept = os.dup(1)
    except OSError:  # closed: nobody reads it
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@command(
    "revision",
    *_file_options(),
    option("--autogenerate", is_flag=True, help="Fill it in from the models, as migrate does."),
    *wish_options(),
    bind=True,
)
def revision(repository: Repository, **arguments: Any) -> None:
    """Write an empty revision file."""
    arguments["depends_on"] = list(arguments["depends_on"]) or None
    _write(repository, repository.revision, **arguments)


@command(
    "migrate",
    *_file_options(),
    *wish_options(),
    option("--upgrade", is_flag=True, help="Upgrade first: the databases have to be at head."),
    option(
        "--scratch",
        is_flag=True,
        help="Compare with throw-away databases that the revisions were run on, not with yours.",
    ),
    option("--amend", is_flag=True, help="Write the newest revision anew; it must not have run."),
    bind=True,
)
def migrate(
    repository: Repository, upgrade: bool, scratch: bool, amend: bool, **arguments: Any
) -> None:
    """Write a revision file from what changed in the models."""
    if amend:
        _amend(repository, **arguments)
        return
    arguments["depends_on"] = list(arguments["depends_on"]) or None
    if upgrade:
        with alembic_lines(sys.stderr, all_of_them=is_verbose()):
            done = repository.upgrade("heads", on_start=started, on_begin=begun, on_step=step)
        finished(done, "upgrade")
    with repository.scratch() if scratch else nullcontext(repository) as on:
        _write(on, on.revision, autogenerate=True, **arguments)


def _amend(repository: Repository, **arguments: Any) -> None:
    place = ("sql", "head", "splice", "branch_label", "version_path", "rev_id", "depends_on")
    given = {name: arguments.pop(name) for name in place}
    typed = [name for name, value in given.items() if value and value != "head"]
    if typed:
        raise click.UsageError(f"--amend keeps the place of the revision: no --{typed[0]}.")
    _write(repository, repository.amend, **arguments)


@command("edit", revision_argument(default="head"))
def edit(repository: Repository, revision: str) -> None:
    """Open a revision file in the editor."""
    nodes = repository.find(revision)
    if not nodes:
        raise HistoryError(f"There is no revision {revision} to edit.")
    for node in nodes:
        click.edit(filename=node.path)


@command(
    "merge",
    option("-m", "--message", help="What the revision does."),
    option("--branch-label", help="A label for the new revision."),
    option("--rev-id", help="The id of the revision, instead of a random one."),
    option("--splice", is_flag=True, help="Allow revisions that are not heads."),
    revision_argument("revisions", nargs=-1),
)
def merge(repository: Repository, **arguments: Any) -> None:
    """Join heads in a new revision file; all of them, or those named."""
    wrote(repository.merge(**arguments))


COMMANDS = (migrate, revision, merge, edit)
