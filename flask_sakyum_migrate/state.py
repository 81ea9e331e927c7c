"""What ``Migrate`` bound to the current application: how the doors find their repository."""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, has_app_context

from .errors import ConfigError


def current_state() -> Any:
    """Return the `MigrateState` of the current application.

    :raises ConfigError: there is no current application, or it has no Migrate.
    """
    if not has_app_context():
        raise ConfigError(
            "There is no current application.",
            "Call this inside:  with app.app_context():",
        )
    return state_of(current_app)


def state_of(app: Flask) -> Any:
    """Return the `MigrateState` of an application.

    :raises ConfigError: it has no Migrate, or that of another package.
    """
    state = app.extensions.get("migrate")
    if not hasattr(state, "repository"):
        raise ConfigError(
            f"The application {app.name} has no Migrate.",
            "Add to it:  migrate = Migrate(app, db)   (or, in create_app(): "
            "migrate.init_app(app, db))",
        )
    return state
