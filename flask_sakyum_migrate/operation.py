"""What operating an application needs beside the verbs: what was run, seeding, protection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from heapq import merge
from typing import TYPE_CHECKING, Any

from . import results
from .errors import ConfigError, HalfAppliedError, HistoryError
from .reading import Reading

if TYPE_CHECKING:
    import sqlalchemy as sa

    from .runtime.steps import StepFunction
    from .upgrading.seeding import Seeding


class Operation(Reading):
    """The part of `Repository` that is for operating. The parameters are those of `Project`."""

    def runs(self, limit: int | None = 20, bind: str | None = None) -> list[results.RunRecord]:
        """Return what was done to the databases, newest first.

        :param limit: how many at most; None for all.
        :returns: nothing where ``MIGRATE_RUNS_TABLE`` is False, or nothing was done yet.
        """
        from .upgrading.runs import read_runs, runs_of, runs_table

        if self.policy.runs_table is None:
            return []
        folder = self.folder
        found: list[list[results.RunRecord]] = []
        if self._reads_directly(folder):
            table = runs_table(self.policy, *self._version_table())
            for database in self.databases(bind, folder):
                found.append(runs_of(database.engine, table, limit))
        else:

            def read(heads: tuple[str, ...], context: Any) -> list[Any]:
                name, schema = context.version_table, context.version_table_schema
                table = runs_table(self.policy, name, schema)
                found.append(read_runs(context.connection, table, limit))
                return []

            self._look(read, bind)
        # In one database the order is that of the rows, whatever the clocks of its clients say.
        return list(merge(*found, key=_time, reverse=True))[:limit]

    def seed(self, on_seed: Callable[[results.Seeded], None] | None = None) -> list[results.Seeded]:
        """Call the seed functions of the application, each with a commit of ``db.session``.

        :param on_seed: called after each.
        :raises ConfigError: there is none.
        :raises HookError: one raised; what it did is rolled back, and the earlier ones stay.
        """
        if not self.hooks.seed:
            raise ConfigError(
                "No function fills the database.",
                "Write one where Migrate is:\n\n"
                "  @migrate.seed\n"
                "  def users():\n"
                '      db.session.add(User(name="admin"))\n',
            )
        with self.context():
            return self._seeding(on_seed).call(self.hooks.seed)

    def resolve(
        self,
        revision: str | None = None,
        *,
        bind: str | None = None,
        done: int | None = None,
        undone: int | None = None,
        applied: bool = False,
        rolled_back: bool = False,
    ) -> results.HalfApplied:
        """Say what became of a revision that was cut short, or only look at it.

        :param revision: its id, or the beginning of it; None for the only one there is.
        :param bind: the database, when it is half applied on several.
        :param done: the number of the statement in doubt: it ran.
        :param undone: the number of the statement in doubt: it did not run.
        :param applied: the rest was done by hand: the version table moves on.
        :param rolled_back: what ran was undone by hand: the version table stays.
        :returns: what was noted of it until now; ``rest`` only when nothing is said.
        :raises HistoryError: it is not half applied, or the statement is not in doubt.
        """
        from .upgrading.journal import resolving

        decision = resolving.decision(done, undone, applied, rolled_back)
        entries: list[list[Any]] = []
        run = self._look(resolving.collecting(entries), bind)
        half = resolving.one_of(run.visits, entries, revision, self._known_as(revision))
        session = self.open()
        if decision is None and half.revision not in session.graph.nodes:
            return replace(half, note="No file has this revision.")
        try:
            self.run(session, resolving.run_for(half, decision, session.script, self.policy))
        except HalfAppliedError as error:
            if decision is not None:
                raise
            seen: results.HalfApplied = error.half
            return seen
        return half

    # ---- below the verbs ---------------------------------------------------------------------

    def _known_as(self, symbol: str | None) -> list[str]:
        """Return the revisions that a symbol stands for in the files; none when it is unknown."""
        try:
            return [node.id for node in self.graph().find(symbol)] if symbol else []
        except HistoryError:
            return []

    def _seeding(self, on_seed: Callable[[results.Seeded], None] | None) -> Seeding:
        """Set up the seed functions; the first database knows whether it still needs them."""
        from .upgrading.seeding import Seeding

        database = self.databases()[0]
        return Seeding(
            self.hooks.seed,
            getattr(self.source.db, "session", None),
            database.engine,
            database.name,
            *self._version_of(database),
            self.policy,
            on_seed,
        )

    def _ask(
        self,
        fn: StepFunction,
        target: str,
        bind: str | None,
        connection: sa.Connection | None,
    ) -> None:
        """Ask about each protected database that a downgrade takes something from.

        :raises RefusedError: the answer is no.
        """
        from .upgrading.protecting import ask, is_protected, name_of

        plans: list[tuple[sa.Engine, tuple[str, ...]]] = []

        def plan(heads: tuple[str, ...], context: Any) -> list[Any]:
            steps: Any = fn(heads, context)
            ids = tuple(step.revision.revision for step in steps)
            plans.append((context.connection.engine, ids))
            return []

        idle = connection is not None and not connection.in_transaction()
        run = self._look(plan, bind, connection=connection)
        if connection is not None and idle:
            connection.rollback()
        for visit, (engine, ids) in zip(run.visits, plans, strict=True):
            if ids and is_protected(self.policy.protected, engine):
                name = name_of(engine)
                question = results.Question("downgrade", visit.bind, visit.url, name, ids)
                ask(question, self.confirm, target, bind)


def _time(record: results.RunRecord) -> datetime:
    return record.started or datetime.min.replace(tzinfo=timezone.utc)
