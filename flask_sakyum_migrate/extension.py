"""Migrate: binds an application to its db, and finds the Repository of the current application."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, current_app, g, has_app_context

from .cli import db as db_group
from .hooks import Hook, Hooks
from .state import current_state

if TYPE_CHECKING:
    from .binds import EnginesArgument, MetadataArgument
    from .policy import Policy
    from .repository import Repository

ConfigCallback = TypeVar("ConfigCallback", bound=Callable[[Any], Any])
Function = TypeVar("Function", bound=Hook)


class MigrateState:
    """What ``app.extensions["migrate"]`` is: the extension bound to one application.

    env.py files of every generation read ``db``, ``configure_args``, ``directory``, ``migrate``
    and ``metadata`` from it.
    """

    def __init__(
        self,
        migrate: Migrate,
        app: Flask,
        db: Any,
        directory: str,
        configure_args: dict[str, Any],
        sources: Mapping[str, Any],
    ) -> None:
        self.migrate = migrate
        self.app = app
        self.db = db
        self.directory = directory
        self.configure_args = configure_args
        self.sources = sources

    @property
    def metadata(self) -> Any:
        """The MetaData of the default bind."""
        given = self.sources["metadatas"]
        if given is None:
            return self.db.metadata
        if isinstance(given, Mapping):
            return given.get(None, given.get("default"))
        return given

    @property
    def repository(self) -> Repository:
        """The migrations folder of this application with its databases."""
        from .binds import Source
        from .repository import Repository
        from .signals import sending

        arguments = {"x_arg": (), "directory": None}
        if has_app_context():  # set by the `db` group; programs set them by hand
            arguments = {name: getattr(g, name, None) or arguments[name] for name in arguments}
        x_arg: Any = arguments["x_arg"]
        root = Path(self.app.root_path)
        return Repository(
            arguments["directory"] or self.directory,
            Source(
                self.db,
                self.sources["metadatas"],
                self.sources["engines"],
                self.sources["binds"],
            ),
            self.configure_args,
            (root, root.parent),
            self.sources["models"],
            tuple(self.migrate.configure_callbacks),
            (x_arg,) if isinstance(x_arg, str) else tuple(x_arg),
            self.context,
            self._policy(),
            sending(self.app, self.migrate.hooks),
        )

    def _policy(self) -> Policy:
        from .policy import read_policy

        policy = read_policy(self._setting)
        more = (*self.sources["ignore_tables"], *policy.ignore_tables)
        return replace(policy, ignore_tables=more)

    def _setting(self, name: str) -> Any:
        """Return a setting from the application's configuration, else from the environment."""
        return self.app.config.get(name, os.environ.get(name))

    @contextmanager
    def context(self, db: Any = None) -> Iterator[None]:
        """Push the application's context unless it is there, and lend out ``configure_args``.

        env.py files write their own hooks into that dict; the next run must not see them.

        :param db: what env.py gets for ``db`` meanwhile.
        """
        there = has_app_context() and current_app._get_current_object() is self.app  # type: ignore[attr-defined]
        own = self.configure_args, self.db
        self.configure_args, self.db = dict(self.configure_args), db or self.db
        try:
            with nullcontext() if there else self.app.app_context():
                yield
        finally:
            self.configure_args, self.db = own


