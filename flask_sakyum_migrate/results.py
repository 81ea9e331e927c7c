"""What the verbs of a repository return: small frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from .revisions import Revision


@dataclass(frozen=True)
class Step:
    """One revision run on one database.

    :param revision: its id.
    :param message: the first paragraph of its docstring.
    :param direction: ``upgrade``, ``downgrade`` or ``stamp``.
    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param seconds: how long it took.
    :param number: its place in the run on this database, from 1.
    :param total: how many steps this database has in this run.
    """

    revision: str
    message: str
    direction: str
    bind: str
    seconds: float
    number: int
    total: int


@dataclass(frozen=True)
class Position:
    """Where one database stands.

    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param url: its URL without the password.
    :param rows: the revisions in its version table; None when it has no version table.
    :param revisions: the same as `Revision`, and those another one only depends on.
    """

    bind: str
    url: str
    rows: tuple[str, ...] | None
    revisions: tuple[Revision, ...] = ()

    @property
    def heads(self) -> tuple[str, ...]:
        """The rows; empty when there is no version table."""
        return self.rows or ()


@dataclass
class Visit:
    """One database during and after a run: from where, through which steps, to where.

    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param url: its URL without the password; empty in ``--sql`` mode.
    :param before: the revisions it was at.
    :param after: the revisions it is at now.
    :param total: how many steps the run has on it.
    :param steps: those that are done.
    """

    bind: str
    url: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    total: int = 0
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True)
class UpgradeResult:
    """What an upgrade, a downgrade or a stamp did.

    :param visits: one for each database that was looked at.
    :param seconds: how long all of it took.
    """

    visits: tuple[Visit, ...]
    seconds: float

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order they were run."""
        return tuple(step for visit in self.visits for step in visit.steps)


@dataclass(frozen=True)
class RunRecord:
    """A row of the history of runs.

    :param revision: the id of the revision; of a stamp, the revisions it set.
    :param direction: ``upgrade``, ``downgrade``, ``stamp`` or ``seed``.
    :param outcome: ``done`` or ``failed``; ``pending`` for a new database that is not seeded yet.
    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param parents: the revisions it stands on; of a stamp, where the database was before.
    :param message: the first paragraph of the revision's docstring; the name of a seed function.
    :param started: when it began, in UTC.
    :param finished: when it was over, in UTC.
    :param seconds: how long it took.
    :param user: who ran it: the user of the system.
    :param host: on which machine.
    :param app_version: what ``MIGRATE_APP_VERSION`` said.
    :param checksum: the SHA-256 of the revision file, in hexadecimal.
    :param error: the first line of what a failed step said.
    """

    revision: str
    direction: str
    outcome: str
    bind: str = ""
    parents: tuple[str, ...] = ()
    message: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    seconds: float | None = None
    user: str = ""
    host: str = ""
    app_version: str = ""
    checksum: str = ""
    error: str = ""


@dataclass(frozen=True)
class Seeded:
    """A seed function that has run.

    :param name: its name.
    :param seconds: how long it took, with the commit of its session.
    """

    name: str
    seconds: float


@dataclass(frozen=True)
class PrepareResult:
    """What it took to have the databases ready.

    :param created: the URLs, without their passwords, of the databases that were made.
    :param upgrade: what the upgrade did.
    :param seeded: the seed functions that ran.
    """

    created: tuple[str, ...]
    upgrade: UpgradeResult
    seeded: tuple[Seeded, ...]


@dataclass(frozen=True)
class Question:
    """What a person is asked before a protected database loses something.

    :param verb: ``downgrade``.
    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param url: its URL without the password.
    :param name: the name of the database: what is to be typed.
    :param revisions: the ids of the revisions that would be taken back, in order.
    :param tables: the tables that would lose their rows, and how many those are.
    :param is_protected: whether the name of the database is to be typed, or a yes will do.
    """

    verb: str
    bind: str
    url: str
    name: str
    revisions: tuple[str, ...]
    tables: tuple[tuple[str, int], ...] = ()
    is_protected: bool = True


@dataclass(frozen=True)
class RenameQuestion:
    """What a person is asked when a table or a column is gone and another one is new.

    :param kind: ``table`` or ``column``.
    :param old: what is gone: ``exam``, ``user.name``.
    :param new: what is new: ``test``, ``user.full_name``.
    :param likeness: what is alike: ``same type``, ``3 of 4 columns the same``.
    """

    kind: str
    old: str
    new: str
    likeness: str


@dataclass(frozen=True)
class DefaultQuestion:
    """What a person is asked when a column may not be NULL and rows have no value for it.

    The answer is what ``--default`` takes; None stops.

    :param column: ``user.age``.
    :param type: its type in the database.
    :param is_new: whether the column is new; else it is there and may have been NULL.
    :param reason: why nothing is known: ``no default``.
    :param problem: what is wrong with the answer of before.
    """

    column: str
    type: str
    is_new: bool
    reason: str
    problem: str = ""


