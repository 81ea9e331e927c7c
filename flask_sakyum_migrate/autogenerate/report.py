"""Say in lines what a revision changes, and give it a message when nobody did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from .changes import Changes, full_name

_MOST = 100_000  # rows that are counted; a table may have more than anybody wants to wait for


def describe(changes: Changes) -> tuple[str, ...]:
    """Return one line for each change, and one for each table or column that loses its rows.

    ``+`` is new, ``-`` goes, ``~`` is changed, ``!`` is lost.
    """
    lines: list[str] = []
    lost: list[str] = []
    for _, one in changes.walk():
        lines.extend(_line(one, changes))
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
        words.append((verbs[mark], kind, name.split(" ")[0]))
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


def _line(one: Any, changes: Changes) -> Iterator[str]:
    told = getattr(one, "told", None)
    if isinstance(told, str):
        if told:
            yield told
    elif isinstance(one, ops.CreateTableOp):
        yield f"+ table {full_name(one.table_name, one.schema)}"
    elif isinstance(one, ops.DropTableOp):
        yield f"- table {full_name(one.table_name, one.schema)}"
    elif isinstance(one, ops.AddColumnOp):
        yield f"+ column {_of(one)}.{one.column.name} {_type(one.column.type, changes)}"
    elif isinstance(one, ops.DropColumnOp):
        yield f"- column {_of(one)}.{one.column_name}"
    elif isinstance(one, ops.AlterColumnOp):
        yield f"~ column {_of(one)}.{one.column_name} {', '.join(_altered(one, changes))}"
    elif isinstance(one, ops.CreateIndexOp):
        yield f"+ index {one.index_name} of {_of(one)}"
    elif isinstance(one, ops.DropIndexOp):
        yield f"- index {one.index_name} of {_of(one)}"
    elif isinstance(one, ops.AddConstraintOp):
        name = one.to_constraint().name
        yield f"+ {_kind(one)} {name or 'without a name'} of {_of_constraint(one)}"
    elif isinstance(one, ops.DropConstraintOp):
        kind = (one.constraint_type or "constraint").replace("foreignkey", "foreign key")
        yield f"- {kind} {one.constraint_name or 'without a name'} of {_of(one)}"
    else:
        yield f"~ {type(one).__name__.removesuffix('Op')}"


def _altered(one: ops.AlterColumnOp, changes: Changes) -> Iterator[str]:
    if one.modify_name is not None:
        yield f"renamed to {one.modify_name}"
    if one.modify_type is not None:
        before = _type(one.existing_type, changes) if one.existing_type is not None else "?"
        yield f"{before} -> {_type(one.modify_type, changes)}"
    if one.modify_nullable is not None:
        yield "may be NULL" if one.modify_nullable else "NOT NULL"
    if one.modify_server_default is not False:
        yield "server default"
    if one.modify_comment is not False:
        yield "comment"


def _loss(one: Any, changes: Changes) -> str:
    if getattr(one, "lossy", False):
        types = " -> ".join(_type(it, changes) for it in (one.existing_type, one.modify_type))
        return f"! may lose: {_of(one)}.{one.column_name} {types}"
    if isinstance(one, ops.DropTableOp):
        what = full_name(one.table_name, one.schema)
        where: sa.ColumnElement[bool] = sa.true()
        table = sa.table(one.table_name, schema=one.schema)
    elif isinstance(one, ops.DropColumnOp):
        what = f"{_of(one)}.{one.column_name}"
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


def _type(type_: Any, changes: Changes) -> str:
    try:
        return str(type_.compile(dialect=changes.context.dialect))
    except sa.exc.CompileError:  # a type of another database
        return type(type_).__name__


def _of(one: Any) -> str:
    return full_name(str(one.table_name), one.schema)


def _of_constraint(one: Any) -> str:
    table = one.to_constraint().table
    return full_name(table.name, table.schema)


def _kind(one: Any) -> str:
    names = {
        ops.CreateForeignKeyOp: "foreign key",
        ops.CreateUniqueConstraintOp: "unique",
        ops.CreateCheckConstraintOp: "check",
        ops.CreatePrimaryKeyOp: "primary key",
    }
    return next((name for kind, name in names.items() if isinstance(one, kind)), "constraint")
