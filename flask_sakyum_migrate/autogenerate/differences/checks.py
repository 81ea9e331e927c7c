"""CHECK constraints as operations that are written as the database has them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import render_op_text, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from .bysql import colons


class MakeCheck(ops.CreateCheckConstraintOp):
    """``op.create_check_constraint()`` of SQL, which is written as it is.

    :param sql: the condition.
    """

    def __init__(self, name: str, table: str, sql: str, schema: str | None) -> None:
        super().__init__(conv(name), table, sa.text(colons(sql)), schema=schema)
        self.sql = sql

    def reverse(self) -> Any:
        """Drop it."""
        return DropCheck(self)


class DropCheck(ops.DropConstraintOp):
    """``op.drop_constraint()`` of a CHECK that is made again on the way back."""

    def __init__(self, made: MakeCheck) -> None:
        super().__init__(
            made.constraint_name, made.table_name, type_="check", schema=made.schema, _reverse=made
        )
        self._made = made

    def reverse(self) -> Any:
        """Make it."""
        return self._made


@renderers.dispatch_for(MakeCheck)
def _render(context: AutogenContext, op: MakeCheck) -> str:
    # Alembic before 1.18 cannot write this one; the other has the same arguments.
    like = ops.CreateUniqueConstraintOp(op.constraint_name, op.table_name, ["_"], schema=op.schema)
    code = render_op_text(context, like).replace(
        "create_unique_constraint(", "create_check_constraint(", 1
    )
    return code.replace("['_']", repr(colons(op.sql)))
