"""The ``flask db`` commands. The group is light: its commands are loaded when one is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, MutableMapping

import click
from flask import g
from flask.cli import AppGroup, with_appcontext

_FAMILIES = (
    "create",
    "write",
    "adopt",
    "run",
    "foretell",
    "resolve",
    "operate",
    "rows",
    "stand",
    "verdicts",
    "doctor",
    "read",
)
"""The modules with the commands, in the order of a project's life."""


class LazyGroup(AppGroup):
    """A group that imports the modules of its commands when its commands are looked at."""

    _loaded = False

    @property
    def commands(self) -> MutableMapping[str, click.Command]:
        """The commands by name; projects take some out, wrap others and add their own."""
        if not self._loaded:
            self._loaded = True
            for family in _FAMILIES:
                module = importlib.import_module(f".{family}", __name__)
                for command in module.COMMANDS:
                    self._commands.setdefault(command.name, command)
        return self._commands

    @commands.setter
    def commands(self, commands: MutableMapping[str, click.Command]) -> None:
        self._commands = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of a project's life, not of the alphabet."""
        return list(self.commands)


def shared_options(
    names: Iterable[str] = ("directory", "x_arg", "traceback"),
) -> list[click.Option]:
    """Return the options that the group and its commands share."""
    every = {
        "directory": click.Option(
            ["-d", "--directory"],
            help='The migrations folder (default: "migrations").',
        ),
        "x_arg": click.Option(
            ["-x", "--x-arg"],
            multiple=True,
            help="An argument for a custom env.py; may be given more than once.",
        ),
        "traceback": click.Option(
            ["--traceback"],
            is_flag=True,
            help="On an error, show where in the code it happened.",
        ),
        "bind": click.Option(
            ["--bind"],
            metavar="NAME",
            help='Only the database of this bind key ("default" for the one without).',
        ),
    }
    return [every[name] for name in names]


@with_appcontext
def _group(directory: str | None, x_arg: tuple[str, ...], traceback: bool) -> None:
    """Migrate the databases of the application."""
    g.directory = directory
    g.x_arg = x_arg


db = LazyGroup("db", callback=_group, params=shared_options(), help=_group.__doc__)
