"""One upgrade, downgrade or stamp at a time per database and version table.

Each kind of database has its own way, chosen for what happens when the holder is killed, when a
pooler stands between, and when a revision runs CREATE INDEX CONCURRENTLY:

- PostgreSQL: a transaction-level advisory lock in a transaction of its own, on a connection of its
  own. It is polled: a session that waits inside SQL would keep CREATE INDEX CONCURRENTLY waiting
  for ever. It works behind a pooler that pools transactions: who waits has no transaction open,
  and no setting stays in a session that others get.
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
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from ..binds import sqlite_file
from ..errors import DatabaseError, LockTimeoutError
from ..policy import DEFAULT_WAIT
from .session import ask, at_checkin, set_up, unprepared

_PATIENCE = 2.0  # seconds before a person is told for whom they wait
_PAUSE = 0.1  # seconds between two tries


class Attempt(Protocol):
    """One way to take a lock on one database."""

    def take(self) -> bool:
        """Try once; return whether it is held now."""

    def holder(self) -> str:
        """Say who holds it, as far as the database tells."""

    def release(self) -> bool:
        """Free it; return whether it was held until now."""


@dataclass(frozen=True)
class Lock:
    """Takes the lock of a database before a run.

    :param wait: seconds to wait for another run; 0 fails at once.
    :param on_wait: called with a sentence: after two seconds, about the holder; and at once where
        there is no lock.
    :param doing: what the holder does to the database, for that sentence.
    :param longer: the command that waits longer.
    """

    wait: float = DEFAULT_WAIT
    on_wait: Callable[[str], None] | None = None
    doing: str = "migrated"
    longer: str = "flask db upgrade --lock-wait 600"

    @contextmanager
    def hold(self, connection: sa.Connection, table: str, schema: str | None) -> Iterator[bool]:
        """Hold the lock of a database while inside.

        :param connection: that the run will use; nothing is executed on it through SQLAlchemy.
        :param table: the version table, and its ``schema``: two histories in one database do not
            wait for each other. With ``:`` and a purpose behind it, another lock.
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
            if not attempt.release() and self.on_wait is not None:
                self.on_wait(
                    "The session that held the lock ended before the run did, so another run may "
                    "have begun meanwhile. Compare:  flask db current"
                )

    def _wait_for(self, attempt: Attempt, connection: sa.Connection) -> None:
        url = connection.engine.url.render_as_string(hide_password=True)
        started, told = time.monotonic(), False
        while not attempt.take():
            waited = time.monotonic() - started
            if waited >= self.wait:
                raise LockTimeoutError(
                    f"{url} is being {self.doing} by {attempt.holder()}. "
                    f"Waited {waited:.0f} s for it.",
                    f"Try again when it is done, or wait longer:  {self.longer}",
                    url=url,
                    holder=attempt.holder(),
                )
            if waited >= _PATIENCE and not told and self.on_wait is not None:
                told = True
                self.on_wait(f"{url} is being {self.doing} by {attempt.holder()}. Waiting for it.")
            time.sleep(_PAUSE)


def _digest(name: str) -> bytes:
    return hashlib.sha256(f"flask-sakyum-migrate:{name}".encode()).digest()


# ---- PostgreSQL ------------------------------------------------------------------------------

