"""The commands that write revision files: ``revision migrate edit merge``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .. import results
from ..errors import HistoryError, StepError
from ..wishes import Wishes
from .asking import ask_about_change, is_terminal
from .base import command, json_option, option, print_json, revision_argument
from .talk import (
    alembic_lines,
    begun,
    finished,
    is_verbose,
    say,
    started,
    step,
    tell_changes,
    would_write,
    wrote,
)

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results.comparing import NewRevision


_READ = "Read the file, then:  flask db upgrade"


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
            help="A table, column or CHECK that is meant to go: exam, user.nick, user.ck_age.",
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
    verb: Callable[..., NewRevision | None], *, as_json: bool = False, **arguments: Any
) -> NewRevision | None:
    """Write a revision, and say so.

    :returns: what was written.
    """
    arguments.update(answers_of(arguments))
    with alembic_lines(sys.stderr, all_of_them=is_verbose()), _hooks_talk():
        made = verb(**arguments)
    if made is None:
        say("No changes in schema detected.")
    elif as_json:
        tell_changes(made)
    elif made.text:
        would_write(made)
    else:
        wrote(made)
    return None if made is None or (made.text and not as_json) else made


def prove_option() -> click.Option:
    """Return the option that says how a new file is tried."""
    return option(
        "--prove/--no-prove",
        default=None,
        help="Run the new file on throw-away databases with the whole history, up, down and up; or "
        "do not try it (default: on a copy of the schema, where that is quick).",
    )


def _proved(
    repository: Repository,
    made: NewRevision | None,
    wish: bool | None,
    bind: str | None,
    scratch: Repository | None = None,
) -> results.Trial:
    """Try a new file and say what does not fit.

    :param wish: ``--prove`` or ``--no-prove``.
    :param scratch: the throw-away databases it was compared with.
    """
    wish = repository.policy.prove if wish is None else wish
    if made is None or made.text or wish is False:
        return results.Trial(None)
    if wish:
        with nullcontext(scratch) if scratch is not None else repository.scratch(None) as copy:
            return results.Trial(_prove(copy, made))
    trial = repository.try_out(made, bind)
    for name, why in trial.skipped.items() if is_verbose() else ():
        say(f"Not tried on {name}: {why}")
    if trial.failed:
        say(f"{made.path} does not run on a copy of the schema. The file is there; mend it.")
        say(trial.failed)
    elif trial.left:
        tell_left("Tried on a copy of the schema: it runs, and then", trial.left)
    return trial


def _prove(copy: Repository, made: NewRevision) -> tuple[str, ...]:
    """Run a new revision on throw-away databases; say how it went, and return what differs."""
    try:
        with alembic_lines(sys.stderr, all_of_them=is_verbose()):
            found = copy.prove(made)
    except StepError:
        say(f"{made.path} does not run on a throw-away database. The file is there; mend it.")
        raise
    if found.ok:
        say("Tried on a throw-away database: up, down, up; then nothing differs from the models.")
        return ()
    tell_left("Tried on a throw-away database: it runs, and then", found.operations)
    return found.operations


def tell_left(how: str, operations: Sequence[str]) -> None:
    """Say what a new revision leaves different."""
    say(f"{how} something still differs:")
    for line in operations:
        say(f"  {line}")
    say("The next flask db migrate would find that again. Write it into the file by hand.")


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
    prove_option(),
    bind=True,
)
def revision(repository: Repository, prove: bool | None, **arguments: Any) -> None:
    """Write an empty revision file."""
    arguments["depends_on"] = list(arguments["depends_on"]) or None
    made = _write(repository.revision, **arguments)
    if not arguments["autogenerate"]:
        prove = False
    trial = _proved(repository, made, prove, arguments["bind"])
    if made is not None and not trial.failed:
        say(_READ)


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
    prove_option(),
    json_option(),
    bind=True,
)
def migrate(
    repository: Repository,
    upgrade: bool,
    scratch: bool,
    amend: bool,
    prove: bool | None,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Write a revision file from what changed in the models."""
    if amend:
        _refuse_place(arguments)
    else:
        arguments["depends_on"] = list(arguments["depends_on"]) or None
    if upgrade and not amend:
        with alembic_lines(sys.stderr, all_of_them=is_verbose()):
            done = repository.upgrade("heads", on_start=started, on_begin=begun, on_step=step)
        finished(done, "upgrade")
    if scratch and prove is None:
        prove = repository.policy.prove is not False  # the throw-away databases are there
    with repository.scratch() if scratch and not amend else nullcontext(repository) as on:
        verb = on.amend if amend else partial(on.revision, autogenerate=True)
        made = _write(verb, as_json=as_json, **arguments)
        trial = _proved(
            repository, made, prove, arguments["bind"], None if on is repository else on
        )
    if as_json:
        print_json({"revision": made, "left": trial.left, "failed": trial.failed})
    if made is not None and not made.text and not trial.failed:
        say(_READ)


def _refuse_place(arguments: dict[str, Any]) -> None:
    """Take out the options that say where a new revision goes; none of them may be given."""
    place = ("sql", "head", "splice", "branch_label", "version_path", "rev_id", "depends_on")
    given = {name: arguments.pop(name) for name in place}
    typed = [name for name, value in given.items() if value and value != "head"]
    if typed:
        raise click.UsageError(f"--amend keeps the place of the revision: no --{typed[0]}.")


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
