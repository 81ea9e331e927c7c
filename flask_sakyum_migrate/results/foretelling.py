"""What a run would do: its plan, its SQL."""

from __future__ import annotations

from dataclasses import dataclass


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
