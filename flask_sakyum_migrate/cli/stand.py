"""The commands that tell where the databases stand: ``status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .base import command, exit_code_option, json_option, print_json
from .talk import name_of, say

if TYPE_CHECKING:
    from ..repository import Repository
    from ..results.standing import DatabaseStatus, RevisionStatus

_COLOURS = {"applied": "green", "pending": "yellow"}


@command(
    "status",
    json_option(),
    exit_code_option("something is not applied, missing or changed"),
    bind=True,
)
def status(repository: Repository, bind: str | None, as_json: bool, exit_code: bool) -> None:
    """Show what is applied to the databases and what is pending."""
    found = repository.status(bind)
    if as_json:
        print_json(found)
    else:
        for database in found.databases:
            _show(database, found.heads)
        if len(found.heads) > 1:
            say(f"The history has {len(found.heads)} heads: {', '.join(found.heads)}.")
            say("Join them:  flask db merge")
    if exit_code and not found.ok:
        click.get_current_context().exit(3)


def _show(database: DatabaseStatus, heads: tuple[str, ...]) -> None:
    lines = [f"{name_of(database.bind, database.url)} {_place(database, heads)}"]
    marks = {state: _mark(state) for state in {one.state for one in database.revisions}}
    for one in database.revisions:
        lines.append("  ".join((marks[one.state], one.id, one.message, *_ran(one))))
    click.echo("\n".join(lines))  # at once: click looks at the terminal each time


def _mark(state: str) -> str:
    return "  " + click.style(f"{state:<7}", fg=_COLOURS.get(state, "red"))


def _place(database: DatabaseStatus, heads: tuple[str, ...]) -> str:
    if database.problem:
        return f"\n  {database.problem}"
    here = ", ".join(database.rows or ()) or "base"
    count = len(database.pending)
    if database.rows is None:
        here = "base (no version table)"
    if not count:
        return f"is at {here}."
    return f"is at {here}, {count} revision{'s' if count > 1 else ''} behind {', '.join(heads)}."


def _ran(one: RevisionStatus) -> list[str]:
    if one.ran is None:
        return []
    when = one.ran.finished or one.ran.started
    who = "@".join(name for name in (one.ran.user, one.ran.host) if name)
    parts = [f"{when:%Y-%m-%d %H:%M}" if when else "", who]
    if one.ran.seconds is not None:
        parts.insert(1, f"{one.ran.seconds:.2f} s")
    return [part for part in parts if part]


COMMANDS = (status,)
