"""Changes that Alembic has no operation for, as SQL in the revision file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations, ops

_WORD = re.compile(r"'(?:[^']|'')*'|\w+")


class RunSql(ops.MigrateOperation):
    """``op.execute()`` of statements, on one kind of database.

    :param statements: SQL.
    :param back: what takes them back.
    :param told: the line of the report.
    :param dialect: the database they are for; on others there is nothing to do.
    :param comment: what a person should know before the statements run.
    :param comment_back: the same for the way back.
    :param autocommit: run the statements outside of a transaction.
    """

    def __init__(
        self,
        statements: Sequence[str],
        back: Sequence[str],
        told: str,
        dialect: str,
        *,
        comment: str = "",
        comment_back: str = "",
        autocommit: bool = False,
    ) -> None:
        self.statements = tuple(statements)
        self.back = tuple(back)
        self.told = told
        self.dialect = dialect
        self.comment = comment
        self.comment_back = comment_back
        self.autocommit = autocommit

    def reverse(self) -> RunSql:
        """Take it back, inside the transaction."""
        return RunSql(
            self.back,
            self.statements,
            self.told,
            self.dialect,
            comment=self.comment_back,
            comment_back=self.comment,
        )

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the statements."""
        return ("execute", *self.statements)


@renderers.dispatch_for(RunSql)
def _render(context: AutogenContext, op: RunSql) -> list[str]:
    prefix = context.opts["alembic_module_prefix"] or ""
    if not op.statements:
        return []
    lines = [f'if {prefix}get_context().dialect.name == "{op.dialect}":']
    if op.comment:
        lines.append(f"# {op.comment}")
    if op.autocommit:
        lines.append(f"with {prefix}get_context().autocommit_block():")
    lines += [f"{prefix}execute({colons(one)!r})" for one in op.statements]
    # An empty line ends a block.
    return [*lines, *([""] * (1 + op.autocommit))]


@Operations.implementation_for(RunSql)
def _run(operations: Operations, op: RunSql) -> None:
    if operations.get_context().dialect.name == op.dialect:
        for one in op.statements:
            operations.execute(colons(one))


def colons(sql: str) -> str:
    """Return SQL as ``text()`` takes it, where a colon would be a parameter."""
    return re.sub(r"(?<![:\w\\]):(?=\w+(?!:))", r"\\:", sql)


def as_read(value: Any) -> Any:
    """Return an expression whose colons stay colons, where nobody gave values to its parameters.

    What is written in a model, or was read from a database, has colons that are no parameters.
    """
    if isinstance(value, sa.TextClause) and None in value.compile().params.values():
        return sa.text(colons(value.text))
    return value


def single_percents(dialect: sa.Dialect, text: str) -> str:
    """Take back what SQLAlchemy does for drivers to which a percent sign means something."""
    return text.replace("%%", "%") if dialect.paramstyle in ("format", "pyformat") else text


def words(text: str, pairs: Mapping[str, str]) -> str:
    """Rename columns in an expression: each word that is one, outside of string literals."""
    return _WORD.sub(lambda match: pairs.get(match[0], match[0]), text)


def literal(text: str) -> str:
    """Return a string as standard SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def tell_rows(notes: list[str], count: int, column: str, labels: Sequence[str]) -> None:
    """Note that rows have labels which an enum loses.

    :param notes: of the changes.
    :param column: with its table.
    """
    if count:
        some, have, them = ("row", "has", "it") if count == 1 else ("rows", "have", "them")
        notes.append(
            f"{count:,} {some} of {column} {have} {' or '.join(labels)}, which the models no "
            f"longer know: the upgrade stops on {them}. Give {them} another label in a revision "
            "before it."
        )
