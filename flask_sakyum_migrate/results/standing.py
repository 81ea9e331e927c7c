"""Where the databases stand: what is applied, what is pending."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .operation import RunRecord


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
