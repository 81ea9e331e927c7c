"""Which databases an application has: engines and metadata, whatever they came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa

from .errors import ConfigError, DatabaseError

DEFAULT = "default"
"""How the bind without a key is shown and named on the command line."""

Metadata: TypeAlias = "sa.MetaData | Sequence[sa.MetaData]"
MetadataArgument: TypeAlias = "Metadata | Mapping[Any, Metadata]"
EnginesArgument: TypeAlias = (
    "sa.Engine | Mapping[Any, sa.Engine] | Callable[[], sa.Engine | Mapping[Any, sa.Engine]]"
)


@dataclass(frozen=True)
class Bind:
    """One bind key of the application with its engine and the tables that belong to it.

    :param key: the bind key; ``default`` for the bind without one.
    :param engine: the application's own engine.
    :param metadata: the MetaData collections whose tables live in this database.
    """

    key: str
    engine: sa.Engine
    metadata: tuple[sa.MetaData, ...] = ()

    @property
    def suffix(self) -> str:
        """The end of the function names in a revision: ``upgrade`` + suffix."""
        return "" if self.key == DEFAULT else "_" + re.sub(r"\W", "_", self.key)

    @property
    def url(self) -> str:
        """The database URL without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @property
    def table_names(self) -> frozenset[str]:
        """The names of the tables of the models, with their schema where they have one."""
        return frozenset(name for metadata in self.metadata for name in metadata.tables)


@dataclass(frozen=True)
class Database:
    """One database with the binds that live in it; they share a connection and a version table."""

    binds: tuple[Bind, ...]

    @property
    def engine(self) -> sa.Engine:
        """The engine of the first bind; the others point to the same database."""
        return self.binds[0].engine

    @property
    def keys(self) -> tuple[str, ...]:
        """The bind keys, in the order of the configuration."""
        return tuple(bind.key for bind in self.binds)

    @property
    def name(self) -> str:
        """The bind keys as a person reads them."""
        return "+".join(self.keys)

    @property
    def url(self) -> str:
        """The database URL without its password."""
        return self.binds[0].url


@dataclass(frozen=True)
class Source:
    """Where the binds of one application come from.

    :param db: the application's SQLAlchemy object, of any kind, or None.
    :param metadatas: given to ``Migrate(metadatas=...)``: instead of, or beside, those of ``db``.
    :param engines: given to ``Migrate(engines=...)``; a callable is called when needed.
    :param only: the keys of the binds that are meant; empty for all.
    :param fixed: ``metadatas`` hold, whatever env.py names.
    """

    db: Any = None
    metadatas: MetadataArgument | None = None
    engines: EnginesArgument | None = None
    only: Sequence[str] = field(default=())
    fixed: bool = False

    def binds(self) -> list[Bind]:
        """Find the binds. For Flask-SQLAlchemy this needs an application context.

        :raises ConfigError: there is no engine, or tables belong to a bind without one.
        """
        engines = self._find_engines()
        metadatas = self._find_metadatas()
        orphans = [
            (key, name)
            for key, collections in metadatas.items()
            if key not in engines
            for collection in collections
            for name in collection.tables
        ]
        if orphans:
            key, table = orphans[0]
            raise ConfigError(
                f"Table {table} belongs to the bind {key}, and the application has no database of "
                f"that name (it has: {', '.join(engines)}).",
                f"Add it to the configuration: {_setting_for(self.db, key)}",
                bind=key,
            )
        if self.only and not set(self.only) <= set(engines):
            missing = ", ".join(sorted(set(self.only) - set(engines)))
            raise ConfigError(
                f"Migrate(binds=...) names {missing}; the application has: {', '.join(engines)}."
            )
        found = [
            Bind(key, engine, metadatas.get(key, ()))
            for key, engine in engines.items()
            if not self.only or key in self.only
        ]
        _check_suffixes(found)
        return found

    def _find_engines(self) -> dict[str, sa.Engine]:
        try:
            given = self.engines() if callable(self.engines) else self.engines
            if given is None:
                given = _engines_of(self.db)
        except ModuleNotFoundError as error:
            raise ConfigError.for_missing_module(error) from error
        except RuntimeError as error:
            if "not registered" not in str(error):
                raise
            raise ConfigError(
                "The db given to Migrate was not bound to this application.",
                "Before Migrate:  db.init_app(app)   (and is it the only SQLAlchemy() object?)",
            ) from error
        if isinstance(given, sa.Engine):
            given = {None: given}
        if not given:
            raise ConfigError(
                "The application has no database.",
                'Set it before db.init_app(app):  app.config["SQLALCHEMY_DATABASE_URI"] = '
                '"sqlite:///default.db"',
            )
        if None in given and DEFAULT in given:
            raise ConfigError(
                "A bind key is called default, which is the name of the database of "
                "SQLALCHEMY_DATABASE_URI.",
                "Rename the key in SQLALCHEMY_BINDS.",
            )
        # The default bind first: the others often refer to what it holds.
        keys = sorted(given, key=lambda key: key not in (None, DEFAULT))
        return {_name(key): given[key] for key in keys}

    def _find_metadatas(self) -> dict[str, tuple[sa.MetaData, ...]]:
        given = self.metadatas
        if given is None:
            given = _metadatas_of(self.db)
        if given is None:
            kind = type(self.db).__name__ if self.db is not None else "Migrate(engines=...)"
            raise ConfigError(
                f"{kind} does not say which tables the models define.",
                "Name their metadata:  Migrate(app, db, metadatas=Base.metadata)",
            )
        if not isinstance(given, Mapping):
            given = {None: given}
        return {_name(key): metadata_tuple(value) for key, value in given.items()}


