"""Short waits for locks on PostgreSQL, and who is in the way.

A statement that waits for a table's lock makes every later reader of the table wait behind it. So
it waits briefly, the revision is rolled back, and all of it is tried again after a pause: other
sessions go on in between. The first tries are the shortest; the last ones wait for all of
``lock_timeout``, to get through on a table that is never quiet.
"""

from __future__ import annotations

import gc
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ..errors import ConfigError
from ..policy import Policy, seconds
from ..runtime.guards import Guard, Running, Target
from ..runtime.steps import what_remains
from .session import ask

LOCK_TIMEOUT = 5.0
"""Seconds the last tries wait for a lock."""
TRIES = 12

_SHORT = 0.4  # seconds the first tries wait: what a reader of the table may have to wait as well
_SHORT_TRIES = 8
_LONGEST_PAUSE = 8.0  # seconds
_PATIENCE = 2.0  # seconds before a person is told for whom they wait
_LOOK = 0.2  # seconds a step runs before it is looked whether it waits, and between two looks
_WAKE = 0.05  # seconds
_GOODBYE = 1.0  # seconds; a look may wait for a session of a pooler that the run has

# lock_not_available, deadlock_detected
_LOCKED = ("55P03", "40P01")

_BLOCKERS = """
SELECT pid, state, query, client_addr, extract(epoch FROM now() - xact_start)::float AS age
FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids({pid}))
"""


@dataclass
class Waiting:
    """What a run saw of those who are in its way, over all its tries.

    :param since: when the first try began to wait, on the clock of `time.monotonic`.
    :param blockers: the sessions in the way when it was looked last.
    :param told: whether the person knows.
    """

    since: float | None = None
    blockers: Sequence[Any] = field(default=())
    told: bool = False

    @property
    def is_own(self) -> bool:
        """Tell whether this very process is in its own way."""
        return any(row.pid in own_backends() for row in self.blockers)

    def tell(self, policy: Policy, *, soon: float = _LOOK) -> None:
        """Say once who is in the way, when the person has waited or will have in ``soon`` s."""
        if self.since is None:
            self.since = time.monotonic()
        if self.blockers and not self.told and time.monotonic() - self.since + soon >= _PATIENCE:
            self.told = True
            policy.tell(f"Waiting for a lock. In the way: {self}.")

    def __str__(self) -> str:
        return "; ".join(_describe(row) for row in self.blockers)


