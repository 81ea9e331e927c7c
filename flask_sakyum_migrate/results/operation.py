"""What was done to the databases until now, and what was cut short."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .running import UpgradeResult


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
