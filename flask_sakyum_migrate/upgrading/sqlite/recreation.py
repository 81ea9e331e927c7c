"""Copies of a table on SQLite that lose nothing in silence.

Alembic's batch mode makes a new table, copies the rows, drops the old one and renames the new one.
What only the old one knew goes with it: triggers, indexes on expressions, what its CREATE TABLE
says beyond what SQLAlchemy reflects. Here that is kept, or the revision is stopped.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ...errors import DatabaseError, StepError
from ...policy import Policy
from ...runtime.guards import Guard, Running, Target
from ...runtime.sqlite import check_foreign_keys
from ...runtime.sqlite_schema import Database, qualified, quote, read_index, renamed, text_of
from ...runtime.sqlite_table import Clause, read_table
from .copy import Copy
from .dates import converting_dates
from .health import Health, problems
from .native import Native, covers
from .refusal import how_to_keep, may_lose, stopped

if TYPE_CHECKING:
    from alembic.operations.batch import ApplyBatchImpl, BatchOperationsImpl

_LEFTOVER = "_alembic_tmp_"
_LONGEST = 50  # Alembic cuts the name of the new table off here

# Warnings about what is kept, or told in words.
_SAID_BETTER = (
    "Skipped unsupported reflection of expression-based index",
    "Unnamed CHECK constraint on reflected table",
)


@dataclass
class _Copying:
    """A copy that is being made, from CREATE TABLE until the new table has the old name."""

    table: str
    schema: str
    temporary: str
    triggers: dict[str, str]
    indexes: dict[str, str]
    rows: int | None
    sequence: int | None
    renames: dict[str, str] = field(default_factory=dict)


class Recreation(Guard):
    """Keeps what ``batch_alter_table`` loses, or stops the revision."""

    def __init__(self, target: Target, policy: Policy) -> None:
        super().__init__(target)
        self._policy = policy
        failures: Any = target.connection.dialect.dbapi
        driver = target.connection.connection.dbapi_connection
        self._database = Database(driver, failures.Error)
        self._running: Running | None = None
        self._copying: _Copying | None = None
        self._before: dict[str, Health] = {}
        self._gone: set[str] = set()
        self._leftovers: list[str] = []

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Look for what a run of another tool left, before anything is done."""
        if not planned:
            yield
            return
        self._leftovers = self._find_leftovers()
        with warnings.catch_warnings():
            for text in _SAID_BETTER:
                warnings.filterwarnings("ignore", text)
            yield

    @contextmanager
    def step(self, running: Running) -> Iterator[None]:
        """Watch over the copies that the functions of a revision make."""
        self._running, self._copying = running, None
        self._before, self._gone = {}, set()
        for name in self._leftovers:
            self._run(f"DROP TABLE {quote(name)}")
            self._policy.tell(f"Dropped {name}, a copy that a run of before did not finish.")
        self._leftovers = []
        impl = self.target.context.impl
        with ExitStack() as stack:
            for name, make in (
                ("requires_recreate_in_batch", self._requires_recreate),
                ("prep_table_for_batch", self._prepare),
                ("rename_table", self._rename),
                ("cast_for_batch_migrate", converting_dates),
            ):
                stack.enter_context(_overridden(impl, name, make))
            yield
        if self._before:
            self._look_again()
        opts = self.target.context.opts
        # The environment of this package, which names the binds, looks by itself before it commits.
        if opts.get("transaction_per_migration") or (running.is_last and "bind_keys" not in opts):
            check_foreign_keys(self.target.connection)

    # ---- what Alembic asks and does in a batch -----------------------------------------------

    def _requires_recreate(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def requires_recreate_in_batch(batch_op: BatchOperationsImpl) -> bool:
            if not inner(batch_op):
                return False
            assert self._running is not None
            # Asked before insert_after= of add_column(), it is too early to decide.
            if b"insert_" in Path(self._running.script.path).read_bytes():
                return True
            impl = self.target.context.impl
            return not Native(impl, inner, self._database).can(batch_op)

        return requires_recreate_in_batch

    def _prepare(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def prep_table_for_batch(batch_impl: ApplyBatchImpl, table: sa.Table) -> None:
            inner(batch_impl, table)
            self._copying = self._begin_copy(batch_impl)

        return prep_table_for_batch

    def _rename(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def rename_table(old: str, new: Any, schema: Any = None) -> None:
            copying, self._copying = self._copying, None
            if copying is None or old != copying.temporary:
                self._copying = copying
                inner(old, new, schema=schema)  # the revision's own
                return
            with self._without_a_look():
                inner(old, new, schema=schema)
            self._put_back(copying)

        return rename_table

    @contextmanager
    def _without_a_look(self) -> Iterator[None]:
        """Rename without a look at views and triggers: they name a table that is not there yet."""
        before = self._ask("PRAGMA legacy_alter_table")
        self._ask("PRAGMA legacy_alter_table=ON")
        try:
            yield
        finally:
            self._ask(f"PRAGMA legacy_alter_table={before[0][0] if before else 'OFF'}")

    # ---- before, during and after a copy -----------------------------------------------------

    def _begin_copy(self, batch: ApplyBatchImpl) -> _Copying | None:
        table, schema = str(batch.table.name), str(batch.table.schema or "main")
        tables = self._database.objects(schema, "table", table)
        if not tables:
            return None  # a temporary table
        (sql,) = tables.values()
        if schema not in self._before:
            self._before[schema] = problems(self._database, schema)
        self._refuse_cascades(table, schema)
        accepted = self._accepted()
        copy = Copy(batch, sql, accepted)
        lost = copy.complete()
        if lost:
            self._refuse_loss(table, lost)
        self._gone |= copy.gone | copy.renames.keys()
        skips = any(one.kind.endswith("ON CONFLICT") for one in read_table(copy.create_sql()))
        return _Copying(
            table,
            schema,
            batch.temp_table_name,
            {
                name: trigger
                for name, trigger in self._database.objects(schema, "trigger", table).items()
                if f"trigger {name}" not in accepted
            },
            self._indexes(batch, copy, schema, accepted),
            self._count(table, schema) if skips else None,
            self._sequence(table, schema),
            copy.renames,
        )

    def _indexes(
        self, batch: ApplyBatchImpl, copy: Copy, schema: str, accepted: Sequence[str]
    ) -> dict[str, str]:
        """Return the indexes to make as they are, and take them out of Alembic's hands."""
        found = {}
        reflected = {str(one.name) for one in batch.table.indexes}
        for name, sql in self._database.objects(schema, "index", copy.old.name).items():
            dropped = name in reflected and name not in batch.indexes
            batch.indexes.pop(name, None)
            if dropped or f"index {name}" in accepted:
                continue
            if not covers(sql, copy.gone):  # else it goes with its column, as on PostgreSQL
                found[name] = sql
        return found

    def _put_back(self, copying: _Copying) -> None:
        """Give the new table, which has the old name now, what the old one had."""
        if copying.rows is not None:
            self._refuse_skipped(copying)
        self._continue_sequence(copying)
        for sql in copying.indexes.values():
            head, body = read_index(sql)
            text = sql
            if copying.renames:
                text = f"{text_of(head)} {text_of(renamed(body, copying.renames))}"
            self._run(qualified(text, copying.schema))
        for sql in copying.triggers.values():
            self._run(qualified(sql, copying.schema))

    def _sequence(self, table: str, schema: str) -> int | None:
        """Return the last id that AUTOINCREMENT gave, of a row that may be gone."""
        if not self._database.objects(schema, "table", "sqlite_sequence"):
            return None
        rows = self._ask(
            f"SELECT max(seq) FROM {quote(schema)}.sqlite_sequence WHERE name = ?",  # noqa: S608
            table,
        )
        return rows[0][0] if rows else None

    def _continue_sequence(self, copying: _Copying) -> None:
        if copying.sequence is None:
            return
        schema, table = quote(copying.schema), copying.table
        (sql,) = self._database.objects(copying.schema, "table", table).values()
        if any(one.kind == "AUTOINCREMENT" for one in read_table(sql)):
            sequences = f"{schema}.sqlite_sequence"
            self._ask(f"DELETE FROM {sequences} WHERE name = ?", table)  # noqa: S608
            self._ask(f"INSERT INTO {sequences} VALUES (?, ?)", table, copying.sequence)  # noqa: S608

    # ---- what is refused ---------------------------------------------------------------------

    def _refuse_loss(self, table: str, lost: Sequence[Clause]) -> None:
        labels = [one.label(table) for one in lost]
        raise self._error(
            f"SQLite copies the table {table} for it, and this would be lost:",
            f"{how_to_keep(lost, table)}\n{may_lose(labels)}",
            labels,
        )

    def _refuse_cascades(self, table: str, schema: str) -> None:
        """Stop where dropping the old table would delete or change rows of other tables."""
        if not self._ask("PRAGMA foreign_keys")[0][0]:
            return
        children = [
            name
            for name in self._database.objects(schema, "table")
            if name.lower() != table.lower()
            and self._refers(name, table, schema)
            and self._count(name, schema)
        ]
        if children:
            raise self._error(
                f"SQLite copies the table {table} for it and drops the old one, while foreign keys "
                f"are on: the rows of {', '.join(children)} that refer to it would go too.",
                "Switch them off before the transaction of this connection begins:  "
                "PRAGMA foreign_keys=OFF",
            )

    def _refers(self, child: str, table: str, schema: str) -> bool:
        rows = self._ask('SELECT "table" FROM pragma_foreign_key_list(?, ?)', child, schema)
        return any(str(parent).lower() == table.lower() for (parent,) in rows)

    def _refuse_skipped(self, copying: _Copying) -> None:
        assert copying.rows is not None
        missing = copying.rows - self._count(copying.table, copying.schema)
        if missing:
            raise self._error(
                f"{missing} of {copying.rows} rows of {copying.table} do not fit what it makes of "
                "the table, and its ON CONFLICT leaves them out without a word.",
                "Mend or delete them in the revision, before it changes the table.",
            )

    def _look_again(self) -> None:
        """Stop where a view or a trigger worked before the copies and does not now."""
        accepted = self._accepted()
        for schema, before in self._before.items():
            after = problems(self._database, schema, self._gone)
            new = {
                label: reason
                for label, reason in after.items()
                if label not in before and label not in accepted
            }
            if new:
                which = ", ".join(f"the {label} ({reason})" for label, reason in new.items())
                raise self._error(
                    f"What it makes of the table does not fit {which}.",
                    "Drop it before the change, and make it anew behind it, with op.execute().\n"
                    + may_lose(list(new)),
                )

    def _error(self, text: str, hint: str, listed: Sequence[str] = ()) -> StepError:
        assert self._running is not None
        return stopped(self._running, self.target.context, text, hint, listed)

    # ---- leftovers ---------------------------------------------------------------------------

    def _find_leftovers(self) -> list[str]:
        """Return the tables that a run of another tool left half copied.

        :raises DatabaseError: one of them is all there is of its table.
        """
        names = list(self._database.objects("main", "table"))
        left = [name for name in names if name.startswith(_LEFTOVER)]
        for name in left:
            if not any(f"{_LEFTOVER}{one}"[:_LONGEST] == name for one in names if one != name):
                table = name.removeprefix(_LEFTOVER)
                raise DatabaseError(
                    f"{self.target.url} has the table {name} and no table {table}: a run of before "
                    "was cut short after it had dropped the old one. The rows are in the new one.",
                    f"Give it its name back:  ALTER TABLE {quote(name)} RENAME TO {quote(table)};",
                    table=table,
                )
        return left

    # ---- asking ------------------------------------------------------------------------------

    def _accepted(self) -> tuple[str, ...]:
        """Return what the revision says that may be lost."""
        value = self._running.setting("may_lose", ()) if self._running is not None else ()
        return (value,) if isinstance(value, str) else tuple(value)

    def _ask(self, sql: str, *parameters: Any) -> list[Any]:
        return self._database.ask(sql, *parameters)

    def _run(self, sql: str) -> None:
        """Execute what a person may want to see in the log of the engine."""
        self.target.connection.exec_driver_sql(sql)

    def _count(self, table: str, schema: str) -> int:
        name = f"{quote(schema)}.{quote(table)}"
        return int(self._ask(f"SELECT count(*) FROM {name}")[0][0])  # noqa: S608


@contextmanager
def _overridden(impl: Any, name: str, make: Callable[..., Any]) -> Iterator[None]:
    """Put something around a method of Alembic's, on this instance only."""
    before = vars(impl).get(name)
    setattr(impl, name, make(getattr(impl, name)))
    try:
        yield
    finally:
        if before is None:
            delattr(impl, name)
        else:
            setattr(impl, name, before)
