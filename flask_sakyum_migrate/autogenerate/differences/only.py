"""Operations that one kind of database needs, in a file that runs on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic.autogenerate import render_op_text, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from .changes import Nothing

MYSQL = ("mysql", "mariadb")
POSTGRESQL = ("postgresql",)


class Only(ops.MigrateOperation):
    """An operation that is for some dialects.

    :param dialects: their names.
    :param back: the operation of the way back; None: there is none, or a unit finds it.
    :param told: the line of the report; empty for none.
    :param otherwise: what other dialects do instead, and what takes that back.
    """

    def __init__(
        self,
        dialects: tuple[str, ...],
        operation: ops.MigrateOperation,
        *,
        back: ops.MigrateOperation | None = None,
        told: str = "",
        otherwise: tuple[Sequence[ops.MigrateOperation], Sequence[ops.MigrateOperation]] = ((), ()),
    ) -> None:
        self.dialects, self.operation, self.back, self.told = dialects, operation, back, told
        self.otherwise = otherwise

    def reverse(self) -> Only | Nothing:
        """Return the operation of the way back."""
        if self.back is None:
            return Nothing()
        there, back = self.otherwise
        return Only(self.dialects, self.back, back=self.operation, otherwise=(back, there))

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return that of the operation."""
        return self.operation.to_diff_tuple()


@renderers.dispatch_for(Only)
def _only(context: AutogenContext, op: Only) -> list[str]:
    name = f"{context.opts['alembic_module_prefix'] or ''}get_context().dialect.name"
    test = f"== {op.dialects[0]!r}" if len(op.dialects) == 1 else f"in {op.dialects!r}"
    otherwise = [render_op_text(context, one) for one in op.otherwise[0]]
    return [
        f"if {name} {test}:",
        render_op_text(context, op.operation),
        *(["else:", *otherwise] if otherwise else []),
        "",
    ]
