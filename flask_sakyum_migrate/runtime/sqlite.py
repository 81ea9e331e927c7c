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

_CHECK = "flask_sakyum_migrate.check_foreign_keys"
_LEGACY = -1
"""``sqlite3.LEGACY_TRANSACTION_CONTROL``, which older Pythons do not name."""


def is_sqlite(connection: sa.Connection) -> bool:
    """Tell whether the connection is to SQLite through a driver like the standard library's."""
    # The connection of an asynchronous driver cannot be asked when env.py has left its loop.
    dialect = connection.dialect
    if dialect.name != "sqlite" or dialect.is_async:
        return False
    return hasattr(_driver(connection), "isolation_level")


@contextmanager
def real_transactions(connection: sa.Connection) -> Iterator[Callable[[], None]]:
    """Take the transactions of a connection over from the driver.

    Enter before the transaction begins. Nothing is executed through SQLAlchemy, which would begin
    one; the driver's settings are put back at the end, or when the connection goes back to its
    pool, because it may be the only one there (a database in memory). Inside another one for the
    same connection it does nothing.

    :returns: a function to call before the commit; where the application enforces foreign keys it
        raises `DatabaseError` when the run left rows whose foreign key points nowhere.
    """
    driver = _driver(connection)
    if _CHECK in connection.info:
        yield connection.info[_CHECK]
        return
    if driver.in_transaction and not _is_empty(connection, driver):
        # The one connection of a pool, in use by the application's session.
        yield lambda: None
        return
    undo = _take_over(connection, driver)
    pool = connection.engine.pool

    def at_checkin(closing: Any, record: Any) -> None:
        if closing is driver:
            undo()

    def at_begin(beginning: sa.Connection) -> None:
        if beginning is connection:
            _begin(connection)

    # On the engine, where an application may have a listener of its own that begins: that one runs
    # before this one, and it would run behind one on the connection.
    sa.event.listen(connection.engine, "begin", at_begin)
    sa.event.listen(pool, "checkin", at_checkin)
    if connection.in_transaction():  # env.py has begun one, of which the driver knows nothing yet
        _begin(connection)
    try:
        yield connection.info[_CHECK]
    finally:
        sa.event.remove(pool, "checkin", at_checkin)
        sa.event.remove(connection.engine, "begin", at_begin)
        undo()


def check_foreign_keys(connection: sa.Connection) -> None:
    """Call what `real_transactions` of a connection returned, if it was entered.

    :raises DatabaseError: the run left rows whose foreign key points nowhere.
    """
    check = connection.info.get(_CHECK)
    if check is not None:
        check()


def _is_empty(connection: sa.Connection, driver: Any) -> bool:
    """Tell whether the open transaction is one that Python 3.12+ begins with ``autocommit=False``.

    Where others may use the same connection, or env.py has begun to, there may be work in it.
    """
    shared = isinstance(connection.engine.pool, sa.StaticPool | sa.pool.SingletonThreadPool)
    by_itself = getattr(driver, "autocommit", None) is False
    return by_itself and not shared and not connection.in_transaction()


def _take_over(connection: sa.Connection, driver: Any) -> Callable[[], None]:
    """Set the driver up; return a function that puts back what was, once."""
    info = connection.info
    # SQLAlchemy puts back by itself what it set for AUTOCOMMIT.
    mine = connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT"
    before = driver.isolation_level
    pep249 = getattr(driver, "autocommit", None)
    if isinstance(pep249, bool):  # Python 3.12+, when the application asked for it
        driver.autocommit = _LEGACY  # where it is True, commit() and rollback() do nothing
        if driver.in_transaction:
            driver.rollback()
    driver.isolation_level = None
    enforced = bool(_pragma(driver, "foreign_keys")[0][0])
    known = _violations(driver) if enforced else frozenset()
    if enforced:
        _pragma(driver, "foreign_keys=OFF")

    def check() -> None:
        if enforced:
            _refuse(_violations(driver) - known)

    def undo() -> None:
        if info.pop(_CHECK, None) is None:
            return
        if driver.in_transaction:
            driver.rollback()
        if enforced:
            _pragma(driver, "foreign_keys=ON")
        if mine:
            driver.isolation_level = before
        if isinstance(pep249, bool):
            driver.autocommit = pep249

    info[_CHECK] = check
    return undo


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
