"""The commands that write revision files: ``revision migrate edit merge``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..errors import HistoryError
from .base import command, option, revision_argument
from .talk import alembic_lines, say, wrote

if TYPE_CHECKING:
    from ..repository import Repository


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
    ]


def _write(repository: Repository, **arguments: Any) -> None:
    arguments["depends_on"] = list(arguments["depends_on"]) or None
    with alembic_lines(sys.stderr, all_of_them=False), _hooks_talk():
        made = repository.revision(**arguments)
    if made is None:
        say("No changes in schema detected.")
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
    bind=True,
)
def revision(repository: Repository, **arguments: Any) -> None:
    """Write an empty revision file."""
    _write(repository, **arguments)


@command("migrate", *_file_options(), bind=True)
def migrate(repository: Repository, **arguments: Any) -> None:
    """Write a revision file from what changed in the models."""
    _write(repository, autogenerate=True, **arguments)


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
