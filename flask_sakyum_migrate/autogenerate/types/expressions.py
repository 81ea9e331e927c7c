"""Expressions of the models and of the database, as texts that can be held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from ...runtime.sqlite_schema import tokens_of
from ..differences.bysql import as_read, single_percents
from .stored import undone


def expression_sql(dialect: sa.Dialect, expression: Any) -> str:
    """Return an expression of a model as CREATE TABLE has it."""
    compiler: Any = dialect.statement_compiler(dialect, None)
    text = compiler.process(as_read(expression), include_table=False, literal_binds=True)
    return single_percents(dialect, str(text))


def compared(sql: str) -> list[str]:
    """Return an expression without what makes no difference: space, case, parentheses around it."""
    tokens = [one.key for one in tokens_of(sql)]
    while tokens[:1] == ["("] and _closed(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _closed(tokens: list[str]) -> int:
    depth = 0
    for place, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0:
            return place
    return -1


@contextmanager
def made(connection: sa.Connection, table: sa.Table) -> Iterator[None]:
    """Make a temporary table for a while, to see how the database writes what is in it.

    :raises sqlalchemy.exc.DBAPIError: it cannot be made.
    """
    if connection.dialect.name == "postgresql":
        with undone(connection):
            connection.execute(sa.schema.CreateTable(table))
            yield
        return
    connection.execute(sa.schema.CreateTable(table))
    try:
        yield
    finally:
        connection.exec_driver_sql(f"DROP TEMPORARY TABLE {table.name}")