class Migrate:
    """Give an application the ``flask db`` commands.

    :param app: call `init_app` with this application.
    :param db: the application's SQLAlchemy object: Flask-SQLAlchemy, Flask-SQLAlchemy-Lite, or
        any object with ``engine`` and ``metadata``.
    :param directory: the migrations folder. A relative one is looked for in the working directory,
        then beside the application.
    :param command: the name of the command group.
    :param compare_type: whether autogenerate compares column types.
    :param render_as_batch: whether autogenerate writes changes of tables as batches, for SQLite.
    :param models: modules to import when a command needs the models: ``["exam.models", "auth.*"]``.
    :param metadatas: where the tables of the models are, when ``db`` does not say: a MetaData, a
        list of them, or a dict by bind key.
    :param engines: the engines, when there is no ``db``: an Engine, a dict by bind key, or a
        function that returns one of them.
    :param binds: only these bind keys are migrated; by default all.
    :param ignore_tables: names and patterns of tables that are not compared with the models:
        ``["spatial_ref_sys", "celery_*", "audit.*"]``.
    :param alembic_context_kwargs: given to Alembic's ``context.configure()``.
    """

    def __init__(
        self,
        app: Flask | None = None,
        db: Any = None,
        directory: str | os.PathLike[str] = "migrations",
        command: str = "db",
        compare_type: bool = True,
        render_as_batch: bool = True,
        *,
        models: Sequence[str] | str = (),
        metadatas: MetadataArgument | None = None,
        engines: EnginesArgument | None = None,
        binds: Sequence[str] = (),
        ignore_tables: Sequence[str] | str = (),
        **alembic_context_kwargs: Any,
    ) -> None:
        self.configure_callbacks: list[Callable[[Any], Any]] = []
        self.hooks = Hooks()
        self.db = db
        self.command = command
        self.directory = str(directory)
        self.alembic_ctx_kwargs: dict[str, Any] = {
            **alembic_context_kwargs,
            "compare_type": compare_type,
            "render_as_batch": render_as_batch,
        }
        self._sources: dict[str, Any] = {
            "models": (models,) if isinstance(models, str) else tuple(models),
            "metadatas": metadatas,
            "engines": engines,
            "binds": tuple(binds),
            "ignore_tables": _several(ignore_tables),
        }
        if app is not None and (db is not None or engines is not None):
            self.init_app(app)

    def init_app(
        self,
        app: Flask,
        db: Any = None,
        directory: str | os.PathLike[str] | None = None,
        command: str | None = None,
        compare_type: bool | None = None,
        render_as_batch: bool | None = None,
        *,
        models: Sequence[str] | str | None = None,
        metadatas: MetadataArgument | None = None,
        engines: EnginesArgument | None = None,
        binds: Sequence[str] | None = None,
        ignore_tables: Sequence[str] | str | None = None,
        **alembic_context_kwargs: Any,
    ) -> None:
        """Bind an application; what is given here goes before what the constructor was given."""
        self.db = db if db is not None else self.db
        self.command = command or self.command
        self.directory = str(directory or self.directory)
        given = {"compare_type": compare_type, "render_as_batch": render_as_batch}
        self.alembic_ctx_kwargs.update(
            alembic_context_kwargs,
            **{name: value for name, value in given.items() if value is not None},
        )
        named = {
            "models": (models,) if isinstance(models, str) else models,
            "metadatas": metadatas,
            "engines": engines,
            "binds": binds,
            "ignore_tables": None if ignore_tables is None else _several(ignore_tables),
        }
        self._sources = {name: self._sources[name] if v is None else v for name, v in named.items()}
        app.extensions["migrate"] = MigrateState(
            self,
            app,
            self.db,
            self.directory,
            dict(self.alembic_ctx_kwargs),
            dict(self._sources),
        )
        app.cli.add_command(db_group, name=self.command)

    def configure(self, f: ConfigCallback) -> ConfigCallback:
        """Register a function that takes Alembic's Config and returns it, changed."""
        self.configure_callbacks.append(f)
        return f

    def call_configure_callbacks(self, config: Any) -> Any:
        """Pass a Config through the functions registered with `configure`."""
        for callback in self.configure_callbacks:
            config = callback(config)
        return config

    def before_upgrade(self, f: Function) -> Function:
        """Register a function that is called before a database is upgraded.

        It takes the `Visit`: which database, from where, how many steps. The database is locked
        and nothing has run on it; what the function raises stops the upgrade.
        """
        self.hooks.add("before_upgrade", f)
        return f

    def after_upgrade(self, f: Function) -> Function:
        """Register a function that is called with the `UpgradeResult` of an upgrade.

        It is called when all databases are done and at least one revision was applied.
        """
        self.hooks.add("after_upgrade", f)
        return f

    def before_step(self, f: Function) -> Function:
        """Register a function that is called before each revision, on each database.

        It takes the `Step`, whose ``direction`` tells whether it is an upgrade or a downgrade,
        and the SQLAlchemy connection, which is in the transaction of the step. What it raises
        takes the step back. When a step is tried again, the function is called again, too.
        """
        self.hooks.add("before_step", f)
        return f

    def after_step(self, f: Function) -> Function:
        """Register a function that is called after each revision, on each database.

        It takes the `Step` and the connection, as for `before_step`. What it executes there is
        committed together with the step, or rolled back with it.
        """
        self.hooks.add("after_step", f)
        return f

    def seed(self, f: Function) -> Function:
        """Register a function that fills a new database: for ``flask db seed`` and ``prepare``.

        It takes no arguments. ``db.session`` is committed after it.
        """
        self.hooks.add("seed", f)
        return f

    @property
    def repository(self) -> Repository:
        """The migrations folder of the current application with its databases.

        :raises ConfigError: there is no current application, or it has no Migrate.
        """
        repository: Repository = current_state().repository
        return repository

    def get_config(
        self,
        directory: str | os.PathLike[str] | None = None,
        x_arg: str | Sequence[str] | None = None,
        opts: Sequence[str] | None = None,
    ) -> Any:
        """Return an Alembic Config for ``alembic.command`` and ``ScriptDirectory.from_config``.

        :param directory: another folder than the configured one.
        :param x_arg: more ``-x`` arguments for env.py.
        :param opts: names set to True on ``config.cmd_opts``.
        """
        from .errors import MigrateError
        from .runtime.config import make_config

        wanted = directory or self.directory
        try:
            repository = self.repository
            wanted = directory or repository.directory
            path: Any = repository.path if directory is None else directory
        except MigrateError:
            path = wanted  # Alembic says what is missing when the Config is used
        more = getattr(g, "x_arg", None) or () if has_app_context() else ()
        given = [x_arg] if isinstance(x_arg, str) else list(x_arg or ())
        return make_config(
            path,
            x_arg=[*([more] if isinstance(more, str) else more), *given],
            opts=opts or (),
            callbacks=self.configure_callbacks,
        )


def _several(names: Sequence[str] | str) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
