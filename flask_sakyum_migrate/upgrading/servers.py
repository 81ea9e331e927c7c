"""A database that is not there yet: its server starts, or it has to be made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ..binds import sqlite_file, unreachable
from ..errors import DatabaseError

_PATIENCE = 2.0  # seconds before a person is told what they wait for
_PAUSE = 0.5  # seconds between two tries
_CONNECTING = 5  # seconds that one try may take

# What a PostgreSQL server answers while it starts, stops, or has too many clients. Drivers have no
# code for an error at connecting, only libpq's text.
_PASSING = (
    "starting up",
    "shutting down",
    "not yet accepting connections",
    "recovery mode",
    "too many clients",
    "remaining connection slots",
)
# MySQL: no connection (2002, 2003, 2005, 2006, 2013, 2055), too many of them, stopping, not ready.
_PASSING_NUMBERS = (2002, 2003, 2005, 2006, 2013, 2055, 1040, 1053, 1927)


@dataclass(frozen=True)
class Kind:
    """What is different between the servers.

    :param others: databases to connect to while the one that is wanted is not there.
    :param exists: finds it; takes its ``:name``.
    :param create: makes it; ``{name}`` is quoted.
    """

    others: tuple[str, ...]
    exists: str
    create: str


_POSTGRESQL = Kind(
    ("postgres", "template1"),
    "SELECT 1 FROM pg_database WHERE datname = :name",
    "CREATE DATABASE {name}",
)
_MYSQL = Kind(
    ("information_schema",),
    "SELECT 1 FROM information_schema.schemata WHERE schema_name = :name",
    "CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4",
)
_KINDS = {"postgresql": _POSTGRESQL, "mysql": _MYSQL, "mariadb": _MYSQL}


def reach(engine: sa.Engine, wait: float, tell: Callable[[str], None]) -> bool:
    """Wait until a database answers; make it where it is missing.

    :param wait: seconds to wait for its server; 0 tries once.
    :param tell: called with a sentence after two seconds.
    :returns: whether this call made it.
    :raises DatabaseError: it does not answer in time, it refuses, or it cannot be made.
    """
    path = sqlite_file(engine)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"The folder {path.parent} cannot be made: {error.strerror}.",
                "May this user write to the folder above it?",
                path=path.parent,
            ) from error
        wait = 0.0
    return _Knocking(engine, wait, tell).until_it_opens()


@dataclass
class _Knocking:
    engine: sa.Engine
    wait: float
    tell: Callable[[str], None]
    made: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)

    def until_it_opens(self) -> bool:
        started, told = time.monotonic(), False
        while True:
            error = self._try()
            if error is None:
                return self.made
            waited = time.monotonic() - started
            if waited >= self.wait or not is_passing(error):
                raise self._in_words(error, waited) from error
            if waited >= _PATIENCE and not told:
                told = True
                self.tell(
                    f"{self._url} does not answer: {_reason(error)}. "
                    f"Waiting up to {self.wait:g} s for it."
                )
            time.sleep(min(_PAUSE, self.wait - waited))

    @property
    def _url(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)

    def _try(self) -> sa.exc.DBAPIError | None:
        """Connect once; where the server answers and the database is missing, make it first."""
        error = self._connect()
        if error is None or not self._create():
            return error
        return self._connect()

    def _connect(self) -> sa.exc.DBAPIError | None:
        try:
            with self._noting_arguments(), self.engine.connect():
                return None
        except sa.exc.DBAPIError as error:
            return error

    @contextmanager
    def _noting_arguments(self) -> Iterator[None]:
        """Note what the driver is called with: the application's own arguments are in it."""

        def note(dialect: Any, record: Any, args: list[Any], arguments: dict[str, Any]) -> None:
            if dialect.driver in ("psycopg", "psycopg2", "pymysql", "mysqldb"):
                arguments.setdefault("connect_timeout", _CONNECTING)
            self.arguments = dict(arguments)

        sa.event.listen(self.engine, "do_connect", note)
        try:
            yield
        finally:
            sa.event.remove(self.engine, "do_connect", note)

    def _create(self) -> bool:
        """Make the database unless it is there; return whether the server answers."""
        kind = _KINDS.get(self.engine.dialect.name)
        name = self.engine.url.database
        if kind is None or not name or not self.arguments:  # none: a creator of its own connects
            return False
        for other in kind.others:
            try:
                with self._server(other) as connection:
                    if not connection.execute(sa.text(kind.exists), {"name": name}).scalar():
                        self._make(connection, kind, name)
                    return True  # if it was there, another process has just made it
            except sa.exc.DBAPIError as error:
                if is_passing(error):
                    return False
        return False  # none of them is for this user

    def _make(self, connection: sa.Connection, kind: Kind, name: str) -> None:
        quoted = connection.dialect.identifier_preparer.quote_identifier(name)
        statement = kind.create.format(name=quoted)
        try:
            connection.exec_driver_sql(statement.replace("%", "%%"))
            self.made = True
        except sa.exc.DBAPIError as error:
            # Another process may have been first, or is about to be.
            if connection.execute(sa.text(kind.exists), {"name": name}).scalar():
                return
            raise DatabaseError(
                f"{self._url}: there is no database {name}, and it cannot be made: "
                f"{_reason(error)}",
                f"As a user who may:  {statement};",
                url=self._url,
            ) from error

    @contextmanager
    def _server(self, other: str) -> Iterator[sa.Connection]:
        """Connect to another database of the server, with the same arguments."""
        dialect, url = self.engine.dialect, self.engine.url
        _, plain = dialect.create_connect_args(url)
        more = {key: value for key, value in self.arguments.items() if plain.get(key) != value}
        url = url.set(database=other)
        args, arguments = dialect.create_connect_args(url)
        engine = sa.create_engine(
            url,
            creator=lambda: dialect.connect(*args, **{**arguments, **more}),
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            yield connection

    def _in_words(self, error: sa.exc.DBAPIError, waited: float) -> DatabaseError:
        words = unreachable(self.engine, error)
        if waited < 1 or not is_passing(error):
            return words
        return DatabaseError(
            f"{words.message} Waited {waited:.0f} s for it.", words.hint, url=words.url
        )


def is_passing(error: sa.exc.DBAPIError) -> bool:
    """Tell whether a server that does not answer may do so a little later.

    It does not when it has answered and refused: the password, the user, the database.
    """
    code = getattr(error.orig, "errno", None) or next(iter(_arguments(error)), None)
    if isinstance(code, int):
        return code in _PASSING_NUMBERS
    text = str(error.orig)
    refused = "FATAL" in text or str(code).startswith("28")  # SQLSTATE: invalid authorization
    return not refused or any(words in text for words in _PASSING)


def _reason(error: sa.exc.DBAPIError) -> str:
    """Return the first line of what the driver says; MySQL's have a number in front."""
    arguments = _arguments(error)
    words = arguments[1] if len(arguments) == 2 else error.orig
    return str(words).strip().partition("\n")[0].rstrip(".")


def _arguments(error: sa.exc.DBAPIError) -> tuple[Any, ...]:
    return getattr(error.orig, "args", ())
