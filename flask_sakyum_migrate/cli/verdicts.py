"""``check``: do the files, the models, the revisions and the databases fit each other?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .base import command, exit_code_option, json_option, option, print_json
from .talk import say

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results.checking import Finding, Verdict, Verdicts
    from ..results.comparing import CheckResult

_CODES = {"heads": 4, "models": 3, "database": 3, "drift": 5}
_QUESTIONS = {
    "heads": "the files are one history",
    "models": "the revisions make what the models define",
    "drift": "the database is what the revisions made",
    "database": "the models and the database are the same",
}
_TITLES = {
    "heads": "The files are not one history",
    "models": "The models ask for what no revision makes",
    "drift": "The database is not what its revisions made",
    "database": "The models ask for what the database does not have",
}


@command(
    "check",
    option("--heads", is_flag=True, help="Are the files one history? Without any database."),
    option(
        "--models",
        is_flag=True,
        help="Do the revisions make what the models define? On a throw-away database.",
    ),
    option("--drift", is_flag=True, help="Has somebody changed the database by hand?"),
    option("--all", "every", is_flag=True, help="All three: --heads, --models and --drift."),
    option(
        "--format",
        "shape",
        type=click.Choice(["text", "github"]),
        default="text",
        help="Write annotations for GitHub's actions.",
    ),
    option(
        "--fast/--no-fast",
        default=True,
        help="Prove with a few queries that tables are equal, and compare only the others. "
        "With --no-fast all are compared; the answer is the same.",
    ),
    json_option(),
    exit_code_option("the models ask for something, with 4 for --heads, 5 for --drift"),
    bind=True,
)
def check(
    repository: Repository,
    bind: str | None,
    heads: bool,
    models: bool,
    drift: bool,
    every: bool,
    shape: str,
    fast: bool,
    as_json: bool,
    exit_code: bool,
) -> None:
    """Tell whether the models ask for a new revision; exit with 1 when they do."""
    asked = {"heads": heads or every, "models": models or every, "drift": drift or every}
    names = [name for name, wanted in asked.items() if wanted]
    if not names and shape == "text" and not as_json:
        _plain(repository.check(bind, fast=fast), exit_code=exit_code)
        return
    found = repository.verdicts(names or ["database"], bind, fast=fast)
    if as_json:
        print_json(found)
    elif shape == "github":
        _annotate(found)
    else:
        for verdict in found.verdicts:
            _show(verdict)
    wrong = [one.name for one in found.verdicts if not one.ok]
    if wrong:
        click.get_current_context().exit(_CODES[wrong[0]] if exit_code else 1)


def _plain(result: CheckResult, *, exit_code: bool) -> None:
    """Say what the models ask for, in the words of Alembic's command."""
    if result.ok:
        click.echo("No new upgrade operations detected.")
        return
    click.echo("New upgrade operations detected:")
    for operation in result.operations:
        click.echo(f"  {operation}")
    say('Write them into a revision:  flask db migrate -m "what changes"')
    click.get_current_context().exit(_CODES["database"] if exit_code else 1)


def _show(verdict: Verdict) -> None:
    if verdict.ok:
        words = verdict.note or f"{_QUESTIONS[verdict.name]}."
        click.echo(f"{verdict.name}: {click.style('ok', fg='green')}, {words}")
        return
    click.echo(f"{verdict.name}: {click.style(_TITLES[verdict.name], fg='red')}.")
    binds = {one.bind for one in verdict.findings}
    for one in verdict.findings:
        of = f"{one.bind}: " if len(binds) > 1 else ""
        where = f"  ({_place(one)})" if one.path is not None else ""
        click.echo(f"  {of}{one.text}{where}")
    if verdict.operations:
        click.echo("  As operations:")
    for line in verdict.operations:
        click.echo(f"    {line}")
    for hint in dict.fromkeys(one.hint for one in verdict.findings if one.hint):
        say(hint)


def _place(one: Finding) -> str:
    return f"{one.path}:{one.line}" if one.line else str(one.path)


def _annotate(found: Verdicts) -> None:
    """Write workflow commands of GitHub's actions: one for each finding."""
    for verdict in found.verdicts:
        for one in verdict.findings:
            properties = {"title": f"{verdict.name}: {_TITLES[verdict.name]}"}
            if one.path is not None:
                properties = {"file": _relative(one.path), "line": str(one.line or 1), **properties}
            words = f"{one.text}\n{one.hint}".rstrip()
            written = ",".join(f"{name}={_escaped(it, ':,')}" for name, it in properties.items())
            click.echo(f"::error {written}::{_escaped(words)}")


def _relative(path: Path) -> str:
    """Return a path as the checkout has it."""
    inside = path.is_relative_to(Path.cwd())
    return Path(os.path.relpath(path)).as_posix() if inside else str(path)


def _escaped(text: str, more: str = "") -> str:
    for one in "%\r\n" + more:
        text = text.replace(one, f"%{ord(one):02X}")
    return text


COMMANDS = (check,)
