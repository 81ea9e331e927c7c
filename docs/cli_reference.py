"""Write the lower part of cli.md, the reference, from the commands themselves.

    python docs/cli_reference.py

What stands above the mark is written by hand. The test of the documents compares the page with
what this gives.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from flask_sakyum_migrate.cli import db, shared_options

PAGE = Path(__file__).resolve().parent / "cli.md"
MARK = "<!-- From here on written by docs/cli_reference.py. -->\n"
EVERYWHERE = ("directory", "x_arg", "traceback")


def page(before: str) -> str:
    """Return the page with a new reference below the mark.

    :param before: the page as it is.
    """
    parent = click.Context(db, info_name="flask db")
    parts = [before.partition(MARK)[0], MARK, "\n", *_table(shared_options(EVERYWHERE))]
    for name in db.list_commands(parent):
        command = db.get_command(parent, name)
        assert command is not None
        parts.extend(_command(command, click.Context(command, info_name=name, parent=parent)))
    return "".join(parts)


def options(command: click.Command) -> list[click.Option]:
    """Return the options of a command, without ``--help``."""
    return [param for param in command.params if isinstance(param, click.Option)]


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"\n## {command.name}\n\n{command.help}\n\n```text\n{usage}\n```\n"
    own = [one for one in options(command) if one.name not in EVERYWHERE]
    if own:
        yield "\n"
        yield from _table(own)


def _table(found: Iterable[click.Option]) -> Iterator[str]:
    yield "| option | |\n|---|---|\n"
    for one in found:
        value = "" if one.is_flag else f" {one.metavar or one.type.name.upper()}"
        names = ", ".join(f"`{name}{value}`" for name in one.opts)
        yield f"| {names} | {one.help} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{PAGE}\n")
