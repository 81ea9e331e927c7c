"""The migrations folder with its databases: every verb. Returns data; never prints or exits.

Alembic is imported by the verbs that have something to run. Reading the history, and finding
that a database is where it should be, does without.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import binds as binding
from .binds import DEFAULT, Bind, Database, Source
from .errors import ConfigError, DatabaseError, HistoryError
from .models import import_models
from .results import CheckResult, NewRevision, Position, Sql, UpgradeResult, Visit
from .revisions import Graph, Revision, read_folder
from .revisions.graph import several_heads
from .runtime import folder as folders
from .runtime.folder import Folder
from .runtime.known import EnvKind

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

    from .results import Step
    from .runtime.environment import Run, StepFunction
    from .runtime.run import Settings

SETTINGS = "flask_sakyum_migrate"
"""Where ``Config.attributes`` carries the settings of a run to ``run()`` in env.py."""


@dataclass(frozen=True)
class Repository:
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
    """

    directory: str | os.PathLike[str]
    source: Source
    options: Mapping[str, Any] = field(default_factory=dict)
    beside: Sequence[Path] = ()
    models: Sequence[str] = ()
    callbacks: Sequence[Callable[[Any], Any]] = ()
    x_arg: Sequence[str] = ()
    context: Callable[..., AbstractContextManager[Any]] = nullcontext

    # ---- what there is -----------------------------------------------------------------------

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
        return Graph(
            read_folder(folder.locations, recursive=folder.recursive, sourceless=folder.sourceless)
        )

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

    # ---- reads -------------------------------------------------------------------------------

    def heads(self, *, resolve_dependencies: bool = False) -> list[Revision]:
        """Return the revisions the history ends in.

        :param resolve_dependencies: leave out those another revision depends on.
        """
        graph = self.graph()
        return graph.effective_heads if resolve_dependencies else graph.heads

    def branches(self) -> list[tuple[Revision, list[Revision]]]:
        """Return the revisions where the history branches, each with the ones that follow it."""
        graph = self.graph()
        return [
            (node, [graph.nodes[child] for child in node.children])
            for node in graph.sort(graph.nodes)
            if node.is_branch_point
        ]

    def get(self, symbol: str = "head") -> Revision:
        """Return one revision.

        :param symbol: an id, its beginning, a branch label, ``head``, ``base+2``, ``current``.
        :raises HistoryError: there is none, or more than one.
        """
        found = self.find(symbol)
        if len(found) != 1:
            names = ", ".join(node.id for node in found) or "none"
            raise HistoryError(f"{symbol} stands for {len(found)} revisions: {names}.")
        return found[0]

    def find(self, symbol: str = "head") -> list[Revision]:
        """Return the revisions a symbol stands for; more than one for ``heads``, none for base."""
        graph = self.graph()
        if symbol == "current":
            rows = {row for position in self.current() for row in position.heads}
            return graph.known(sorted(rows))
        return self._resolve(graph, symbol)

    def history(self, base: str = "base", head: str = "heads") -> list[Revision]:
        """Return the revisions from head down to base, newest first.

        :param base: where to stop, included; any symbol of Alembic, or ``current``.
        :param head: where to begin.
        :raises HistoryError: base is not below head.
        """
        graph = self.graph()
        if "current" in (base, head):
            rows = sorted({row for position in self.current() for row in position.heads})
            current = rows[0] if len(rows) == 1 else "base" if not rows else ""
            if not current:
                raise HistoryError(
                    f"`current` stands for {len(rows)} revisions here: {', '.join(rows)}.",
                    "Name one of them instead of `current`.",
                )
            base, head = (current if one == "current" else one for one in (base, head))
        if graph.is_plain(base) and graph.is_plain(head):
            return graph.between(base, head)
        with _alembic_words():
            walked = self._script(graph).walk_revisions(base=base, head=head)
            return [graph.nodes[one.revision] for one in walked]

    def current(self, bind: str | None = None) -> list[Position]:
        """Return where each database stands.

        :raises HistoryError: a database is at a revision that no file has.
        """
        folder = self.folder
        graph = self.graph(folder)
        return [
            replace(one, revisions=tuple(graph.current(one.heads)))
            for one in self.positions(bind, folder)
        ]

    def positions(self, bind: str | None = None, folder: Folder | None = None) -> list[Position]:
        """Return what the version table of each database has, known revisions or not."""
        folder = folder or self.folder
        if self._reads_directly(folder):
            return [self._position(one) for one in self.databases(bind, folder)]
        run = self._run(lambda graph, script: lambda heads, context: [], bind, dont_mutate=True)
        return [Position(visit.bind, visit.url, visit.before) for visit in run.visits]

    def pending(self, target: str = "heads", bind: str | None = None) -> list[Revision]:
        """Return the revisions an upgrade would run on any of the databases, in order."""
        folder = self.folder
        graph = self.graph(folder)
        wanted: set[str] = set()
        for position in self.positions(bind, folder):
            wanted.update(node.id for node in graph.pending(position.heads, target))
        return list(reversed(graph.sort(wanted)))

    # ---- verbs that change databases ---------------------------------------------------------

    def upgrade(
        self,
        target: str = "head",
        *,
        bind: str | None = None,
        connection: sa.Connection | None = None,
        tag: str | None = None,
        on_start: Callable[[Visit], None] | None = None,
        on_step: Callable[[Step], None] | None = None,
    ) -> UpgradeResult:
        """Upgrade the databases to a revision.

        :param target: ``head``, ``heads``, an id or its beginning, ``+1``, ``label@head``.
        :param bind: only this bind.
        :param connection: run on this connection; for the default bind when ``bind`` is None.
        :param tag: what ``context.get_tag_argument()`` gives to env.py.
        :param on_start: called for each database before its first step.
        :param on_step: called after each step.
        :raises HistoryError: there is no such revision, or no way to it.
        :raises StepError: a revision raised.
        """
        started = time.perf_counter()
        folder = self.folder
        graph = self.graph(folder)
        _refuse_range(target)
        tops = {node.id for node in self._target(graph, target)}
        if connection is None and target in ("head", "heads") and self._reads_directly(folder):
            positions = [self._position(one) for one in self.databases(bind, folder)]
            if all(set(one.heads) == tops and one.rows is not None for one in positions):
                visits = [_visit(one) for one in positions]
                for visit in visits:
                    if on_start is not None:
                        on_start(visit)
                return UpgradeResult(tuple(visits), time.perf_counter() - started)

        def make(graph: Graph, script: Any) -> StepFunction:
            from .upgrading import upgrade_steps

            return upgrade_steps(script, graph, target)

        run = self._run(
            make, bind, connection, on_start, on_step, graph=graph, destination_rev=target, tag=tag
        )
        return UpgradeResult(tuple(run.visits), time.perf_counter() - started)

    def downgrade(
        self,
        target: str = "-1",
        *,
        bind: str | None = None,
        connection: sa.Connection | None = None,
        tag: str | None = None,
        on_start: Callable[[Visit], None] | None = None,
        on_step: Callable[[Step], None] | None = None,
    ) -> UpgradeResult:
        """Downgrade the databases to a revision; ``-1`` is one step, ``base`` all.

        The parameters are those of `upgrade`.
        """
        started = time.perf_counter()
        _refuse_range(target)
        graph = self.graph()
        self._target(graph, target)

        def make(graph: Graph, script: Any) -> StepFunction:
            from .upgrading import downgrade_steps

            return downgrade_steps(script, graph, target)

        run = self._run(
            make, bind, connection, on_start, on_step, graph=graph, destination_rev=target, tag=tag
        )
        return UpgradeResult(tuple(run.visits), time.perf_counter() - started)

    def stamp(
        self,
        targets: str | Sequence[str] = "head",
        *,
        bind: str | None = None,
        connection: sa.Connection | None = None,
        tag: str | None = None,
        purge: bool = False,
    ) -> UpgradeResult:
        """Set the version table to revisions, without running anything.

        :param targets: one or more revisions; ``base`` for none.
        :param purge: empty the version table first, whatever it has.
        """
        started = time.perf_counter()
        wanted = (targets,) if isinstance(targets, str) else tuple(targets)
        graph = self.graph()
        for target in wanted:
            _refuse_range(target)
            self._target(graph, target)

        def make(graph: Graph, script: Any) -> StepFunction:
            from .upgrading import stamp_steps

            inner = stamp_steps(script, wanted, purge=purge)

            def fn(heads: tuple[str, ...], context: Any) -> Any:
                graph.known(heads)
                steps = inner(heads, context)
                visits[-1].after = context.get_current_heads()
                return steps

            return fn

        visits: list[Visit] = []
        self._run(
            make, bind, connection, visits=visits, graph=graph, destination_rev=wanted, tag=tag,
            purge=purge,
        )  # fmt: skip
        return UpgradeResult(tuple(visits), time.perf_counter() - started)

    def ensure_version(self, bind: str | None = None) -> list[Position]:
        """Make the version table where it is missing; return where the databases stand."""
        self._run(lambda graph, script: lambda heads, context: [], bind)
        return self.positions(bind)

    def sql(
        self,
        verb: str = "upgrade",
        target: str | Sequence[str] = "head",
        *,
        bind: str | None = None,
        tag: str | None = None,
    ) -> list[Sql]:
        """Return the SQL of an upgrade, a downgrade or a stamp, without running it.

        :param verb: ``upgrade``, ``downgrade`` or ``stamp``.
        :param target: a revision, or ``from:to``. Without ``from`` it starts where the database
            is, when it can be reached, else at base (for a downgrade: at head).
        """
        graph = self.graph()
        start, wanted = _split(target)
        for one in wanted:
            self._target(graph, one)
        starts, read = self._starts(graph, verb, start, bind)
        buffers: dict[str, io.StringIO] = {}
        common = io.StringIO()  # for an env.py that asks Alembic for the output

        def make(graph: Graph, script: Any) -> StepFunction:
            from . import upgrading

            if verb == "stamp":
                return upgrading.stamp_steps(script, wanted, purge=False)
            steps = upgrading.upgrade_steps if verb == "upgrade" else upgrading.downgrade_steps
            return steps(script, graph, wanted[0])

        def output(database: Database) -> io.StringIO:
            return buffers.setdefault(database.name, io.StringIO())

        anywhere = next(iter(starts.values()), ())
        self._run(
            make, bind, graph=graph, start_at=starts, output=output, common=common,
            as_sql=True, starting_rev=anywhere or None, destination_rev=wanted[0], tag=tag,
        )  # fmt: skip
        if not buffers:
            return [Sql(bind or DEFAULT, anywhere, DEFAULT in read, common.getvalue())]
        return [
            Sql(name, starts.get(name, ()), name in read, buffer.getvalue())
            for name, buffer in buffers.items()
        ]

    # ---- verbs that write files --------------------------------------------------------------

    def init(self, template: str | None = None, *, package: bool = False) -> Path:
        """Make the migrations folder; a relative one in the working directory.

        :param template: the name of a template of this package, or the path of a folder.
        :param package: add ``__init__.py`` files.
        :raises ConfigError: the folder is not empty or cannot be written.
        """
        from .creating import create_folder

        with self.context():
            plain = not hasattr(self.source.db, "Model")
            return create_folder(
                Path(self.directory), template, package=package, without_model=plain
            )

    def revision(
        self, message: str | None = None, *, autogenerate: bool = False, **arguments: Any
    ) -> NewRevision | None:
        """Write a revision file.

        :param autogenerate: fill it with what turns the databases into the models.
        :param arguments: ``head splice branch_label version_path rev_id depends_on sql``, with
            the meaning they have for Alembic, and ``bind`` for the only bind to compare.
        :returns: the file; None when there was nothing to write.
        :raises DatabaseBehindError: a database is not at head, so it cannot be compared.
        """
        from . import autogenerate as generating

        folder = self.folder
        graph = self.graph(folder)
        head = arguments.get("head") or "head"
        if head == "head" and not arguments.get("splice") and len(graph.heads) > 1:
            raise several_heads(graph.heads)
        bind = arguments.pop("bind", None)
        rev_id = arguments.get("rev_id")
        if rev_id is not None and rev_id in graph:
            raise HistoryError(f"{graph.nodes[rev_id].path} has the revision id {rev_id} already.")
        if autogenerate:
            self.import_models()
        config = self.config(["autogenerate"] if autogenerate else [])
        script = self._script(graph, config)
        with _alembic_words():
            context = generating.revision_context(
                config, script, message=message, autogenerate=autogenerate, **arguments
            )
            if autogenerate or _asks_for_environment(config):
                self._run(
                    lambda graph, script: generating.comparison(context, graph)
                    if autogenerate
                    else _without_comparing(context),
                    bind, graph=graph, script=script, config=config, dont_mutate=True,
                    template_args=context.template_args, revision_context=context,
                    as_sql=bool(arguments.get("sql")),
                )  # fmt: skip
            with _writing(folder.path):
                made = generating.write(context, _text(folder.path / "script.py.mako"))
        return made[0] if made else None

    def merge(
        self,
        revisions: Sequence[str] = (),
        *,
        message: str | None = None,
        branch_label: str | None = None,
        rev_id: str | None = None,
        splice: bool = False,
    ) -> NewRevision:
        """Write a revision that joins others; without ``revisions``, all heads.

        :param splice: allow revisions that are not heads.
        :raises HistoryError: there is nothing to join.
        """
        from . import autogenerate as generating

        folder = self.folder
        graph = self.graph(folder)
        wanted = [node.id for one in revisions or ["heads"] for node in self._resolve(graph, one)]
        if not revisions:
            wanted = [node.id for node in graph.heads]
        if len(set(wanted)) < 2:
            raise HistoryError(
                f"There is nothing to merge: {', '.join(wanted) or 'no revision'} is the only head."
            )
        config = self.config()
        script = self._script(graph, config)
        if _asks_for_environment(config):
            self._run(
                lambda graph, script: lambda heads, context: [], graph=graph, script=script,
                config=config, dont_mutate=True,
            )  # fmt: skip
        with _alembic_words(), _writing(folder.path):
            return generating.merge(
                config, script, wanted, message=message, branch_label=branch_label,
                rev_id=rev_id, splice=splice,
            )  # fmt: skip

    def check(self, bind: str | None = None) -> CheckResult:
        """Compare the models with the databases.

        :raises DatabaseBehindError: a database is not at head.
        """
        from . import autogenerate as generating

        self.import_models()
        graph = self.graph()
        config = self.config()
        script = self._script(graph, config)
        context = generating.revision_context(config, script, autogenerate=True)
        self._run(
            lambda graph, script: generating.comparison(context, graph), bind, graph=graph,
            script=script, config=config, dont_mutate=True, template_args=context.template_args,
            revision_context=context,
        )  # fmt: skip
        return generating.check_result(context)

    # ---- running the environment -------------------------------------------------------------

    def settings(self, **more: Any) -> Settings:
        """Return what the environment runs on: for ``run()`` in env.py."""
        from .runtime.run import Settings

        folder = self.folder
        bind = more.pop("bind", None)
        template = folder.path / "script.py.mako"
        multidb = folder.env is EnvKind.STOCK_MULTIDB or _is_multidb_template(_text(template))
        return Settings(self.databases(bind, folder), dict(self.options), multidb=multidb, **more)

    def _run(
        self,
        make: Callable[[Graph, Any], StepFunction],
        bind: str | None = None,
        connection: sa.Connection | None = None,
        on_start: Callable[[Visit], None] | None = None,
        on_step: Callable[[Step], None] | None = None,
        *,
        graph: Graph | None = None,
        script: Any = None,
        config: Config | None = None,
        visits: list[Visit] | None = None,
        start_at: Mapping[str, tuple[str, ...]] | None = None,
        output: Callable[[Database], io.StringIO] | None = None,
        common: io.StringIO | None = None,
        **options: Any,
    ) -> Run:
        """Run env.py, or what stands in for a stock copy, with a function that gives the steps."""
        from .runtime import run as running
        from .runtime.environment import Run, environment
        from .runtime.old_db import stand_in

        folder = self.folder
        graph = graph or self.graph(folder)
        config = config or self.config()
        script = script or self._script(graph, config)
        if connection is not None and bind is None:
            bind = DEFAULT
        config.output_buffer = common
        run = Run(make(graph, script), bind, connection, on_start, on_step, options)
        if visits is not None:
            run.visits = visits
        db = self.source.db
        if not folder.env.is_known:
            db = stand_in(db, _text(folder.path / "env.py"))
        with _alembic_words(), environment(config, script, run), self.context(db):
            if folder.env.is_known:
                config.attributes[SETTINGS] = self.settings(
                    bind=bind, connection=connection, start_at=start_at, output=output
                )
            if folder.env in (EnvKind.STOCK_SINGLE, EnvKind.STOCK_MULTIDB):
                running.run(config.attributes[SETTINGS])
            else:
                script.run_env()
        if bind is not None and not run.visits:
            raise ConfigError(
                f"{folder.path / 'env.py'} does not run the bind {bind}.",
                "It was written for this project: add the bind there.",
            )
        return run

    def _script(self, graph: Graph, config: Config | None = None) -> Any:
        from .runtime.scripts import script_directory

        return script_directory(config or self.config(), graph.headers)

    def _reads_directly(self, folder: Folder) -> bool:
        """Tell whether env.py cannot make a difference to where the version is read."""
        return folder.env.is_known and not self.callbacks

    def _position(self, database: Database) -> Position:
        rows = binding.read_heads(
            database.engine,
            self.options.get("version_table", "alembic_version"),
            self.options.get("version_table_schema"),
        )
        return Position(database.name, database.url, rows)

    def _resolve(self, graph: Graph, symbol: str) -> list[Revision]:
        if graph.is_plain(symbol):
            return graph.find(symbol)
        with _alembic_words():
            found = self._script(graph).get_revisions(symbol)
        return [graph.nodes[one.revision] for one in found if hasattr(one, "revision")]

    def _target(self, graph: Graph, target: str) -> list[Revision]:
        """Find a target before any database is touched; relative ones are found on the way."""
        return graph.find(target) if graph.is_plain(target) else []

    def _starts(
        self, graph: Graph, verb: str, start: str | None, bind: str | None
    ) -> tuple[dict[str, tuple[str, ...]], set[str]]:
        """Find where the SQL of each database starts; second: those read from the database."""
        folder = self.folder
        if start is not None:
            rows = tuple(node.id for node in self._resolve(graph, start))
            if folder.env.is_known:
                return {one.name: rows for one in self.databases(bind, folder)}, set()
            return {DEFAULT: rows}, set()
        fallback = () if verb != "downgrade" else tuple(n.id for n in graph.effective_heads)
        if not self._reads_directly(folder):
            return {DEFAULT: fallback}, set()
        starts, read = {}, set()
        for database in self.databases(bind, folder):
            try:
                starts[database.name] = self._position(database).heads
                read.add(database.name)
            except DatabaseError:  # told by the result: Sql.from_database is False
                starts[database.name] = fallback
        return starts, read


