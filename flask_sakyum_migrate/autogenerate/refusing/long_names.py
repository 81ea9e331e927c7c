"""Names that a database would cut off or refuse, told before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from ...errors import RefusedError
from ..differences.changes import Changes

# https://www.postgresql.org/docs/current/limits.html counts bytes, and cuts off what is longer;
# https://dev.mysql.com/doc/refman/8.0/en/identifier-length.html counts characters.
_POSTGRESQL = 63
_MYSQL = 64


def refuse(changes: Changes) -> None:
    """Refuse names that are too long for the database.

    :raises RefusedError: there is one.
    """
    for _, one in changes.walk():
        for kind, name in _new_names(one):
            _refuse(kind, name, changes.dialect)


def refuse_in(metadata: Iterable[sa.MetaData], dialect: sa.Dialect) -> None:
    """Refuse names of models, which SQLAlchemy does not even compare on PostgreSQL.

    :raises RefusedError: there is one.
    """
    for table in (table for one in metadata for table in one.tables.values()):
        for kind, name in [
            ("table", table.name),
            *(("column", one.name) for one in table.c),
            *(("index", one.name) for one in table.indexes),
            *(("constraint", one.name) for one in table.constraints),
        ]:
            _refuse(kind, name if isinstance(name, str) else None, dialect.name)


def _refuse(kind: str, name: str | None, dialect: str) -> None:
    # SQLAlchemy shortens the names it makes by itself, always in the same way.
    if name is None or isinstance(name, conv):
        return
    if dialect == "postgresql" and len(name.encode()) > _POSTGRESQL:
        length, does = f"{len(name.encode())} bytes", f"PostgreSQL keeps {_POSTGRESQL}"
    elif dialect in ("mysql", "mariadb") and len(name) > _MYSQL:
        length, does = f"{len(name)} characters", f"MySQL and MariaDB take {_MYSQL}"
    else:
        return
    raise RefusedError(
        f"The name of the {kind} {name} has {length}, and {does}. Nothing was written.",
        "Give it a shorter name in the models.",
        name=str(name),
    )


def _new_names(one: Any) -> Iterator[tuple[str, str | None]]:
    """Give the names that an operation brings in, with what has them."""
    if isinstance(one, ops.CreateTableOp):
        yield "table", one.table_name
        for item in one.columns:
            if isinstance(item, sa.Column):
                yield "column", item.name
            elif isinstance(item, sa.Constraint) and isinstance(item.name, str):
                yield "constraint", item.name
    elif isinstance(one, ops.AddColumnOp):
        yield "column", one.column.name
    elif isinstance(one, ops.CreateIndexOp):
        yield "index", one.index_name
    elif isinstance(one, ops.AddConstraintOp):
        name = one.to_constraint().name
        yield "constraint", name if isinstance(name, str) else None
    elif isinstance(one, ops.AlterColumnOp):
        yield "column", one.modify_name
    elif isinstance(one, ops.RenameTableOp):
        yield "table", one.new_table_name
