"""Alembic's Config for a migrations folder."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from alembic.config import Config as AlembicConfig

from .known import TEMPLATES

ConfigCallback = Callable[[Any], Any]


class Config(AlembicConfig):
    """Alembic's Config that looks for templates in this package.

    :param template_directory: where the templates are, when it is not this package.
    """

    def __init__(self, *args: Any, template_directory: str | None = None, **kwargs: Any) -> None:
        self.template_directory = template_directory
        super().__init__(*args, **kwargs)

    def get_template_directory(self) -> str:
        """Return the folder of the templates, one folder each."""
        return self.template_directory or str(TEMPLATES)


def make_config(
    directory: str | os.PathLike[str],
    *,
    x_arg: str | Sequence[str] | None = None,
    opts: Iterable[str] = (),
    callbacks: Iterable[ConfigCallback] = (),
) -> AlembicConfig:
    """Make the Config of a migrations folder, as env.py files of every generation expect it.

    :param x_arg: what ``context.get_x_argument()`` gives to env.py.
    :param opts: names that are set to True on ``config.cmd_opts``, for example autogenerate.
    :param callbacks: ``@migrate.configure`` functions; each takes and returns a Config.
    """
    directory = Path(directory)
    config: AlembicConfig = Config(str(directory / "alembic.ini"))
    # ConfigParser would take a percent sign for the beginning of a variable.
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    given = [x_arg] if isinstance(x_arg, str) else list(x_arg or ())
    config.cmd_opts = argparse.Namespace(x=given, **dict.fromkeys(opts, True))
    for callback in callbacks:
        config = callback(config)
    return config
