"""The steps that change a database: which revisions an upgrade, a downgrade or a stamp runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep, StampStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RangeNotAncestorError, RevisionError

from ..errors import HistoryError
from ..revisions import Graph
from ..runtime.steps import StepFunction


def upgrade_steps(script: ScriptDirectory, graph: Graph, target: str) -> StepFunction:
    """Make the function that gives Alembic the steps up to a target."""

    def fn(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        graph.known(heads)
        with_words = f"There is no way up to {target} from {_names(heads)}."
        revisions = _iterate(
            script.iterate_revisions(target, heads, implicit_base=True), with_words
        )
        return [
            _Upgrade(script.revision_map, one, True)
            for one in _having(reversed(revisions), "upgrade")
        ]

    return fn


def downgrade_steps(script: ScriptDirectory, graph: Graph, target: str) -> StepFunction:
    """Make the function that gives Alembic the steps down to a target."""

    def fn(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        graph.known(heads)
        if len(heads) > 1 and target.startswith("-"):
            raise HistoryError(
                f"{target} is one way down of {len(heads)}: the database is at {_names(heads)}.",
                f"Name one of them:  flask db downgrade {sorted(heads)[0]}@{target}",
            )
        with_words = f"There is no way down to {target} from {_names(heads)}."
        revisions = _iterate(
            script.iterate_revisions(heads, target, select_for_downgrade=True), with_words
        )
        scripts = _having(revisions, "downgrade")
        plan = _Plan(graph, heads, scripts)
        return [_Downgrade(script, one, plan) for one in scripts]

    return fn


def one_step(
    script: ScriptDirectory, graph: Graph, revision: str, *, upgrade: bool
) -> StepFunction:
    """Make the function that gives Alembic one revision, wherever the database is."""

    def fn(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        (one,) = _having([script.get_revision(revision)], "upgrade" if upgrade else "downgrade")
        if upgrade:
            return [_Upgrade(script.revision_map, one, True)]
        return [_Downgrade(script, one, _Plan(graph, heads, [one]))]

    return fn


def stamp_steps(script: ScriptDirectory, graph: Graph, targets: Sequence[str]) -> StepFunction:
    """Make the function that sets the version table to the targets, without running anything."""

    def fn(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        graph.known(heads)
        if context.as_sql and not heads:
            # Alembic writes CREATE TABLE alembic_version before the first step only.
            found = [one for one in script.get_revisions(tuple(targets)) if one is not None]
            return [StampStep((), one.revision, True, True, script.revision_map) for one in found]
        # Alembic begins no transaction for a run without steps, unless all have one together.
        with context.begin_transaction(_per_migration=True):
            context.stamp(script, tuple(targets))  # type: ignore[arg-type]
        return []

    return fn


# A row of the version table stands for everything below it, so a revision that has another row
# above it gets none. Alembic finds out with all ancestors of all rows, at each step down and at
# each merge: downgrading 5,000 revisions that way walks over 12 million.


class _Upgrade(RevisionStep):
    """Alembic's step, which merges the rows that are there."""

    def merge_branch_idents(self, heads: AbstractSet[str]) -> tuple[list[str], str, str]:
        """Return the rows to delete, and the one to update with what it becomes."""
        rows = [one for one in self.from_revisions if one in heads]
        return rows[:-1], rows[-1], self.to_revisions[0]


class _Downgrade(RevisionStep):
    """Alembic's step, which finds out what stays from what stands on it."""

    def __init__(self, directory: ScriptDirectory, script: Script, plan: _Plan) -> None:
        super().__init__(directory.revision_map, script, is_upgrade=False)
        self._plan = plan

    def _unmerge_to_revisions(self, heads: AbstractSet[str]) -> tuple[str, ...]:
        return self._plan.rows(self.to_revisions, self.revision.revision)


class _Plan:
    """What is applied while a database goes down from its heads."""

    def __init__(self, graph: Graph, heads: Sequence[str], scripts: Sequence[Script]) -> None:
        self._graph = graph
        self._applied = graph.ancestors(graph.known(heads))
        self._place = {one.revision: number for number, one in enumerate(scripts)}

    def rows(self, revisions: Sequence[str], step: str) -> tuple[str, ...]:
        """Return which of the revisions have nothing above them once a step is done."""
        now = self._place[step]

        def stays(one: str) -> bool:
            return one in self._applied and self._place.get(one, math.inf) > now

        nodes = self._graph.nodes
        return tuple(one for one in revisions if not any(map(stays, nodes[one].dependents)))


def _iterate(revisions: Iterable[Script], message: str) -> list[Script]:
    try:
        return list(revisions)
    except (RangeNotAncestorError, AssertionError) as error:
        raise HistoryError(message, "Where it stands: flask db current") from error
    except RevisionError as error:
        if "Ambiguous" in str(error):
            message = f"{message} There is more than one."
            raise HistoryError(message, "Name a revision:  flask db history") from error
        raise HistoryError(f"{message} {error}", "Where it stands: flask db current") from error


def _having(scripts: Iterable[Script], verb: str) -> list[Script]:
    """Import the modules of the steps, all before the first one runs."""
    found = list(scripts)
    for script in found:
        if not callable(getattr(script.module, verb, None)):
            raise HistoryError(
                f"{script.path} has no function {verb}().",
                f"Write one; `pass` is enough when there is nothing to {verb}.",
                path=script.path,
            )
    return found


def _names(heads: Sequence[str]) -> str:
    return ", ".join(heads) or "base"
