"""Columns that may not be NULL, on tables that have rows: the rows get a value first.

MariaDB would invent one, and the other databases would refuse the revision where it meets rows.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops

from ...errors import RefusedError
from ...results.questions import DefaultQuestion
from ...wishes import Wishes
from ..differences.changes import Changes
from . import values
from .needing import Answer, Left, Needed, find, write
from .values import SQL

NULL = "NULL"
"""Typed for a column that stays without a value for now."""
NOTHING = "NOTHING"
"""Typed where no row is without a value."""

_TRIES = 3  # answers that make no sense, before it is given up


class NotNull:
    """The unit that gives values to rows, in one bind after the other.

    :param wishes: what a person said.
    """

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._used: set[str] = set()
        self._open: list[tuple[Needed, str]] = []

    def __call__(self, changes: Changes) -> None:
        """Find what rows get, and write how they get it.

        :raises RefusedError: what was said makes no sense.
        """
        _each_table(changes, lambda needed: self._answer(needed, changes))

    def finish(self) -> None:
        """Stop when a column is left without an answer, or one was given for no column.

        :raises RefusedError: it was.
        """
        vain = sorted(self._wishes.defaults.keys() - self._used)
        if vain:
            raise RefusedError(
                f"--default {vain[0]}={self._wishes.defaults[vain[0]]}: {vain[0]} is no column "
                "that becomes NOT NULL. Nothing was written.",
                "It is TABLE.COLUMN=VALUE, for a column whose rows have no value.",
            )
        if self._open:
            raise _stop(self._open)

    def _answer(self, needed: Needed, changes: Changes) -> Answer:
        typed = self._wishes.defaults.get(needed.name)
        if typed is not None:
            self._used.add(needed.name)
            try:
                return _read(typed, needed, changes)
            except ValueError as error:
                raise RefusedError(
                    f"--default {needed.name}={typed}: {error}. Nothing was written."
                ) from None
        value, reason = values.of_model(needed.column, changes.context.dialect)
        if value is not None and value.sql is None and needed.is_unique:
            value, reason = None, "a default that all rows cannot have, as it is unique"
        return value if value is not None else self._ask(needed, reason, changes)

    def _ask(self, needed: Needed, reason: str, changes: Changes) -> Answer:
        type_ = str(needed.type.compile(changes.context.dialect))
        question = DefaultQuestion(needed.name, type_, needed.is_new, reason)
        for _ in range(_TRIES):
            typed = changes.ask(question) if changes.ask is not None else None
            if typed is None:
                break
            try:
                return _read(typed, needed, changes)
            except ValueError as error:
                question = replace(question, problem=str(error))
        self._open.append((needed, reason))
        return Left.AS_IT_IS


def fill_back(changes: Changes) -> None:
    """Give neutral values to rows whose values were dropped, so that the way back runs."""
    made = {one.table_name for one in changes.upgrade.ops if isinstance(one, ops.CreateTableOp)}
    _each_table(changes, lambda needed: needed.neutral(changes, made))


def _each_table(changes: Changes, answer: Callable[[Needed], Answer]) -> None:
    result: list[Any] = []
    made = {
        (one.schema, one.table_name)
        for one in changes.upgrade.ops
        if isinstance(one, ops.CreateTableOp)
    }
    for mod in changes.upgrade.ops:
        is_new = not isinstance(mod, ops.ModifyTableOps) or (mod.schema, mod.table_name) in made
        needed = [] if is_new else find(mod, changes)  # type: ignore[arg-type]
        if needed:
            result += write(mod, [(one, answer(one)) for one in needed], changes)  # type: ignore[arg-type]
        else:
            result.append(mod)
    changes.upgrade.ops[:] = result


def _read(typed: str, needed: Needed, changes: Changes) -> Answer:
    """Read what a person typed.

    :raises ValueError: it makes no sense.
    """
    if typed == NULL:
        changes.postponed.append(needed.name)
        changes.notes.append(
            f"{needed.name} may be NULL for now. The next flask db migrate asks again."
        )
        return Left.NULLABLE
    if typed == NOTHING:
        if needed.is_new:
            raise ValueError("the column is new, so no row has a value")
        return Left.AS_IT_IS
    value = values.typed(typed, needed.type, changes.context.dialect)
    if value.sql is None and needed.is_unique:
        raise ValueError(f"it is unique, so rows cannot all have the same; {SQL}... may differ")
    return value


def _stop(columns: Sequence[tuple[Needed, str]]) -> RefusedError:
    """Say which columns have no answer, with options to choose from."""
    said = "; ".join(
        f"{needed.name} is {'new and' if needed.is_new else 'now'} NOT NULL and has {reason}"
        for needed, reason in columns
    )
    lines = ["Tell flask db migrate what they get, or leave the column NULL for now:"]
    for needed, _ in columns:
        choices = [*needed.examples(), NULL, *([] if needed.is_new else [NOTHING])]
        options = [_option(needed.name, choice) for choice in choices]
        lines.append("  " + "   or   ".join(options))
    if not all(needed.is_new for needed, _ in columns):
        lines.append(f"({NOTHING}: no row is NULL, here and on every other database.)")
    return RefusedError(
        f"{said}: nobody said what the rows get that have no value. Nothing was written.",
        "\n".join(lines),
        columns=tuple(needed.name for needed, _ in columns),
    )


def _option(name: str, choice: str) -> str:
    """Return an option as it is typed in a shell, where '' is an empty text."""
    return f"--default {shlex.quote(f'{name}={choice}')}" + ("''" if choice == "" else "")
