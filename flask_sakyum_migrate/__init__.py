"""Database migrations for Flask applications.

The house, from the doors down; each line is one file or folder, and imports go downward only:

``extension``     Migrate: binds an application to its db
``cli``           the ``flask db`` commands
``environment``   run(): what the generated env.py calls
``compat``        the module functions of Flask-Migrate
``state``         what Migrate bound to the current application
``signals``       what is sent around a run
``repository``    the migrations folder with its databases: every verb; returns data
``examining``     its part for doctor
``checking``      its part for checks, and throw-away copies
``rows``          its part for rows: dump, load, clean
``transfer``      the same below the verbs: which tables, at which revision
``standing``      its part for status
``foretelling``   its part for plans and SQL
``writing``       its part for new files: init, revision, merge, check
``running``       its part for changing databases: upgrade, downgrade, stamp, prepare
``operation``     its part for operating: what was run, seeding, protection
``reading``       its part for the revisions and where the databases are
``project``       the same below the verbs: settings, databases, running env.py
``autogenerate``  new revision files
``upgrading``     which steps reach a database, one run at a time
``data``          rows out of a database and into one
``creating``      a new migrations folder
``revisions``     the revision files as a graph, read without running them
``runtime``       how Alembic is run
``results``       what the verbs return
``binds``         engines and metadata, whatever they came from
``models``        importing the modules that define models
``hooks``         functions of the application that are called around a run
``errors``        what a person is told
``templates``     what ``flask db init`` writes
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import (
    ConfigError,
    DatabaseBehindError,
    DatabaseError,
    DataError,
    HalfAppliedError,
    HistoryError,
    HookError,
    LockTimeoutError,
    MigrateError,
    RefusedError,
    StepError,
)
from .extension import Migrate

if TYPE_CHECKING:
    from .repository import Repository

__all__ = [
    "ConfigError",
    "DataError",
    "DatabaseBehindError",
    "DatabaseError",
    "HalfAppliedError",
    "HistoryError",
    "HookError",
    "LockTimeoutError",
    "Migrate",
    "MigrateError",
    "RefusedError",
    "Repository",
    "StepError",
]

# What projects import from flask_migrate: they change the name of the package and nothing else.
_COMPAT = frozenset(
    {
        *("init", "revision", "migrate", "edit", "merge", "upgrade", "downgrade", "show"),
        *("history", "heads", "branches", "current", "stamp", "check", "list_templates"),
        *("Config", "command", "alembic_version"),
    }
)


def __getattr__(name: str) -> Any:
    """Give Flask-Migrate's module functions, and what would import too much at start."""
    if name == "Repository":
        from .repository import Repository

        return Repository
    if name == "__version__":
        from importlib.metadata import version

        return version("flask-sakyum-migrate")
    if name in _COMPAT:
        from importlib import import_module

        return getattr(import_module(".compat", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
