"""The plan of a run: which steps each database has, and what each of them does, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from ...results.foretelling import DatabasePlan, PlannedOperation, PlannedStep
from ...runtime.steps import StepFunction, bind_keys
from ...wording import full_name, lines, sentence
from .recording import Noted, Recorder
from .risks import MayLose, Risks

_LONG = 200  # characters of SQL that are shown


@dataclass
class Looked:
    """What a look at a database found.

    :param engine: of the database.
    :param keys: its bind keys.
    :param heads: where it is.
    :param scripts: the revisions that would be run, in order, as Alembic has them.
    :param opts: of Alembic's context.
    """

    engine: sa.Engine
    keys: tuple[str, ...]
    heads: tuple[str, ...]
    scripts: list[Any]
    opts: Mapping[str, Any]


def looking(fn: StepFunction, found: list[Looked]) -> StepFunction:
    """Make a function that notes the steps of each database, and gives none to run."""

    def look(heads: tuple[str, ...], context: Any) -> list[Any]:
        steps: Any = fn(heads, context)
        keys = bind_keys(context, context.opts.get("run_args", {}))
        scripts = [step.revision for step in steps]
        found.append(Looked(context.connection.engine, keys, heads, scripts, dict(context.opts)))
        return []

    return look


def plan_of(looked: Looked, verb: str, may_lose: MayLose, *, count: bool = True) -> DatabasePlan:
    """Return what a run would do to a database. Its rows are counted, and nothing else is done.

    :param verb: ``upgrade`` or ``downgrade``.
    :param may_lose: as for `Risks`.
    :param count: look at the rows of the database.
    """
    recorder = Recorder(looked.engine.url, looked.opts)
    url = looked.engine.url.render_as_string(hide_password=True)
    kwargs = dict(looked.opts.get("run_args", {}))

    def steps(connection: sa.Connection | None) -> tuple[PlannedStep, ...]:
        risks = Risks(connection, recorder.dialect, may_lose)
        return tuple(
            PlannedStep(
                script.revision,
                script.doc,
                verb,
                script.path,
                _operations(recorder.record(script, verb, looked.keys, kwargs), risks, recorder),
            )
            for script in looked.scripts
        )

    if not count or not looked.scripts:
        found = steps(None)
    else:
        with looked.engine.connect() as connection:
            found = steps(connection)
    return DatabasePlan("+".join(looked.keys), url, looked.heads, found)


def _operations(
    noted: Sequence[Noted], risks: Risks, recorder: Recorder
) -> tuple[PlannedOperation, ...]:
    found = []
    for one in noted:
        if one.operation is None:
            found.append(PlannedOperation(one.key, one.why, "", "unknown"))
            continue
        risk, level = risks.of(one)
        found += [
            PlannedOperation(one.key, text, risk, level) for text in _texts(one, recorder.dialect)
        ]
    return tuple(found)


def _texts(noted: Noted, dialect: sa.Dialect) -> list[str]:
    one = noted.operation
    if noted.sql:
        cut = noted.sql if len(noted.sql) <= _LONG else f"{noted.sql[:_LONG]} ..."
        return [f"run SQL: {cut}"]
    if isinstance(one, ops.BulkInsertOp):
        count = len(one.rows)
        table = full_name(one.table.name, getattr(one.table, "schema", None))
        return [f"insert {count:,} row{'s' if count != 1 else ''} into {table}"]
    return [sentence(line) for line in lines(one, dialect)]
