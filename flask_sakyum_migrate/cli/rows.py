"""The commands about rows: ``dump load clean reset shell``."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ..errors import ConfigError
from .asking import ask_on_terminal
from .base import alias, command, option
from .operate import seeded
from .talk import alembic_lines, begun, finished, is_verbose, name_of, say, started, step

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results.questions import Question
    from ..results.rows import Cleaned


def _names(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    """Read ``--tables a,b --tables c``: the ``callback`` of such an option."""
    return tuple(name.strip() for one in value for name in one.split(",") if name.strip())


def _conditions(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    """Read ``--where "user: active = true"``: the ``callback`` of the option."""
    found = {}
    for one in value:
        table, colon, condition = one.partition(":")
        if not colon or not condition.strip():
            raise click.BadParameter(f'{one} is not TABLE: SQL, such as "user: active = true".')
        found[table.strip()] = condition.strip()
    return found


def _tables_option(what: str) -> click.Option:
    return option(
        "--tables", multiple=True, callback=_names, metavar="NAMES", help=f"{what}: user,post."
    )


def _exclude_option() -> click.Option:
    return option(
        "--exclude", multiple=True, callback=_names, metavar="NAMES", help="Not these tables."
    )


def _asking_options() -> list[click.Option]:
    return [
        option("--yes", is_flag=True, help="Do not ask, unless the database is protected."),
        option(
            "--name",
            multiple=True,
            help="The name of a protected database, instead of typing it when asked.",
        ),
    ]


def _answering(repository: Repository, yes: bool, name: Sequence[str]) -> Repository:
    """Return the repository with the answers of the command line, and a person for the rest."""

    def confirm(question: Question) -> bool:
        if question.name in name or (yes and not question.is_protected):
            return True
        return ask_on_terminal(question)

    return replace(repository, confirm=confirm)


class _Progress:
    """A line on a terminal: which table, how many rows, how many in a second."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._started = self._last = time.perf_counter()
        self.rows = 0

    def __call__(self, table: str, rows: int) -> None:
        self.rows += rows
        now = time.perf_counter()
        if self._shown and now - self._last > 0.1:
            self._last = now
            text = f"{table}  {self.rows:,} rows  {self.rows / (now - self._started):,.0f} a second"
            click.echo(f"\r{text:<78}", nl=False, err=True)

    def end(self) -> str:
        """Take the line away; return the words for what was done."""
        if self._shown:
            click.echo(f"\r{'':<78}\r", nl=False, err=True)
        seconds = time.perf_counter() - self._started
        return f"{self.rows:,} row{'s' if self.rows != 1 else ''} in {seconds:.2f} s"


@command(
    "dump",
    _tables_option("Only these tables"),
    _exclude_option(),
    option(
        "--where",
        multiple=True,
        callback=_conditions,
        metavar="TABLE: SQL",
        help='Only these rows of a table: "user: active = true".',
    ),
    click.Argument(["file"], required=False, type=click.Path()),
    bind=True,
)
def dump(repository: Repository, file: str | None, **arguments: Any) -> None:
    """Write the rows to a file (default: stdout); .gz and .zst are compressed."""
    place: str | BinaryIO = sys.stdout.buffer if file in (None, "-") else str(file)
    if place is not file and sys.stdout.isatty():
        raise ConfigError(
            "A dump is not for a screen.", "Name a file:  flask db dump backup.jsonl.gz"
        )
    progress = _Progress()
    try:
        manifest = repository.dump(place, on_rows=progress, **arguments)
    finally:
        done = progress.end()
    count = len(manifest.rows)
    say(f"Dumped {done}, from {count} table{'s' if count != 1 else ''}.")
    if place is file:
        click.echo(file)


