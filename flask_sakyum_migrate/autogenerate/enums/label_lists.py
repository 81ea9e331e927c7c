"""Labels of an enum where it is no type of its own: the ENUM of MySQL, and a CHECK elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from ..differences.bysql import literal, tell_rows
from ..differences.changes import Changes, full_name
from ..differences.checks import DropCheck, MakeCheck
from ..differences.names import Place
from ..types.defaults import alter_anew, both, percent
from ..types.stored import Columns
from ..types.underlying import adapted

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_LITERAL_OF_MYSQL = re.compile(r"'((?:[^'\\]|''|\\.)*)'")


def compare_mysql(changes: Changes) -> None:
    """Add the changes of ENUM columns of MySQL; Alembic before 1.18.5 sees none, later no order."""
    if changes.dialect != "mysql":
        return
    columns = Columns(changes.connection)
    for place, table, column, enum in _enums(changes):
        if not enum.native_enum:
            continue
        name = changes.renamed.stored_column(table.name, table.schema, column.name)
        stored = columns.of(place).get(name)
        sql = percent(
            changes.context.dialect, str(column.type.compile(dialect=changes.context.dialect))
        )
        asked = columns.ask(name, sql, None, nullable=True, table=place)
        if stored is None or asked is None or asked.type == stored.type:
            continue
        if not stored.type.startswith("enum("):
            continue
        one = _altering(changes, table, column, place)
        one.modify_type = column.type
        gone = set(_labels(changes, stored.type)) - set(enum.enums)
        _tell_rows(changes, place, name, sorted(gone))


def compare_checks(changes: Changes) -> None:
    """Add the changes of CHECK constraints that hold the labels of an enum."""
    inspector = sa.inspect(changes.connection)
    unnamed = []
    for place, table, column, enum in _enums(changes):
        if not has_check(column.type, changes.context.dialect):
            continue
        wanted = set(enum.enums)
        stored_name = changes.renamed.stored_column(table.name, table.schema, column.name)
        made = (
            one for one in _checks(table) if set(_labels(changes, _sql(changes, one))) == wanted
        )
        check = next(made, None)
        # One without a name has a symbol for it.
        name = check.name if check is not None and isinstance(check.name, str) else None
        checks = inspector.get_check_constraints(place[1], place[0])
        found = _find(changes, checks, name, stored_name)
        if found is None or set(_labels(changes, found["sqltext"])) == wanted:
            continue
        if found["name"] is None:
            unnamed.append(f"{full_name(table.name, table.schema)}.{column.name}")
            continue
        _replace(changes, table, column, found, enum)
        gone = sorted(set(_labels(changes, found["sqltext"])) - wanted)
        _tell_rows(changes, place, stored_name, gone)
    if unnamed:
        changes.notes.append(
            f"The labels of {', '.join(unnamed)} differ from the CHECK in the database, which has "
            "no name and so cannot be dropped. Give the Enum a name, and make the table anew in "
            "a revision of your own."
        )


def _replace(
    changes: Changes, table: sa.Table, column: sa.Column[Any], found: Any, enum: sa.Enum
) -> None:
    quote = changes.context.dialect.identifier_preparer.quote
    labels = ", ".join(map(literal, enum.enums))
    new = f"{quote(column.name)} IN ({labels})"
    schema = table.schema
    old = MakeCheck(found["name"], table.name, found["sqltext"], schema)
    changes.add_to_table(DropCheck(old))
    for _, one in changes.walk():
        if isinstance(one, ops.AlterColumnOp) and one.modify_type is not None:
            if (one.table_name, one.schema, one.column_name) == (table.name, schema, column.name):
                one.modify_type = sa.String(enum.length)  # else it makes the constraint as well
    changes.add_to_table(MakeCheck(found["name"], table.name, new, schema))


def _find(changes: Changes, found: Sequence[Any], name: str | None, column: str) -> Any:
    """Return the CHECK of a column: the one with the name, or one that lists labels for it."""
    for one in found:
        if name is not None and one["name"] == name:
            return one
    for one in found:
        words = set(re.findall(r"\w+", _LITERAL.sub("", one["sqltext"])))
        if column in words and re.search(r"\bIN\b|\bANY\b", one["sqltext"], re.IGNORECASE):
            if name is None and _labels(changes, one["sqltext"]):
                return one
    return None


def has_check(type_: Any, dialect: sa.Dialect) -> bool:
    """Tell whether a type brings a CHECK of its labels along."""
    enum = _enum_of(type_, dialect)
    return enum is not None and enum.create_constraint and not _is_native(enum, dialect)


def _is_native(enum: sa.Enum, dialect: sa.Dialect) -> bool:
    return enum.native_enum and dialect.name in ("postgresql", "mysql", "mariadb")


def _enum_of(type_: Any, dialect: sa.Dialect) -> sa.Enum | None:
    here = adapted(type_, dialect)
    return here if isinstance(here, sa.Enum) else None


def _enums(changes: Changes) -> Iterator[tuple[Place, sa.Table, sa.Column[Any], sa.Enum]]:
    for place, table in both(changes):
        for column in table.c:
            enum = _enum_of(column.type, changes.context.dialect)
            if enum is not None:
                yield place, table, column, enum


def _checks(table: sa.Table) -> list[sa.CheckConstraint]:
    return [one for one in table.constraints if isinstance(one, sa.CheckConstraint)]


def _sql(changes: Changes, check: sa.CheckConstraint) -> str:
    compiled = check.sqltext.compile(
        dialect=changes.context.dialect, compile_kwargs={"literal_binds": True}
    )
    return str(compiled)


def _labels(changes: Changes, sql: str) -> list[str]:
    if changes.dialect != "mysql":
        return [one.replace("''", "'") for one in _LITERAL.findall(sql)]
    found = _LITERAL_OF_MYSQL.findall(sql)
    return [re.sub(r"\\(.)|'(')", r"\1\2", one) for one in found]


def _altering(
    changes: Changes, table: sa.Table, column: sa.Column[Any], place: Place
) -> ops.AlterColumnOp:
    """Return the operation that changes a column; a new one where there is none."""
    for _, one in changes.walk():
        if isinstance(one, ops.AlterColumnOp) and (
            (one.table_name, one.schema, one.column_name) == (table.name, table.schema, column.name)
        ):
            return one
    name = changes.renamed.stored_column(table.name, table.schema, column.name)
    return alter_anew(changes, table, column, place, name)


def _tell_rows(changes: Changes, place: Place, column: str, gone: Sequence[str]) -> None:
    if not gone:
        return
    table = sa.table(place[1], sa.column(column), schema=place[0])
    text = sa.cast(table.c[column], sa.String(255))
    query = sa.select(sa.func.count()).select_from(table).where(text.in_(gone))
    count = changes.connection.execute(query).scalar_one()
    tell_rows(changes.notes, count, f"{full_name(place[1], place[0])}.{column}", gone)
