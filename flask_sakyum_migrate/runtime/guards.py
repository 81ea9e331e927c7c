"""What watches over the steps of a run, on one database: the shape that all of them have.

A guard is entered under any env.py, because it hangs on the connection and the steps, not on code
inside env.py. What each one does is in `upgrading`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..binds import DEFAULT
from ..results.running import Step, Visit

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script


@dataclass
class Target:
    """The database of a run.

    :param context: Alembic's; it knows the version table, its schema and the dialect.
    :param connection: the one that the run uses.
    :param verb: ``upgrade``, ``downgrade`` or ``stamp``.
    :param external: the transaction is the caller's or env.py's own: it is neither begun nor
        committed by the run.
    :param visit: where the database was, and the steps that are done.
    :param attempt: how many times the run was tried, from 1.
    """

    context: MigrationContext
    connection: sa.Connection
    verb: str
    external: bool
    visit: Visit
    attempt: int = 1

    @property
    def dialect(self) -> str:
        """``postgresql``, ``mysql`` (MariaDB too), ``sqlite`` or another."""
        name = self.connection.dialect.name
        return "mysql" if name == "mariadb" else name

    @property
    def url(self) -> str:
        """The database URL without its password."""
        return self.connection.engine.url.render_as_string(hide_password=True)


@dataclass
class Running:
    """The step that runs on a database.

    :param script: the revision file; ``script.module`` is what it defines.
    :param verb: ``upgrade`` or ``downgrade``.
    :param number: its place in the run on this database, from 1, of ``total``.
    :param bind: the bind keys, joined by ``+`` where binds share a database.
    :param key: the bind whose function runs now.
    :param seconds: how long it took; known when it is applied.
    """

    script: Script
    verb: str
    number: int
    total: int
    bind: str = DEFAULT
    key: str = DEFAULT
    seconds: float = 0.0

    @property
    def revision(self) -> str:
        """The id of the revision."""
        return self.script.revision

    @property
    def is_last(self) -> bool:
        """No other step follows on this database."""
        return self.number == self.total

    def setting(self, name: str, default: Any = None) -> Any:
        """Return what the revision file says about itself: ``lock_timeout = "30s"``."""
        return getattr(self.script.module, name, default)

    def as_step(self) -> Step:
        """Return the step as results have it."""
        return Step(
            self.revision,
            self.script.doc,
            self.verb,
            self.bind,
            self.seconds,
            self.number,
            self.total,
        )


class Guard:
    """Watches over the steps of a run on one database; a subclass overrides what it needs.

    :param target: the database.
    """

    knows_best = False
    """Its hint goes before those of others."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Surround the steps: entered when they are known, before the first one's transaction.

        With ``--transaction all`` and under a foreign env.py the transaction has begun already.
        The connection may be closed when this is left.
        """
        yield

    @contextmanager
    def step(self, running: Running) -> Iterator[None]:
        """Surround the functions of a step, inside its transaction."""
        yield

    @contextmanager
    def autocommit(self, running: Running) -> Iterator[None]:
        """Surround an ``autocommit_block()``, with the commit before it and the begin after it."""
        yield

    def applied(self, running: Running) -> None:
        """Note that the version table has the step; its transaction is still open."""

    def hint(self, running: Running, error: Exception) -> str:
        """Say what a failed step leaves and what to do, or nothing where others know better."""
        return ""

    def retry(self, running: Running | None, error: Exception) -> float | None:
        """Return after how many seconds to try the run again; None: it has failed."""
        return None

    def failed(self, running: Running | None, error: BaseException) -> None:
        """Note that the run failed; it is rolled back, and its connection is closed."""


MakeGuards = Callable[[Target], Sequence[Guard]]
