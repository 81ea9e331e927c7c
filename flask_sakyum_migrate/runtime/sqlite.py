"""Real transactions on SQLite, and foreign keys that do not delete rows behind a batch change.

The driver opens no transaction before DDL, so Alembic's upgrade commits statement by statement
and a failure leaves half of it. Here BEGIN IMMEDIATE is sent as the transaction begins.
SQLite's own procedure for changing a table (https://sqlite.org/lang_altertable.html, section 7)
switches foreign keys off first, because dropping the old table fires ON DELETE CASCADE, and
checks them before the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from ..errors import DatabaseError


def is_sqlite(connection: sa.Connection) -> bool:
    """Tell whether the connection is to SQLite through a driver like the standard library's."""
    return connection.dialect.name == "sqlite" and hasattr(_driver(connection), "isolation_level")


@contextmanager
def real_transactions(connection: sa.Connection) -> Iterator[Callable[[], None]]:
    """Take the transactions of a connection over from the driver.

    Enter before the transaction begins. Nothing is executed through SQLAlchemy, which would begin
    one; the driver's settings are put back at the end, because the connection may be the only one
    of its pool (a database in memory).

    :returns: a function to call before the commit; where the application enforces foreign keys it
        raises `DatabaseError` when the run left rows whose foreign key points nowhere.
    """
    driver = _driver(connection)
    if driver.in_transaction:  # the one connection of a pool, in use by the application's session
        yield lambda: None
        return
    before = driver.isolation_level
    pep249 = getattr(driver, "autocommit", None)
    if isinstance(pep249, bool):  # Python 3.12+, when the application asked for it
        driver.autocommit = True
    driver.isolation_level = None
    enforced = bool(_pragma(driver, "foreign_keys")[0][0])
    known = _violations(driver) if enforced else frozenset()
    if enforced:
        _pragma(driver, "foreign_keys=OFF")

    def check() -> None:
        if enforced:
            _refuse(_violations(driver) - known)

    sa.event.listen(connection, "begin", _begin)
    try:
        yield check
    finally:
        sa.event.remove(connection, "begin", _begin)
        if driver.in_transaction:
            driver.rollback()
        if enforced:
            _pragma(driver, "foreign_keys=ON")
        driver.isolation_level = before
        if isinstance(pep249, bool):
            driver.autocommit = pep249


def _violations(driver: Any) -> frozenset[Any]:
    return frozenset(tuple(row) for row in _pragma(driver, "foreign_key_check"))


def _refuse(violations: frozenset[Any]) -> None:
    if violations:
        tables = sorted({f"{table} -> {parent}" for table, _, parent, _ in violations})
        raise DatabaseError(
            f"{len(violations)} rows would be left with a foreign key that points nowhere "
            f"({', '.join(tables)}), so the run was rolled back.",
            "Delete or mend those rows in the revision, before it changes the table.",
            tables=tuple(tables),
        )


def _begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return  # inside autocommit_block()
    # An application may have its own listener on the engine that begins; it ran before this one.
    if not _driver(connection).in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _pragma(driver: Any, text: str) -> list[Any]:
    cursor = driver.cursor()
    try:
        rows: list[Any] = cursor.execute(f"PRAGMA {text}").fetchall()
        return rows
    finally:
        cursor.close()


def _driver(connection: sa.Connection) -> Any:
    return connection.connection.dbapi_connection
