"""Tables that would be dropped: those of others are left alone, too many are refused."""

from __future__ import annotations

from typing import Any

from alembic.operations import ops

from ...errors import RefusedError
from ...runtime.others import is_named, not_tables
from ..differences.changes import Changes, full_name


def leave_alone(changes: Changes) -> None:
    """Take out ``drop_table`` for tables that no revision of this history created.

    They belong to an extension of the database, to another application, or somebody made them by
    hand. A person who means it names the table: ``--drop``.
    """
    names = {_name(one) for _, one in changes.walk() if isinstance(one, ops.DropTableOp)}
    names -= changes.wishes.drops
    if not names:
        return
    foreign = not_ours(changes, names)
    if not foreign:
        return
    changes.remove(lambda one: _table_of(one) in foreign)
    listed = ", ".join(sorted(foreign))
    word = "table" if len(foreign) == 1 else "tables"
    changes.notes.append(
        f"Left alone: {word} {listed}, which no model defines and no revision created. To drop "
        f"{'it' if len(foreign) == 1 else 'one'}:  flask db migrate --drop {sorted(foreign)[0]}"
    )


def refuse_most(changes: Changes) -> None:
    """Refuse a revision that would drop more than half of the tables.

    :raises RefusedError: it would, and nobody allowed it.
    """
    dropped = [_name(one) for _, one in changes.walk() if isinstance(one, ops.DropTableOp)]
    meant = [name for name in dropped if name in changes.wishes.drops]
    if changes.wishes.allow_drop or len(meant) == len(dropped):
        return
    kept = len(changes.tables) - sum(
        isinstance(one, ops.CreateTableOp) for _, one in changes.walk()
    )
    if len(dropped) > max(kept, 0):
        total = len(dropped) + kept
        raise RefusedError(
            f"The models have no {', no '.join(sorted(dropped)[:5])}"
            f"{', ...' if len(dropped) > 5 else ''}: this revision would drop {len(dropped)} of "
            f"{total} table{'s' if total > 1 else ''} with all their rows. Nothing was written.",
            "Are all models imported?  Migrate(app, db, models=[...])\n"
            "If they are to go:  flask db migrate --allow-drop",
            tables=tuple(sorted(dropped)),
        )


def not_ours(changes: Changes, names: set[str]) -> set[str]:
    """Return those of some tables of the database that no revision of this history created."""
    text = changes.history()
    foreign = {name for name in names if not is_named(name.rpartition(".")[2], text)}
    parts = {full_name(name, schema) for schema, name in not_tables(changes.connection)}
    return foreign | (names & parts)


def _name(operation: ops.DropTableOp) -> str:
    return full_name(operation.table_name, operation.schema)


def _table_of(operation: Any) -> str | None:
    """Return the table that is dropped, or whose index is dropped before it."""
    if isinstance(operation, ops.DropTableOp | ops.DropIndexOp):
        return full_name(str(operation.table_name), operation.schema)
    return None