def _visit(position: Position) -> Visit:
    return Visit(position.bind, position.url, position.heads, position.heads)


def _refuse_range(target: str) -> None:
    if ":" in target:
        raise HistoryError(
            f"{target} is a range, which is for --sql only: a database starts where it is."
        )


def _split(target: str | Sequence[str]) -> tuple[str | None, list[str]]:
    targets = [target] if isinstance(target, str) else list(target)
    pairs = [one.rpartition(":") for one in targets]
    starts = {start for start, colon, _ in pairs if colon}
    if len(starts) > 1:
        raise HistoryError("SQL can start from one revision at a time.")
    return (starts.pop() if starts else None), [end for _, _, end in pairs]


def _asks_for_environment(config: Config) -> bool:
    return (config.get_main_option("revision_environment") or "").lower() in ("true", "1", "yes")


def _without_comparing(context: Any) -> StepFunction:
    def fn(heads: tuple[str, ...], migration_context: Any) -> list[Any]:
        context.run_no_autogenerate(heads, migration_context)
        return []

    return fn


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""  # Alembic says so when it needs the file


def _is_multidb_template(text: str) -> bool:
    """Tell whether script.py.mako asks for the tokens of Flask-Migrate's --multidb template."""
    return '"%s_upgrades" %' in text or "'%s_upgrades' %" in text


@contextmanager
def _alembic_words() -> Iterator[None]:
    """Turn what Alembic raises about revisions into this package's errors.

    Its CommandError passes through: it is written for a person.
    """
    from alembic.script.revision import RevisionError

    try:
        yield
    except RevisionError as error:
        raise HistoryError(str(error)) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{error.filename or path} cannot be written: {error.strerror}.",
            "May this user write to the folder?",
        ) from error
