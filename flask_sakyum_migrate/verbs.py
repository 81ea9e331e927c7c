"""What is done with a migrations folder and its databases. Returns data; never prints or exits.

Alembic is imported by the verbs that have something to run. Reading the history, and finding
that a database is where it should be, does without.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import binds as binding
from .binds import DEFAULT, Database
from .errors import ConfigError, DatabaseError, HistoryError
from .operation import Operation
from .project import alembic_words, read_text
from .results import (
    CheckResult,
    NewRevision,
    Position,
    PrepareResult,
    Sql,
    UpgradeResult,
    Visit,
)
from .revisions import Graph, Revision
from .revisions.graph import several_heads
from .runtime.folder import Folder
from .wishes import Wishes

if TYPE_CHECKING:
    import sqlalchemy as sa

    from .project import Session
    from .results import Seeded, Step
    from .runtime.steps import StepFunction


@dataclass(frozen=True)
class Verbs(Operation):
    """The verbs that do one thing. The parameters are those of `Project`."""

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

        :param symbol: an id, its beginning, a branch label, ``head``, ``head-1``, ``base+2``,
            ``label@head``, ``current``.
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
            return graph.known(self._rows())
        return graph.find(symbol)

    def history(self, base: str = "base", head: str = "heads") -> list[Revision]:
        """Return the revisions from head down to base, newest first.

        :param base: where to stop, included; any symbol of Alembic, or ``current``.
        :param head: where to begin.
        :raises HistoryError: base is not below head.
        """
        graph = self.graph()
        if graph.is_relative(base):  # -3: is three below the other end
            base = ("head" if head == "heads" else head) + base
        current = graph.known(self._rows()) if "current" in (base, head) else []
        if graph.is_relative(head):  # +1 is one above the other end
            start = current[0].id if len(current) == 1 else "base"
            head = (start if base == "current" else base) + head
        if "current" not in (base, head):
            return graph.between(base, head)
        tops = current if head == "current" else graph.find(head)
        return graph.span(current if base == "current" else graph.find(base), tops)

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
        run = self._look(no_steps, bind)
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
        on_begin: Callable[[Step], None] | None = None,
        on_step: Callable[[Step], None] | None = None,
    ) -> UpgradeResult:
        """Upgrade the databases to a revision.

        :param target: ``head``, ``heads``, an id or its beginning, ``+1``, ``label@head``.
        :param bind: only this bind.
        :param connection: run on this connection; for the default bind when ``bind`` is None. Its
            transaction stays the caller's, and so does the care that nobody else runs meanwhile.
        :param tag: what ``context.get_tag_argument()`` gives to env.py.
        :param on_start: called for each database before its first step.
        :param on_begin: called before each step.
        :param on_step: called after each step.
        :raises HistoryError: there is no such revision, or no way to it.
        :raises StepError: a revision raised.
        :raises LockTimeoutError: another process was migrating for longer than
            ``policy.lock_wait``.
        """
        started = time.perf_counter()
        folder = self.folder
        graph = self.graph(folder)
        tops = {node.id for node in targets_of(graph, target)}
        if connection is None and target in ("head", "heads") and self._reads_directly(folder):
            positions = [self._position(one) for one in self.databases(bind, folder)]
            if all(one.rows is not None and set(one.rows) == tops for one in positions):
                visits = [Visit(one.bind, one.url, one.heads, one.heads) for one in positions]
                for visit in visits:
                    if on_start is not None:
                        on_start(visit)
                return UpgradeResult(tuple(visits), time.perf_counter() - started)
        from .runtime.environment import Run
        from .upgrading.steps import upgrade_steps

        session = self.open(graph=graph)
        fn = upgrade_steps(session.script, graph, target)
        options = {"destination_rev": target, "tag": tag}
        run = Run(fn, bind, connection, on_start, on_begin, on_step, options, "upgrade")
        if target in ("head", "heads"):
            run.is_done = lambda heads: set(heads) == tops
        self.run(session, run)
        result = UpgradeResult(tuple(run.visits), time.perf_counter() - started)
        if result.steps:
            with self.context():
                self.hooks.call("after_upgrade", result, left="The upgrade itself is done.")
        return result

    def downgrade(
        self,
        target: str = "-1",
        *,
        bind: str | None = None,
        connection: sa.Connection | None = None,
        tag: str | None = None,
        on_start: Callable[[Visit], None] | None = None,
        on_begin: Callable[[Step], None] | None = None,
        on_step: Callable[[Step], None] | None = None,
    ) -> UpgradeResult:
        """Downgrade the databases to a revision; ``-1`` is one step, ``base`` all.

        The parameters are those of `upgrade`.

        :raises RefusedError: a database is protected, and ``confirm`` did not say yes.
        """
        from .runtime.environment import Run
        from .upgrading.steps import downgrade_steps

        started = time.perf_counter()
        session = self.open()
        targets_of(session.graph, target)
        fn = downgrade_steps(session.script, session.graph, target)
        if self.policy.protected:
            self._ask(fn, target, bind, connection)
        options = {"destination_rev": target, "tag": tag}
        run = Run(fn, bind, connection, on_start, on_begin, on_step, options, "downgrade")
        self.run(session, run)
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
        :raises HistoryError: a database is at a revision that no file has, and not ``purge``.
        """
        from .runtime.environment import Run
        from .upgrading.steps import stamp_steps

        started = time.perf_counter()
        wanted = [targets] if isinstance(targets, str) else list(targets)
        session = self.open()
        nodes = [node for target in wanted for node in targets_of(session.graph, target)]
        if len(nodes) > 1:  # a row for each line: one that another stands on is implied by it
            below = [session.graph.ancestors([node]) - {node.id} for node in nodes]
            wanted = [node.id for node in nodes if not any(node.id in ids for ids in below)]
        fn = stamp_steps(session.script, session.graph, wanted)
        options = {"destination_rev": tuple(wanted), "tag": tag, "purge": purge}
        before = {}
        if purge and connection is None:  # Alembic empties the table before it looks
            before = {position.bind: position.heads for position in self.positions(bind)}
        run = self.run(session, Run(fn, bind, connection, options=options, verb="stamp"))
        for visit in run.visits:
            visit.before = before.get(visit.bind, visit.before)
        return UpgradeResult(tuple(run.visits), time.perf_counter() - started)

    def prepare(
        self,
        wait: float = 60.0,
        *,
        on_start: Callable[[Visit], None] | None = None,
        on_begin: Callable[[Step], None] | None = None,
        on_step: Callable[[Step], None] | None = None,
        on_upgrade: Callable[[UpgradeResult], None] | None = None,
        on_seed: Callable[[Seeded], None] | None = None,
    ) -> PrepareResult:
        """Have the databases there, upgraded to the heads, and seeded when they are new.

        Any number of processes may do this at once. The seed functions are called when the first
        database had no table, by one of them; where that was interrupted, by the next.

        :param wait: seconds to wait for a server that does not answer yet; 0 tries once.
        :param on_upgrade: called when the upgrade is done, before the seed functions.
        :param on_seed: called after each seed function.
        :raises DatabaseError: a database does not answer in time, or cannot be made.
        :raises HookError: a seed function raised; what it did is rolled back.
        """
        from .upgrading.servers import reach

        created = []
        for database in self.databases():
            if reach(database.engine, wait, self.policy.tell):
                created.append(database.url)
                self.policy.tell(f"{database.url} was not there. It is made.")
        seeding = self._seeding(on_seed) if self.hooks.seed and self.graph().heads else None
        if seeding is not None:
            seeding.look()
        upgrade = self.upgrade("heads", on_start=on_start, on_begin=on_begin, on_step=on_step)
        if on_upgrade is not None:
            on_upgrade(upgrade)
        seeded: list[Seeded] = []
        if seeding is not None:
            with self.context():
                seeded = seeding.finish(upgrade)
        return PrepareResult(tuple(created), upgrade, tuple(seeded))

    def ensure_version(self, bind: str | None = None) -> list[Position]:
        """Make the version table where it is missing; return where the databases stand."""
        from .runtime.environment import Run

        self.run(self.open(), Run(no_steps, bind))
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
        from .upgrading import steps

        session = self.open()
        graph = session.graph
        start, wanted = _split(target)
        for one in wanted:
            targets_of(graph, one)
        starts, read = self._starts(graph, verb, start, bind)
        fn: StepFunction
        if verb == "stamp":
            fn = steps.stamp_steps(session.script, graph, wanted)
        else:
            make = steps.upgrade_steps if verb == "upgrade" else steps.downgrade_steps
            fn = make(session.script, graph, wanted[0])
        return self._write_sql(session, fn, wanted[0], starts, read, bind=bind, tag=tag)

    def _write_sql(
        self,
        session: Session,
        fn: StepFunction,
        target: str,
        starts: Mapping[str, tuple[str, ...]],
        read: AbstractSet[str] = frozenset(),
        *,
        bind: str | None = None,
        tag: str | None = None,
    ) -> list[Sql]:
        """Have steps written as SQL.

        :param starts: the revisions each database is at, by its name.
        :param read: the names of those where that was read from the database.
        """
        from .runtime.environment import Run

        buffers: dict[str, io.StringIO] = {}
        anywhere = next(iter(starts.values()), ())
        options = {
            "as_sql": True,
            "starting_rev": anywhere or None,
            "destination_rev": target,
            "tag": tag,
        }
        # An env.py of somebody's own asks Alembic where the output goes.
        session.config.output_buffer = io.StringIO()
        self.run(
            session,
            Run(fn, bind, options=options),
            start_at=starts,
            output=lambda database: buffers.setdefault(database.name, io.StringIO()),
        )
        if not buffers:
            text = session.config.output_buffer.getvalue()
            return [Sql(bind or DEFAULT, anywhere, DEFAULT in read, text)]
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
        self,
        message: str | None = None,
        *,
        autogenerate: bool = False,
        bind: str | None = None,
        wishes: Wishes | None = None,
        ask: Callable[[Any], Any] | None = None,
        dry_run: bool = False,
        **arguments: Any,
    ) -> NewRevision | None:
        """Write a revision file.

        :param autogenerate: fill it with what turns the databases into the models.
        :param bind: the only bind to compare.
        :param wishes: what cannot be decided by comparing: renames, drops.
        :param ask: answers what is open then, such as a `RenameQuestion`; None: it is refused.
        :param dry_run: write nothing; the result has the text of the file.
        :param arguments: ``head splice branch_label version_path rev_id depends_on sql``, with
            the meaning they have for Alembic.
        :returns: the file; None when there was nothing to write.
        :raises ConfigError: the file would not run.
        :raises DatabaseBehindError: a database is not at head, so it cannot be compared.
        :raises RefusedError: it would lose what nobody said may go.
        """
        from . import autogenerate as generating
        from .runtime.environment import Run

        folder = self.folder
        graph = self.graph(folder)
        if (arguments.get("head") or "head") == "head" and len(graph.heads) > 1:
            raise several_heads(graph.heads)
        generating.check_names(graph, arguments.get("rev_id"), arguments.get("branch_label"))
        for name in [arguments.get("head") or "head", *(arguments.get("depends_on") or ())]:
            graph.find(name)
        if autogenerate and arguments.get("sql"):
            raise ConfigError(
                "--sql does without a database, and there is nothing to compare then."
            )
        if autogenerate:
            self.import_models()
            generating.refuse_unmapped(self.source.db)
        session = self.open(["autogenerate"] if autogenerate else [], graph=graph)
        wishes = wishes or Wishes()
        pipeline = generating.pipeline(wishes, graph, writing=True, ask=ask)
        context = generating.revision_context(
            session.config,
            session.script,
            pipeline if autogenerate else None,
            message=message,
            autogenerate=autogenerate,
            **arguments,
        )
        if autogenerate or session.asks_for_environment:
            fn = generating.comparison(context, graph, self._refuse(wishes))
            options = generating.run_options(context)
            run = Run(fn, bind, options=options, render_item=generating.render_item)
            run.comparing = generating.configuring(pipeline, self.policy.ignore_tables)
            self.run(session, run)
        if autogenerate:
            pipeline.finish()
        for note in pipeline.notes:
            self.policy.tell(note)
        with alembic_words():
            template = read_text(folder.path / "script.py.mako")
            made = generating.write(
                context, template, pipeline.lines, headers=graph.headers, dry_run=dry_run
            )
        return replace(made[0], changes=tuple(pipeline.lines)) if made else None

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
        from .runtime.environment import Run

        graph = self.graph()
        nodes = [node for one in revisions for node in graph.find(one)] or graph.heads
        wanted = list(dict.fromkeys(node.id for node in nodes))
        if len(wanted) < 2:
            raise HistoryError(
                f"There is nothing to merge: {', '.join(wanted) or 'no revision'} is the only "
                f"{'one named' if revisions else 'head'}."
            )
        generating.check_names(graph, rev_id, branch_label)
        session = self.open(graph=graph)
        if session.asks_for_environment:
            self.run(session, Run(no_steps, options={"dont_mutate": True}))
        with alembic_words():
            return generating.merge(
                session.config,
                session.script,
                wanted,
                message=message,
                branch_label=branch_label,
                rev_id=rev_id,
                splice=splice,
            )

    def check(
        self,
        bind: str | None = None,
        *,
        anywhere: bool = False,
        wishes: Wishes | None = None,
    ) -> CheckResult:
        """Compare the models with the databases.

        :param anywhere: compare whatever revision a database is at.
        :param wishes: what cannot be decided by comparing.
        :raises DatabaseBehindError: a database is not at head.
        """
        from . import autogenerate as generating
        from .runtime.environment import Run

        self.import_models()
        wishes = wishes or Wishes()
        session = self.open()
        pipeline = generating.pipeline(wishes, session.graph, writing=False)
        context = generating.revision_context(
            session.config, session.script, pipeline, autogenerate=True
        )
        fn = generating.comparison(context, session.graph, self._refuse(wishes), anywhere=anywhere)
        run = Run(fn, bind, options=generating.run_options(context))
        run.comparing = generating.configuring(pipeline, self.policy.ignore_tables)
        self.run(session, run)
        for note in pipeline.notes:
            self.policy.tell(note)
        return generating.check_result(context, pipeline)

    # ---- below the verbs ---------------------------------------------------------------------

    def _refuse(self, wishes: Wishes) -> Callable[[Any], None]:
        """Make what refuses to compare a database with models that nobody imported."""
        from .autogenerate import refuse_empty

        known = self.folder.env.is_known

        def refuse(context: Any) -> None:
            target = context.opts["target_metadata"] or ()
            here = target if isinstance(target, Sequence) else [target]
            # In a folder for several binds one of them may well have no table.
            binds = self.source.binds() if known else ()
            everywhere = [*here, *(one for bind in binds for one in bind.metadata)]
            if not wishes.allow_drop:
                refuse_empty(self.source.db, everywhere, self.beside[:1])

        return refuse

    def _position(self, database: Database) -> Position:
        rows = binding.read_heads(database.engine, *self._version_table())
        return Position(database.name, database.url, rows)

    def _rows(self) -> list[str]:
        """Return the revisions that any of the databases is at."""
        return sorted({row for position in self.positions() for row in position.heads})

    def _starts(
        self, graph: Graph, verb: str, start: str | None, bind: str | None
    ) -> tuple[Mapping[str, tuple[str, ...]], set[str]]:
        """Find where the SQL of each database starts; second: those read from the database."""
        folder = self.folder
        if start is not None:
            rows = tuple(node.id for node in graph.find(start))
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


def no_steps(heads: tuple[str, ...], context: Any) -> list[Any]:
    """Give Alembic nothing to run."""
    return []


def targets_of(graph: Graph, target: str) -> list[Revision]:
    """Find a target before any database is touched; relative ones are found on the way."""
    if ":" in target:
        raise HistoryError(
            f"{target} is a range, which is for --sql only: a database starts where it is."
        )
    return [] if graph.is_relative(target) else graph.find(target)


def _split(target: str | Sequence[str]) -> tuple[str | None, list[str]]:
    """Split ``from:to``; of several targets, all have the same ``from``."""
    targets = [target] if isinstance(target, str) else list(target)
    pairs = [one.rpartition(":") for one in targets]
    starts = {start for start, colon, _ in pairs if colon}
    if len(starts) > 1:
        raise HistoryError("SQL can start from one revision at a time.")
    return (starts.pop() if starts else None), [end for _, _, end in pairs]
