"""A revision that was cut short: whose turn it is, and what a person is told about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alembic.runtime.migration import MigrationContext

from ...binds import DEFAULT
from ...errors import HalfAppliedError
from ...results.operation import HalfApplied, RanStatement
from ...runtime.guards import Running, Target
from .table import Entry

_WIDTH = 200  # characters of a statement that ran


def settled(entries: Sequence[Entry], context: MigrationContext) -> set[tuple[str, str]]:
    """Return the revisions that the version table says something else about than the journal.

    Somebody finished them, or took them back, with another tool.
    """
    connection = context.connection
    assert connection is not None
    in_transaction = connection.in_transaction()
    heads = context.get_current_heads()
    if not in_transaction:
        connection.rollback()
    script = context.script
    applied: set[str] = set()
    if script is not None and heads:
        applied = {one.revision for one in script.iterate_revisions(heads, "base")}
    keys = {(one.revision, one.direction) for one in entries}
    return {key for key in keys if (key[0] in applied) == (key[1] == "upgrade")}


def check(entries: Sequence[Entry], planned: Sequence[Running], target: Target) -> None:
    """Make sure that the run begins with the step that was cut short.

    :raises HalfAppliedError: it begins with another one.
    """
    first = planned[0]
    others = {(one.revision, one.direction) for one in entries}
    others.discard((first.revision, first.verb))
    for revision, direction in sorted(others):
        own = [one for one in entries if (one.revision, one.direction) == (revision, direction)]
        reason = f"this run would begin with the {first.verb} of {first.revision}"
        raise error(describe(own, target.visit.bind, target.url, reason=reason))


def describe(
    entries: Sequence[Entry],
    bind: str,
    url: str,
    *,
    rest: tuple[str, ...] = (),
    reason: str = "",
    note: str = "",
    message: str = "",
) -> HalfApplied:
    """Return what is known about a revision that was cut short.

    :param entries: its rows in the journal.
    """
    return HalfApplied(
        entries[0].revision,
        entries[0].direction,
        bind,
        url,
        tuple(
            RanStatement(one.number, one.bind, one.statement, "done" if one.is_done else "in doubt")
            for one in entries
        ),
        rest,
        message,
        reason,
        note,
    )


def error(half: HalfApplied) -> HalfAppliedError:
    """Return the error with everything a person needs to go on."""
    message = f" ({half.message})" if half.message else ""
    lines = [
        f"The {half.direction} of {half.revision}{message} was cut short on {half.url}, and does "
        f"not go on by itself: {half.reason}."
    ]
    lines += [f"  {one.number} {one.state}: {shortened(one.sql)}" for one in half.statements]
    if half.rest:
        lines.append("Not run:")
        lines += [f"  {shortened(sql)};" for sql in half.rest]
    if half.note:
        lines.append(f"The rest cannot be shown from here: {half.note}")
    return HalfAppliedError("\n".join(lines), advice(half), half=half)


def advice(half: HalfApplied) -> str:
    """Return what a person can do."""
    command = resolve_command(half)
    doubt = half.in_doubt
    if doubt is not None:
        return (
            f"Look whether statement {doubt.number} ran, and say so:  {command} --done "
            f"{doubt.number}   or   {command} --undone {doubt.number}"
        )
    return (
        f"Go on with it, its file as it was when it ran:  flask db {half.direction}\n"
        f"Or do the rest by hand and say so:  {command} --applied\n"
        f"Or undo by hand what ran and say so:  {command} --rolled-back"
    )


def resolve_command(half: HalfApplied) -> str:
    """Return the command with which a person says what became of it."""
    bind = half.bind.partition("+")[0]
    option = "" if bind == DEFAULT else f" --bind {bind}"
    return f"flask db resolve {half.revision}{option}"


def shortened(sql: str) -> str:
    """Return a statement on one line."""
    text = re.sub(r"\s+", " ", sql).strip()
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]} ..."
