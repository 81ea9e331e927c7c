"""What changes databases: upgrade, downgrade, stamp. Returns data; never prints or exits.

Alembic is imported by the verbs that have something to run. Finding that a database is where it
should be does without.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from . import results
from .errors import HistoryError
from .operation import Operation
from .reading import no_steps
from .revisions import Graph, Revision

if TYPE_CHECKING:
    import sqlalchemy as sa


class Running(Operation):
    """The part of `Repository` that changes databases. The parameters are those of `Project`."""

    def upgrade(
        self,
        target: str = "head",
        *,
        bind: str | None = None,
        connection: sa.Connection | None = None,
        tag: str | None = None,
        on_start: Callable[[results.Visit], None] | None = None,
        on_begin: Callable[[results.Step], None] | None = None,
        on_step: Callable[[results.Step], None] | None = None,
    ) -> results.UpgradeResult:
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
                visits = [
                    results.Visit(one.bind, one.url, one.heads, one.heads) for one in positions
                ]
                for visit in visits:
                    if on_start is not None:
                        on_start(visit)
                return results.UpgradeResult(tuple(visits), time.perf_counter() - started)
        from .runtime.environment import Run
        from .upgrading.steps import upgrade_steps

        session = self.open(graph=graph)
        fn = upgrade_steps(session.script, graph, target)
        options = {"destination_rev": target, "tag": tag}
        run = Run(fn, bind, connection, on_start, on_begin, on_step, options, "upgrade")
        if target in ("head", "heads"):
            run.is_done = lambda heads: set(heads) == tops
        self.run(session, run)
        result = results.UpgradeResult(tuple(run.visits), time.perf_counter() - started)
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
        on_start: Callable[[results.Visit], None] | None = None,
        on_begin: Callable[[results.Step], None] | None = None,
        on_step: Callable[[results.Step], None] | None = None,
    ) -> results.UpgradeResult:
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
        return results.UpgradeResult(tuple(run.visits), time.perf_counter() - started)

    def stamp(
        self,
        targets: str | Sequence[str] = "head",
        *,
        bind: str | None = None,
        connection: sa.Connection | None = None,
        tag: str | None = None,
        purge: bool = False,
    ) -> results.UpgradeResult:
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
        return results.UpgradeResult(tuple(run.visits), time.perf_counter() - started)

    def prepare(
        self,
        wait: float = 60.0,
        *,
        on_start: Callable[[results.Visit], None] | None = None,
        on_begin: Callable[[results.Step], None] | None = None,
        on_step: Callable[[results.Step], None] | None = None,
        on_upgrade: Callable[[results.UpgradeResult], None] | None = None,
        on_seed: Callable[[results.Seeded], None] | None = None,
    ) -> results.PrepareResult:
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
        seeded: list[results.Seeded] = []
        if seeding is not None:
            with self.context():
                seeded = seeding.finish(upgrade)
        return results.PrepareResult(tuple(created), upgrade, tuple(seeded))

    def ensure_version(self, bind: str | None = None) -> list[results.Position]:
        """Make the version table where it is missing; return where the databases stand."""
        from .runtime.environment import Run

        self.run(self.open(), Run(no_steps, bind))
        return self.positions(bind)


def targets_of(graph: Graph, target: str) -> list[Revision]:
    """Find a target before any database is touched; relative ones are found on the way."""
    if ":" in target:
        raise HistoryError(
            f"{target} is a range, which is for --sql only: a database starts where it is."
        )
    return [] if graph.is_relative(target) else graph.find(target)
