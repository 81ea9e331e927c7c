"""What the generated env.py calls: ``application()`` and ``run()``.

Works under ``flask db`` and under the plain ``alembic`` command, where the application is found
through FLASK_APP, as the ``flask`` command finds it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from alembic import context
from alembic.util import CommandError
from flask import has_app_context
from flask.cli import ScriptInfo

from .cli.talk import alembic_lines
from .errors import MigrateError
from .project import SETTINGS
from .runtime.config import Config
from .runtime.run import run as run_databases
from .state import current_state, state_of

STATE = "flask_sakyum_migrate_state"


def application() -> Any:
    """Return the extension's state of the application: its ``db``, its ``metadata``.

    :raises ConfigError: the application has no Migrate.
    """
    attributes = context.config.attributes
    if STATE not in attributes:
        attributes[STATE] = current_state() if has_app_context() else state_of(_load())
    return attributes[STATE]


def run(target_metadata: Any = None) -> None:
    """Run the current command on every database of the application.

    :param target_metadata: the MetaData of the default bind, or a list of them; the other binds
        bring their own.
    """
    state = application()
    settings = context.config.attributes.get(SETTINGS)
    if settings is not None:
        run_databases(replace(settings, target_metadata=target_metadata))
        return
    # A program that calls alembic.command with get_config() is not talked to.
    typed = not isinstance(context.config, Config)
    talk = alembic_lines(sys.stderr) if typed else contextlib.nullcontext()
    with _as_alembic_does(), talk:
        repository = replace(state.repository, directory=context.script.dir)
        with repository.context():
            if _compares():
                repository.import_models()
            run_databases(replace(repository.settings(), target_metadata=target_metadata))


@contextlib.contextmanager
def _as_alembic_does() -> Iterator[None]:
    """Under the plain alembic command, raise what it prints as one line."""
    try:
        yield
    except MigrateError as error:
        raise CommandError(str(error)) from error


def _load() -> Any:
    return ScriptInfo(app_import_path=os.environ.get("FLASK_APP")).load_app()


def _compares() -> bool:
    """Tell whether the plain alembic command is about to compare models with the database."""
    options = context.config.cmd_opts
    command = getattr(options, "cmd", (None,))[0]
    return bool(getattr(options, "autogenerate", False)) or (
        getattr(command, "__name__", "") == "check"
    )
