"""The steps that change a database: which revisions an upgrade, a downgrade or a stamp runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alembic.runtime.migration import MigrationContext, MigrationStep, StampStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RangeNotAncestorError, RevisionError

from ..errors import HistoryError
from ..revisions import Graph
from ..runtime.environment import StepFunction


def upgrade_steps(script: ScriptDirectory, graph: Graph, target: str) -> StepFunction:
    """Make the function that gives Alembic the steps up to a target."""

    def fn(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        graph.known(heads)
        with_words = f"There is no way up to {target} from {_names(heads)}."
        revisions = _iterate(
            script.iterate_revisions(target, heads, implicit_base=True), with_words
        )
        return [
            MigrationStep.upgrade_from_script(script.revision_map, one)
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
        return [
            MigrationStep.downgrade_from_script(script.revision_map, one)
            for one in _having(revisions, "downgrade")
        ]

    return fn


def stamp_steps(script: ScriptDirectory, graph: Graph, targets: Sequence[str]) -> StepFunction:
    """Make the function that sets the version table to the targets, without running anything."""

    def fn(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        graph.known(heads)
        if context.as_sql and not heads:
            # Alembic writes CREATE TABLE alembic_version before the first step only.
            found = [one for one in script.get_revisions(tuple(targets)) if one is not None]
            return [StampStep((), one.revision, True, True, script.revision_map) for one in found]
        context.stamp(script, tuple(targets))  # type: ignore[arg-type]
        return []

    return fn


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
