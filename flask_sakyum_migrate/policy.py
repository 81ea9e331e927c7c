"""How a run treats the databases: the ``MIGRATE_*`` settings, read and checked in one place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from .errors import ConfigError

TRANSACTIONS = ("per-revision", "all", "none")
DEFAULT_WAIT = 300.0
"""Seconds to wait for another run."""
DEFAULT_BACKUP = 200.0
"""Megabytes up to which a SQLite file is copied before it loses something."""


@dataclass(frozen=True)
class Policy:
    """How a run treats the databases.

    :param lock_wait: seconds to wait while another process migrates the same database; 0 fails at
        once, None takes no lock.
    :param transaction: ``per-revision``, ``all`` or ``none``; None: what suits the database.
    :param lock_timeout: seconds that a statement waits for a lock of the application; None: what
        suits the database.
    :param statement_timeout: seconds that a statement may run; 0: as long as it takes.
    :param backup: megabytes up to which a SQLite file is copied before an upgrade that loses
        something; 0: never.
    :param runs_table: the name of the table with the history of runs; empty: that of the version
        table and ``_runs``; None: no such table.
    :param app_version: the version of the application, for that table.
    :param protected: whether to ask before something is lost: always, or for these URL patterns.
    :param ignore_tables: names and patterns of tables that are not compared with the models.
    :param prove: how a new revision is tried: True with the whole history on throw-away databases,
        None on a copy of the schema, False not at all.
    :param say: called with a sentence that a person should read meanwhile.
    """

    lock_wait: float | None = DEFAULT_WAIT
    transaction: str | None = None
    lock_timeout: float | None = None
    statement_timeout: float = 0.0
    backup: float = DEFAULT_BACKUP
    runs_table: str | None = ""
    app_version: str = ""
    protected: bool | Sequence[str] = False
    ignore_tables: Sequence[str] = ()
    prove: bool | None = None
    say: Callable[[str], None] | None = None

    def for_throw_away(self) -> Policy:
        """Return how a run treats a database that nobody else uses, and that is gone after it."""
        return Policy(lock_wait=None, backup=0, runs_table=None, ignore_tables=self.ignore_tables)

    def tell(self, text: str) -> None:
        """Say something to the person, when there is one."""
        if self.say is not None:
            self.say(text)


def read_policy(get: Callable[[str], Any]) -> Policy:
    """Make the policy of an application.

    :param get: returns the value of a setting such as ``MIGRATE_LOCK_WAIT``, or None.
    :raises ConfigError: a setting has a value that means nothing.
    """
    found = {}
    for one in fields(Policy):
        name = f"MIGRATE_{one.name.upper()}"
        value = get(name) if one.name in _READERS else None
        if value is None:
            continue
        reader, expected = _READERS[one.name]
        try:
            found[one.name] = reader(value)
        except (TypeError, ValueError):
            raise ConfigError(f"{name} is {value!r}, and has to be {expected}.") from None
    return Policy(**found)


def seconds(value: Any) -> float:
    """Read a duration: a number of seconds, ``"400ms"``, ``"30s"`` or ``"5min"``.

    :raises ValueError: it is none.
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s*(ms|s|min|h)?\s*", str(value))
    if match is None or isinstance(value, bool):
        raise ValueError(value)
    unit = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}[match[2] or "s"]
    return float(match[1]) * unit


def _transaction(value: Any) -> str:
    if value not in TRANSACTIONS:
        raise ValueError(value)
    return str(value)


def _switch(value: Any) -> bool | None:
    """Read what environment variables have for True and False; None for anything else."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    return words.get(str(value).lower())


def _yes_or_no(value: Any) -> bool:
    switch = _switch(value)
    if switch is None:
        raise ValueError(value)
    return switch


def _megabytes(value: Any) -> float:
    switch = _switch(value)
    if switch is not None:
        return math.inf if switch else 0.0
    number = float(value)
    if not number >= 0:
        raise ValueError(value)
    return number


def _table(value: Any) -> str | None:
    if _switch(value) is not None:
        return "" if _switch(value) else None
    if not isinstance(value, str) or not value:
        raise ValueError(value)
    return value


def _patterns(value: Any) -> bool | tuple[str, ...]:
    switch = _switch(value)
    if switch is not None:
        return switch
    return tuple(value.split()) if isinstance(value, str) else tuple(map(str, value))


def _names(value: Any) -> tuple[str, ...]:
    names = value.split() if isinstance(value, str) else list(value)
    if not all(isinstance(one, str) and one for one in names):
        raise ValueError(value)
    return tuple(names)


_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "lock_wait": (seconds, "a number of seconds"),
    "transaction": (_transaction, f"one of {', '.join(TRANSACTIONS)}"),
    "lock_timeout": (seconds, 'a number of seconds, or "400ms"'),
    "statement_timeout": (seconds, 'a number of seconds, or "5min"'),
    "backup": (_megabytes, "True, False or a number of megabytes"),
    "runs_table": (_table, "True, False or the name of a table"),
    "app_version": (str, "a text"),
    "protected": (_patterns, "True, False or a list of URL patterns"),
    "ignore_tables": (_names, "a list of names and patterns of tables"),
    "prove": (_yes_or_no, "True or False"),
}
