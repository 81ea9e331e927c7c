"""The words with which a revision is stopped before SQLite loses something."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import DatabaseError, StepError
from ...runtime.guards import Running
from ...runtime.sqlite_table import Clause
from ...runtime.steps import step_error

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

# The values are put in as they stand in Python: in quotes.
_WAYS = {
    "CHECK": "batch_alter_table({table}, table_args=[sa.CheckConstraint({value}, name=...)])",
    "UNIQUE": "write it as CREATE UNIQUE INDEX in op.execute(), behind the batch",
    "COLLATE": "batch_op.alter_column({column}, type_=sa.String(..., collation={value}))",
    "AUTOINCREMENT": "it is for a primary key of the type sa.Integer",
    "GENERATED": "drop the column, and add it again in a batch that follows",
    "VIRTUAL TABLE": "make a new virtual table in op.execute(), and copy the rows",
    "column": "give batch_alter_table() a copy_from with that column, or none",
    "DEFAULT": "give the column of copy_from its server_default",
    "STRICT": "SQLAlchemy 2.0.37 and newer can write it",
}


def how_to_keep(lost: Sequence[Clause], table: str) -> str:
    """Say what to write in the revision so that nothing is lost."""
    ways = []
    for one in lost:
        way = _WAYS.get(one.kind, "make the new table, and copy the rows, in op.execute()")
        names = {"table": table, "value": one.value, "column": one.column}
        ways.append(way.format(**{name: _quoted(value) for name, value in names.items()}))
    return "\n".join(f"Keep it:  {way}" for way in dict.fromkeys(ways))


def may_lose(labels: Sequence[str]) -> str:
    """Say what to write in the revision if it may be lost."""
    listed = ", ".join(_quoted(one) for one in labels)
    return f"If it may be lost, say so in the revision file:  may_lose = [{listed}]"


def stopped(
    running: Running, context: MigrationContext, text: str, hint: str, listed: Sequence[str] = ()
) -> StepError:
    """Make the error that stops a revision.

    :param text: why.
    :param hint: what to write in it.
    :param listed: what would be lost, a line for each.
    """
    script = running.script
    frames = traceback.extract_stack()
    line = next((one.lineno for one in reversed(frames) if one.filename == script.path), None)
    lines = [f"{running.verb} of {script.revision} ({script.doc}) was stopped. {text}"]
    lines += [f"  {one}" for one in listed]
    lines.append(f"  {script.path}, line {line}" if line else f"  {script.path}")
    remains = step_error(running, context, DatabaseError(text)).hint
    return StepError(
        "\n".join(lines),
        f"{hint}\n{remains}",
        revision=script.revision,
        path=script.path,
        line=line,
        bind=running.key,
        lost=tuple(listed),
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