# Everybody may read who has locks; the state of a session only those with rights to it.
_ORPHANS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database()
AND application_name = '{label}' AND pid IN (SELECT pid FROM pg_locks)
"""
_HOLDER = """
SELECT l.pid, a.client_addr, a.xact_start
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND l.classid::bigint = {high} AND l.objid::bigint = {low}
"""
# The person's own timeout must not end the transaction that holds the lock.
_NO_TIMEOUT = "SET LOCAL idle_in_transaction_session_timeout = 0"


class _PostgreSQL:
    """A transaction-level advisory lock on a connection of its own."""

    def __init__(self, own: sa.Connection, name: str, begin: Callable[[str], None]) -> None:
        self._own = own
        self._begin = begin
        self._key = int.from_bytes(_digest(name)[:8], "big", signed=True)
        self._held = False
        # The application_name of every session that runs under this lock.
        self.label = f"flask-sakyum-migrate {_digest(name).hex()[:12]}"

    def take(self) -> bool:
        if not self._held:
            ((self._held,),) = self._read(f"SELECT pg_try_advisory_xact_lock({self._key})")
        if not self._held or self._orphans():
            return False
        self._begin(self.label)
        return True

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

    def accepts(self, setting: str) -> bool:
        """Tell whether the server has a setting: its version or its system may be without."""
        try:
            self._own.exec_driver_sql(f"SET LOCAL {setting}")
        except sa.exc.DBAPIError:
            return False
        finally:
            self._own.rollback()
        return True

    def release(self) -> bool:
        try:
            self._own.rollback()
        except sa.exc.DBAPIError:
            self._own.invalidate()
            return False
        return True

    def _orphans(self) -> Sequence[Any]:
        # A killed client's statement goes on in its session until the server notices.
        return self._read(_ORPHANS.format(label=self.label))

    def _read(self, statement: str) -> Sequence[Any]:
        self._own.exec_driver_sql(_NO_TIMEOUT)
        # A transaction sees pg_stat_activity as it was at its first look, until this.
        self._own.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
        rows = self._own.exec_driver_sql(statement).all()
        if self._held or rows == [(True,)]:
            # Drivers that use the extended protocol leave the portal open, and its snapshot with
            # it, for which CREATE INDEX CONCURRENTLY would wait. The next statement closes it.
            self._own.exec_driver_sql(_NO_TIMEOUT)
        else:
            self._own.rollback()  # a pooler has few sessions: whoever waits must not keep one
        return rows


@contextmanager
def _postgresql(connection: sa.Connection, name: str) -> Iterator[Attempt]:
    with ExitStack() as stack:
        own = stack.enter_context(connection.engine.connect())
        stack.enter_context(unprepared(own))

        def begin(label: str) -> None:
            settings = {"application_name": label}
            if has_check:
                settings["client_connection_check_interval"] = "500ms"
            stack.enter_context(set_up(connection, settings))

        attempt = _PostgreSQL(own, name, begin)
        has_check = attempt.accepts("client_connection_check_interval = '500ms'")
        stack.callback(attempt.release)
        yield attempt


# ---- MySQL and MariaDB -----------------------------------------------------------------------


class _MySQL:
    """GET_LOCK on the connection of the run."""

    def __init__(self, connection: sa.Connection, name: str) -> None:
        self._connection = connection
        # At most 64 characters, and for the whole server: so with the database's name.
        database = connection.engine.url.database or ""
        self.name = f"migrate_{_digest(f'{database}.{name}').hex()[:40]}"

    def take(self) -> bool:
        return bool(ask(self._connection, f"SELECT GET_LOCK('{self.name}', 0)") == 1)

    def release(self) -> bool:
        if not self._connection.closed:  # whoever opened it keeps it
            ask(self._connection, f"SELECT RELEASE_LOCK('{self.name}')")
        return True

    def holder(self) -> str:
        number = ask(self._connection, f"SELECT IS_USED_LOCK('{self.name}')")
        if number is None:
            return "a session that has just ended"
        host = ask(
            self._connection,
            f"SELECT host FROM information_schema.processlist WHERE id = {int(number)}",  # noqa: S608
        )
        return f"connection {number}" + (f" from {host}" if host else "")


@contextmanager
def _mysql(connection: sa.Connection, name: str) -> Iterator[Attempt]:
    attempt = _MySQL(connection, name)
    release = f"SELECT RELEASE_LOCK('{attempt.name}')"
    with at_checkin(connection, release):
        yield attempt


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

    def release(self) -> bool:
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
        return True


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
    return _locked_file(Path(f"{path}.{name.partition(':')[2] or 'migrate'}-lock"))


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
