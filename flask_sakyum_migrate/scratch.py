"""Throw-away databases: of the same kind, on the same server, gone when they were used."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from .binds import Database
from .errors import DatabaseError

PREFIX = "scratch_"
"""How the names of throw-away databases begin, so that a person knows what one is."""


_IN_A_SCHEMA = re.compile(r"\bschema\s*=\s*(?!\s|None\b)")


def sees_others(engine: sa.Engine) -> bool:
    """Tell whether a statement can be about another database than the one it is sent to."""
    return engine.dialect.name in ("sqlite", "mysql", "mariadb")


def reaches_others(engine: sa.Engine, text: str) -> str | None:
    """Return why revisions cannot be run on a throw-away database; None where they can.

    To SQLite and MySQL a schema is another database: on a throw-away one it is missing, or it is
    the real one.

    :param engine: of the real database.
    :param text: of the revisions.
    """
    if not sees_others(engine):
        return None
    if _IN_A_SCHEMA.search(text):
        return "is about a table in another database (schema=)"
    name = engine.url.database
    if engine.dialect.name == "sqlite" or not name:
        return None
    is_named = re.search(rf"(?<!\w){re.escape(name)}`?\s*\.\s*[`\w]", text)
    return f"names the database {name}" if is_named else None


@contextmanager
def scratch_engines(databases: Sequence[Database]) -> Iterator[dict[str, sa.Engine]]:
    """Make an empty database beside each of these; return the engines by bind key.

    SQLite is made in memory. They are dropped at the end, whatever happened.

    :raises DatabaseError: the user may not make databases on the server.
    """
    with ExitStack() as stack:
        engines: dict[str, sa.Engine] = {}
        for database in databases:
            engine = stack.enter_context(_scratch(database.engine))
            engines.update(dict.fromkeys(database.keys, engine))
        yield engines


@contextmanager
def _scratch(engine: sa.Engine) -> Iterator[sa.Engine]:
    if engine.dialect.name == "sqlite":
        made = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        try:
            yield made
        finally:
            made.dispose()
        return
    name = f"{PREFIX}{uuid.uuid4().hex[:12]}"
    server = engine.execution_options(isolation_level="AUTOCOMMIT")
    quoted = engine.dialect.identifier_preparer.quote(name)
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {quoted}")
    except sa.exc.DBAPIError as error:
        raise DatabaseError(
            f"No throw-away database can be made beside "
            f"{engine.url.render_as_string(hide_password=True)}: {error.orig}",
            "This user needs the right to create databases there.",
        ) from error
    made = sa.create_engine(engine.url.set(database=name), poolclass=sa.NullPool)
    try:
        yield made
    finally:
        made.dispose()
        force = " WITH (FORCE)" if _drops_by_force(engine) else ""
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {quoted}{force}")


def _drops_by_force(engine: sa.Engine) -> bool:
    version = engine.dialect.server_version_info or (0,)
    return engine.dialect.name == "postgresql" and version >= (13,)
