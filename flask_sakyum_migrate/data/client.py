"""The command-line client of a database; the password is nowhere on its command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ..binds import sqlite_file
from ..errors import ConfigError


@dataclass(frozen=True)
class Client:
    """How a client is started.

    :param programs: its names; the first one that is installed.
    :param arguments: for it.
    :param environment: variables that are added to those of this process.
    """

    programs: Sequence[str]
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def client_of(engine: sa.Engine) -> Client:
    """Return the client for a database.

    :raises ConfigError: there is none, or the database is in memory.
    """
    make = {
        "sqlite": _sqlite,
        "postgresql": _postgresql,
        "mysql": _mysql,
        "mariadb": _mysql,
    }.get(engine.dialect.name)
    if make is None:
        raise ConfigError(f"No client is known for {engine.dialect.name}.")
    return make(engine)


def _sqlite(engine: sa.Engine) -> Client:
    path = sqlite_file(engine)
    if path is None:
        raise ConfigError("This database is in the memory of one process: no other one sees it.")
    return Client(("sqlite3",), (str(path),))


def _postgresql(engine: sa.Engine) -> Client:
    url = engine.url
    environment = {"PGPASSWORD": str(url.password)} if url.password is not None else {}
    for name in ("sslmode", "sslrootcert", "sslcert", "sslkey", "options", "service"):
        if name in url.query:
            environment[f"PG{name.upper()}"] = _one(url.query[name])
    host = url.host or _one(url.query.get("host", ""))
    pairs = (("-h", host), ("-p", url.port), ("-U", url.username), ("-d", url.database))
    return Client(("psql",), _given(pairs), environment)


def _mysql(engine: sa.Engine) -> Client:
    url = engine.url
    environment = {"MYSQL_PWD": str(url.password)} if url.password is not None else {}
    pairs = (
        ("-h", url.host),
        ("-P", url.port),
        ("-u", url.username),
        ("-S", _one(url.query.get("unix_socket", ""))),
    )
    arguments = [*_given(pairs), *([url.database] if url.database else [])]
    programs = ("mariadb", "mysql") if _is_mariadb(engine) else ("mysql", "mariadb")
    return Client(programs, arguments, environment)


def _is_mariadb(engine: sa.Engine) -> bool:
    return engine.dialect.name == "mariadb" or engine.url.get_backend_name() == "mariadb"


def _given(pairs: Sequence[tuple[str, Any]]) -> list[str]:
    return [part for name, value in pairs if value for part in (name, str(value))]


def _one(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else value[0]