@command(
    "load",
    option("--replace", is_flag=True, help="Delete the rows that are there first."),
    option("--merge", is_flag=True, help="Keep them; change those with the same primary key."),
    option(
        "--lossy",
        is_flag=True,
        help="Cut what a column cannot hold: fractions of a second, digits after the point.",
    ),
    option("--dry-run", is_flag=True, help="Read and check everything, and take it back."),
    _tables_option("Only these tables"),
    _exclude_option(),
    *_asking_options(),
    click.Argument(["file"], required=False, type=click.Path()),
    bind=True,
)
def load(
    repository: Repository, file: str | None, yes: bool, name: Sequence[str], **arguments: Any
) -> None:
    """Load the rows of a dump, all of them or none (default: stdin)."""
    place: str | BinaryIO = sys.stdin.buffer if file in (None, "-") else str(file)
    if place is not file and sys.stdin.isatty():
        raise ConfigError("There is no dump on stdin.", "Name the file:  flask db load FILE")
    if arguments["replace"]:
        repository = _answering(repository, yes, name)
    progress = _Progress()
    with alembic_lines(sys.stderr, all_of_them=is_verbose()):
        try:
            loaded = repository.load(
                place,
                on_rows=progress,
                on_upgrade=lambda result: finished(result, "upgrade"),
                **arguments,
            )
        finally:
            done = progress.end()
    count = len(loaded.rows)
    what = "Checked" if arguments["dry_run"] else "Loaded"
    end = " Nothing was changed." if arguments["dry_run"] else ""
    say(f"{what} {done}, into {count} table{'s' if count != 1 else ''}.{end}")


@command(
    "clean",
    option(
        "--drop",
        is_flag=True,
        help="Drop the tables too, with their types, views, sequences and the version.",
    ),
    _tables_option("Only these tables"),
    *_asking_options(),
    bind=True,
)
def clean(
    repository: Repository, drop: bool, yes: bool, name: Sequence[str], **arguments: Any
) -> None:
    """Delete all rows; the tables and the version stay."""
    _clean(_answering(repository, yes, name), drop, **arguments)


@command("reset", *_asking_options())
def reset(repository: Repository, yes: bool, name: Sequence[str]) -> None:
    """Begin again: drop the tables, upgrade to the heads, call the seed functions."""
    _clean(_answering(repository, yes, name), drop=True)
    with alembic_lines(sys.stderr, all_of_them=is_verbose()):
        result = repository.upgrade("heads", on_start=started, on_begin=begun, on_step=step)
        finished(result, "upgrade")
        if repository.hooks.seed:
            repository.seed(seeded)


@command("shell", click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED), bind=True)
def shell(repository: Repository, bind: str | None, arguments: Sequence[str]) -> None:
    """Open the client of the database: psql, mysql, sqlite3; what follows -- is for it."""
    from ..data.client import client_of

    client = client_of(repository.databases(bind)[0].engine)
    program = next(filter(None, map(shutil.which, client.programs)), None)
    if program is None:
        raise ConfigError(
            f"{client.programs[0]} is not installed here, or not in PATH.",
            "It comes with the client package of the database.",
        )
    _execute(
        program, [program, *client.arguments, *arguments], {**os.environ, **client.environment}
    )


def _execute(program: str, arguments: list[str], environment: dict[str, str]) -> None:
    """Become another program."""
    sys.stdout.flush()
    os.execve(program, arguments, environment)  # noqa: S606


def _clean(repository: Repository, drop: bool, **arguments: Any) -> None:
    for done in repository.clean(drop=drop, **arguments):
        say(_cleaned(done))


def _cleaned(done: Cleaned) -> str:
    rows, tables = sum(done.rows.values()), len(done.rows)
    text = f"{name_of(done.bind, done.url)}: deleted {rows:,} row{'s' if rows != 1 else ''}"
    text += f" of {tables} table{'s' if tables != 1 else ''}"
    text += ", and the tables." if done.dropped else "."
    if done.left:
        text += (
            f"\nLeft alone: {', '.join(done.left)}, which no model defines and no revision names."
        )
    return text


COMMANDS: Sequence[click.Command] = (
    dump,
    load,
    clean,
    reset,
    shell,
    alias(dump, "dump_db"),
    alias(clean, "cleaned_db"),
)
