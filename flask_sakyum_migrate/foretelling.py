"""What a run would do, without running it: its plan, and the SQL of one revision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .binds import sqlite_file
from .results import DatabasePlan, Plan, PlannedStep, Sql
from .verbs import Verbs, no_steps, targets_of

if TYPE_CHECKING:
    from .project import Session
    from .revisions import Graph, Revision
    from .upgrading.planning.plans import Looked


@dataclass(frozen=True)
class Foretelling(Verbs):
    """The part of `Repository` that foretells. The parameters are those of `Project`."""

    def plan(
        self, verb: str = "upgrade", target: str | None = None, *, bind: str | None = None
    ) -> Plan:
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
        return Plan(
            verb, target, tuple(replace(one, url=urls.get(one.bind, one.url)) for one in found)
        )

    def operations(
        self, revision: str = "head", *, down: bool = False, bind: str | None = None
    ) -> Plan:
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
        return Plan(verb, node.id, self._foretold(session, verb, looked, count=False))

    def pending_on(self, target: str = "head", bind: str | None = None) -> list[DatabasePlan]:
        """Return the revisions an upgrade would run on each database, without their operations.

        Alembic is not needed for it, so it takes no longer than `current`.
        """
        folder = self.folder
        graph = self.graph(folder)
        targets_of(graph, target)
        wanted = "heads" if graph.is_relative(target) else target
        return [
            DatabasePlan(
                one.bind,
                one.url,
                one.heads,
                tuple(
                    PlannedStep(node.id, node.message, "upgrade", node.path)
                    for node in graph.pending(one.heads, wanted)
                ),
            )
            for one in self.positions(bind, folder)
        ]

    def revision_sql(
        self, revision: str = "head", *, down: bool = False, bind: str | None = None
    ) -> list[Sql]:
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
    ) -> tuple[DatabasePlan, ...]:
        from .autogenerate import may_lose
        from .runtime.environment import Run, environment
        from .upgrading.planning.plans import plan_of

        # A revision may ask for `-x` arguments, which Alembic has in its environment.
        with self.context(), environment(session.config, session.script, Run(no_steps)):
            return tuple(plan_of(one, verb, may_lose, count=count) for one in looked)

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
