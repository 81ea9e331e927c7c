"""The examination of everything that may be wrong, each with what mends it: ``doctor``."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from . import results
from .binds import Database, sqlite_file
from .checking import Checking
from .errors import ConfigError, DatabaseError, HistoryError, MigrateError
from .project import read_text
from .revisions import read_folder
from .runtime.known import EnvKind, differing_lines, releases

if TYPE_CHECKING:
    import sqlalchemy as sa

_PACKAGES = ("flask-sakyum-migrate", "Flask", "Flask-SQLAlchemy", "SQLAlchemy", "alembic")
_DROPS_COLUMNS = (3, 35)  # the first SQLite that drops a column by itself
_POOLER = 6432  # the port of PgBouncer
_NAMES = (
    "MetaData(naming_convention={\n"
    '    "ix": "ix_%(column_0_label)s", "uq": "uq_%(table_name)s_%(column_0_name)s",\n'
    '    "ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s",\n'
    '    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s"})'
)


class Examining(Checking):
    """The part of `Repository` that looks at everything. The parameters are those of `Project`."""

    def examine(self) -> results.Examination:
        """Look at everything that may be wrong; what cannot be looked at is part of the answer."""
        found = [_versions()]
        checks: dict[str, Callable[[], Iterator[results.Examined]]] = {
            "folder": self._look_at_folder,
            "databases": self._look_at_databases,
            "models": self._look_at_models,
            "naming convention": self._look_at_names,
            "heads": lambda: self._look_at_verdict("heads", "the files are one history"),
            "revisions": self._look_at_revisions,
            "models and revisions": lambda: self._look_at_verdict(
                "models", "the revisions make what the models define"
            ),
            "drift": lambda: self._look_at_verdict("drift", "nobody changed a database by hand"),
            "leftovers": self._look_at_leftovers,
        }
        for name, check in checks.items():
            said = {one.text for one in found if one.state == "wrong"}
            found += [
                results.Examined(name, "skipped", "for the reason above")
                if one.text in said
                else one
                for one in _carefully(name, check)
            ]
        return results.Examination(tuple(found))

    # ---- one thing each ------------------------------------------------------------------------

    def _look_at_folder(self) -> Iterator[results.Examined]:
        folder = self.folder
        count = self._count_files()
        yield results.Examined(
            "folder", "ok", f"{folder.path}, {count} revision{'s' if count != 1 else ''}"
        )
        text = read_text(folder.path / "env.py")
        if folder.env is EnvKind.OURS:
            yield results.Examined("env.py", "ok", "is the one that flask db init writes")
        elif folder.env.is_known:
            yield results.Examined(
                "env.py",
                "ok",
                f"is {folder.env.value} (of {releases(text)}), unedited: this package does its "
                "work itself",
            )
        else:
            yield results.Examined(
                "env.py",
                "look",
                f"was written for this project, or edited: {differing_lines(text)} lines differ "
                "from the one that flask db init writes. It is run as it is, and not on throw-away "
                "databases",
                "Compare it with a new one:  flask db -d NAME init",
            )

    def _look_at_databases(self) -> Iterator[results.Examined]:
        for database in self.databases():
            yield _server(database)

    def _look_at_models(self) -> Iterator[results.Examined]:
        from .autogenerate import refuse_empty
        from .autogenerate.refusing.unimported import definitions

        self.import_models()
        binds = self.binds()
        collections = [one for bind in binds for one in bind.metadata]
        refuse_empty(self.source.db, collections, self.beside[:1])
        count = sum(len(one.tables) for one in collections)
        missing = [one for root in self.beside[:1] for one in definitions(root)]
        if not missing:
            yield results.Examined("models", "ok", f"{count} table{'s' if count != 1 else ''}")
            return
        modules = ", ".join(f'"{name}"' for name in dict.fromkeys(one.module for one in missing))
        yield results.Examined(
            "models",
            "look",
            f"{'; '.join(map(str, missing[:3]))}{'; ...' if len(missing) > 3 else ''}, and nothing "
            "imports it",
            f"Import it in create_app(), or:  Migrate(app, db, models=[{modules}])",
        )

    def _look_at_names(self) -> Iterator[results.Examined]:
        bare = [
            bind.key
            for bind in self.binds()
            if any(not {"uq", "fk"} & one.naming_convention.keys() for one in bind.metadata)
        ]
        if not bare:
            yield results.Examined("naming convention", "ok", "constraints get names")
            return
        yield results.Examined(
            "naming convention",
            "look",
            f"the metadata of {', '.join(bare)} has none: a constraint without a name is hard to "
            "drop later",
            f"Give the models one:  {_NAMES}",
        )

    def _look_at_revisions(self) -> Iterator[results.Examined]:
        for database in self.status().databases:
            yield _standing(database)

    def _look_at_verdict(self, name: str, fine: str) -> Iterator[results.Examined]:
        title = "models and revisions" if name == "models" else name
        (found,) = self.verdicts([name]).verdicts
        if found.ok:
            yield results.Examined(title, "ok", found.note or fine)
            return
        texts = [f"{one.bind}: {one.text}" if one.bind else one.text for one in found.findings]
        words = "; ".join(texts[:5]) + ("; ..." if len(texts) > 5 else "")
        hint = found.findings[0].hint
        if name in ("models", "drift"):
            hint = f"All of it:  flask db check --{name}"
        yield results.Examined(title, "wrong" if name == "heads" else "look", words, hint)

    def _look_at_leftovers(self) -> Iterator[results.Examined]:
        found = []
        table, schema = self._version_table()
        for database in self.databases():
            path = sqlite_file(database.engine)
            if path is not None and not path.exists():
                continue
            found += _leftovers(database, f"{table}_journal", schema)
        for location in self.folder.locations:
            for path in sorted(location.glob("*.amended")):
                hint = "It is the old text of a revision: compare, then delete it."
                found.append(results.Examined("leftovers", "look", f"{path} was left", hint))
        yield from found or [results.Examined("leftovers", "ok", "nothing is half done")]

    def _count_files(self) -> int:
        folder = self.folder
        return len(
            read_folder(folder.locations, recursive=folder.recursive, sourceless=folder.sourceless)
        )


def _carefully(
    name: str, check: Callable[[], Iterator[results.Examined]]
) -> list[results.Examined]:
    """Look at a thing; an error is what was found out."""
    found: list[results.Examined] = []
    try:
        found.extend(check())
    except (ConfigError, DatabaseError, HistoryError) as error:
        depends = name in ("models and revisions", "drift")  # others say what is wrong there
        state = "skipped" if depends else "wrong"
        found.append(results.Examined(name, state, error.message, error.hint))
    except MigrateError as error:
        found.append(results.Examined(name, "look", error.message, error.hint))
    return found


def _versions() -> results.Examined:
    there = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            there.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:  # a copy that is not installed; another kind of db
            continue
    return results.Examined("versions", "ok", ", ".join(there))


def _server(database: Database) -> results.Examined:
    import sqlalchemy as sa

    from .binds import unreachable

    engine = database.engine
    dialect = engine.dialect
    words = f"{database.name}: {database.url}"
    if dialect.name == "sqlite":
        text = f"{words}, SQLite {sqlite3.sqlite_version}"
        path = sqlite_file(engine)
        if path is not None and not path.exists():
            text += ", not there yet"
        if sqlite3.sqlite_version_info < _DROPS_COLUMNS:
            hint = "Python brings it: a newer Python has a newer one."
            return results.Examined(
                "databases", "look", f"{text} copies a table to drop a column", hint
            )
        return results.Examined("databases", "ok", text)
    try:
        with engine.connect() as connection:
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
    except sa.exc.DBAPIError as error:
        away = unreachable(engine, error)
        return results.Examined("databases", "wrong", f"{database.name}: {away.message}", away.hint)
    text = f"{words}, {dialect.name} {version}, driver {dialect.driver}"
    if engine.url.port == _POOLER and dialect.driver == "psycopg":
        return results.Examined(
            "databases",
            "look",
            f"{text}, on the port of PgBouncer",
            'Where it pools transactions:  connect_args={"prepare_threshold": None}',
        )
    return results.Examined("databases", "ok", text)


def _standing(database: results.DatabaseStatus) -> results.Examined:
    name = f"{database.bind}: " if database.bind != "default" else ""
    missing = [one.id for one in database.revisions if one.state == "missing"]
    changed = [one.id for one in database.revisions if one.state == "changed"]
    if database.problem:
        hint = "Where it stands:  flask db status" if missing else ""
        return results.Examined("revisions", "wrong", f"{name}{database.problem}", hint)
    count = len(database.pending)
    if count:
        here = ", ".join(database.rows or ()) or "base"
        words = f"{name}is at {here}, {count} revision{'s' if count > 1 else ''} pending"
        return results.Examined("revisions", "look", words, "Run:  flask db upgrade")
    if changed:
        words = f"{name}{', '.join(changed)} ran, and the file is another one now"
        return results.Examined("revisions", "look", words, "Which:  flask db status")
    return results.Examined("revisions", "ok", f"{name}everything is applied")


def _leftovers(database: Database, journal: str, schema: str | None) -> list[results.Examined]:
    import sqlalchemy as sa

    from .binds import unreachable

    found = []
    try:
        with database.engine.connect() as connection:
            inspector = sa.inspect(connection)
            for name in inspector.get_table_names():
                if name.startswith("_alembic_tmp_"):
                    table = name.removeprefix("_alembic_tmp_")
                    words = f"{database.name}: {name} is half a copy of the table {table}"
                    hint = "The next run that copies the table drops it:  flask db upgrade"
                    found.append(results.Examined("leftovers", "look", words, hint))
            if inspector.has_table(journal, schema=schema) and _has_rows(
                connection, sa.table(journal, schema=schema)
            ):
                words = f"{database.name}: a revision is half applied"
                hint = "What ran and what did not:  flask db resolve"
                found.append(results.Examined("leftovers", "wrong", words, hint))
    except sa.exc.DBAPIError as error:
        raise unreachable(database.engine, error) from error
    return found


def _has_rows(connection: sa.Connection, table: sa.TableClause) -> bool:
    import sqlalchemy as sa

    statement = sa.select(sa.literal(1)).select_from(table).limit(1)
    return connection.execute(statement).first() is not None
