"""The journal of statements: a revision that was cut short goes on where it stopped.

MySQL and MariaDB commit with each change of a table, and an ``autocommit_block()`` commits on any
database. Before something becomes permanent in the middle of a step, the journal has it: the rows
of what ran before are written in the same transaction, and a row that the statement has begun. The
next run of the step leaves out what is done. The rows go in the transaction that writes the
version table.

Until something becomes permanent, the rows are kept in memory: a step that is one transaction
writes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from ...errors import HalfAppliedError
from ...policy import Policy
from ...runtime.guards import Guard, Running, Target
from ..sqltext import Kind
from ..statements import Statement, intercepting
from . import half_applied
from .concurrently import PostgreSQL
from .fingerprints import MySQL, Server, SQLite, Verdict
from .table import DONE, Entry, JournalTable

_MOST = 1000  # statements of the rest that are collected


def server_of(target: Target, table: JournalTable, policy: Policy) -> Server | None:
    """Return how a kind of database is treated; None where there is no journal."""
    if target.dialect == "mysql":
        return MySQL(table.driver)
    if target.dialect == "postgresql":
        return PostgreSQL(table.driver, policy.tell)
    if target.dialect == "sqlite":
        return SQLite(table.driver, f"{target.context.version_table}_journal")
    return None


class Journal(Guard):
    """Notes what a step made permanent, and goes on with a step that was cut short."""

    def __init__(self, target: Target, policy: Policy) -> None:
        super().__init__(target)
        self._policy = policy
        self._table = JournalTable(target.context, target.connection)
        self._driver = self._table.driver
        server = server_of(target, self._table, policy)
        self._is_off = server is None
        self._server: Server = server or MySQL(self._driver)
        self._there = False
        self._cut_short: list[Entry] = []
        self._running: Running | None = None
        self._begin([])

    def _begin(self, known: list[Entry]) -> None:
        self._known = known
        """The statements of the step that ran in an earlier run; these are left out."""
        self._ran: Sequence[Entry] = known
        self._entries: list[Entry] = []
        """Those that ran, in this run or an earlier one."""
        self._unwritten: list[Entry] = []
        self._permanent = 0
        """The number of the last one that no roll-back takes away."""
        self._lost: Entry | None = None
        """One that was executed when the server went away."""
        self._alone = False
        self._committing = False
        self._has_rows = bool(known)
        self._stopped: str | None = None
        """Why nothing is executed any more; empty where that was the wish."""
        self._rest: list[str] = []

    # ---- the run -------------------------------------------------------------------------

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Find a step that was cut short; watch the statements of the steps.

        :raises HalfAppliedError: a step was cut short, and the run would begin with another one.
        """
        if self._is_off:
            yield
            return
        self._find(planned)
        connection = self.target.connection
        if self.target.verb == "stamp":
            yield
            return
        sa.event.listen(connection, "commit", self._before_commit)
        try:
            with intercepting(connection, self._execute):
                yield
        finally:
            sa.event.remove(connection, "commit", self._before_commit)
            self._tidy()

    def _find(self, planned: Sequence[Running]) -> None:
        """Read what was cut short."""
        self._there = self._table.exists()
        found = self._table.load() if self._there else []
        if self.target.verb == "stamp":
            self._stamped(found)
        elif found:
            self._cut_short = self._without_stale(found)
            half_applied.check(self._cut_short, planned, self.target)
        self._make_table()
        if not self.target.connection.in_transaction():
            self._driver.commit()

    def _make_table(self) -> None:
        """Make the table before the first step on MySQL, which commits then."""
        missing = not self._there and self.target.verb != "stamp"
        if missing and self._server.commits_ddl and not self.target.external:
            self._table.create()
            self._there = True

    def _without_stale(self, found: list[Entry]) -> list[Entry]:
        """Remove the rows of what the version table says is settled."""
        stale = half_applied.settled(found, self.target.context)
        for revision, direction in stale:
            self._table.clear(revision, direction)
        return [one for one in found if (one.revision, one.direction) not in stale]

    def _stamped(self, found: list[Entry]) -> None:
        """Remove all rows: a person has said where the database stands."""
        if not self._there:
            return
        with self.target.context.begin_transaction(_per_migration=True):
            for revision, direction in sorted({(one.revision, one.direction) for one in found}):
                self._table.clear(revision, direction)
                self._policy.tell(
                    f"The {direction} of {revision} was cut short here. As the database is stamped "
                    "now, what is noted about it is forgotten."
                )
            if not self._server.commits_ddl:
                self._table.drop()
        if self._server.commits_ddl and not self.target.external:
            self._table.drop()

    def _tidy(self) -> None:
        """Drop the table on MySQL, under the lock and outside the transaction of a step."""
        connection = self.target.connection
        usable = not (connection.closed or connection.invalidated)
        if self._there and self._server.commits_ddl and usable and not self.target.external:
            with suppress(self._driver.error):  # a server that went away has told already
                if connection.in_transaction():
                    # A revision that ended its transaction by hand has begun one that Alembic
                    # does not know of; dropping a table would commit what failed in it.
                    connection.rollback()
                self._table.drop()

    # ---- a step --------------------------------------------------------------------------

    @contextmanager
    def step(self, running: Running) -> Iterator[None]:
        """Watch the statements of a step; leave out those that are done.

        :raises HalfAppliedError: what ran is not what the file has, or nobody knows whether it ran.
        """
        if self._is_off:
            yield
            return
        self._resume(running)
        self._running = running
        note = ""
        try:
            yield
        except Exception as error:
            if self._stopped is None:
                raise
            note = str(error).partition("\n")[0] or type(error).__name__
        finally:
            self._running = None
        if not (self._stopped or note) and len(self._entries) < len(self._known):
            self._stop("its file has fewer statements than ran")
        if self._stopped is not None:
            raise self._half_applied(running, note)

    def _resume(self, running: Running) -> None:
        key = (running.revision, running.verb)
        known = [one for one in self._cut_short if (one.revision, one.direction) == key]
        self._begin(known)
        if not known:
            return
        last = known[-1]
        verdict = Verdict.DONE if last.is_done else self._server.verdict(last)
        if verdict is Verdict.DONE:
            last.state = DONE
        elif verdict is Verdict.NOT_DONE:
            known.pop()
        else:
            self._stop(f"nobody knows whether statement {last.number} ran")
            return
        self._ran = tuple(known)
        self._permanent = len(known)
        self._policy.tell(
            f"The {running.verb} of {running.revision} was cut short. "
            f"It goes on with statement {len(known) + 1}."
        )

    def _execute(self, statement: Statement, proceed: Callable[[], None]) -> None:
        """Execute a statement, or leave it out."""
        if self._running is None:
            proceed()
            return
        kind = self._server.kind(statement.text)
        if kind is Kind.READ:
            proceed()
        elif kind is Kind.SESSION:
            self._set_up(statement, proceed)
        elif len(self._entries) < len(self._known):
            self._leave_out(statement)
        elif self._stopped is not None:
            self._collect(statement)
        else:
            self._note(statement, kind, proceed)

    def _leave_out(self, statement: Statement) -> None:
        assert self._running is not None
        known = self._known[len(self._entries)]
        same = (known.hash, known.bind) == (statement.digest, self._running.key)
        if not self._stopped:
            if not same:
                self._stop(f"statement {known.number} of its file is not the one that ran")
                self._known = self._known[: len(self._entries)]
                self._collect(statement)
                return
            if statement.gives_rows:
                self._stop(f"statement {known.number} gives rows, which are not noted")
        self._entries.append(known)
        self._server.left_out(known)
        statement.leave_out(known.affected, known.last_id)

    def _collect(self, statement: Statement) -> None:
        """Keep the SQL of a statement that is not executed."""
        self._rest.extend(statement.as_sql())
        if len(self._rest) > _MOST:
            raise RuntimeError(f"There are more than {_MOST} statements.")
        statement.leave_out(None, None)

    def _note(self, statement: Statement, kind: Kind, proceed: Callable[[], None]) -> None:
        assert self._running is not None
        entry = Entry(
            self._running.revision,
            self._running.verb,
            len(self._entries) + 1,
            self._running.key,
            kind.value,
            statement.digest,
            statement.readable,
        )
        self._alone = alone = self._driver.is_autocommit
        at_once = False
        permanent = alone or (kind is Kind.DDL and self._server.commits_ddl)
        self._committing = permanent
        if alone:
            self._server.prepare(statement.text)
        if permanent:
            entry.fingerprint = self._server.fingerprint(statement.text)
            at_once = alone or self._is_invisible(entry, statement)
            self._write([*self._unwritten, entry])
            self._unwritten = []
        try:
            proceed()
        except Exception as error:
            if isinstance(error, self._driver.error) and self._driver.is_gone(error):
                self._lost = entry
            elif at_once:
                self._forget(entry)
            raise
        entry.state = DONE
        entry.affected = _number(statement.cursor, "rowcount")
        entry.last_id = _number(statement.cursor, "lastrowid")
        self._entries.append(entry)
        self._unwritten.append(entry)
        if permanent:
            self._permanent = entry.number
        if kind is Kind.DDL and self._table.bare_name in statement.text:
            self._there = self._table.exists()  # a revision that drops all tables it finds
        if at_once:
            self._write(self._unwritten)
            self._driver.commit()
            self._unwritten = []

    def _is_invisible(self, entry: Entry, statement: Statement) -> bool:
        """Tell that nothing but this run can know whether a statement ran, and that it commits."""
        return (
            entry.fingerprint is None
            and not self.target.external
            and self._server.always_commits(statement.text)
        )

    def _set_up(self, statement: Statement, proceed: Callable[[], None]) -> None:
        """Execute a statement of the session, which is executed in each run."""
        if self._stopped is None and self._server.commits(statement.text):
            self._before_commit(self.target.connection)
        # What ROLLBACK TO SAVEPOINT takes back keeps its rows: left out, it has no effect either.
        proceed()

    def _before_commit(self, connection: sa.Connection) -> None:
        """Write the rows of a step that is committed in its middle."""
        if self._running is not None and self._unwritten:
            self._write(self._unwritten)
            self._unwritten = []
        if self._running is not None:
            self._permanent = len(self._entries)

    def _write(self, entries: Sequence[Entry]) -> None:
        if not self._there:
            self._table.create()
            self._there = True
        self._table.write(entries)
        self._has_rows = True

    def _forget(self, entry: Entry) -> None:
        """Remove the row of a statement that the database refused."""
        with suppress(self._driver.error):  # then it stays in doubt
            self._table.clear(entry.revision, entry.direction, entry.number)
            self._driver.commit()

    def _stop(self, reason: str) -> None:
        """Execute nothing more that changes something; see what there would be."""
        self._stopped = reason

    def _half_applied(self, running: Running, note: str) -> HalfAppliedError:
        half = half_applied.describe(
            self._ran,
            self.target.visit.bind,
            self.target.url,
            rest=tuple(self._rest),
            reason=self._stopped or "",
            note=note,
            message=running.script.doc,
        )
        return half_applied.error(half)

    # ---- its end -------------------------------------------------------------------------

    def applied(self, running: Running) -> None:
        """Remove the rows of the step, in the transaction that has its version."""
        if self._has_rows and self._there:
            self._table.clear(running.revision, running.verb)
            if not self._server.commits_ddl:
                self._there = not self._table.drop()
        self._begin([])

    def hint(self, running: Running, error: Exception) -> str:
        """Say what a failed step leaves, and where the next run goes on."""
        if self._is_off or self.target.external:
            return ""
        again = f"flask db {running.verb}"
        if self._lost is not None:
            return (
                f"Whether statement {self._lost.number} ran, the next run finds out:  {again}  "
                "goes on from there."
            )
        number = len(self._entries) + 1
        if number > 1 and (self._permanent or self._committing):
            noted = f"Statements 1 to {number - 1} are" if number > 2 else "Statement 1 is"
            return (
                f"{noted} noted: what stays of that is not run again. Mend the revision from "
                f"statement {number} on and run  {again}  again."
            )
        if self._server.commits_ddl and not self._alone:
            return "It was rolled back: nothing of this revision stays."
        return ""


def _number(cursor: object, name: str) -> int | None:
    value = getattr(cursor, name, None)
    return value if isinstance(value, int) and value >= 0 else None
