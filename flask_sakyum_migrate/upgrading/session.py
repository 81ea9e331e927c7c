"""The session of a run: set up before it, and as it came when its pool gives it to others.

What is said here goes to the driver: SQLAlchemy would begin a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa


def ask(connection: sa.Connection, statement: str) -> Any:
    """Execute a statement on the driver's connection; return the first value, if there is one."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    cursor = driver.cursor()
    try:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None
    finally:
        cursor.close()


@contextmanager
def at_checkin(connection: sa.Connection, *statements: str) -> Iterator[None]:
    """Execute statements as the connection goes back to its pool, before anybody else gets it."""
    pool = connection.engine.pool
    driver: Any = connection.connection.dbapi_connection
    failures: Any = connection.dialect.dbapi

    def at_checkin(closing: Any, record: Any) -> None:
        if closing is not driver:
            return
        try:
            cursor = driver.cursor()
            for statement in statements:
                cursor.execute(statement)
            cursor.close()
            driver.commit()
        except failures.Error as error:  # the server is gone: nobody is to get this one
            record.invalidate(error)

    sa.event.listen(pool, "checkin", at_checkin)
    try:
        yield
    finally:
        sa.event.remove(pool, "checkin", at_checkin)


# ---- PostgreSQL ------------------------------------------------------------------------------


@contextmanager
def set_up(connection: sa.Connection, settings: Mapping[str, str]) -> Iterator[None]:
    """Make settings for all that a connection runs meanwhile, on PostgreSQL.

    A pooler gives the server's session to others after each transaction. There, and where the
    transaction is somebody else's, they are made for each transaction; outside of one, as for
    CREATE INDEX CONCURRENTLY, there are none then.
    """
    driver: Any = connection.connection.dbapi_connection
    in_transaction = connection.in_transaction()  # env.py has begun one
    is_pooled = _is_pooled(connection)
    if not is_pooled and not in_transaction:
        _set(connection, settings, is_local=False)
        driver.commit()
        with at_checkin(connection, *(f"RESET {name}" for name in settings)):
            yield
        return
    if in_transaction:
        _set(connection, settings, is_local=True)
    else:
        driver.rollback()  # whoever waits is not to keep a session of the pooler
    failures: Any = connection.dialect.dbapi

    def begin(begun: sa.Connection) -> None:
        with suppress(failures.Error):  # the server is gone: the next statement will tell
            _set(begun, settings, is_local=True)

    sa.event.listen(connection, "begin", begin)
    try:
        with unprepared(connection):
            yield
    finally:
        sa.event.remove(connection, "begin", begin)


def _is_pooled(connection: sa.Connection) -> bool:
    """Tell whether a pooler is in between: it makes up the pid that it tells a client at first."""
    driver: Any = connection.connection.dbapi_connection
    told = getattr(getattr(driver, "info", None), "backend_pid", None)
    return bool(ask(connection, "SELECT pg_backend_pid()") != told)


def _set(connection: sa.Connection, settings: Mapping[str, str], *, is_local: bool) -> None:
    calls = (f"set_config('{name}', '{text}', {is_local})" for name, text in settings.items())
    ask(connection, f"SELECT {', '.join(calls)}")


@contextmanager
def unprepared(connection: sa.Connection) -> Iterator[None]:
    """Keep psycopg from preparing what it executes often.

    A prepared statement stays in its session, which behind a pooler is somebody else's next.
    """
    driver: Any = connection.connection.dbapi_connection
    threshold = getattr(driver, "prepare_threshold", None)
    if threshold is None:
        yield
        return
    driver.prepare_threshold = None
    try:
        yield
    finally:
        driver.prepare_threshold = threshold
