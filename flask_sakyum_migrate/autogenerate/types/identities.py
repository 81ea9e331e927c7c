"""Columns that PostgreSQL counts by itself: ``Identity()``.

Alembic has no words for what was SERIAL before, and lets a column begin at 1 whose rows are there
already. A primary key which the models leave to the database may be SERIAL or an identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic.operations import ops

from ..differences.bysql import RunSql, literal
from ..differences.changes import Changes, full_name
from ..differences.names import Place, place_of
from .altering import sequence_of
from .defaults import OWN, both
from .expressions import made
from .stored import Columns

_TABLE = "flask_sakyum_migrate_counts"

_IDENTITIES = """
SELECT n.nspname, c.relname, a.attname, a.attidentity::text = 'a', s.seqstart, s.seqincrement,
  s.seqmin, s.seqmax, s.seqcache, s.seqcycle
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i'
JOIN pg_sequence s ON s.seqrelid = d.objid
WHERE a.attidentity <> ''
"""
_ASKED = f" AND c.oid = to_regclass('pg_temp.{_TABLE}')"


class Counter(NamedTuple):
    """How a column counts.

    :param always: a value of an INSERT is refused.
    """

    always: bool
    start: int
    increment: int
    least: int
    most: int
    cache: int
    cycle: bool

    @property
    def kind(self) -> str:
        """How far it binds, in SQL."""
        return "ALWAYS" if self.always else "BY DEFAULT"

    def options(self) -> dict[str, str]:
        """Return each option in SQL."""
        cycle = "CYCLE" if self.cycle else "NO CYCLE"
        return {
            "start": f"START WITH {self.start}",
            "increment": f"INCREMENT BY {self.increment}",
            "least": f"MINVALUE {self.least}",
            "most": f"MAXVALUE {self.most}",
            "cache": f"CACHE {self.cache}",
            "cycle": cycle,
        }

    def made(self) -> str:
        """Return what makes a column count like this."""
        return f"ADD GENERATED {self.kind} AS IDENTITY ({' '.join(self.options().values())})"

    def instead_of(self, other: Counter) -> str:
        """Return what makes a column count like this that counts in another way."""
        before = other.options()
        parts = [f"SET {sql}" for name, sql in self.options().items() if before[name] != sql]
        if self.always != other.always:
            parts.insert(0, f"SET GENERATED {self.kind}")
        return " ".join(parts)


def compare(changes: Changes) -> None:
    """Add what makes columns count as the models say, or not any more."""
    dialect: Any = changes.context.dialect
    if changes.dialect != "postgresql" or not changes.context.opts.get(OWN):
        return
    if dialect.server_version_info < (10,):
        return
    _take_alembics(changes)
    columns, stored = Columns(changes.connection), dict[Place, dict[str, Counter]]()
    for schema, table, name, counter in _read(changes.connection, _IDENTITIES):
        stored.setdefault(place_of(schema, table, dialect), {})[name] = counter
    for place, model in both(changes):
        there = stored.get(place, {})
        if not there and not any(column.identity for column in model.c):
            continue
        for column in model.c:
            name = changes.renamed.stored_column(model.name, model.schema, column.name)
            if name not in columns.of(place):
                continue
            before, after = there.get(name), None
            if column.identity is not None:
                after = _asked(changes, column, counts=before is not None)
            elif before is not None and column is model.autoincrement_column:
                continue
            if before != after and (column.identity is None or after is not None):
                default = columns.of(place)[name].default
                _change(changes, column, (*place, name), before, after, default)


def _take_alembics(changes: Changes) -> None:
    """Take out what an older Alembic finds; what it makes of some of it is no SQL."""
    for _, one in changes.walk():
        if isinstance(one, ops.AlterColumnOp) and one.modify_server_default is not False:
            either = (one.modify_server_default, one.existing_server_default)
            if any(isinstance(it, sa.Identity) for it in either):
                one.modify_server_default = False
    changes.remove_unchanged()


def _read(connection: sa.Connection, query: str) -> Iterator[tuple[str, str, str, Counter]]:
    for schema, table, name, *counter in connection.exec_driver_sql(query):
        yield schema, table, name, Counter(*counter)


def _asked(changes: Changes, column: sa.Column[Any], *, counts: bool) -> Counter | None:
    """Return how a column of the models would count; None where that cannot be asked.

    :param counts: it does already, and goes as far as another type does by itself.
    """
    type_ = changes.type_before(column) if counts else column.type
    given = column.identity
    assert given is not None
    table = sa.Table(_TABLE, sa.MetaData(), prefixes=["TEMPORARY"])
    options = {name: getattr(given, name) for name in _OPTIONS}
    table.append_column(sa.Column(column.name, type_, sa.Identity(**options)))
    try:
        with made(changes.connection, table):
            return next(one for *_, one in _read(changes.connection, _IDENTITIES + _ASKED))
    except sa.exc.DBAPIError:
        return None


_OPTIONS = (
    *("always", "start", "increment", "minvalue", "maxvalue"),
    *("nominvalue", "nomaxvalue", "cycle", "cache"),
)


def _change(
    changes: Changes,
    column: sa.Column[Any],
    place: tuple[str | None, str, str],
    before: Counter | None,
    after: Counter | None,
    default: str | None,
) -> None:
    table = changes.qualified(column.table)
    alter = f"ALTER TABLE {table} ALTER COLUMN {changes.quote(column.name)}"
    name = f"{full_name(column.table.name, column.table.schema)}.{column.name}"
    count = _count(table, column.name, changes.quote(column.name))
    there: list[str]
    back: list[str]
    if before is not None and after is not None:
        there = [f"{alter} {after.instead_of(before)}"]
        back = [f"{alter} {before.instead_of(after)}"]
        told = f"~ column {name} counts in another way"
    elif before is not None:
        there = [f"{alter} DROP IDENTITY"]
        back = [f"{alter} {before.made()}", count]
        told = f"~ column {name} counts no more"
    else:
        assert after is not None
        drops, makes = _default(changes, place, alter, count, default)
        there = [*drops, f"{alter} {after.made()}", count]
        back = [f"{alter} DROP IDENTITY", *makes]
        told = f"~ column {name} counts by itself"
    one = RunSql(there, back, told, "postgresql")
    if after is None and column.server_default is not None:
        changes.upgrade.ops.insert(0, one)  # before it gets its default
    else:
        changes.upgrade.ops.append(one)


def _count(table: str, name: str, quoted: str) -> str:
    """Return what lets a sequence go on behind the rows."""
    sequence = f"pg_get_serial_sequence({literal(table)}, {literal(name)})"
    most = f"max({quoted})"
    return f"SELECT setval({sequence}, {most}) FROM {table} HAVING {most} > 0"  # noqa: S608


def _default(
    changes: Changes,
    place: tuple[str | None, str, str],
    alter: str,
    count: str,
    default: str | None,
) -> tuple[list[str], list[str]]:
    """Return what takes away the default that a column has, and what gives it again."""
    sequence = sequence_of(changes, *place)
    if sequence is not None:
        owner = alter.removeprefix("ALTER TABLE ").replace(" ALTER COLUMN ", ".")
        return [f"{alter} DROP DEFAULT", f"DROP SEQUENCE {sequence}"], [
            f"CREATE SEQUENCE {sequence} OWNED BY {owner}",
            f"{alter} SET DEFAULT nextval({literal(sequence)})",
            count,
        ]
    if default is None:
        return [], []
    return [f"{alter} DROP DEFAULT"], [f"{alter} SET DEFAULT {default}"]