class Patience(Guard):
    """Limits how long the steps wait, and has the run tried again when that was not enough.

    :param waiting: shared by all tries of the run.
    """

    def __init__(self, target: Target, policy: Policy, waiting: Waiting) -> None:
        super().__init__(target)
        self._policy = policy
        self._waiting = waiting
        self._set_in: Any = None
        self._running: Running | None = None

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Look meanwhile whether a step waits for somebody."""
        connection = self.target.connection
        self._watch = _Watch(connection.engine, self._waiting, self._policy)
        sa.event.listen(connection, "begin", self._begins)
        try:
            with self._watch.running():
                yield
        finally:
            sa.event.remove(connection, "begin", self._begins)

    @contextmanager
    def step(self, running: Running) -> Iterator[None]:
        """Set the limits for the transaction of the step."""
        self._set(running)
        self._running = running
        try:
            yield
        finally:
            self._running = None
            self._watch.pid = None

    @contextmanager
    def autocommit(self, running: Running) -> Iterator[None]:
        """Set them again after the block: it ends the transaction they were set for.

        Inside the block nothing is limited. CREATE INDEX CONCURRENTLY waits for others without
        keeping anybody waiting.
        """
        yield
        self._set(running)

    def retry(self, running: Running | None, error: Exception) -> float | None:
        """Return the pause before the next try, when the step gave up waiting for a lock."""
        if running is None or self.target.external or sqlstate(error) not in _LOCKED:
            return None
        opts = self.target.context.opts
        if opts.get("committed") or opts.get("once"):
            return None  # a part of it stays, and is not to be done again
        waiting, attempt = self._waiting, self.target.attempt
        if attempt >= TRIES or waiting.is_own:
            return None
        pause = min(0.25 * 2.0 ** (attempt - 1), _LONGEST_PAUSE)
        pause *= random.uniform(0.5, 1.0)  # noqa: S311
        waiting.tell(self._policy, soon=pause)
        if waiting.told:
            self._policy.tell(
                f"{running.revision} was rolled back, so that nobody waits behind it. "
                f"Trying again in {pause:.1f} s (try {attempt + 1} of {TRIES})."
            )
        return pause

    def hint(self, running: Running, error: Exception) -> str:
        """Say who was in the way."""
        if sqlstate(error) not in _LOCKED or not self._waiting.blockers:
            return ""
        if self._waiting.is_own:
            return (
                "This very process is in the way: it has a session with an open transaction. End "
                "it before the upgrade:  db.session.commit()   or   db.session.close()"
            )
        tries = f" in {self.target.attempt} tries" if self.target.attempt > 1 else ""
        return (
            f"In the way{tries}: {self._waiting}. {what_remains(running, self.target.context)} Run "
            'it again when they are done, or wait longer: write  lock_timeout = "30s"  in the '
            "revision."
        )

    def _set(self, running: Running) -> None:
        connection = self.target.connection
        transaction = connection.get_transaction()
        if self.target.external or _is_autocommit(connection):
            return
        if transaction is self._set_in and not any(
            running.setting(name) for name in ("lock_timeout", "statement_timeout")
        ):
            return
        own = running.setting("lock_timeout") or running.setting("statement_timeout")
        self._set_in = None if own else transaction
        self._watch.look_at(connection.exec_driver_sql(self._limits(running)).scalar_one())

    def _begins(self, connection: sa.Connection) -> None:
        # In the middle of a step it is a revision that has committed what it did so far.
        running = self._running
        if running is not None and not self.target.external and not _is_autocommit(connection):
            self._watch.look_at(ask(connection, self._limits(running)))

    def _limits(self, running: Running) -> str:
        wanted = {
            "lock_timeout": self._lock_timeout(running),
            "statement_timeout": _limit(running, "statement_timeout", None)
            or self._policy.statement_timeout,
        }
        calls = [
            f"set_config('{name}', '{round(value * 1000)}', true)" for name, value in wanted.items()
        ]
        if self.target.context.opts["transaction_per_migration"] and not running.is_last:
            # The commit of the last one waits for the disk, and so for all before it.
            calls.append("set_config('synchronous_commit', 'off', true)")
        return f"SELECT pg_backend_pid(), {', '.join(calls)}"

    def _lock_timeout(self, running: Running) -> float:
        given = _limit(running, "lock_timeout", self._policy.lock_timeout)
        if given is not None:
            return given
        attempt = self.target.attempt
        if self.target.context.opts.get("committed"):
            return LOCK_TIMEOUT  # this is the only try
        if attempt <= _SHORT_TRIES:
            return _SHORT
        return min(2.0 ** (attempt - _SHORT_TRIES - 1), LOCK_TIMEOUT)


def sqlstate(error: BaseException | None) -> str | None:
    """Return the SQLSTATE that the server gave for an error or its cause."""
    while error is not None:
        original = getattr(error, "orig", None)
        for name in ("sqlstate", "pgcode"):
            if getattr(original, name, None):
                return str(getattr(original, name))
        error = error.__cause__
    return None


def own_backends() -> frozenset[int]:
    """Return the backend pids of the connections that this process has in use."""
    found = set()
    for one in gc.get_objects():
        if isinstance(one, sa.PoolProxiedConnection):
            info = getattr(one.dbapi_connection, "info", None)
            with suppress(Exception):  # a closed one has no pid any more
                found.add(int(info.backend_pid))  # type: ignore[union-attr]
    return frozenset(found)


def _limit(running: Running, name: str, default: float | None) -> float | None:
    """Read a limit that a revision sets for itself, in seconds."""
    given = running.setting(name)
    if given is None:
        return default
    try:
        return seconds(given)
    except ValueError:
        raise ConfigError(
            f"{running.script.path} says {name} = {given!r}.",
            f'It is a time such as  {name} = "30s"  or  {name} = "400ms".',
            path=running.script.path,
        ) from None


def _is_autocommit(connection: sa.Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


class _Watch:
    """A thread that looks who is in the way of a step, once the step takes long.

    :param pid: the backend that is looked at; None between the steps.
    """

    def __init__(self, engine: sa.Engine, waiting: Waiting, policy: Policy) -> None:
        self._engine = engine
        self._waiting = waiting
        self._policy = policy
        self._stop = threading.Event()
        self._due = 0.0
        self.pid: int | None = None

    def look_at(self, pid: int) -> None:
        self._due = time.monotonic() + _LOOK
        self.pid = pid

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, name="flask-sakyum-migrate", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.pid = None
            self._stop.set()
            thread.join(_GOODBYE)

    def _run(self) -> None:
        with ExitStack() as stack, suppress(sa.exc.DBAPIError):  # the run itself will tell
            connection = None
            while not self._stop.wait(_WAKE):
                pid = self.pid
                if pid is None or time.monotonic() < self._due:
                    continue
                self._due = time.monotonic() + _LOOK
                if connection is None:
                    connection = stack.enter_context(self._engine.connect())
                    # Between two looks it must have no snapshot, for which others would wait.
                    connection.execution_options(isolation_level="AUTOCOMMIT")
                rows = connection.exec_driver_sql(_BLOCKERS.format(pid=pid)).all()
                if rows and pid == self.pid:
                    self._note(rows)

    def _note(self, rows: Sequence[Any]) -> None:
        self._waiting.blockers = rows
        self._waiting.tell(self._policy)


def _describe(row: Any) -> str:
    words = f"backend pid {row.pid}"
    if row.pid in own_backends():
        words += ", which is this very process"
    elif row.client_addr:
        words += f" from {row.client_addr}"
    if row.state:
        words += f", {row.state}"
    if row.age is not None:
        words += f", its transaction open for {row.age:.0f} s"
    if row.query:
        words += f" ({' '.join(row.query.split())[:100]})"
    return words
