"""Which transactions a run uses: one per revision, one for all, or none."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ..errors import ConfigError


def arguments(
    mode: str | None, connection: sa.Connection, *, together: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what ``context.configure()`` is given for a mode.

    :param mode: ``per-revision``, ``all``, ``none``, or None for what suits the database.
    :param connection: of the run; with ``none`` each of its statements commits by itself.
    :param together: the run is on several databases, and what was done on one is to be rolled
        back when another fails.
    :returns: the arguments that env.py may override, and those it may not.
    :raises ConfigError: the connection is in a transaction, and ``none`` was asked for.
    """
    if mode is None:
        # A long transaction keeps its locks, and readers waiting, until the last revision is done.
        # SQLite has one writer anyway, and is twice as fast with one transaction.
        per_revision = connection.dialect.name == "postgresql" and not together
        return ({"transaction_per_migration": True} if per_revision else {}), {}
    if mode == "none":
        if connection.in_transaction():
            raise ConfigError(
                "env.py begins a transaction of its own, so --transaction none cannot do without."
            )
        connection.execution_options(isolation_level="AUTOCOMMIT")
        return {}, {"transaction_per_migration": True, "in_no_transaction": True}
    return {}, {"transaction_per_migration": mode == "per-revision"}
