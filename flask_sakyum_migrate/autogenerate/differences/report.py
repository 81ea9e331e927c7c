"""Say in lines what a revision changes, and give it a message when nobody did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from ... import wording
from ...wording import full_name, of
from .changes import Changes

_MOST = 100_000  # rows that are counted; a table may have more than anybody wants to wait for


def describe(changes: Changes) -> tuple[str, ...]:
    """Return one line for each change, and one for each table or column that loses its rows.

    ``+`` is new, ``-`` goes, ``~`` is changed, ``!`` is lost.
    """
    lines: list[str] = []
    lost: list[str] = []
    for _, one in changes.walk():
        lines.extend(wording.lines(one, changes.context.dialect))
        loss = _loss(one, changes)
        if loss:
            lost.append(loss)
    return (*lines, *lost)


def slug(lines: Sequence[str]) -> str:
    """Return a message made of what a revision changes: ``add exam, drop user.nick``."""
    verbs = {"+": "add", "-": "drop", "~": "change"}
    words = []
    for line in lines:
        mark, _, rest = line.partition(" ")
        kind, _, name = rest.partition(" ")
        if mark not in verbs:
            continue
        if " renamed to " in name:
            name, _, after = name.partition(" renamed to ")
            words.append(("rename", kind, f"{name.split(' ')[0]} to {after}"))
            continue
        # The indexes of a new table come with it.
        words.append((verbs[mark], kind, name.split(" ")[0] or kind))  # a package has its own
    tables = [name for verb, kind, name in words if kind == "table" and verb == "add"]
    main = [one for one in words if one[1] in ("table", "column")] or words
    said = [
        f"{verb} {name}"
        for verb, kind, name in main
        if kind == "table" or name.rpartition(".")[0] not in tables
    ]
    if len(said) > 3:
        said = [*said[:2], f"{len(said) - 2} more"]
    return ", ".join(dict.fromkeys(said))


def _loss(one: Any, changes: Changes) -> str:
    if getattr(one, "lossy", False):
        dialect = changes.context.dialect
        pair = (one.existing_type, one.modify_type)
        types = " -> ".join(wording.type_name(it, dialect) for it in pair)
        return f"! may lose: {of(one)}.{one.column_name} {types}"
    if isinstance(one, ops.DropTableOp):
        what = full_name(one.table_name, one.schema)
        where: sa.ColumnElement[bool] = sa.true()
        table = sa.table(one.table_name, schema=one.schema)
    elif isinstance(one, ops.DropColumnOp) and one.to_column().computed is None:
        what = f"{of(one)}.{one.column_name}"
        stored = changes.renamed.stored_table(one.table_name, one.schema)
        table = sa.table(stored, sa.column(one.column_name), schema=one.schema)
        where = table.c[one.column_name].is_not(None)
    else:
        return ""
    some = sa.select(sa.literal(1)).select_from(table).where(where).limit(_MOST + 1).subquery()
    count = changes.connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    if not count:
        return ""
    number = f"{count:,}" if count <= _MOST else f"more than {_MOST:,}"
    return f"! lost: {what} {number} row{'s' if count != 1 else ''}"
