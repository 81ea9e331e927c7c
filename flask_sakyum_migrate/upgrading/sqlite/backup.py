"""A copy of a SQLite file before a run loses something.

It is made with SQLite's backup API, which sees what is committed, under the lock of the run, and
has its name only when all of it is on the disk.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote as quote_path

from ...binds import sqlite_file
from ...errors import DatabaseError
from ...policy import Policy
from ...runtime.guards import Guard, Running, Target
from ...runtime.sqlite_schema import Database, quote
from ..losses import first_loss

KEPT = 3
"""How many copies of a file are kept, the newest ones."""

_MEGABYTE = 1_000_000
_UNFINISHED = ".unfinished"
_SIZE = ("page_count", "page_size")  # with what is in the write-ahead log
_PLAIN = ("pysqlite", "aiosqlite")  # SQLAlchemy's drivers of files that sqlite3 reads
_PATIENCE = 5.0  # seconds to wait until a file can be read
_BUSY = (5, 6)  # SQLITE_BUSY and SQLITE_LOCKED, which sqlite3 names since Python 3.11


class Backup(Guard):
    """Copies the file of a SQLite database before the first step that loses something."""

    def __init__(self, target: Target, policy: Policy) -> None:
        super().__init__(target)
        self._policy = policy

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Make the copy, before anything is done.

        :raises DatabaseError: it cannot be made.
        """
        path = sqlite_file(self.target.connection.engine)
        if planned and self._policy.backup and path is not None and path.exists():
            self._copy_if_needed(path, planned)
        yield

    def _copy_if_needed(self, path: Path, planned: Sequence[Running]) -> None:
        connection = self.target.connection
        driver: Any = connection.connection.dbapi_connection
        database = Database(driver, Exception)
        if not self._has_rows(database):
            return
        losses = (
            (one, loss)
            for one in planned
            if (loss := first_loss(one.script.path, one.verb, one.bind.split("+")))
        )
        running, loss = next(losses, (None, ""))
        if running is None:
            return
        verb = "whose downgrade" if running.verb == "downgrade" else "which"
        why = f"{running.revision} {running.script.doc}, {verb} {loss}"
        # Drivers of encrypted databases give texts.
        pages, page = (int(database.ask(f"PRAGMA {one}")[0][0]) for one in _SIZE)
        size = pages * page
        if size > self._policy.backup * _MEGABYTE:
            self._policy.tell(
                f"No copy of {path.name} before {why}: it has {size / _MEGABYTE:,.0f} MB, and "
                f"files of up to {self._policy.backup:,.0f} MB are copied (MIGRATE_BACKUP). "
                "To copy it all the same:  --backup"
            )
        elif connection.dialect.driver not in _PLAIN:
            self._policy.tell(
                f"No copy of {path.name} before {why}: a file that is opened with "
                f"{connection.dialect.driver} cannot be copied here."
            )
        else:
            mine = driver if isinstance(driver, sqlite3.Connection) else None
            copy = make_copy(path, mine, size)
            self._policy.tell(f"Copied {path.name} to {copy.name} before {why}.")

    def _has_rows(self, database: Database) -> bool:
        """Tell whether a table has rows, other than those that migrations keep."""
        version = self.target.context.version_table
        own = {version, self._policy.runs_table or f"{version}_runs"}
        rows = database.ask(
            "SELECT name FROM sqlite_master WHERE type = 'table' "
            "AND substr(name, 1, 7) <> 'sqlite_' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        )
        return any(
            database.ask(f"SELECT 1 FROM {quote(name)} LIMIT 1")  # noqa: S608
            for (name,) in rows
            if name not in own
        )


def make_copy(path: Path, driver: sqlite3.Connection | None = None, size: int = 0) -> Path:
    """Copy a SQLite file to ``NAME.backup-YYYYMMDD-HHMMSS`` (UTC) beside it; keep the newest three.

    :param driver: the connection of the run. It is read through another one when its transaction
        has begun: SQLite does not copy then, and what is not committed is not to be in the copy.
    :param size: of the database, in bytes.
    :raises DatabaseError: the copy cannot be made; there is none then, not even a part of one.
    """
    _remove_unfinished(path)
    copy = _free_name(path)
    part = copy.with_name(copy.name + _UNFINISHED)
    try:
        free = shutil.disk_usage(path.parent).free
        if free < size:
            raise OSError(0, f"{size / _MEGABYTE:,.1f} MB are needed, {free / _MEGABYTE:,.1f} free")
        # Nobody may read the copy who may not read the database.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(part)) as target:
            target.execute("PRAGMA journal_mode=OFF")
            target.execute("PRAGMA synchronous=OFF")
            _read(path, driver, target)
        shutil.copymode(path, part)
        _sync(part)
        part.replace(copy)
        _sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error)
        hint = f"Make room for {copy.name} in its folder, or do without a copy:  --no-backup"
        if isinstance(error, _LockedError):
            hint = "While another transaction locks it there is no copy. Without one:  --no-backup"
        raise DatabaseError(
            f"{path} could not be copied before something is lost ({reason}), so nothing was run.",
            hint,
            path=path,
        ) from error
    for old in copies(path)[:-KEPT]:
        old.unlink(missing_ok=True)
    return copy


def _read(path: Path, driver: sqlite3.Connection | None, target: sqlite3.Connection) -> None:
    if driver is not None and not driver.in_transaction:
        driver.backup(target, progress=_patience())
        return
    where = f"file:{quote_path(str(path.resolve()))}?mode=rw"
    with closing(sqlite3.connect(where, uri=True, timeout=0)) as source:
        source.backup(target, progress=_patience())


class _LockedError(sqlite3.OperationalError):
    """The file cannot be read for as long as another connection has it."""


def _patience() -> Callable[[int, int, int], None]:
    """Make what is told of each try: without it, a file that is locked is waited for for ever."""
    deadline = time.monotonic() + _PATIENCE

    def progress(status: int, remaining: int, total: int) -> None:
        if status in _BUSY and time.monotonic() > deadline:
            raise _LockedError("database is locked")

    return progress


def copies(path: Path) -> list[Path]:
    """Return the copies of a SQLite file, the oldest first."""
    pattern = re.compile(re.escape(f"{path.name}.backup-") + r"[0-9]{8}-[0-9]{6}")
    return sorted(one for one in path.parent.iterdir() if pattern.fullmatch(one.name))


def _remove_unfinished(path: Path) -> None:
    """Remove what a process that was killed left; the lock of the run keeps others away."""
    start = f"{path.name}.backup-"
    for one in path.parent.iterdir():
        if one.name.startswith(start) and one.name.endswith(_UNFINISHED):
            one.unlink(missing_ok=True)


def _free_name(path: Path) -> Path:
    moment = datetime.now(timezone.utc)
    while True:
        copy = path.with_name(f"{path.name}.backup-{moment:%Y%m%d-%H%M%S}")
        if not copy.exists():
            return copy
        moment += timedelta(seconds=1)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no such thing for folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