@dataclass(frozen=True)
class Loaded:
    """What a load did.

    :param rows: how many rows each table took; those of a bind other than the default one as
        ``bind:table``.
    :param revisions: the revisions the rows were at, by bind.
    :param upgrades: the upgrades before and after the rows.
    :param seconds: how long all of it took.
    """

    rows: Mapping[str, int]
    revisions: Mapping[str, tuple[str, ...]]
    upgrades: tuple[UpgradeResult, ...]
    seconds: float


@dataclass(frozen=True)
class Cleaned:
    """What became of the tables of a database.

    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param url: its URL without the password.
    :param rows: how many rows each table had.
    :param dropped: whether the tables are gone as well.
    :param left: tables of others, that no model defines and no revision created.
    """

    bind: str
    url: str
    rows: Mapping[str, int]
    dropped: bool
    left: tuple[str, ...]


@dataclass(frozen=True)
class NewRevision:
    """A revision file that was written.

    :param id: the revision id.
    :param path: the file.
    :param message: its message.
    :param down: the ids it stands on.
    :param changes: one line for each change in it, where it was made by comparing.
    :param text: what would be in the file, where it was not written.
    """

    id: str
    path: Path
    message: str
    down: tuple[str, ...]
    changes: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Sql:
    """The SQL of a run on one database.

    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param start: the revisions the SQL starts from.
    :param from_database: whether ``start`` was read from the database.
    :param text: the SQL.
    """

    bind: str
    start: tuple[str, ...]
    from_database: bool
    text: str


@dataclass(frozen=True)
class Change:
    """What differs, in words.

    :param text: ``+ column user.email VARCHAR(20)``: what would have to be done.
    :param table: the table it is about, with its schema if it has one; empty when that is unknown.
    """

    text: str
    table: str = ""


