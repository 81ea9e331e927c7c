"""What the generated env.py calls: ``application()`` and ``run()``.

Works under ``flask db`` and under the plain ``alembic`` command, where the application is found
through FLASK_APP, as the ``flask`` command finds it.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from typing import Any

from alembic import context
from flask import current_app, has_app_context
from flask.cli import ScriptInfo

from .cli.talk import alembic_lines
from .errors import ConfigError
from .extension import MigrateState
from .repository import SETTINGS
from .runtime.run import run as run_databases


def application() -> MigrateState:
    """Return the extension's state of the application: its ``db``, its ``metadata``.

    :raises ConfigError: the application has no Migrate.
    """
    config = context.config
    state = config.attributes.get("flask_sakyum_migrate_state")
    if state is None:
        app = current_app._get_current_object() if has_app_context() else _load()  # type: ignore[attr-defined]
        state = app.extensions.get("migrate")
        if not isinstance(state, MigrateState):
            raise ConfigError(
                f"The application {app.name} has no Migrate.",
                "Add to it:  migrate = Migrate(app, db)",
            )
        config.attributes["flask_sakyum_migrate_state"] = state
    assert isinstance(state, MigrateState)
    return state


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
    repository = replace(state.repository, directory=context.script.dir)
    talk = alembic_lines(sys.stderr) if not _logs() else contextlib.nullcontext()
    with talk, repository.context():
        if _compares():
            repository.import_models()
        run_databases(replace(repository.settings(), target_metadata=target_metadata))


def _load() -> Any:
    import os

    return ScriptInfo(app_import_path=os.environ.get("FLASK_APP")).load_app()


def _compares() -> bool:
    """Tell whether the plain alembic command is about to compare models with the database."""
    options = context.config.cmd_opts
    command = getattr(options, "cmd", (None,))[0]
    return bool(getattr(options, "autogenerate", False)) or (
        getattr(command, "__name__", "") == "check"
    )


def _logs() -> bool:
    import logging

    return logging.getLogger("alembic").isEnabledFor(logging.INFO)
