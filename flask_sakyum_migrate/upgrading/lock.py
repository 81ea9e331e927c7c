"""One upgrade, downgrade or stamp at a time per database and version table.

Each kind of database has its own way, chosen for what happens when the holder is killed, when a
pooler stands between, and when a revision runs CREATE INDEX CONCURRENTLY:

- PostgreSQL: a transaction-level advisory lock in a transaction of its own, on a connection of its
  own. It is polled: a session that waits inside SQL would keep CREATE INDEX CONCURRENTLY waiting
  for ever. It works behind a pooler that pools transactions.
- MySQL and MariaDB: GET_LOCK on the connection of the run, which the server frees only when a
  statement that outlived its client has ended.
- SQLite: a locked file beside the database, which the system frees with its process.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from ..binds import sqlite_file
from ..errors import DatabaseError, LockTimeoutError

DEFAULT_WAIT = 300.0
"""Seconds to wait for another run."""

_PATIENCE = 2.0  # seconds before a person is told for whom they wait
_PAUSE = 0.1  # seconds between two tries


class Attempt(Protocol):
    """One way to take a lock on one database."""

    def take(self) -> bool:
        """Try once; return whether it is held now."""

    def holder(self) -> str:
        """Say who holds it, as far as the database tells."""


@dataclass(frozen=True)
class Lock:
    """Takes the lock of a database before a run.

    :param wait: seconds to wait for another run; 0 fails at once.
    :param on_wait: called with a sentence: after two seconds, about the holder; and at once where
        there is no lock.
    """

    wait: float = DEFAULT_WAIT
    on_wait: Callable[[str], None] | None = None

    @contextmanager
    def hold(self, connection: sa.Connection, table: str, schema: str | None) -> Iterator[bool]:
        """Hold the lock of a database while inside.

        :param connection: that the run will use; nothing is executed on it through SQLAlchemy.
        :param table: the version table, and its ``schema``: two histories in one database do not
            wait for each other.
        :returns: False where there is no lock for this kind of database.
        :raises LockTimeoutError: another run held it for all of ``wait``.
        """
        way = _WAYS.get(connection.dialect.name)
        if way is None and self.on_wait is not None:
            self.on_wait(
                f"There is no lock for {connection.dialect.name}: run one upgrade at a time."
            )
        opened = way(connection, f"{schema or ''}.{table}") if way is not None else None
        if opened is None:
            yield False
            return
        with opened as attempt:
            self._wait_for(attempt, connection)
            yield True

    def _wait_for(self, attempt: Attempt, connection: sa.Connection) -> None:
        url = connection.engine.url.render_as_string(hide_password=True)
        started, told = time.monotonic(), False
        while not attempt.take():
            waited = time.monotonic() - started
            if waited >= self.wait:
                raise LockTimeoutError(
                    f"{url} is being migrated by {attempt.holder()}. Waited {waited:.0f} s for it.",
                    "Try again when it is done, or wait longer:  flask db upgrade --lock-wait 600",
                    url=url,
                    holder=attempt.holder(),
                )
            if waited >= _PATIENCE and not told and self.on_wait is not None:
                told = True
                self.on_wait(f"{url} is being migrated by {attempt.holder()}. Waiting for it.")
            time.sleep(_PAUSE)


def _digest(name: str) -> bytes:
    return hashlib.sha256(f"flask-sakyum-migrate:{name}".encode()).digest()


# ---- PostgreSQL ------------------------------------------------------------------------------

_ORPHANS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database()
AND application_name = '{label}' AND state <> 'idle' AND pid <> {worker}
"""
_HOLDER = """
SELECT l.pid, a.client_addr, a.xact_start
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND l.classid::bigint = {high} AND l.objid::bigint = {low}
"""


class _PostgreSQL:
    """A transaction-level advisory lock on a connection of its own."""

    def __init__(self, own: sa.Connection, name: str, worker: int) -> None:
        self._own = own
        self._key = int.from_bytes(_digest(name)[:8], "big", signed=True)
        self._worker = worker
        self._held = False
        # The application_name of every session that runs under this lock.
        self.label = f"flask-sakyum-migrate {_digest(name).hex()[:12]}"

    def take(self) -> bool:
        if not self._held:
            ((self._held,),) = self._read(f"SELECT pg_try_advisory_xact_lock({self._key})")
        return self._held and not self._orphans()

    def holder(self) -> str:
        if self._held:
            pids = ", ".join(str(row.pid) for row in self._orphans())
            return f"a statement whose client is gone (backend pid {pids or 'just ended'})"
        unsigned = self._key % 2**64
        rows = self._read(_HOLDER.format(high=unsigned >> 32, low=unsigned & 0xFFFFFFFF))
        if not rows:
            return "a session that has just ended"
        row = rows[0]
        where = f" from {row.client_addr}" if row.client_addr else ""
        since = f", since {row.xact_start:%H:%M:%S}" if row.xact_start else ""
        return f"backend pid {row.pid}{where}{since}"

    def _orphans(self) -> Sequence[Any]:
        # A killed client's statement goes on in its session until the server notices.
        return self._read(_ORPHANS.format(label=self.label, worker=self._worker))

    def _read(self, statement: str) -> Sequence[Any]:
        # A transaction sees pg_stat_activity as it was at its first look, until this.
        self._own.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
        rows = self._own.exec_driver_sql(statement).all()
        # Drivers that use the extended protocol leave the portal open, and its snapshot with it,
        # for which CREATE INDEX CONCURRENTLY would wait. The next statement closes it.
        self._own.exec_driver_sql(_NO_TIMEOUT)
        return rows