@dataclass(frozen=True)
class CheckResult:
    """How the models differ from the databases.

    :param differences: Alembic's difference tuples, as ``alembic check`` has them.
    :param operations: the same as the code of a revision that would remove them.
    :param changes: the same in words.
    """

    differences: tuple[Any, ...]
    operations: tuple[str, ...]
    changes: tuple[Change, ...] = ()

    @property
    def ok(self) -> bool:
        """There is no difference."""
        return not self.differences


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    :param text: what is wrong.
    :param hint: what to type next.
    :param bind: the bind key of the database it is about; empty when it is about the files.
    :param path: the file it is about; None when there is none.
    :param line: the line in it.
    """

    text: str
    hint: str = ""
    bind: str = ""
    path: Path | None = None
    line: int | None = None


@dataclass(frozen=True)
class Verdict:
    """The answer to one question of a check.

    :param name: ``database`` (the models against the database), ``heads`` (the files by
        themselves), ``models`` (the models against the revisions) or ``drift`` (the revisions
        against the database).
    :param findings: what is wrong; none when it is fine.
    :param operations: the code that would mend it, where there is any.
    :param note: what was not looked at, and why.
    :param broken: the files are no history, so that no other question has an answer.
    """

    name: str
    findings: tuple[Finding, ...] = ()
    operations: tuple[str, ...] = ()
    note: str = ""
    broken: bool = False

    @property
    def ok(self) -> bool:
        """There is nothing wrong."""
        return not self.findings


@dataclass(frozen=True)
class Verdicts:
    """The answers to all questions that were asked.

    :param verdicts: in the order they were asked.
    """

    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """There is nothing wrong."""
        return all(one.ok for one in self.verdicts)


@dataclass(frozen=True)
class Examined:
    """What an examination found out about one thing.

    :param name: what was looked at: ``env.py``, ``drift``.
    :param state: ``ok``, ``look`` (it works, and somebody should look), ``wrong``, or ``skipped``.
    :param text: what is.
    :param hint: what mends it.
    """

    name: str
    state: str
    text: str
    hint: str = ""


@dataclass(frozen=True)
class Examination:
    """What an examination of everything found out.

    :param checks: one for each thing that was looked at.
    """

    checks: tuple[Examined, ...]

    @property
    def ok(self) -> bool:
        """There is nothing wrong."""
        return not any(one.state == "wrong" for one in self.checks)


@dataclass(frozen=True)
class RanStatement:
    """A statement of a revision that was cut short.

    :param number: its place among those that change something, from 1.
    :param bind: the bind key of the function it is in.
    :param sql: its text; parameters, and what is very long, are shortened.
    :param state: ``done`` or ``in doubt``.
    """

    number: int
    bind: str
    sql: str
    state: str


@dataclass(frozen=True)
class HalfApplied:
    """A revision that was cut short on a database, where what ran before stays.

    :param revision: its id.
    :param direction: ``upgrade`` or ``downgrade``.
    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param url: the database URL without its password.
    :param statements: those that ran, and the one in doubt.
    :param rest: the SQL of those that did not run.
    :param message: the first paragraph of the revision's docstring.
    :param reason: why it cannot go on by itself; empty when it can.
    :param note: why ``rest`` is not all of it; empty when it is.
    """

    revision: str
    direction: str
    bind: str
    url: str
    statements: tuple[RanStatement, ...]
    rest: tuple[str, ...] = ()
    message: str = ""
    reason: str = ""
    note: str = ""

    @property
    def in_doubt(self) -> RanStatement | None:
        """The statement that may have run or not."""
        return next((one for one in self.statements if one.state == "in doubt"), None)


@dataclass(frozen=True)
class Update:
    """What it took to have the databases as the models are.

    :param pending: what the revisions that were there did; None: there were none.
    :param revision: the file that was written, when the models differed.
    :param applied: what it did.
    """

    pending: UpgradeResult | None
    revision: NewRevision | None
    applied: UpgradeResult | None


@dataclass(frozen=True)
class Baseline:
    """How databases that had no version were adopted.

    :param revision: the first revision, where it was written.
    :param check: how the databases differ from the models.
    :param stamped: whether they have a version now.
    """

    revision: NewRevision | None
    check: CheckResult
    stamped: bool


@dataclass(frozen=True)
class PlannedOperation:
    """What a revision would do, one thing of it.

    :param bind: the bind key of the function it is in.
    :param text: what it does: ``drop column user.nick``.
    :param risk: what it puts at risk: ``12,402 rows, 9,811 with a value``.
    :param level: ``loss`` where something is lost, ``look`` where the rows that are there may stop
        it, ``unknown`` where the rest of the function cannot be foretold; else empty.
    """

    bind: str
    text: str
    risk: str = ""
    level: str = ""


@dataclass(frozen=True)
class PlannedStep:
    """A revision that would be run on a database.

    :param revision: its id.
    :param message: the first paragraph of its docstring.
    :param direction: ``upgrade`` or ``downgrade``.
    :param path: the file.
    :param operations: what it would do, in order.
    """

    revision: str
    message: str
    direction: str
    path: str
    operations: tuple[PlannedOperation, ...] = ()


@dataclass(frozen=True)
class DatabasePlan:
    """What a run would do to one database.

    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param url: its URL without the password.
    :param before: the revisions it is at.
    :param steps: the revisions that would be run, in order.
    """

    bind: str
    url: str
    before: tuple[str, ...]
    steps: tuple[PlannedStep, ...]


@dataclass(frozen=True)
class Plan:
    """What an upgrade or a downgrade would do.

    :param verb: ``upgrade`` or ``downgrade``.
    :param target: the revision it would go to.
    :param databases: one for each.
    """

    verb: str
    target: str
    databases: tuple[DatabasePlan, ...]

    @property
    def ok(self) -> bool:
        """There is nothing to do."""
        return not any(one.steps for one in self.databases)


@dataclass(frozen=True)
class RevisionStatus:
    """What a revision is to a database.

    :param id: its id.
    :param message: the first paragraph of its docstring, or what the history of runs has for it.
    :param state: ``applied``, ``pending``, ``changed`` (applied, and its file is another one
        now), ``missing`` (the database is at it, and no file has it) or ``unknown`` (the database
        cannot be asked).
    :param path: the file; None when it is missing.
    :param ran: the last time it was applied, where the history of runs has it.
    """

    id: str
    message: str
    state: str
    path: Path | None = None
    ran: RunRecord | None = None


@dataclass(frozen=True)
class DatabaseStatus:
    """What is applied to a database and what is not.

    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param url: its URL without the password.
    :param rows: the revisions in its version table; None when it has no version table, or cannot
        be asked.
    :param revisions: all of them, from base to head.
    :param problem: why the database cannot be asked, or what is wrong with its version.
    """

    bind: str
    url: str
    rows: tuple[str, ...] | None
    revisions: tuple[RevisionStatus, ...]
    problem: str = ""

    @property
    def pending(self) -> tuple[RevisionStatus, ...]:
        """The revisions that an upgrade would run."""
        return tuple(one for one in self.revisions if one.state == "pending")

    @property
    def ok(self) -> bool:
        """Everything is applied, and nothing is missing or changed."""
        return not self.problem and all(one.state == "applied" for one in self.revisions)


@dataclass(frozen=True)
class Status:
    """Where all databases stand.

    :param heads: the revisions that the history ends in.
    :param branch_points: the revisions that more than one other stands on.
    :param databases: one for each.
    """

    heads: tuple[str, ...]
    branch_points: tuple[str, ...]
    databases: tuple[DatabaseStatus, ...]

    @property
    def ok(self) -> bool:
        """Every database has everything that the files have."""
        return all(one.ok for one in self.databases)