def databases(binds: Sequence[Bind]) -> list[Database]:
    """Group binds that point to one database: they share a connection and a version table.

    Two connections to one SQLite file would lock each other out while a run commits at its end.
    """
    groups: dict[Any, list[Bind]] = {}
    for bind in binds:
        groups.setdefault(_identity(bind.engine), []).append(bind)
    return [Database(tuple(group)) for group in groups.values()]


def read_heads(
    engine: sa.Engine, table: str = "alembic_version", schema: str | None = None
) -> tuple[str, ...] | None:
    """Read the revisions a database is at, with one SELECT when there is a version table.

    :returns: the revisions; None when there is no version table (or no SQLite file yet).
    :raises DatabaseError: the database cannot be reached or read.
    """
    path = sqlite_file(engine)
    if path is not None and not path.exists():
        return None  # connecting would leave an empty file behind
    version = sa.table(table, sa.column("version_num"), schema=schema)
    try:
        with engine.connect() as connection:
            rows = sa.select(version.c.version_num)
            try:
                return tuple(connection.execute(rows).scalars())
            except sa.exc.DBAPIError:
                connection.rollback()
                if not sa.inspect(connection).has_table(table, schema=schema):
                    return None
            try:  # another process may have made the table just now
                return tuple(connection.execute(rows).scalars())
            except sa.exc.DBAPIError as error:
                raise DatabaseError(
                    f"{engine.url.render_as_string(hide_password=True)}: {_reason(error)}",
                    f"May this user read the table {table}?",
                ) from error
    except sa.exc.DBAPIError as error:
        raise unreachable(engine, error) from error


def unreachable(engine: sa.Engine, error: sa.exc.DBAPIError) -> DatabaseError:
    """Say in words why a database did not answer."""
    url = engine.url.render_as_string(hide_password=True)
    path = sqlite_file(engine)
    if path is not None and not path.parent.exists():
        hint = f"Its folder does not exist: {path.parent}"
    elif path is not None:
        hint = f"Is {path} a SQLite file, and may you read and write it and its folder?"
    else:
        hint = "Is the server running, and are host, port, name, user and password right?"
    return DatabaseError(f"{url} does not answer: {_reason(error)}", hint, url=url)


def _reason(error: sa.exc.DBAPIError) -> str:
    return " ".join(str(error.orig).split())


def sqlite_file(engine: sa.Engine) -> Path | None:
    """Return the file of a SQLite database; None for other databases and for memory."""
    url = engine.url
    if url.get_backend_name() != "sqlite" or not url.database or ":memory:" in url.database:
        return None
    name = url.database
    if name.startswith("file:"):
        if "mode=memory" in name or url.query.get("mode") == "memory":
            return None
        name = name.removeprefix("file:").partition("?")[0]
    return Path(name)


def _identity(engine: sa.Engine) -> Any:
    url = engine.url
    if url.get_backend_name() != "sqlite":
        query = tuple(sorted((key, str(value)) for key, value in url.query.items()))
        return (url.get_backend_name(), url.host, url.port, url.database, url.username, query)
    path = sqlite_file(engine)
    return ("sqlite", path.resolve()) if path is not None else id(engine)


def _engines_of(db: Any) -> Mapping[Any, sa.Engine]:
    if hasattr(db, "engines"):  # Flask-SQLAlchemy 3, Flask-SQLAlchemy-Lite
        return dict(db.engines)
    if hasattr(db, "get_engine"):  # Alchemical and older extensions
        engines = {None: db.get_engine()}
        names = db.bind_names() if hasattr(db, "bind_names") else ()
        return engines | {name: db.get_engine(bind=name) for name in names}
    if hasattr(db, "engine"):
        return {None: db.engine}
    return {}


def _metadatas_of(db: Any) -> MetadataArgument | None:
    if hasattr(db, "metadatas"):
        return dict(db.metadatas)
    return getattr(db, "metadata", None)


def _name(key: str | None) -> str:
    return DEFAULT if key is None else str(key)


def metadata_tuple(metadata: Metadata) -> tuple[sa.MetaData, ...]:
    """Return one collection of tables or several, however they were given, as several."""
    return (metadata,) if isinstance(metadata, sa.MetaData) else tuple(metadata)


def _check_suffixes(binds: Sequence[Bind]) -> None:
    seen: dict[str, str] = {}
    for bind in binds:
        other = seen.setdefault(bind.suffix, bind.key)
        if other != bind.key:
            raise ConfigError(
                f"The bind keys {other} and {bind.key} would both use the function "
                f"upgrade{bind.suffix}() of a revision.",
                "Rename one of them in SQLALCHEMY_BINDS.",
            )


def _setting_for(db: Any, key: str) -> str:
    setting = "SQLALCHEMY_BINDS" if hasattr(db, "metadatas") else "SQLALCHEMY_ENGINES"
    return f'{setting} = {{"{key}": "sqlite:///{key}.db"}}'
