"""What a person says about a revision that was cut short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from alembic.runtime.migration import HeadMaintainer, MigrationContext, MigrationStep
from alembic.script import ScriptDirectory

from ...errors import ConfigError, HistoryError
from ...policy import Policy
from ...results.operation import HalfApplied
from ...results.running import Visit
from ...runtime.environment import Run
from ...runtime.guards import Guard, Running, Target
from ...runtime.steps import StepFunction
from ..lock import Lock
from . import half_applied
from .noting import Journal
from .table import DONE, Entry, JournalTable


@dataclass(frozen=True)
class Decision:
    """What became of a revision that was cut short.

    :param what: of a statement ``done`` or ``undone``, of the revision ``applied`` or ``rolled
        back``.
    :param number: the statement; None when it is said of the revision.
    """

    what: str
    number: int | None = None


def decision(
    done: int | None, undone: int | None, applied: bool, rolled_back: bool
) -> Decision | None:
    """Return the one thing that was said; None for nothing.

    :raises ConfigError: it is more than one.
    """
    said = [Decision("done", done)] if done is not None else []
    said += [Decision("undone", undone)] if undone is not None else []
    said += [Decision("applied")] if applied else []
    said += [Decision("rolled back")] if rolled_back else []
    if len(said) > 1:
        raise ConfigError("Say one thing at a time about a revision that was cut short.")
    return said[0] if said else None


def collecting(found: list[list[Entry]]) -> StepFunction:
    """Make the function that collects what is noted on each database."""

    def fn(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        assert context.connection is not None
        table = JournalTable(context, context.connection)
        entries = table.load() if table.exists() else []
        stale = half_applied.settled(entries, context) if entries else set()
        found.append([one for one in entries if (one.revision, one.direction) not in stale])
        return []

    return fn


def one_of(
    visits: Sequence[Visit],
    found: Sequence[Sequence[Entry]],
    name: str | None,
    known: Sequence[str],
) -> HalfApplied:
    """Return the revision that is meant, on the one database that is meant.

    :param name: its id, or the beginning of it; None for any.
    :param known: the revisions that the name stands for in the files.
    :raises HistoryError: there is none, or more than one.
    """
    every: dict[tuple[str, str, str], HalfApplied] = {}
    for visit, entries in zip(visits, found, strict=True):
        for entry in entries:
            own = [
                one
                for one in entries
                if (one.revision, one.direction) == (entry.revision, entry.direction)
            ]
            key = (visit.bind, entry.revision, entry.direction)
            every[key] = half_applied.describe(own, visit.bind, visit.url)
    meant = [
        half
        for half in every.values()
        if half.revision in known or half.revision.startswith(name or "")
    ]
    if len(meant) == 1:
        return meant[0]
    if meant:
        several = ", ".join(f"{half.revision} on {half.bind}" for half in meant)
        raise HistoryError(
            f"More than one is half applied: {several}.",
            f"Name one of them:  {half_applied.resolve_command(meant[-1])}",
        )
    what = "; ".join(
        f"the {half.direction} of {half.revision} on {half.url}" for half in every.values()
    )
    raise HistoryError(
        f"{name or 'No revision'} is {'not ' if name else ''}half applied on any database.",
        f"What is: {what}." if what else "Where the databases are:  flask db current",
    )


def run_for(
    half: HalfApplied, decision: Decision | None, script: ScriptDirectory, policy: Policy
) -> Run:
    """Return the run that writes down what was said, or looks where nothing was."""
    hold = None if policy.lock_wait is None else Lock(policy.lock_wait, policy.say).hold
    key = half.bind.partition("+")[0]
    if decision is not None:
        fn = _deciding(script, half.revision, half.direction, decision)
        return Run(fn, key, hold=hold)

    def step(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        return [_step_of(script, half.revision, half.direction)]

    def guards(target: Target) -> Sequence[Guard]:
        return [_Looking(target, replace(policy, say=None))]

    return Run(step, key, hold=hold, guards=guards)


def _step_of(script: ScriptDirectory, revision: str, direction: str) -> MigrationStep:
    found = script.get_revision(revision)
    make: Any = MigrationStep
    make = make.upgrade_from_script if direction == "upgrade" else make.downgrade_from_script
    step: MigrationStep = make(script.revision_map, found)
    return step


class _Looking(Journal):
    """Runs the functions of the step without its statements, and raises what it saw."""

    def _make_table(self) -> None:
        pass

    def _resume(self, running: Running) -> None:
        super()._resume(running)
        if not self._ran:
            raise _settled(running.revision)
        if self._stopped is None:
            self._stop("")


def _deciding(
    script: ScriptDirectory, revision: str, direction: str, decision: Decision
) -> StepFunction:
    """Make the function that writes down what a person said, under the lock of the database.

    :raises HistoryError: it is said of a statement that is not in doubt.
    """

    def fn(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        assert context.connection is not None
        table = JournalTable(context, context.connection)
        commits = not context.impl.transactional_ddl
        with context.begin_transaction(_per_migration=True):
            own = [
                one
                for one in (table.load() if table.exists() else [])
                if (one.revision, one.direction) == (revision, direction)
            ]
            if not own:
                raise _settled(revision)
            if decision.what == "applied":
                step: Any = _step_of(script, revision, direction)
                HeadMaintainer(context, heads).update_to_step(step)
            if decision.number is not None:
                _say_of_statement(table, own, decision)
            else:
                table.clear(revision, direction)
            if not commits:
                table.drop()
        if commits:
            table.drop()
        return []

    return fn


def _settled(revision: str) -> HistoryError:
    """Return the error when a revision is not half applied any more."""
    return HistoryError(f"Another run has settled {revision} meanwhile.", revision=revision)


def _say_of_statement(table: JournalTable, own: Sequence[Entry], decision: Decision) -> None:
    last = own[-1]
    if last.is_done:
        raise HistoryError(
            f"No statement of {last.revision} is in doubt: 1 to {last.number} are done.",
            revision=last.revision,
        )
    if last.number != decision.number:
        raise HistoryError(
            f"Statement {decision.number} of {last.revision} is not in doubt: statement "
            f"{last.number} is.",
            revision=last.revision,
        )
    if decision.what == "done":
        last.state = DONE
        table.write([last])
    else:
        table.clear(last.revision, last.direction, last.number)