# The person's own timeout must not end the transaction that holds the lock.
_NO_TIMEOUT = "SET LOCAL idle_in_transaction_session_timeout = 0"


@contextmanager
def _postgresql(connection: sa.Connection, name: str) -> Iterator[Attempt]:
    worker = int(_ask(connection, "SELECT pg_backend_pid()"))
    with connection.engine.connect() as own, own.begin():
        own.exec_driver_sql(_NO_TIMEOUT)
        attempt = _PostgreSQL(own, name, worker)
        version = connection.dialect.server_version_info or (0,)
        settings = {"application_name": f"'{attempt.label}'"}
        if version >= (14,):
            settings["client_connection_check_interval"] = "500"  # milliseconds
        if connection.in_transaction():  # env.py has begun one, and may have set things up in it
            settings = {}
        with _session(connection, settings):
            yield attempt


@contextmanager
def _session(connection: sa.Connection, settings: dict[str, str]) -> Iterator[None]:
    """Set up the session of the run; the connection goes back to its pool as it came."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    for name, value in settings.items():
        _ask(connection, f"SET {name} = {value}")
    if settings:
        driver.commit()

    with _at_checkin(connection, *(f"RESET {name}" for name in settings)):
        yield


# ---- MySQL and MariaDB -----------------------------------------------------------------------


class _MySQL:
    """GET_LOCK on the connection of the run."""

    def __init__(self, connection: sa.Connection, name: str) -> None:
        self._connection = connection
        # At most 64 characters, and for the whole server: so with the database's name.
        database = connection.engine.url.database or ""
        self.name = f"migrate_{_digest(f'{database}.{name}').hex()[:40]}"

    def take(self) -> bool:
        return bool(_ask(self._connection, f"SELECT GET_LOCK('{self.name}', 0)") == 1)

    def holder(self) -> str:
        number = _ask(self._connection, f"SELECT IS_USED_LOCK('{self.name}')")
        if number is None:
            return "a session that has just ended"
        host = _ask(
            self._connection,
            f"SELECT host FROM information_schema.processlist WHERE id = {int(number)}",  # noqa: S608
        )
        return f"connection {number}" + (f" from {host}" if host else "")


@contextmanager
def _mysql(connection: sa.Connection, name: str) -> Iterator[Attempt]:
    attempt = _MySQL(connection, name)
    release = f"SELECT RELEASE_LOCK('{attempt.name}')"
    with _at_checkin(connection, release):
        yield attempt
        if not connection.closed:  # whoever opened it keeps it
            _ask(connection, release)


def _ask(connection: sa.Connection, statement: str) -> Any:
    """Execute on the driver's connection: SQLAlchemy would begin a transaction of its own."""
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
def _at_checkin(connection: sa.Connection, *statements: str) -> Iterator[None]:
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


# ---- SQLite ----------------------------------------------------------------------------------


class _File:
    """A file beside the database that the system keeps locked for its process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise DatabaseError(
                f"{self._path}, which keeps other runs away, cannot be written: {error.strerror}.",
                "May this user write to the folder of the database?",
                path=self._path,
            ) from error
        try:
            _lock_file(descriptor)
            # The file that was locked may have been removed by its last holder meanwhile.
            current = os.stat(self._path)  # noqa: PTH116
            if not os.path.samestat(os.fstat(descriptor), current):
                raise FileNotFoundError(self._path)
        except OSError:
            os.close(descriptor)
            return False
        now = datetime.now(timezone.utc).strftime("%H:%M:%S UTC")
        mine = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
        self._descriptor = descriptor
        with suppress(OSError):  # a full disk: those who wait are told less
            os.truncate(descriptor, 0)
            os.write(descriptor, json.dumps(mine).encode())
        return True

    def holder(self) -> str:
        try:
            told = json.loads(self._path.read_text("utf-8"))
            return f"pid {told['pid']} on {told['host']}, since {told['since']}"
        except (OSError, ValueError, KeyError):
            return "another process"

    def release(self) -> None:
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)


def _lock_file(descriptor: int) -> None:
    """Lock a file, or raise OSError at once; the system frees it with the process."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sqlite(connection: sa.Connection, name: str) -> AbstractContextManager[Attempt] | None:
    path = sqlite_file(connection.engine)
    if path is None:
        return None  # in memory: nobody else has it
    return _locked_file(Path(f"{path}.migrate-lock"))


@contextmanager
def _locked_file(path: Path) -> Iterator[Attempt]:
    attempt = _File(path)
    try:
        yield attempt
    finally:
        attempt.release()


_WAYS: dict[str, Callable[[sa.Connection, str], AbstractContextManager[Attempt] | None]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
    "sqlite": _sqlite,
}
