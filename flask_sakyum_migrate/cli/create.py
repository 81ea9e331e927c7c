"""``init`` and ``list-templates``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .base import command, option
from .talk import say

if TYPE_CHECKING:
    from ..repository import Repository


@command(
    "init",
    option("--multidb", is_flag=True, help="Accepted: one layout serves one database or several."),
    option("-t", "--template", help='A template\'s name, or the path of one (default: "flask").'),
    option("--package", is_flag=True, help="Add __init__.py files to the folders."),
)
def init(repository: Repository, multidb: bool, template: str | None, package: bool) -> None:
    """Make the migrations folder."""
    if multidb and template is None:
        template = "flask-multidb"
    path = repository.init(template, package=package)
    click.echo(str(path))
    name = "" if path.name == "migrations" else f" -d {repository.directory}"
    say(f'Made the migrations folder. Next:  flask db{name} migrate -m "first"')


@command("list-templates")
def list_templates(repository: Repository) -> None:
    """List the templates for a migrations folder."""
    from ..creating import list_templates as templates

    for name, synopsis in templates():
        click.echo(f"{name} - {synopsis}")


COMMANDS = (init, list_templates)
