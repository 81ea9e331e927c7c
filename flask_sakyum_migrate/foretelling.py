"""What a run would do, without running it: its plan, its SQL."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import results
from .binds import DEFAULT, sqlite_file
from .errors import DatabaseError, HistoryError
from .reading import no_steps
from .running import targets_of
from .writing import Writing

if TYPE_CHECKING:
    from .project import Session
    from .revisions import Graph, Revision
    from .runtime.steps import StepFunction
    from .upgrading.planning.plans import Looked


class Foretelling(Writing):
    """The part of `Repository` that foretells. The parameters are those of `Project`."""

    def plan(
        self, verb: str = "upgrade", target: str | None = None, *, bind: str | None = None
    ) -> results.Plan:
        """Return what an upgrade or a downgrade would do: each step, each operation, its risk.

        Nothing is executed but reads: the rows that are at risk are counted.

        :param verb: ``upgrade`` or ``downgrade``.
        :param target: as `upgrade` and `downgrade` take it; None: what they take without one.
        :param bind: only this bind.
        :raises HistoryError: there is no such revision, or no way to it.
        """
        from .upgrading.planning.plans import looking
        from .upgrading.steps import downgrade_steps, upgrade_steps

        target = target or {"upgrade": "head"}.get(verb, "-1")
        urls = {one.name: one.url for one in self.databases(bind)}
        looked: list[Looked] = []
        with self._without_new_files() as repository:
            session = repository.open()
            targets_of(session.graph, target)
            make = upgrade_steps if verb == "upgrade" else downgrade_steps
            repository._look(looking(make(session.script, session.graph, target), looked), bind)
            found = repository._foretold(session, verb, looked)
        return results.Plan(
            verb, target, tuple(replace(one, url=urls.get(one.bind, one.url)) for one in found)
        )

    def operations(
        self, revision: str = "head", *, down: bool = False, bind: str | None = None
    ) -> results.Plan:
        """Return what one revision does, without a look at any database.

        :param revision: any symbol for one.
        :param down: what its downgrade does.
        """
        from .upgrading.planning.plans import Looked

        session = self.open()
        node = self.get(revision)
        verb = "downgrade" if down else "upgrade"
        script = session.script.get_revision(node.id)
        looked = [
            Looked(one.engine, one.keys, (), [script], dict(self.options))
            for one in self.databases(bind)
        ]
        return results.Plan(verb, node.id, self._foretold(session, verb, looked, count=False))

    def pending_on(
        self, target: str = "head", bind: str | None = None
    ) -> list[results.DatabasePlan]:
        """Return the revisions an upgrade would run on each database, without their operations.

        Alembic is not needed for it, so it takes no longer than `current`.
        """
        folder = self.folder
        graph = self.graph(folder)
        targets_of(graph, target)
        wanted = "heads" if graph.is_relative(target) else target
        return [
            results.DatabasePlan(
                one.bind,
                one.url,
                one.heads,
                tuple(
                    results.PlannedStep(node.id, node.message, "upgrade", node.path)
                    for node in graph.pending(one.heads, wanted)
                ),
            )
            for one in self.positions(bind, folder)
        ]

    def sql(
        self,
        verb: str = "upgrade",
        target: str | Sequence[str] = "head",
        *,
        bind: str | None = None,
        tag: str | None = None,
    ) -> list[results.Sql]:
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

    def revision_sql(
        self, revision: str = "head", *, down: bool = False, bind: str | None = None
    ) -> list[results.Sql]:
        """Return the SQL of one revision, for each database, without running it.

        :param revision: any symbol for one.
        :param down: that of its downgrade.
        """
        from .upgrading.steps import one_step

        session = self.open()
        node = self.get(revision)
        start = (node.id,) if down else _parents(session.graph, node)
        starts = {one.name: start for one in self.databases(bind)}
        fn = one_step(session.script, session.graph, node.id, upgrade=not down)
        return self._write_sql(session, fn, node.id, starts, bind=bind)

    # ---- below the verbs ---------------------------------------------------------------------

    def _foretold(
        self, session: Session, verb: str, looked: Sequence[Looked], *, count: bool = True
    ) -> tuple[results.DatabasePlan, ...]:
        from .autogenerate import may_lose
        from .runtime.environment import Run, environment
        from .upgrading.planning.plans import plan_of

        # A revision may ask for `-x` arguments, which Alembic has in its environment.
        with self.context(), environment(session.config, session.script, Run(no_steps)):
            return tuple(plan_of(one, verb, may_lose, count=count) for one in looked)

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
    ) -> list[results.Sql]:
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
            return [results.Sql(bind or DEFAULT, anywhere, DEFAULT in read, text)]
        return [
            results.Sql(name, starts.get(name, ()), name in read, buffer.getvalue())
            for name, buffer in buffers.items()
        ]

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

    @contextmanager
    def _without_new_files(self) -> Iterator[Foretelling]:
        """Lend the same repository, where a SQLite file that is not there yet stays away."""
        import sqlalchemy as sa

        stand_ins: dict[Path, sa.Engine] = {}
        engines: dict[str | None, sa.Engine] = {one.key: one.engine for one in self.binds()}
        for key, engine in engines.items():
            path = sqlite_file(engine)
            if path is not None and not path.exists():
                if path not in stand_ins:
                    stand_ins[path] = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
                engines[key] = stand_ins[path]
        if not stand_ins or not self.folder.env.is_known:
            yield self
            return
        try:
            yield replace(self, source=replace(self.source, engines=engines))
        finally:
            for engine in stand_ins.values():
                engine.dispose()


def _parents(graph: Graph, node: Revision) -> tuple[str, ...]:
    """Return the rows of the version table before a revision is run."""
    below = {one: graph.ancestors([graph.nodes[one]]) - {one} for one in node.parents}
    return tuple(one for one in below if not any(one in ids for ids in below.values()))


def _split(target: str | Sequence[str]) -> tuple[str | None, list[str]]:
    """Split ``from:to``; of several targets, all have the same ``from``."""
    targets = [target] if isinstance(target, str) else list(target)
    pairs = [one.rpartition(":") for one in targets]
    starts = {start for start, colon, _ in pairs if colon}
    if len(starts) > 1:
        raise HistoryError("SQL can start from one revision at a time.")
    return (starts.pop() if starts else None), [end for _, _, end in pairs]
