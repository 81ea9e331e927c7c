"""``doctor``: one page with everything that may be wrong, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .base import command, exit_code_option, json_option, print_json

if TYPE_CHECKING:
    from ..repository import Repository

_COLOURS = {"ok": "green", "look": "yellow", "wrong": "red"}


@command("doctor", json_option(), exit_code_option("something is wrong"))
def doctor(repository: Repository, as_json: bool, exit_code: bool) -> None:
    """Look at everything that may be wrong; exit with 1 when something is."""
    found = repository.examine()
    if as_json:
        print_json(found)
    else:
        width = max(len(one.name) for one in found.checks)
        for one in found.checks:
            mark = click.style(f"{one.state:<7}", fg=_COLOURS.get(one.state))
            first, *rest = one.text.splitlines() or [""]
            click.echo(f"{mark}  {one.name:<{width}}  {first}")
            for line in [*rest, *one.hint.splitlines()]:
                click.echo(" " * (width + 11) + line)
    if not found.ok:
        click.get_current_context().exit(3 if exit_code else 1)


COMMANDS = (doctor,)
