"""What a run did: on each database, from where, through which steps, to where."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..revisions import Revision


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
