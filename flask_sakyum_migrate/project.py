"""What a migrations folder is for: its settings, its databases, its revisions, running its env.py.

The plumbing below the verbs of `Repository`.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import binds as binding
from . import results
from .binds import DEFAULT, Bind, Database, Source
from .errors import ConfigError, HistoryError, MigrateError, StepError
from .hooks import Hooks
from .models import import_models
from .policy import Policy
from .revisions import Graph, read_folder
from .runtime import folder as folders
from .runtime.folder import Folder
from .runtime.known import EnvKind

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from .runtime.environment import Run
    from .runtime.run import Settings
    from .runtime.steps import StepFunction

SETTINGS = "flask_sakyum_migrate"
"""Where ``Config.attributes`` carries the settings of a run to ``run()`` in env.py."""


@dataclass(frozen=True)
class Project:
    """The migrations folder of one application, and the databases it is for.

    :param directory: the folder as configured.
    :param source: where the binds come from.
    :param options: keyword arguments for ``context.configure()``.
    :param beside: folders in which a relative ``directory`` is looked for as well.
    :param models: patterns of modules to import before models are compared.
    :param callbacks: ``@migrate.configure`` functions.
    :param x_arg: what ``context.get_x_argument()`` gives to env.py.
    :param context: makes the context, of the application, in which binds can be asked for; takes
        what stands in for ``db`` meanwhile.
    :param policy: how a run treats the databases.
    :param hooks: functions of the application that are called around a run.
    :param confirm: answers whether a protected database may lose something; None: never.
    """

    directory: str | os.PathLike[str]
    source: Source
    options: Mapping[str, Any] = field(default_factory=dict)
    beside: Sequence[Path] = ()
    models: Sequence[str] = ()
    callbacks: Sequence[Callable[[Any], Any]] = ()
    x_arg: Sequence[str] = ()
    context: Callable[..., AbstractContextManager[Any]] = nullcontext
    policy: Policy = field(default_factory=Policy)
    hooks: Hooks = field(default_factory=Hooks)
    confirm: Callable[[results.Question], bool] | None = None

    @property
    def path(self) -> Path:
        """The migrations folder.

        :raises ConfigError: it is nowhere; names the places.
        """
        return folders.find(self.directory, self.beside)

    @property
    def folder(self) -> Folder:
        """The migrations folder with its settings."""
        path = self.path
        if not self.callbacks:
            return folders.read(path)
        config = self.config()  # a callback may set version_locations
        return folders.read(path, config.get_main_option)

    def config(self, opts: Sequence[str] = ()) -> Config:
        """Return Alembic's Config for this folder."""
        from .runtime.config import make_config

        with self.context():
            return make_config(
                self.path, x_arg=self.x_arg, opts=[*opts, "quiet"], callbacks=self.callbacks
            )

    def graph(self, folder: Folder | None = None) -> Graph:
        """Read the revision files.

        :raises HistoryError: they do not form a history.
        """
        folder = folder or self.folder
        locations = folder.locations
        headers = read_folder(locations, recursive=folder.recursive, sourceless=folder.sourceless)
        return Graph(headers, Path(locations[0]) if locations else None)

    def binds(self) -> list[Bind]:
        """Return the binds of the application."""
        with self.context():
            return self.source.binds()

    def databases(self, bind: str | None = None, folder: Folder | None = None) -> list[Database]:
        """Return the databases this folder is for, or the one of a bind.

        :raises ConfigError: there is no such bind, or the folder is for one database only.
        """
        binds = self.binds()
        env = (folder or self.folder).env
        if bind is not None and bind not in {one.key for one in binds}:
            names = ", ".join(one.key for one in binds)
            raise ConfigError(f"There is no bind {bind}. The application has: {names}.", bind=bind)
        if env is EnvKind.STOCK_SINGLE:
            if bind not in (None, DEFAULT):
                raise ConfigError(
                    f"This folder was made for one database, and {bind} is another one.",
                    "Make a folder for all of them:  flask db -d NAME init",
                )
            binds = [one for one in binds if one.key == DEFAULT] or binds[:1]
        groups = binding.databases(binds)
        return [one for one in groups if bind is None or bind in one.keys]

    def import_models(self) -> list[str]:
        """Import the modules of ``Migrate(models=...)``; return their names."""
        with self.context():
            return import_models(self.models)

    # ---- running the environment -------------------------------------------------------------

    def settings(self, **more: Any) -> Settings:
        """Return what the environment runs on: for ``run()`` in env.py."""
        from .runtime.run import Settings

        folder = self.folder
        bind = more.pop("bind", None)
        template = folder.path / "script.py.mako"
        multidb = folder.env is EnvKind.STOCK_MULTIDB or _is_multidb_template(read_text(template))
        return Settings(
            self.databases(bind, folder),
            dict(self.options),
            multidb=multidb,
            runs_table=self.policy.runs_table or "",
            fixed=self.source.fixed,
            **more,
        )

    def open(self, opts: Sequence[str] = (), *, graph: Graph | None = None) -> Session:
        """Open the folder for Alembic.

        :param opts: names set to True on ``config.cmd_opts``, for env.py to see.
        :param graph: its revisions, when they were read already.
        """
        from .runtime.scripts import script_directory

        graph = graph or self.graph()
        config = self.config(opts)
        return Session(graph, config, script_directory(config, graph.headers))

    def _reads_directly(self, folder: Folder) -> bool:
        """Tell whether env.py cannot make a difference to where the version is read."""
        return folder.env.is_known and not self.callbacks

    def _look(self, fn: StepFunction, bind: str | None = None, **more: Any) -> Run:
        """Run env.py with a function that looks at each database, and changes nothing."""
        from .runtime.environment import Run

        return self.run(self.open(), Run(fn, bind, options={"dont_mutate": True}, **more))

    def _version_table(self) -> tuple[str, str | None]:
        """Return the name of the version table that ``Migrate`` was told, and its schema."""
        name: str = self.options.get("version_table", "alembic_version")
        return name, self.options.get("version_table_schema")

    def _version_of(self, database: Database) -> tuple[str, str | None]:
        """Return the version table of a database, and its schema."""
        folder = self.folder
        found = [self._version_table()]
        if not self._reads_directly(folder):

            def note(heads: tuple[str, ...], context: Any) -> list[Any]:
                found.insert(0, (context.version_table, context.version_table_schema))
                return []

            self._look(note, database.keys[0])
        return found[0]

    def run(self, session: Session, run: Run, **sql: Any) -> Run:
        """Run env.py, or what stands in for a stock copy of one.

        A run with a ``verb`` changes databases: one such run at a time on each, watched by guards.

        :param sql: ``start_at`` and ``output`` of `runtime.run.Settings`.
        :raises ConfigError: it does not run the bind that was asked for.
        """
        folder = self.folder
        if run.connection is not None and run.bind is None:
            run.bind = DEFAULT
        run.runs_table = self.policy.runs_table or ""
        if run.verb:
            self._watch(run, folder)
        while True:
            try:
                self._run_once(session, run, folder, sql)
                break
            except StepError as error:
                pause = run.retry(error)
                if pause is None:
                    run.failed(error)
                    raise
                time.sleep(pause)
                run.again()
            except BaseException as error:
                run.failed(error)
                raise
        if run.bind is not None and not run.visits:
            raise ConfigError(
                f"{folder.path / 'env.py'} does not run the bind {run.bind}.",
                "It was written for this project: add the bind there.",
            )
        return run

    def _watch(self, run: Run, folder: Folder) -> None:
        """Set up what makes a run safe: the lock, the transactions, the guards."""
        from .upgrading.guards import make_guards
        from .upgrading.lock import Lock
        from .upgrading.transactions import arguments

        policy = self.policy
        together = folder.env.is_known and len(self.databases(run.bind, folder)) > 1
        run.guards = make_guards(policy, self.hooks)
        if run.connection is None:  # else the transaction is the caller's, and so is the care
            run.defaults = lambda one: arguments(policy.transaction, one, together=together)
            if policy.lock_wait is not None:
                run.hold = Lock(policy.lock_wait, policy.say).hold

    def _run_once(self, session: Session, run: Run, folder: Folder, sql: Mapping[str, Any]) -> None:
        from .runtime import run as running
        from .runtime.environment import environment
        from .runtime.old_db import stand_in

        db = self.source.db
        if not folder.env.is_known:
            db = stand_in(db, read_text(folder.path / "env.py"))
        config = session.config
        with alembic_words(), environment(config, session.script, run), self.context(db):
            if folder.env.is_known:
                config.attributes[SETTINGS] = self.settings(
                    bind=run.bind, connection=run.connection, **sql
                )
            if folder.env in (EnvKind.STOCK_SINGLE, EnvKind.STOCK_MULTIDB):
                running.run(config.attributes[SETTINGS])
            else:
                _run_env(session.script, folder.path / "env.py")


