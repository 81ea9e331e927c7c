"""Short waits for locks on MySQL and MariaDB, and who is in the way.

A change of a table that waits for its metadata lock makes every later reader of the table wait
behind it, by default for a day. So it waits briefly, and the statement is tried again after a
pause, in which other sessions go on. The statement and not the revision: what the revision has
done before is committed.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ..policy import Policy
from ..runtime.guards import Guard, Running, Target
from . import postgresql, sqltext
from .driver import Driver, error_code
from .journal.fingerprints import MySQL
from .session import at_checkin
from .sqltext import Kind
from .statements import Statement, intercepting

LOCK_TIMEOUT = 1.0
"""Seconds a statement waits for a lock before the pause; MySQL has whole ones."""
TRIES = 10
PATIENCE = 60.0
"""Seconds that a statement is tried for, when that is more than ten tries."""

_TOLD_AFTER = 2.0  # seconds
_FIRST_PAUSE = 0.1  # seconds
_LONGEST_PAUSE = 2.0  # seconds
_LOCKED = 1205  # ER_LOCK_WAIT_TIMEOUT: of a table or of a row
_NAMED = re.compile(
    rf"\b(?:TABLE|INTO|UPDATE|FROM|JOIN|ON|TO)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?({sqltext.QUALIFIED})",
    re.I,
)
_SAVEPOINT = "flask_sakyum_migrate"

# Who has a lock on a table that this session waits for: MySQL 8, then MariaDB with its plugin.
# What the server has neither of, or does not show this user, is an error.
_HOLDERS = (
    "SELECT DISTINCT p.id, p.user, p.host, p.time, p.info FROM performance_schema.metadata_locks l "
    "JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id "
    "JOIN information_schema.processlist p ON p.id = t.processlist_id "
    "WHERE p.id <> connection_id() AND l.lock_status = 'GRANTED' "
    "AND l.object_schema = database() AND l.object_name = ?",
    "SELECT DISTINCT p.id, p.user, p.host, p.time, p.info "
    "FROM information_schema.metadata_lock_info l "
    "JOIN information_schema.processlist p ON p.id = l.thread_id "
    "WHERE p.id <> connection_id() AND l.table_schema = database() AND l.table_name = ?",
)
_TRANSACTIONS = (
    "SELECT p.id, p.user, p.host, timestampdiff(SECOND, t.trx_started, now()), p.info "
    "FROM information_schema.innodb_trx t "
    "JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id "
    "WHERE p.id <> connection_id() AND p.db = database()"
)


class Patience(Guard):
    """Limits how long the statements of a step wait, and tries them again."""

    def __init__(self, target: Target, policy: Policy) -> None:
        super().__init__(target)
        self._policy = policy
        self._driver = Driver(target.connection)
        self._server = MySQL(self._driver)
        self._timeout = LOCK_TIMEOUT
        self._in_the_way = ""

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Watch all statements of the run; leave the session as it came."""
        connection = self.target.connection
        self._usual = int(self._driver.value("SELECT @@SESSION.lock_wait_timeout"))
        with (
            at_checkin(connection, _setting(self._usual)),
            intercepting(connection, self._patiently, outermost=True),
        ):
            yield

    @contextmanager
    def step(self, running: Running) -> Iterator[None]:
        """Set the limit for the statements of a step, and not for the commit after them.

        A backup that keeps everybody from committing may take longer.
        """
        limit = postgresql._limit(running, "lock_timeout", self._policy.lock_timeout)
        self._timeout = LOCK_TIMEOUT if limit is None else limit
        wanted = math.ceil(self._timeout) or self._usual
        self._driver.rows(_setting(wanted))
        try:
            yield
        finally:
            if not (self.target.connection.closed or self.target.connection.invalidated):
                with suppress(self._driver.error):  # the server is gone: the step has told
                    self._driver.rows(_setting(self._usual))

    def _patiently(self, statement: Statement, proceed: Callable[[], None]) -> None:
        """Execute a statement, again and again while it only waits for others."""
        started, tries = time.monotonic(), 0
        in_parts = self._mark(statement)
        told = False
        while True:
            tries += 1
            try:
                proceed()
                return
            except self._driver.error as error:
                waited = time.monotonic() - started
                if error_code(error) != _LOCKED or not self._may_repeat(statement, in_parts):
                    raise
                self._in_the_way = self._holders(statement)
                patience = max(PATIENCE, TRIES * self._timeout)
                if waited >= patience or self._timeout == 0:
                    raise
                if waited >= _TOLD_AFTER and not told:
                    told = True
                    self._policy.tell(f"Waiting for a lock. In the way: {self._in_the_way}.")
            pause = min(_FIRST_PAUSE * 2.0**tries, _LONGEST_PAUSE)
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    def _mark(self, statement: Statement) -> bool:
        """Set a savepoint before a statement that the driver may execute in several parts."""
        in_parts = statement.many and not self._driver.is_autocommit
        if in_parts:
            self._driver.rows(f"SAVEPOINT {_SAVEPOINT}")
        return in_parts

    def _may_repeat(self, statement: Statement, in_parts: bool) -> bool:
        """Tell whether the transaction still is what it was before the statement."""
        kind = self._server.kind(statement.text)
        if kind is Kind.DDL and not statement.many:
            return True  # nothing of the transaction was open any more
        if self._driver.value("SELECT @@innodb_rollback_on_timeout"):
            return False
        if in_parts:
            self._driver.rows(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        return in_parts or not statement.many

    def hint(self, running: Running, error: Exception) -> str:
        """Say who was in the way."""
        if error_code(error) != _LOCKED or not self._in_the_way:
            return ""
        return (
            f"In the way: {self._in_the_way}. Run  flask db {running.verb}  again when they are "
            'done, or wait longer: write  lock_timeout = "30s"  in the revision. What it has done '
            "before is noted: it goes on from there."
        )

    def _holders(self, statement: Statement) -> str:
        """Say who has a lock on what the statement names, as far as the server tells."""
        names = tables_in(statement.text)
        queries = [(query, name) for query in _HOLDERS for name in names]
        for query, *name in [*queries, (_TRANSACTIONS,)]:
            with suppress(self._driver.error):
                rows = self._driver.rows(query, *name)
                if rows:
                    return "; ".join(map(_describe, rows))
        return "a session that this user may not see"


def tables_in(text: str) -> list[str]:
    """Return what may be names of tables in a statement."""
    names = (re.split(r"\s*\.\s*", match[1])[-1] for match in _NAMED.finditer(text))
    return list(dict.fromkeys(sqltext.unquoted(name) for name in names))


def _setting(seconds: int) -> str:
    return f"SET SESSION lock_wait_timeout = {seconds}"


def _describe(row: Sequence[Any]) -> str:
    number, user, host, seconds, query = row
    words = f"connection {number} of {user} from {host}, for {seconds} s"
    return words + (f" ({' '.join(str(query).split())[:100]})" if query else "")