@dataclass(frozen=True)
class Session:
    """A migrations folder as one command sees it.

    :param graph: its revisions.
    :param config: Alembic's configuration.
    :param script: Alembic's view of the folder.
    """

    graph: Graph
    config: Config
    script: ScriptDirectory

    @property
    def asks_for_environment(self) -> bool:
        """``revision_environment`` is on: env.py runs for every new file."""
        value = self.config.get_main_option("revision_environment") or ""
        return value.lower() in ("true", "1", "yes", "on")


def _run_env(script: ScriptDirectory, env: Path) -> None:
    """Run env.py; what it raises by itself is told with its line."""
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    try:
        script.run_env()
    except (MigrateError, CommandError, DBAPIError):
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((one.lineno for one in reversed(frames) if one.filename == str(env)), None)
        if isinstance(error, SyntaxError) and error.filename == str(env):
            line = error.lineno
        if line is None or is_revision_error(error):
            raise
        raise ConfigError(
            f"{env}, line {line}: {type(error).__name__}: {error}",
            "The whole story:  flask db --traceback ...",
            path=env,
            line=line,
        ) from error


def is_revision_error(error: Exception) -> bool:
    """Tell whether Alembic raised this about revisions."""
    from alembic.script.revision import RevisionError

    return isinstance(error, RevisionError)


def read_text(path: Path) -> str:
    """Return the text of a file; nothing when there is none, which Alembic then says."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _is_multidb_template(text: str) -> bool:
    """Tell whether script.py.mako asks for the tokens of Flask-Migrate's --multidb template."""
    return '"%s_upgrades" %' in text or "'%s_upgrades' %" in text


@contextmanager
def alembic_words() -> Iterator[None]:
    """Turn what Alembic raises about revisions into this package's errors.

    Its CommandError passes through: it is written for a person.
    """
    from alembic.script.revision import RevisionError

    try:
        yield
    except RevisionError as error:
        raise HistoryError(str(error)) from error
